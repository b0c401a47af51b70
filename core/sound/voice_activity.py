# SPDX-License-Identifier: GPL-3.0-or-later
"""Where somebody speaks, judged against the recording's own noise.

Each band of the sound has a floor of its own: the level that it is at or above nearly all the time. Hum, hiss
or a fan lie on their floor however loud they are; a voice rises above it for a syllable and falls back
("minimum statistics", Martin 2001, over the whole recording). What plays on without a break, a steady tone
of music, is floor as well; a beat is not, and passes for a voice.

Legend: N samples at 16 kHz, T steps of 1/25 s, F mel frames of 10 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.sound import mel
from core.sound.once import once

FRAMES_PER_STEP = mel.SAMPLES_PER_STEP // mel.CLEAN_HOP
ENOUGH = 30000  # frames that say where the floors are: an hour is not sorted whole
FLOOR_SHARE = 8  # percent of the frames lie below a band's floor
ABOVE = 6.0  # decibels over its floor from which a band counts
MOST = 24.0  # and no louder than this, or one band would speak for all
NEEDED = 0.16  # share of the recording's own loud speech (95th percentile) that is speech
LEAST = 2.0  # decibels, mean over the bands: less is no voice
DEEPEST = 50.0  # decibels below the loudest band: what is softer is not heard
QUIETEST = -100.0  # decibels, as the bands count them: rounding, not a voice
SHORTEST, GAP = 3, 2  # steps: a click is no speech, a stop consonant no pause


@once
def spoken(samples: NDArray[Any], steps: int, chunk: int = 4000) -> NDArray[np.bool_]:
    """[T] whether there is speech in each step; beyond the sound's end there is none.

    Args:
        samples: float [N] mono at 16 kHz.
        steps: T.
        chunk: frames measured at a time; it changes memory, not the result.
    """
    frames = FRAMES_PER_STEP * min(steps, -(-len(samples) // mel.SAMPLES_PER_STEP))
    found = np.zeros(steps, bool)
    if not frames:
        return found
    parts = [_decibels(samples, first, min(first + chunk, frames)) for first in range(0, frames, chunk)]
    bands = np.concatenate(parts)  # [F, 80] float32: 32 kB a second
    sample = bands[:: max(1, len(bands) // ENOUGH)]
    floor = np.maximum(np.percentile(sample, FLOOR_SHARE, axis=0), bands.max() - DEEPEST)
    rises = np.clip(bands - floor - ABOVE, 0, MOST).mean(axis=1)
    rises[bands.max(axis=1) < QUIETEST] = 0
    risen = rises.reshape(-1, FRAMES_PER_STEP).mean(axis=1)
    enough = max(LEAST, NEEDED * float(np.percentile(risen, 95)))
    found[: len(risen)] = _settled(risen > enough)
    return found


def _decibels(samples: NDArray[Any], first: int, last: int) -> NDArray[np.float32]:
    magnitudes = mel.mel_magnitudes(samples, first, last, mel.CLEAN_HOP, reflect=False)
    return np.asarray(20 * np.log10(np.maximum(magnitudes, 1e-7)), np.float32)


def _settled(voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Gaps of up to `GAP` steps within speech are speech; speech shorter than `SHORTEST` steps is none."""
    out = voiced.copy()
    for value, longest in ((False, GAP), (True, SHORTEST - 1)):
        edges = np.flatnonzero(np.diff(out)) + 1
        starts, ends = np.append(0, edges), np.append(edges, len(out))
        for start, end in zip(starts, ends):
            inside = value or (start > 0 and end < len(out))
            if out[start] == value and end - start <= longest and inside:
                out[start:end] = not value
    return out
