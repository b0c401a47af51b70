# SPDX-License-Identifier: GPL-3.0-or-later
"""Text -> sound and timed visemes, by flite (a program) or espeak-ng (a library).

Only training needs either of them; the product does not. Both are free software packaged by every Linux
distribution (Debian: ``flite``, ``libespeak-ng1``). Each voice says which sounds it makes and when they
begin, within about 20 ms.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.sound import phones
from training.speech.visemes import timed

RATE = 16000
"""Samples a second of every utterance."""


@dataclass(frozen=True)
class Voice:
    """Who speaks: an engine, one of its voices, and how."""

    engine: str  # "flite" or "espeak"
    name: str  # flite: slt, rms, awb, kal16; espeak: language, optionally +variant, e.g. "en-us+f3"
    speed: float = 1.0  # 1 = the engine's own speaking rate, larger is faster
    pitch: float = 0.5  # espeak only, 0..1
    swing: float = 0.5  # espeak only: range of intonation, 0..1
    tone: tuple[float, float] | None = None  # flite only (not rms): mean and deviation of pitch in hertz

    @property
    def key(self) -> str:
        """The same for all speeds and pitches of one voice."""
        return f"{self.engine}-{self.name}"


@dataclass(frozen=True)
class Utterance:
    """Sound and the mouth's part in it.

    Attributes:
        samples: float32 [N], 16 kHz mono, within -1..1.
        visemes: float32 [K, 3], rows of (viseme number, start, end) in seconds.
    """

    samples: NDArray[Any]
    visemes: NDArray[Any]


class SpeechUnavailable(RuntimeError):
    """The synthesiser is not installed, or it does not know the voice."""


class UnknownSound(ValueError):
    """A voice used a sound that has no viseme; the sentence is of no use."""


def available(engine: str) -> bool:
    """True when the engine ("flite" or "espeak") is installed."""
    return (
        shutil.which("flite") is not None
        if engine == "flite"
        else ctypes.util.find_library("espeak-ng") is not None
    )


def speak(text: str, voice: Voice) -> Utterance:
    """Say one sentence.

    espeak-ng keeps some memory of what it said before: a fresh process repeats exactly, the same process
    within a millisecond.

    Raises:
        SpeechUnavailable: no such engine or voice on this machine.
        UnknownSound: the voice used a sound that has no viseme.
    """
    if voice.engine not in ("flite", "espeak"):
        raise SpeechUnavailable(f"there is no engine {voice.engine!r}, only flite and espeak")
    return _flite(text, voice) if voice.engine == "flite" else _espeak(text, voice)


def resampled(samples: NDArray[Any], factor: float, quality: str = "HQ") -> NDArray[Any]:
    """float32 [N] with `factor` times fewer samples: N / factor of them, rounded up."""
    import soxr

    out = soxr.resample(samples, RATE * factor, RATE, quality=quality)
    count = math.ceil(len(samples) / factor)
    return np.asarray(np.pad(out, (0, max(0, count - len(out))))[:count], np.float32)


def _resampled(samples: NDArray[Any], rate: int) -> NDArray[Any]:
    if rate == RATE:
        return samples.astype(np.float32)
    return resampled(samples.astype(np.float32), rate / RATE)


# --- flite ----------------------------------------------------------------------------------------


@functools.cache
def _flite_voices() -> frozenset[str]:
    """Asked for because flite speaks with its default voice, without a word, when it does not know one."""
    if not available("flite"):
        raise SpeechUnavailable("flite is not installed")
    done = subprocess.run(["flite", "-lv"], capture_output=True, text=True, check=True)
    return frozenset(done.stdout.partition(":")[2].split())


def _flite(text: str, voice: Voice) -> Utterance:
    import soundfile

    if voice.name not in _flite_voices():
        raise SpeechUnavailable(f"flite has no voice {voice.name!r}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        command = [
            "flite",
            "-voice",
            voice.name,
            "--setf",
            f"duration_stretch={1 / voice.speed:.4f}",
            *_toned(voice),
            "-psdur",
            "-t",
            text,
            "-o",
            str(path),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not path.exists():
            raise SpeechUnavailable(f"flite could not speak: {done.stderr.strip()}")
        samples, rate = soundfile.read(path, dtype="float32")
    rows: list[tuple[str, float, float]] = []
    start = 0.0
    for word in done.stdout.splitlines()[0].split():
        phone, end = word.rsplit(":", 1)
        rows += phones.spread(phones.from_flite(phone), start, float(end))
        start = float(end)
    return Utterance(_resampled(samples, rate), timed(rows))


def _toned(voice: Voice) -> list[str]:
    if voice.tone is None:
        return []
    mean, deviation = voice.tone
    return [
        *("--setf", f"int_f0_target_mean={mean:.2f}"),
        *("--setf", f"int_f0_target_stddev={deviation:.2f}"),
    ]


# --- espeak-ng ------------------------------------------------------------------------------------


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_SYNCHRONOUS, _PHONEME_EVENTS, _DO_NOT_EXIT = 2, 1, 0x8000
_LIST_END, _PHONEME, _UTF8 = 0, 7, 1
_PARAMETERS = {"rate": 1, "pitch": 3, "range": 4}
_USUAL_RATE = 165  # words a minute


@functools.cache
def _library() -> tuple[ctypes.CDLL, int]:
    """The library, started once in a process: a second start would lose the events. Returns it with its
    sample rate."""
    name = ctypes.util.find_library("espeak-ng")
    if name is None:
        raise SpeechUnavailable("espeak-ng is not installed")
    library = ctypes.CDLL(name)
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _DO_NOT_EXIT)
    if rate <= 0:
        raise SpeechUnavailable("espeak-ng was found but could not be started")
    return library, int(rate)


def _collector(pcm: list[bytes], events: list[tuple[float, str]]) -> Callable[..., int]:
    def collect(wave: ctypes._Pointer[ctypes.c_short], count: int, event: ctypes._Pointer[_Event]) -> int:
        if wave and count > 0:
            pcm.append(ctypes.string_at(wave, count * 2))
        i = 0
        while event[i].type != _LIST_END:
            if event[i].type == _PHONEME:
                events.append((event[i].audio_position / 1000, event[i].id.string.decode("utf-8", "replace")))
            i += 1
        return 0

    return collect


def _espeak(text: str, voice: Voice) -> Utterance:
    library, rate = _library()
    pcm: list[bytes] = []
    events: list[tuple[float, str]] = []
    callback = _CALLBACK(_collector(pcm, events))
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
        raise SpeechUnavailable(f"espeak-ng has no voice {voice.name!r}")
    settings = {"rate": _USUAL_RATE * voice.speed, "pitch": 100 * voice.pitch, "range": 100 * voice.swing}
    for name, value in settings.items():
        library.espeak_SetParameter(_PARAMETERS[name], int(value), 0)
    encoded = text.encode()
    library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    samples = np.frombuffer(b"".join(pcm), np.int16).astype(np.float32) / 32768
    return Utterance(
        _resampled(samples, rate), timed(_espeak_visemes(events, len(samples) / rate, voice.name))
    )


def _espeak_visemes(
    events: list[tuple[float, str]], seconds: float, name: str
) -> list[tuple[str, float, float]]:
    sounds = [
        (at, phone) for at, phone in events if phone and not phone.startswith("(")
    ]  # "(en)" marks a change of language
    if not sounds:
        raise UnknownSound(f"{name} said nothing")
    rows = [("silence", 0.0, sounds[0][0])]
    english = name.startswith("en")
    for i, (start, phone) in enumerate(sounds):
        end = sounds[i + 1][0] if i + 1 < len(sounds) else seconds
        visemes = phones.from_espeak(phone, english)
        if visemes is None:
            raise UnknownSound(f"{name} uses the sound {phone!r}, which has no viseme")
        rows += phones.spread(visemes, start, max(start, end))
    return rows
