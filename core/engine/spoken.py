# SPDX-License-Identifier: GPL-3.0-or-later
"""Where something is said. In silence the mouth is the portrait's own: it stays open, or goes on smiling,
where a mouth that is told to be silent would shut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import Weights, smoothed
from core.sound import voice_activity
from core.wire.channels import STEPS_PER_SECOND

AROUND = 0.28  # seconds in which a mouth gets ready for a sound, and still ends one
EASE = 0.1  # seconds, standard deviation: how softly a mouth comes and goes


def spoken_mouth(heard: Weights, own: Weights, samples: NDArray[np.float32]) -> Weights:
    """Mouth weights [T, 20] as `heard` where something is said, and the portrait's `own` [20] in silence.

    samples  the recording, 16 000 a second
    """
    return own + spoken(samples, len(heard))[:, None] * (heard - own)


def spoken(samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """[count] for each step of motion 1 where something is said, 0 in silence, softly between."""
    said = voice_activity.spoken(samples, count)
    reach = round(AROUND * STEPS_PER_SECOND)
    near = np.convolve(said, np.ones(2 * reach + 1))[reach : reach + count] > 0
    return np.asarray(smoothed(near[:, None], EASE * STEPS_PER_SECOND)[:, 0], np.float32)
