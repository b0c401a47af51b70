# SPDX-License-Identifier: GPL-3.0-or-later
"""A rendered person who talks, with the sound: what the networks are told is true, to look at and to hear.

    edtalk heads talk talk.mp4 --seconds 10
    edtalk heads talk talk.mp4 --voice espeak:en-us+f3 --emotion "0:neutral,4:happy" --person 1000300

Lips follow the phones that the synthesiser says it makes, the head and the lids the rules of
`training.speech.gestures`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from core.motion.idle import SPOKEN, emotion_track, spoken_motion
from core.motion.motion import Weights
from core.pictures.video import write_preview
from core.sound.prosody import prosody
from core.wire.channels import BANK_SLICES, STEPS_PER_SECOND
from core.wire.errors import InputError
from training.commands.heads_demo import PORTRAIT_SEED, drive, portrait_person
from training.factors import EXPRESSION, MOUTH, channels, emotions, to_weights
from training.heads.render import HeadRenderer
from training.speech.gestures import gestures
from training.speech.sentences import sentence
from training.speech.synth import RATE, SpeechUnavailable, Utterance, Voice, speak
from training.speech.visemes import mouth_track

PAUSE = (0.3, 0.9)
"""Seconds between sentences."""


def speech(voice: Voice, seconds: float, rng: np.random.Generator) -> Utterance:
    """Sentences of dictionary words with pauses between them, `seconds` long.

    Raises SpeechUnavailable where the synthesiser or the voice is missing.
    """
    sounds, visemes, at = [], [], 0
    while at < seconds * RATE:
        said = speak(sentence(rng, invented=0.0), voice)
        pause = np.zeros(int(rng.uniform(*PAUSE) * RATE), np.float32)
        visemes.append(said.visemes + [0, at / RATE, at / RATE])
        sounds += [said.samples, pause]
        at += len(said.samples) + len(pause)
    table = np.concatenate(visemes).astype(np.float32)
    samples = np.concatenate(sounds)[: int(seconds * RATE)]
    return Utterance(samples, table[table[:, 1] < seconds])


def acted(said: Utterance, emotion: str, stillness: float, rng: np.random.Generator) -> Weights:
    """Weights [T, 36] of somebody who says this; `emotion` as in `core.motion.idle.emotion_track`."""
    steps = len(said.samples) * STEPS_PER_SECOND // RATE
    pose, begins = gestures(said.visemes, prosody(said.samples, steps), stillness, rng)
    blinks = np.flatnonzero(begins) / STEPS_PER_SECOND
    weights = spoken_motion(channels(), pose, blinks.tolist(), 1 / SPOKEN)
    still = np.zeros((steps, 6)), mouth_track(said.visemes, steps), np.zeros((steps, len(EXPRESSION)))
    weights[:, : len(MOUTH)] = to_weights(*still)[:, : len(MOUTH)]
    at_rest = np.zeros(len(EXPRESSION), np.float32)
    weights[:, BANK_SLICES["expression"]] += emotion_track(emotion, emotions(), at_rest, steps)
    return weights


def talking_clip(path: Path, person: int, said: Utterance, weights: Weights, size: int) -> int:
    """Writes the clip with its sound -> number of frames. Raises OutputBlocked, NoGraphics."""
    import soundfile

    renderer = HeadRenderer(size)
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "said.wav"
        soundfile.write(sound, said.samples, RATE)
        frames = drive(renderer, portrait_person(renderer, person), weights)
        return write_preview(path, frames, STEPS_PER_SECOND, sound)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module docstring."""
    import argparse

    parser = argparse.ArgumentParser(description="Draw a synthetic person who talks, with the sound.")
    parser.add_argument("out", type=Path, help="a .mp4")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--person", type=int, default=PORTRAIT_SEED, help="the person's seed")
    parser.add_argument("--voice", default="flite:slt", help="flite:NAME or espeak:LANGUAGE+VARIANT")
    parser.add_argument("--emotion", default="", help='such as "happy:0.5" or "0:neutral,4:happy"')
    parser.add_argument("--stillness", type=float, default=0.3, help="0 (lively) to 1 (hardly moves)")
    parser.add_argument("--seed", type=int, default=0, help="other words and other motion")
    parser.add_argument("--size", type=int, default=256)
    chosen = parser.parse_args(arguments)
    rng = np.random.default_rng(chosen.seed)
    engine, _, name = chosen.voice.partition(":")
    try:
        said = speech(Voice(engine, name), chosen.seconds, rng)
    except SpeechUnavailable as reason:
        raise InputError(str(reason), hint="Try --voice flite:slt or espeak:en-us+f3") from reason
    weights = acted(said, chosen.emotion, chosen.stillness, rng)
    talking_clip(chosen.out, chosen.person, said, weights, chosen.size)


if __name__ == "__main__":
    main()
