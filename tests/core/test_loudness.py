# SPDX-License-Identifier: GPL-3.0-or-later
"""core/sound/loudness.py: decibels where the sound is, silence where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from core.sound import loudness


def test_a_full_sine_is_three_decibels_down_and_nothing_is_the_floor() -> None:
    time = np.arange(16000) / 16000
    samples = np.sin(2 * np.pi * 200 * time).astype(np.float32)
    samples[8000:] = 0
    found = loudness.levels(samples)
    assert found.shape == (100,) and found.dtype == np.float32
    np.testing.assert_allclose(found[3:47], -3.01, atol=0.1)
    assert (found[53:] == loudness.FLOOR).all()


def test_a_level_lies_at_its_own_moment() -> None:
    samples = np.zeros(32000, np.float32)
    samples[20000:20160] = 0.5  # 1.25 s
    assert abs(int(loudness.levels(samples).argmax()) - 125) <= 1


def test_long_recordings_are_the_same_as_short_ones() -> None:
    samples = np.random.default_rng(0).normal(size=16000 * 130).astype(np.float32) * 0.1
    np.testing.assert_allclose(
        loudness.levels(samples)[6100:6400], loudness.levels(samples[6000 * 160 :])[100:400], atol=1e-4
    )


@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_very_short_recording_is_no_special_case(count: int) -> None:
    assert len(loudness.levels(np.ones(count, np.float32))) == min(count, 1)
