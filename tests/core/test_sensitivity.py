# SPDX-License-Identifier: GPL-3.0-or-later
"""core/engine/sensitivity.py and the server's measure: pixels per unit weight bound how far a face moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.engine.engine import Engine
from core.engine.sensitivity import sensitivity
from tests.support import small, toy

SIDE = 32


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(small.model(size=SIDE), "cpu", precision="exact")


def places(engine: Engine, source, weights: np.ndarray) -> np.ndarray:
    """[N, 2, S, S] where every pixel is read, in shares of the side; what is not of the portrait stays."""
    rest = next(engine.decode(source, source.weights[None]))
    frames = engine.decode(source, weights)
    return np.stack([((frame.flow - rest.flow) * rest.mask / 2).numpy() for frame in frames])


def test_one_unit_moves_no_point_farther_than_measured_and_one_as_far(engine: Engine) -> None:
    source = engine.prepare(small.levels(SIDE)[0])
    found = sensitivity(engine, source)
    assert found.shape == (36,) and (found > 0).all()
    for channel in (0, 21, 33):
        both = np.repeat(source.weights[None], 2, axis=0)
        both[0, channel] += 1
        both[1, channel] -= 1
        moved = np.sqrt((places(engine, source, both) ** 2).sum(1)).max()
        assert moved == pytest.approx(found[channel], rel=1e-4)


def test_the_sum_of_shares_bounds_small_changes_of_all_weights(engine: Engine) -> None:
    source = engine.prepare(small.levels(SIDE)[0])
    found = sensitivity(engine, source)
    change = np.random.default_rng(4).normal(scale=0.01, size=(20, 36)).astype(np.float32)
    moved = np.sqrt((places(engine, source, source.weights + change) ** 2).sum(1)).max((1, 2))
    assert (moved <= (np.abs(change) * found).sum(1) * 1.05).all()


def test_progress_is_told_and_can_end_the_work(engine: Engine) -> None:
    source = engine.prepare(small.levels(SIDE)[0])
    told: list[tuple[int, int]] = []

    def tell(_stage: str, done: int, total: int) -> None:
        told.append((done, total))
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        sensitivity(engine, source, tell)
    assert told == [(1, 72), (2, 72), (3, 72)]


def test_the_server_measures_and_hears(
    tiny_checkpoint: Path, portrait: Path, voice: Path, tmp_path: Path
) -> None:
    with toy.Client(toy.REAL, tmp_path / "log.txt") as client:
        client.initialize()
        measured = client.ask(
            "measure", portrait=str(portrait), checkpoint=str(tiny_checkpoint), crop=[16, 0, 64]
        )
        heard = client.ask("hear", audio=str(voice), out=str(tmp_path / "levels.npy"))
    assert len(measured["shares"]) == len(measured["source_weights"]) == 36
    assert max(measured["shares"]) > 0 and measured["model"].startswith("tiny-")
    levels = np.load(heard["out"])
    assert heard["rate"] == 100 and len(levels) == 200 and heard["seconds"] == 2.0
    # the voice swells four times in two seconds and is silent in between
    assert levels[[12, 62, 112, 162]].min() > -20 and levels[[50, 100, 150]].max() < -25
