# SPDX-License-Identifier: GPL-3.0-or-later
"""How loud a recording is at each moment, in decibels: what says where nobody speaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 100
"""Levels a second."""

WINDOW = 0.03  # seconds under one level: longer than a voice's period, shorter than a stop consonant
FLOOR = -100.0  # decibels of nothing at all


def levels(samples: NDArray[np.float32], sample_rate: int = 16000) -> NDArray[np.float32]:
    """float32 [T] at `RATE` a second: root mean square of a window around each moment, decibels below full
    scale; -100 is silence. Row t lies at t / RATE seconds.
    """
    hop, half = sample_rate // RATE, int(WINDOW * sample_rate / 2)
    centres = np.arange(0, len(samples), hop)
    power = np.empty(len(centres))
    for first in range(0, len(centres), 6000):  # a minute at a time: an hour of sound is not squared at once
        part = centres[first : first + 6000]
        begin, end = max(0, part[0] - half), min(len(samples), part[-1] + half)
        total = np.concatenate([[0.0], np.cumsum(samples[begin:end].astype(np.float64) ** 2)])
        low, high = np.maximum(part - half, begin), np.minimum(part + half, end)
        power[first : first + 6000] = (total[high - begin] - total[low - begin]) / np.maximum(1, high - low)
    found = 10 * np.log10(np.maximum(power, 10 ** (FLOOR / 10)))
    return np.asarray(found, np.float32)
