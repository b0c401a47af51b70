# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds, steps and scene frames agree at every frame rate."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def timing(checkout):
    return checkout("edtalk_blender.settings.timing")


def test_at_25_fps_every_step_stands_on_a_frame(timing) -> None:
    assert timing.key_frames(4, 101, 25.0, 25.0).tolist() == [101, 102, 103, 104]


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (25, 1.0), (30, 1.001), (60, 1.0), (12, 1.0)])
def test_a_step_stands_where_the_middle_of_a_frame_is_the_middle_of_the_step(timing, fps, base) -> None:
    rate = timing.scene_rate(fps, base)
    frames = timing.key_frames(76, 10, rate, 25.0)
    np.testing.assert_allclose((frames - 10 + 0.5) / rate, (np.arange(76) + 0.5) / 25)


def test_at_25_fps_long_takes_stand_on_their_frames_to_the_bit(timing) -> None:
    steps = np.arange(100_000)
    assert (timing.key_frames(100_000, -17, 25.0, 25.0) == steps - 17).all()


@pytest.mark.parametrize(
    ("steps", "fps", "count"), [(50, 24.0, 48), (50, 25.0, 50), (50, 30.0, 60), (51, 24.0, 49), (1, 12.0, 1)]
)
def test_a_take_covers_the_frames_that_begin_while_it_lasts(timing, steps, fps, count) -> None:
    assert timing.frame_count(steps, fps, 25.0) == count


@pytest.mark.parametrize(("start", "shift"), [(1, 0), (101, 0), (0, 1), (-20, 21)])
def test_file_numbers_are_scene_frames_and_never_negative(timing, start: int, shift: int) -> None:
    assert timing.file_shift(start) == shift
    assert start - 1 + shift >= 0  # the picture at rest, one frame before the first


def test_progress_reads_as_an_animator_would_say_it(timing) -> None:
    assert timing.progress_text("Decoding", 186, 300, 41.2, 2.8) == "186 / 300 · 41 fps · 3 s left"
    assert timing.progress_text("Decoding", 3, 300, 1.26, 236) == "3 / 300 · 1.3 fps · 3 min 56 s left"
    assert timing.progress_text("Listening", 0, 0, 0, 0) == "Listening"
    assert timing.progress_text("Loading the model", 0, 1, 0, 0) == "Loading the model"
    assert timing.progress_text("Decoding", 2, 300, 0, 0) == "Decoding 2 / 300"


def test_what_comes_before_the_frames_is_not_taken_for_them(timing) -> None:
    """Listening ends with a full bar: that must not read as a take that is done at 1500 fps."""
    assert timing.progress_text("Listening", 166, 166, 1531, 0) == "Listening"
    assert timing.progress_text("Watching the clip", 40, 300, 8, 32.5) == "Watching the clip · 32 s left"
