# SPDX-License-Identifier: GPL-3.0-or-later
"""server/report.py: how often progress is told, and the arithmetic of speed and time left."""

from __future__ import annotations

from server.report import Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_told_ten_times_a_second_and_always_at_the_end() -> None:
    clock = Clock()
    pace, told = Pace(clock), []
    for done in range(1, 201):
        clock.now += 0.01
        if pace.due("Rendering", done, 200):
            told.append(done)
    assert told[0] == 1 and told[-1] == 200
    assert 19 <= len(told) <= 22


def test_a_new_stage_is_told_at_once_and_starts_its_own_clock() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.due("Listening", 5, 100)
    clock.now += 0.01
    assert not pace.due("Listening", 6, 100)
    assert pace.due("Rendering", 0, 100)
    clock.now += 2
    assert pace.speed(10, 100) == (5.0, 18.0)


def test_speed_is_zero_while_nothing_is_known() -> None:
    pace = Pace(Clock())
    assert pace.speed(0, 0) == (0.0, 0.0)
    pace.due("Rendering", 0, 10)
    assert pace.speed(0, 10) == (0.0, 0.0)
