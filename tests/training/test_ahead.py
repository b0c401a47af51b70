# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches made in advance are the batches, in order, and their errors are not lost."""

from __future__ import annotations

import threading

import pytest

from training.shared.ahead import Ahead


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_every_step_gets_its_own_batch(steps: int) -> None:
    ahead = Ahead(lambda step: step * step, steps)
    assert [ahead(step) for step in range(5, 25)] == [step * step for step in range(5, 25)]
    ahead.close()


def test_the_next_batch_is_made_before_it_is_asked_for() -> None:
    made = [threading.Event() for _ in range(40)]

    def make(step: int) -> int:
        made[step].set()
        return step

    ahead = Ahead(make, 3)
    ahead(0)
    assert made[3].wait(5) and not made[5].is_set()
    ahead.close()


def test_an_error_is_raised_at_its_step() -> None:
    def make(step: int) -> int:
        if step == 2:
            raise FileNotFoundError("the shard is gone")
        return step

    ahead = Ahead(make, 2)
    assert [ahead(0), ahead(1)] == [0, 1]
    with pytest.raises(FileNotFoundError, match="shard is gone"):
        ahead(2)
    ahead.close()
