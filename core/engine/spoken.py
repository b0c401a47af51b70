# SPDX-License-Identifier: GPL-3.0-or-later
"""Where something is said. In silence the mouth is the portrait's own: it stays open, or goes on smiling,
where a mouth that is told to be silent would shut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import Weights, smoothed
from core.sound import loudness
from core.wire.channels import STEPS_PER_SECOND

QUIETEST = -60.0  # decibels below full scale that nobody speaks at, however quiet the recording
BELOW = 40.0  # decibels below a recording's own loud voice at which nobody speaks any more
LOUD = 95  # percentile of a recording's levels that is its loud voice
AROUND = 0.16  # seconds in which a mouth gets ready for a sound, and still ends one
EASE = 0.12  # seconds, standard deviation: how softly a mouth comes and goes


def spoken_mouth(heard: Weights, own: Weights, samples: NDArray[np.float32]) -> Weights:
    """Mouth weights [T, 20] as `heard` where something is said, and the portrait's `own` [20] in silence.

    samples  the recording, 16 000 a second
    """
    return own + spoken(samples, len(heard))[:, None] * (heard - own)


def spoken(samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """[count] for each step of motion 1 where something is said, 0 in silence, softly between."""
    level = loudness.levels(samples)
    if not len(level):
        return np.zeros(count, np.float32)
    said = level > max(QUIETEST, float(np.percentile(level, LOUD)) - BELOW)
    reach = round(AROUND * loudness.RATE)
    near = np.convolve(said, np.ones(2 * reach + 1))[reach : reach + len(level)] > 0
    eased = smoothed(near[:, None], EASE * loudness.RATE)[:, 0]
    rows = ((np.arange(count) + 0.5) * loudness.RATE / STEPS_PER_SECOND).astype(int)
    return np.asarray(eased[np.minimum(rows, len(eased) - 1)])
