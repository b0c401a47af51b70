# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences that mean a feeling, said as that feeling is said.

What `training.recipes.speech_to_expression` learns from. The words are those of `training.speech.sayings`;
the voice changes as studies of emotional speech report (Murray and Arnott 1993; Scherer 2003; Juslin and
Laukka 2003): anger is fast, loud, high and bright; sadness slow, soft, low, flat and dull; joy fast, high and
very melodious; fear faster, higher, flatter, with a tremble; surprise highest, rising; disgust and contempt
slow and low. A synthesiser with these settings is a caricature of a feeling person, not one.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import written_whole
from core.sound.lexicon import FELT
from training.speech.sayings import denied, said_with
from training.speech.synth import RATE, SpeechUnavailable, UnknownSound, Voice, speak

CLASSES = ("neutral", *FELT)


@dataclass(frozen=True)
class Manner:
    """How a feeling changes a voice, at full strength."""

    speed: float  # factor
    pitch: float  # octaves
    melody: float  # factor on the range of pitch
    bright: float  # decibels an octave
    loud: float  # decibels
    tremble: float = 0.0  # share of pitch, at some 6 Hz
    rise: float = 0.0  # octaves towards the end


MANNERS = {
    "neutral": Manner(1.0, 0.0, 1.0, 0.0, 0.0),
    "angry": Manner(1.18, 0.22, 1.5, 2.0, 8.0),
    "contempt": Manner(0.86, -0.12, 0.75, -0.5, -2.0, rise=-0.2),
    "disgusted": Manner(0.78, -0.2, 0.9, 0.4, -1.0, tremble=0.01),
    "fear": Manner(1.28, 0.45, 0.6, 0.8, 0.0, tremble=0.035),
    "happy": Manner(1.1, 0.3, 1.8, 1.0, 4.0),
    "sad": Manner(0.74, -0.12, 0.4, -2.0, -7.0, tremble=0.006),
    "surprised": Manner(1.02, 0.5, 2.0, 0.8, 4.0, rise=0.4),
}

_TONES = {"slt": (170.0, 16.0), "awb": (129.0, 9.0), "kal16": (100.0, 10.0)}
"""Mean and deviation of the pitch of flite's voices, hertz."""
_VARIANTS = """
    m1 m3 m4 m7 m8 f1 f2 f3 f4 Annie linda steph aunty adam ed Lee Mike robert victor zac michel
""".split()
_ACCENTS = ("en-us", "en", "en-gb-x-rp", "en-us-nyc", "en-gb-scotland")
VOICES: tuple[tuple[Voice, int], ...] = (
    *((Voice("flite", name), 260) for name in _TONES),
    *((Voice("espeak", f"{_ACCENTS[i % 5]}+{name}"), 120) for i, name in enumerate(_VARIANTS)),
)
"""Each voice with its number of sentences: an hour and a half in all."""


@dataclass(frozen=True)
class Spoken:
    """Sentences of one voice: samples, words, the feeling (its place in CLASSES) and its strength."""

    key: str
    samples: NDArray[Any]  # int16 [N]
    ends: NDArray[Any]  # int64 [U]
    texts: NDArray[Any]  # str [U]
    feelings: NDArray[Any]  # int64 [U]
    strengths: NDArray[Any]  # float32 [U]

    def __len__(self) -> int:
        return len(self.ends)

    def sound(self, i: int) -> NDArray[np.float32]:
        """Samples of sentence `i`, float32 within -1..1."""
        start = int(self.ends[i - 1]) if i else 0
        return np.asarray(self.samples[start : self.ends[i]] / np.float32(32768), np.float32)


