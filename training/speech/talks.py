# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks: sentences of one voice with pauses between them, clean and as a microphone might have them.

What prosody is heard from in training. The phone times stay known, so whatever is to be learned (a head, a
mouth) can be made for the clean talk while the network hears the recorded one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.sound.prosody import prosody
from core.wire.channels import STEPS_PER_SECOND
from training.speech import augment
from training.speech.corpus import Recordings
from training.speech.gestures import usual_nods
from training.speech.synth import RATE, Utterance


@dataclass(frozen=True)
class Talk:
    """Prosody of one talk and what was said when.

    Attributes:
        visemes: [K, 3] rows of (viseme number, start, end) in seconds.
        clean: [T, P] prosody of the sound as it was spoken.
        heard: [T, P] prosody of the recording of it.
        nods: [T] where a listener expects nods, see `training.speech.gestures.usual_nods`.
    """

    visemes: NDArray[Any]
    clean: NDArray[Any]
    heard: NDArray[Any]
    nods: NDArray[Any]

    def __len__(self) -> int:
        return len(self.clean)


def spoken(voice: Recordings, seconds: float, rng: np.random.Generator, kept_back: int = 0) -> Utterance:
    """Sentences of one voice in one throat, pauses of 0.2 to 2.5 s between them, `seconds` long."""
    throat = float(np.exp(rng.uniform(np.log(0.85), np.log(1.2)))) if rng.random() < 0.7 else 1.0
    sounds, visemes = [], []
    at, count = int(rng.uniform(0, 1.2) * RATE), int(seconds * RATE)
    sounds.append(np.zeros(at, np.float32))
    while at < count:
        said = augment.resized(voice[int(rng.integers(len(voice) - kept_back))], throat)
        said = Utterance(augment.effort(said, rng)[0], said.visemes)
        pause = np.zeros(int(np.exp(rng.uniform(np.log(0.2), np.log(2.5))) * RATE), np.float32)
        if rng.random() < 0.3:
            pause = augment.breath(len(pause), rng) * np.float32(0.02)
        sounds += [said.samples, pause]
        visemes.append(said.visemes + [0, at / RATE, at / RATE])
        at += len(said.samples) + len(pause)
    table = np.concatenate(visemes).astype(np.float32)
    return Utterance(np.concatenate(sounds)[:count], table[table[:, 1] < seconds])


def talk(voice: Recordings, seconds: float, rng: np.random.Generator, kept_back: int = 0) -> Talk:
    """One talk by this voice, recorded by chance."""
    said = spoken(voice, seconds, rng, kept_back)
    steps = int(seconds * STEPS_PER_SECOND)
    heard = augment.recorded(said.samples, rng)
    clean = prosody(said.samples, steps)
    return Talk(said.visemes, clean, prosody(heard, steps), usual_nods(said.visemes, clean))
