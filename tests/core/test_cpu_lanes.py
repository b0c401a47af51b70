# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that are decoded beside each other come in order, are the same, and stop with who asked for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from core.engine.cpu.lanes import Lanes
from core.engine.engine import Engine
from tests.support import small


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    with small.one_thread():
        torch.set_num_threads(3)
        yield


def test_results_come_in_the_order_of_the_items() -> None:
    gate = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert gate.wait(10)  # the first is the last to be done
        if item == 4:
            gate.set()
        return item * item

    assert list(Lanes().each(work, range(20))) == [n * n for n in range(20)]


def test_a_lane_keeps_to_one_thread_and_everyone_else_has_theirs() -> None:
    lanes = Lanes()
    assert set(lanes.each(lambda _: torch.get_num_threads(), range(9))) == {1}
    assert torch.get_num_threads() == 3
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [3]


def test_who_stops_asking_stops_the_rest() -> None:
    began: list[int] = []
    lanes = Lanes()
    results = lanes.each(lambda item: began.append(item) or item, range(1000))
    assert [next(results), next(results)] == [0, 1]
    results.close()  # type: ignore[attr-defined]
    assert len(began) <= 2 + lanes.count + 2
    assert list(lanes.each(abs, [-1, -2])) == [1, 2]  # and may ask again


def test_what_goes_wrong_in_a_lane_comes_up_where_it_was_asked_for() -> None:
    def work(item: int) -> float:
        return 1 / (item - 3)

    results = Lanes().each(work, range(9))
    assert len([next(results) for _ in range(3)]) == 3
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("arithmetic", ["published", "clean"])
def test_a_frame_is_the_same_alone_and_beside_others(arithmetic: str) -> None:
    net, weights = small.model(arithmetic, 64), small.weights(12)
    engine = Engine(net, "cpu")
    source = engine.prepare(small.levels(64)[0])
    beside = [frame.image.numpy() for frame in engine.decode(source, weights)]
    for n in (0, 5, 11):
        (alone,) = engine.decode(source, weights[n : n + 1])
        np.testing.assert_array_equal(alone.image.numpy(), beside[n])
