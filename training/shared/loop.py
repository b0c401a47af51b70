# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop every recipe shares: seed, device, bf16, EMA, gradient clipping, resume, log, several processes.

Nothing in this file knows about faces. A recipe hands over a model and a function ``loss_of(step)`` that
draws its batch from ``(seed, step, rank)`` alone, so that a resumed run sees the data an uninterrupted one
would have seen.

    python -m training.recipes.encoder_generator --data DIR --out DIR                      one process
    torchrun --nproc-per-node 3 -m -- training.recipes.encoder_generator --data ... --out ...  data-parallel

(Without the ``--``, torchrun takes a recipe's ``--start`` for the beginning of an option of its own.)
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from PIL import Image
from torch import Tensor, nn

from core.engine.cpu.kernels import has_bfloat16

LossOf = Callable[[int], tuple[Tensor, dict[str, float]]]
Settings = TypeVar("Settings")


@dataclasses.dataclass(frozen=True)
class LoopSettings:
    """What a run of the loop needs to know. Times are in steps."""

    steps: int = 6000
    learning_rate: float = 2e-3
    warmup: int = 50
    decay_from: float = 0.6  # share of the run after which the learning rate falls, along a cosine
    floor: float = 0.05  # last learning rate, as a share of the first
    clip: float = 5.0  # largest gradient norm
    ema: float = 0.998
    save_every: int = 200
    log_every: int = 20
    seed: int = 0
    bf16: bool = True  # convolutions in bfloat16 where the device has it in hardware; elsewhere it is slower
    minutes: float = 0.0  # stop after so long, the state kept, to be resumed; 0: run to the end


@dataclasses.dataclass(frozen=True)
class Place:
    """Which process this is (``rank`` of ``world``) and the device it computes on."""

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        return self.rank == 0


def take_place(threads: int = 0) -> Place:
    """Join the process group if ``torchrun`` started us, and choose the device; ``threads`` 0 keeps torch's
    choice."""
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    cuda = torch.cuda.is_available()
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo")
    if threads:
        torch.set_num_threads(threads)
    return Place(
        rank,
        world,
        torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu"),
    )


def learning_rate(step: int, s: LoopSettings) -> float:
    """Linear warm-up, constant, then a cosine down to ``floor``."""
    begin = s.decay_from * s.steps
    share = min(1.0, max(0.0, (step - begin) / max(1.0, s.steps - begin)))
    fall = s.floor + (1 - s.floor) * 0.5 * (1 + math.cos(math.pi * share))
    return s.learning_rate * min(1.0, (step + 1) / max(1, s.warmup)) * fall


class Ema:
    """A running average of the weights: what is shown, measured and shipped."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def follow(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))  # a young average that lags is of no use
        here: list[Tensor] = list(self.model.parameters())
        there: list[Tensor] = list(model.parameters())
        torch._foreach_lerp_(here, there, 1 - decay)
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)


def share_gradients(model: nn.Module, world: int) -> None:
    """Average the gradients over all processes, in one message."""
    grads = [
        p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters() if p.requires_grad
    ]
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    flat /= world
    start = 0
    for p, g in zip((p for p in model.parameters() if p.requires_grad), grads, strict=True):
        p.grad = flat[start : start + g.numel()].view_as(g)
        start += g.numel()


def save_state(path: Path, **parts: Any) -> None:
    """Write tensors and numbers whole or not at all."""
    part = path.with_suffix(".part")
    torch.save(parts, part)
    os.replace(part, path)


def train(
    model: nn.Module,
    loss_of: LossOf,
    settings: LoopSettings,
    out: Path,
    place: Place,
    every_save: Callable[[int, nn.Module], dict[str, float]] | None = None,
) -> nn.Module:
    """Run to ``settings.steps``, resuming from ``out/state.pt`` when it is there; return the averaged model.

    ``loss_of(step)`` gives the loss and numbers to log. ``every_save(step, ema_model)`` looks at the run
    (pictures, held-out numbers) and returns numbers to log. The log is ``out/log.jsonl``, one line each
    ``log_every`` steps.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    optimiser = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], settings.learning_rate, betas=(0.9, 0.99)
    )
    average, first, state, log = Ema(model, settings.ema), 0, out / "state.pt", Log(out, place.leads)
    if state.exists():
        kept = torch.load(state, map_location=place.device, weights_only=True)
        model.load_state_dict(kept["model"])
        average.model.load_state_dict(kept["ema"])
        optimiser.load_state_dict(kept["optimiser"])
        first = int(kept["step"])
    half = settings.bf16 and (place.device.type != "cpu" or has_bfloat16())
    began, sums, seen = time.monotonic(), dict[str, float](), 0
    for step in range(first, settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, settings)
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(place.device.type, torch.bfloat16, enabled=half):
            loss, numbers = loss_of(step)
        loss.backward()  # type: ignore[no-untyped-call]
        if place.world > 1:
            share_gradients(model, place.world)
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), settings.clip))
        if not math.isfinite(norm):  # one bad batch must not spoil the run
            numbers, norm = {"skipped": 1.0}, 0.0
        else:
            optimiser.step()
            average.follow(model, step)
        seen += 1
        for name, value in {**numbers, "norm": norm}.items():
            sums[name] = sums.get(name, 0.0) + value
        done = step + 1
        if done % settings.log_every == 0:
            rate = (done - first) / (time.monotonic() - began)
            line = {"step": done, "steps_per_s": rate, "hours_left": (settings.steps - done) / rate / 3600}
            log.write({**line, **{k: v / seen for k, v in sums.items()}})
            sums, seen = {}, 0
        last = done == settings.steps or _time_is_up(began, done, settings, place)
        if place.leads and (done % settings.save_every == 0 or last):
            save_state(
                state,
                model=model.state_dict(),
                ema=average.model.state_dict(),
                optimiser=optimiser.state_dict(),
                step=done,
            )
            if every_save is not None:
                log.write({"step": done, **every_save(done, average.model)})
        if last:
            break
    log.close()
    return average.model


