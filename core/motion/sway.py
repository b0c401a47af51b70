# SPDX-License-Identifier: GPL-3.0-or-later
"""A head that holds still and then moves, as talkers' heads do: yaw, pitch and roll over time.

Two layers, each a chain of holds and moves of random length to random places: posture, and the smaller,
quicker beats on top of it. A move is the smoothest way from rest to rest (minimum jerk, Flash and Hogan
1985). Together they have the spectrum of talkers' heads: .63 of the variance below .5 Hz, .35 up to 2 Hz.
A sum of sines has that as well, but sines never rest. Places are drawn about the middle, so nothing drifts.

Each chain is drawn from left to right, so the beginning does not depend on how long the take is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.motion.talkers import figures
from core.wire.channels import STEPS_PER_SECOND

AXES = ("yaw", "pitch", "roll")
STREAM = 79
CALM = 0.3
"""Stillness at which holds have their usual length."""


@dataclass(frozen=True)
class Layer:
    """A chain of holds and moves. Times in seconds; a distance of 1 is one deviation."""

    share: float  # of the variance
    hold: float  # median
    move: float  # a move lasts so long, and
    further: float  # so much longer for each deviation of distance
    back: float  # correlation of one place with the last; below 0: rather to the other side


LAYERS = (Layer(0.6, 0.4, 0.25, 0.1, -0.2), Layer(0.4, 0.15, 0.14, 0.05, -0.3))
SPREAD = 0.8  # deviation of the logarithm of a hold
LONGEST = 4.0
NEAREST, FARTHEST = 1.1, 2.2  # deviations of all three axes together, between which places lie
REACHED = 0.9  # deviation of the two layers' sum before it is made 1


def sway(
    steps: int, seed: int, stillness: float = CALM, speech: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """Yaw, pitch, roll of unit deviation over a long time, float64 [steps, 3]; zero at first.

    Args:
        stillness: 0..1; a still head holds longer and moves less far.
        speech: [steps] 0 in pauses .. 1 in speech, where the head moves more often.
    """
    pace = (0.4 + 2 * stillness) / (0.4 + 2 * CALM)
    size = 1 - 0.6 * (stillness - CALM)
    both = np.zeros((steps, len(AXES)))
    for number, layer in enumerate(LAYERS):
        random = np.random.default_rng([seed & 0xFFFFFFFF, STREAM, number])
        both += np.sqrt(layer.share) * _chain(layer, steps, random, pace, speech)
    tied = figures()["head"]["yaw_roll"] * np.random.default_rng([seed & 0xFFFFFFFF, STREAM]).choice((-1, 1))
    out = both * size / REACHED
    out[:, 2] = tied * out[:, 0] + np.sqrt(1 - tied**2) * out[:, 2]
    return out


def _chain(
    layer: Layer, steps: int, random: np.random.Generator, pace: float, speech: NDArray[Any] | None
) -> NDArray[np.float64]:
    out, time = np.zeros((steps, len(AXES))), np.arange(steps) / STEPS_PER_SECOND
    here, now = np.zeros(len(AXES)), 0.0
    quiet = figures()["head"]["pauses"]
    while now * STEPS_PER_SECOND < steps:
        hold = layer.hold * np.exp(SPREAD * random.standard_normal()) * pace
        if speech is not None and speech[int(now * STEPS_PER_SECOND)] < 0.5:
            hold /= quiet**2
        step = random.standard_normal(len(AXES))
        far = np.linalg.norm(step)
        step *= np.clip(far, NEAREST, FARTHEST) / far
        there = layer.back * here + np.sqrt(1 - layer.back**2) * step
        begins = now + min(hold, LONGEST)
        lasts = layer.move + layer.further * float(np.abs(there - here).max())
        first, start, end = (int(np.ceil(t * STEPS_PER_SECOND)) for t in (now, begins, begins + lasts))
        out[first:start] = here
        place = ((time[start:end] - begins) / lasts)[:, None]
        out[start:end] = here + place**3 * (10 - 15 * place + 6 * place**2) * (there - here)
        here, now = there, begins + lasts
    return out
