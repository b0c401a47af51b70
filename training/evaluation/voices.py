# SPDX-License-Identifier: GPL-3.0-or-later
"""Lip sync on voices never heard: sentences spoken on the spot by voices that no training corpus has.

Men and women apart, since networks that learnt from men tend to be deaf to women.  Needs espeak-ng; without
it there is a sentence that says so, and no number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.models.audio_to_mouth import AudioToMouth

from ..speech.corpus import VOICES, Recordings
from ..speech.sentences import sentence
from ..speech.synth import SpeechUnavailable, UnknownSound, Utterance, Voice, available, speak
from .hearing import measure

NEVER_HEARD: dict[str, tuple[str, ...]] = {
    "male": ("en-us+pablo", "en-gb-x-rp+norbert", "en+marcelo"),
    "female": ("en-us+Andrea", "en-gb-x-rp+steph3", "en+Andrea"),
}
"""espeak-ng voices that `training.speech.corpus` leaves alone."""


@dataclass(frozen=True)
class Hearing:
    """Marks of `training.evaluation.hearing.measure`, each the mean over a group's voices."""

    marks: dict[str, dict[str, float]]  # "male", "female" -> name -> number
    sentences: dict[str, list[Utterance]]  # some of what was said, to be drawn
    missing: str = ""  # why there are no numbers


def hearing(net: AudioToMouth | None, sentences: int = 8, seed: int = 7) -> Hearing:
    """How well an audio network hears `sentences` of each voice that it never heard."""
    if net is None:
        return Hearing({}, {}, "this checkpoint has no ears")
    if not available("espeak"):
        return Hearing({}, {}, "espeak-ng is not installed, so there are no voices to listen to")
    heard = {voice.name for voice, _ in VOICES}
    marks, kept = {}, {}
    for group, names in NEVER_HEARD.items():
        voices = []
        for place, name in enumerate(names):
            if name in heard:
                raise ValueError(f"{name} is in the training corpus")
            try:
                voices.append(_spoken(name, sentences, (seed, place)))
            except SpeechUnavailable:
                continue
        if not voices:
            return Hearing({}, {}, f"espeak-ng here lacks the voices {', '.join(names)}")
        found = [measure(net, voice, sentences) for voice in voices]
        marks[group] = {
            key: float(np.nanmean([one[key] for one in found])) for key in found[0]
            if all(key in one for one in found)
        }  # fmt: skip
        kept[group] = [voices[0][i] for i in range(min(2, len(voices[0])))]
    return Hearing(marks, kept)


def _spoken(name: str, count: int, seed: tuple[int, int]) -> Recordings:
    """`count` sentences of a voice, as a corpus would keep them."""
    rng = np.random.default_rng(seed)
    said: list[Utterance] = []
    voice = Voice("espeak", name)
    while len(said) < count:
        saying = replace(voice, speed=float(np.exp(rng.normal(0, 0.1))), pitch=float(rng.uniform(0.3, 0.7)))
        try:
            said.append(speak(sentence(rng), saying))
        except UnknownSound:
            continue
    samples: list[Any] = [np.clip(u.samples * 32767, -32768, 32767).astype(np.int16) for u in said]
    return Recordings(
        voice.key,
        np.concatenate(samples),
        np.cumsum([len(s) for s in samples]),
        np.concatenate([u.visemes for u in said]),
        np.cumsum([len(u.visemes) for u in said]),
    )