def reached(out: Path) -> int:
    """The last step that a run wrote down; 0 for none."""
    log = out / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return int(json.loads(lines[-1])["step"]) if lines else 0


def _time_is_up(began: float, done: int, settings: LoopSettings, place: Place) -> bool:
    """Whether ``minutes`` are over; all processes must stop at the same step, so the first one's clock
    counts."""
    if not settings.minutes or done % settings.log_every:
        return False
    over = torch.tensor(float(time.monotonic() - began > 60 * settings.minutes), device=place.device)
    if place.world > 1:
        dist.broadcast(over, 0)
    return bool(over)


class Log:
    """What a run says: ``out/log.jsonl`` and the terminal, and TensorBoard where it is installed, with the
    sample sheets (``*_000250.png``) that the recipe left at that step."""

    def __init__(self, out: Path, leads: bool) -> None:
        self.out, self.leads, self.board = out, leads, None
        if leads:
            with contextlib.suppress(ImportError):
                from torch.utils.tensorboard import SummaryWriter

                self.board = SummaryWriter(str(out))

    def write(self, line: dict[str, float]) -> None:
        """One line of numbers, "step" among them; nothing in the processes that do not lead."""
        if not self.leads:
            return
        text = json.dumps({k: round(v, 5) for k, v in line.items()})
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as f:
            f.write(text + "\n")
        print(text, flush=True)
        if self.board is None:
            return
        step = int(line["step"])
        for name, value in line.items():
            self.board.add_scalar(name, value, step)
        for file in self.out.glob(f"*_{step:06d}.png"):
            picture = np.asarray(Image.open(file, formats=("PNG", "JPEG")).convert("RGB"))
            name = file.stem.rsplit("_", 1)[0]
            self.board.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Let go of TensorBoard's file."""
        if self.board is not None:
            self.board.close()


def rng_of(seed: int, step: int, place: Place) -> np.random.Generator:
    """The random stream of one step in one process: the same after a resume."""
    return np.random.default_rng((seed, step, place.rank))


def from_command_line(kind: type[Settings], argv: list[str] | None = None) -> Settings:
    """Fill a settings dataclass from flags (``--steps 100``) named after its fields and its dataclasses'."""
    parser = argparse.ArgumentParser(
        description=kind.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    _add_fields(parser, kind)
    made: Settings = _build(kind, vars(parser.parse_args(argv)))
    return made


def _add_fields(parser: argparse.ArgumentParser, kind: Any) -> None:
    for field in dataclasses.fields(kind):
        default = field.default if field.default is not dataclasses.MISSING else None
        factory = field.default_factory
        if factory is not dataclasses.MISSING and dataclasses.is_dataclass(factory):
            _add_fields(parser, factory)
        elif isinstance(default, bool):
            parser.add_argument(
                f"--{field.name.replace('_', '-')}", action=argparse.BooleanOptionalAction, default=default
            )
        else:
            typed = {"int": int, "float": float, "Path": Path, "str": str}[str(field.type)]
            parser.add_argument(
                f"--{field.name.replace('_', '-')}", type=typed, default=default, required=default is None
            )


def _build(kind: Any, values: dict[str, Any]) -> Any:
    made = {}
    for field in dataclasses.fields(kind):
        factory = field.default_factory
        nested = factory is not dataclasses.MISSING and dataclasses.is_dataclass(factory)
        made[field.name] = _build(factory, values) if nested else values[field.name]
    return kind(**made)