def say(
    text: str, voice: Voice, feeling: str, strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """One sentence in one voice, as that feeling is said. Raises SpeechUnavailable, UnknownSound."""
    manner = MANNERS[feeling]

    def shaken(full: float, by: float) -> float:
        return full * strength + float(rng.normal(0, by))

    speed = float(np.exp(shaken(np.log(manner.speed), 0.07)))
    octaves, melody = shaken(manner.pitch, 0.06), float(np.exp(shaken(np.log(manner.melody), 0.18)))
    if voice.engine == "flite":
        mean, deviation = _TONES[voice.name]
        tone = (mean * 2**octaves, deviation * melody * 2**octaves)
        chosen = Voice("flite", voice.name, speed, tone=tone)
    else:  # its pitch and range go from 0 to 1, some 1.3 octaves
        pitch = float(np.clip(0.42 + octaves / 1.3, 0.02, 0.98))
        chosen = Voice("espeak", voice.name, speed, pitch, float(np.clip(0.42 * melody, 0.03, 1.0)))
    samples = speak(text, chosen).samples
    samples = _trembled(samples, manner.tremble * strength, manner.rise * strength, rng)
    spectrum, frequency = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / RATE)
    octave = np.log2(np.clip(frequency, 100, 6000) / 800)
    samples = np.fft.irfft(spectrum * 10 ** (shaken(manner.bright, 0.5) * octave / 20), len(samples))
    loudness = float(np.sqrt(np.square(samples).mean())) + 1e-6
    level = 0.06 * 10 ** (shaken(manner.loud, 2.0) / 20)
    return np.clip(samples * level / loudness, -1, 1).astype(np.float32)


def _trembled(samples: NDArray[Any], depth: float, rise: float, rng: np.random.Generator) -> NDArray[Any]:
    """Pitch shaken some six times a second, and bent by `rise` octaves over the last 0.6 s."""
    if abs(depth) < 1e-4 and abs(rise) < 1e-3:
        return samples
    time = np.arange(len(samples)) / RATE
    ratio = 1 + depth * np.sin(2 * np.pi * rng.uniform(5, 7.5) * time + rng.uniform(0, 6))
    ratio = ratio * 2 ** (rise * np.clip(1 - (time[-1] - time) / 0.6, 0, 1) ** 1.5)
    place = np.cumsum(ratio) - ratio[0]  # where in the sound each moment of the new one lies
    place = place[place <= len(samples) - 1]
    return np.interp(place, np.arange(len(samples)), samples)


def record(voice: Voice, count: int, seed: int = 0) -> Spoken:
    """`count` sentences by one voice, each feeling as often as the others."""
    rng = np.random.default_rng((seed, zlib.crc32(voice.key.encode())))
    sounds: list[NDArray[Any]] = []
    texts, feelings, strengths = [], [], []
    while len(sounds) < count:
        feeling = CLASSES[len(sounds) % len(CLASSES)]
        text, strength = said_with(feeling, rng)
        if feeling == "neutral" and rng.random() < 0.3:
            text, feeling, strength = denied(rng)
        try:
            sounds.append(say(text.lower(), voice, feeling, strength, rng))
        except UnknownSound:
            continue
        texts.append(text)
        feelings.append(CLASSES.index(feeling))
        strengths.append(strength)
    return Spoken(
        voice.key,
        np.concatenate([np.round(s * 32767).astype(np.int16) for s in sounds]),
        np.cumsum([len(s) for s in sounds]),
        np.array(texts),
        np.array(feelings),
        np.array(strengths, np.float32),
    )


def save(path: Path, spoken: Spoken) -> None:
    """Write one voice's file."""
    with written_whole(path) as temporary:
        np.savez(
            temporary,
            samples=spoken.samples,
            ends=spoken.ends,
            texts=spoken.texts,
            feelings=spoken.feelings,
            strengths=spoken.strengths,
        )


def load(path: Path) -> Spoken:
    """Read one voice's file."""
    with np.load(path, allow_pickle=False) as arrays:
        return Spoken(path.stem, **{name: arrays[name] for name in arrays.files})


def make(folder: Path, voices: tuple[tuple[Voice, int], ...] = VOICES, seed: int = 0) -> list[str]:
    """Make the voices that are missing; returns a sentence for each that could not be had."""
    folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    for voice, count in voices:
        path = folder / f"{voice.key}.npz"
        if not path.exists():
            try:
                save(path, record(voice, count, seed))
            except SpeechUnavailable as reason:
                reasons.append(str(reason))
    return reasons
