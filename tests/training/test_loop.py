# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared loop: learns, resumes as if nothing had happened, and shares the work without changing the
result."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from training.shared.loop import LoopSettings, Place, from_command_line, learning_rate, rng_of, train

ROOT = Path(__file__).resolve().parents[2]
QUICK = LoopSettings(steps=30, learning_rate=0.02, warmup=1, log_every=10, save_every=10, bf16=False)
ALONE = Place(0, 1, torch.device("cpu"))


def line_fit() -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(4, 1)


def loss_with(model: nn.Module, rows: slice = slice(None)):
    """Fit y = sum(x) on eight rows drawn from (seed, step); a process may take a part of them."""

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        x = torch.from_numpy(rng_of(0, step, ALONE).standard_normal((8, 4))).float()[rows]
        loss = ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()
        return loss, {"loss": float(loss.detach())}

    return loss_of


def log_of(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    model = line_fit()
    train(model, loss_with(model), replace(QUICK, steps=200), tmp_path, ALONE)
    losses = [line["loss"] for line in log_of(tmp_path)]
    assert losses[-1] < 0.05 * losses[0]


def test_a_run_cut_off_and_resumed_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = line_fit()
    train(whole, loss_with(whole), QUICK, tmp_path / "whole", ALONE)

    class Cut(Exception):
        pass

    cut = line_fit()
    inner = loss_with(cut)

    def until_17(step: int) -> tuple[Tensor, dict[str, float]]:
        if step == 17:  # after the checkpoint of step 10: seven steps are lost and done again
            raise Cut
        return inner(step)

    with pytest.raises(Cut):
        train(cut, until_17, QUICK, tmp_path / "cut", ALONE)
    resumed = nn.Linear(4, 1)
    train(resumed, loss_with(resumed), QUICK, tmp_path / "cut", ALONE)
    assert torch.equal(resumed.weight, whole.weight)
    assert log_of(tmp_path / "cut")[-1]["loss"] == log_of(tmp_path / "whole")[-1]["loss"]


def test_a_run_stopped_by_the_clock_and_resumed_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = line_fit()
    train(whole, loss_with(whole), QUICK, tmp_path / "whole", ALONE)
    for place in range(3):  # each call has time for ten steps, the least there is
        part = line_fit() if place == 0 else nn.Linear(4, 1)
        train(part, loss_with(part), replace(QUICK, minutes=1e-9), tmp_path / "parts", ALONE)
        assert log_of(tmp_path / "parts")[-1]["step"] == 10 * (place + 1)
    assert torch.equal(part.weight, whole.weight)


def test_tensorboard_shows_the_numbers_and_the_sheets(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = line_fit()

    def look(step: int, _average: nn.Module) -> dict[str, float]:
        Image.new("RGB", (8, 4), "red").save(tmp_path / f"sheet_{step:06d}.png")
        return {"seen": 1.0}

    train(model, loss_with(model), QUICK, tmp_path, ALONE, look)
    board = EventAccumulator(str(tmp_path))
    board.Reload()
    assert [event.step for event in board.Scalars("loss")] == [10, 20, 30]
    assert [event.step for event in board.Images("sheet")] == [10, 20, 30]


def test_the_learning_rate_warms_up_holds_and_falls() -> None:
    s = LoopSettings(steps=100, learning_rate=1.0, warmup=10, decay_from=0.5, floor=0.1)
    assert learning_rate(0, s) == pytest.approx(0.1)
    assert learning_rate(30, s) == pytest.approx(1.0)
    assert learning_rate(100, s) == pytest.approx(0.1)


def test_a_batch_that_is_not_a_number_is_skipped(tmp_path: Path) -> None:
    model = line_fit()
    inner = loss_with(model)

    def poisoned(step: int) -> tuple[Tensor, dict[str, float]]:
        loss, numbers = inner(step)
        return (loss * float("nan"), numbers) if step == 5 else (loss, numbers)

    train(model, poisoned, QUICK, tmp_path, ALONE)
    assert torch.isfinite(model.weight).all()


def test_two_processes_give_the_weights_of_one(tmp_path: Path) -> None:
    alone = line_fit()
    train(alone, loss_with(alone), QUICK, tmp_path / "one", ALONE)
    run = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        "29611",
        __file__,
        str(tmp_path / "two"),
    ]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120, env=_environment())
    assert done.returncode == 0, done.stderr[-2000:]
    pair = torch.load(tmp_path / "two" / "state.pt", weights_only=True)["model"]
    torch.testing.assert_close(pair["weight"], alone.weight.detach(), rtol=1e-5, atol=1e-6)


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Some:
    """A recipe's settings."""

    out: Path
    size: int = 64
    loop: LoopSettings = field(default_factory=LoopSettings)


def test_flags_are_the_fields_of_the_settings_and_of_the_loop() -> None:
    made = from_command_line(Some, ["--out", "x", "--size", "32", "--steps", "7", "--no-bf16"])
    assert made == Some(Path("x"), 32, LoopSettings(steps=7, bf16=False))


if __name__ == "__main__":  # one of two processes of test_two_processes_give_the_weights_of_one
    from training.shared.loop import take_place

    place = take_place(threads=1)
    net = line_fit()
    train(net, loss_with(net, slice(4 * place.rank, 4 * place.rank + 4)), QUICK, Path(sys.argv[1]), place)
