# SPDX-License-Identifier: GPL-3.0-or-later
"""A measure of a sound is computed once for the same sound, and again for any other."""

from __future__ import annotations

import numpy as np

from core.sound.once import once


def test_the_same_sound_is_measured_once_and_every_other_one_anew() -> None:
    asked: list[int] = []

    @once
    def measure(samples: np.ndarray, steps: int, chunk: int = 3) -> np.ndarray:
        asked.append(steps)
        return samples[:steps].copy()

    sound = np.arange(10.0)
    first = measure(sound, 4)
    first[:] = 9  # a copy
    np.testing.assert_array_equal(measure(sound, 4), sound[:4])
    assert asked == [4]
    measure(sound, 5)
    measure(sound, 5, chunk=2)
    measure(sound.copy(), 5, chunk=2)  # equal, but another array
    assert asked == [4, 5, 5, 5]
    sound[0] = 7.0
    assert measure(sound, 5, chunk=2)[0] == 7
    del sound
    assert measure(np.arange(10.0), 5, chunk=2)[0] == 0
