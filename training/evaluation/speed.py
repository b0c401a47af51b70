# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a frame takes, part by part, and how long it would have to take on this device.

Two networks are measured.  The published one at full size (random weights: speed does not depend on them)
decodes against two marks taken in the same run, turn by turn, so that a busy machine slows all alike.  Who
measures calls each way in a process of its own, so that none profits or suffers from what another left behind
in torch's threads and the allocator:

    naive   `training.evaluation.naive`, the published way to make a frame
    exact   `core.engine.engine` in float32
    fast    `core.engine.engine` as it is by default
    floor   `training.evaluation.floor`, what the device cannot do faster

A checkpoint of ours is measured in parts, down to the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from core.engine.cpu.decoder import FastDecoder
from core.engine.engine import Engine, Pictures, Precision, choose_device
from core.models import EDTalk, EDTalkConfig
from training.evaluation import naive
from training.evaluation.floor import rates_of, work
from training.evaluation.timing import Times, timed

PRECISIONS: tuple[Precision, ...] = ("exact", "fast")


# --- the published network --------------------------------------------------------------------------


@dataclass(frozen=True)
class Published:
    """Frames of the published network on one device."""

    naive: Times
    exact: Times
    fast: Times
    floor: float  # seconds
    compute: float  # multiplications and additions a second, the best seen
    copy: float  # bytes a second
    p999: float  # levels of 255 between fast and exact, at the 99.9th percentile

    @property
    def summary(self) -> dict[str, float]:
        """The row of `edtalk bench --json`."""
        return {
            "naive_fps": self.naive.fps,
            "exact_fps": self.exact.fps,
            "fast_fps": self.fast.fps,
            "floor_fps": 1 / self.floor,
            "fast_p999_levels": self.p999,
        }


def published_model(seed: int = 0) -> EDTalk:
    """Published size and arithmetic, random weights with mild warps, as trained ones have."""
    torch.manual_seed(seed)
    model = EDTalk(EDTalkConfig.published()).eval().requires_grad_(False)
    for n, level in enumerate(model.decoder.ordered):
        level.flow.weight.mul_(0.5 * 0.5**n)
        level.colour.conv.weight.mul_(0.4)
    return model


def way(name: str, device: str = "cpu", batch: int | None = None) -> Callable[[], float]:
    """A way to make frames of the published network, warmed up: called, it makes some, and says how many
    seconds one took.

    Args:
        name: "naive", "exact" or "fast".
        batch: frames decoded together on an accelerator; a CPU is given four for each of its threads.
    """
    model, picture = published_model(), smooth_picture(256)
    count, where = 4 * (batch or torch.get_num_threads()), choose_device(device)
    weights = np.random.default_rng(0).normal(size=(count, 36)).astype(np.float32)
    run: Callable[[], Any]
    if name == "naive":
        model, count = model.to(where), 1
        portrait = torch.tensor(picture, device=where).permute(2, 0, 1)[None].float() / 127.5 - 1
        run = partial(naive.frame, model, portrait, portrait, torch.from_numpy(weights[:1]).to(where))
    else:
        engine = Engine(model, device, precision="fast" if name == "fast" else "exact")
        source = engine.prepare(picture)

        def run() -> Any:
            return list(engine.decode(source, weights, batch))

    run()
    return lambda: timed(run, 1, where, warm=True).seconds[0] / count


def published(ways: Mapping[str, Callable[[], float]], device: str = "cpu", rounds: int = 5) -> Published:
    """Ask "naive", "exact" and "fast" in turn, and what the device can do, `rounds` times."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    rates = []
    for _ in range(rounds):
        for name, ask in ways.items():
            seconds[name].append(ask())
        rates.append(rates_of(choose_device(device)))
    compute, copy = max(rate[0] for rate in rates), max(rate[1] for rate in rates)
    floating, moved = work(EDTalkConfig.published(), 2)
    return Published(
        naive=Times(tuple(seconds["naive"])),
        exact=Times(tuple(seconds["exact"])),
        fast=Times(tuple(seconds["fast"])),
        floor=max(floating / compute, moved / copy),
        compute=compute,
        copy=copy,
        p999=apart(device),
    )


def apart(device: str = "cpu") -> float:
    """Levels of 255 between fast and exact frames of the published network, at the 99.9th percentile."""
    weights = np.random.default_rng(0).normal(size=(4, 36)).astype(np.float32)
    model, images = published_model(), []
    for precision in PRECISIONS:
        engine = Engine(model, device, precision=precision)
        frames = engine.decode(engine.prepare(smooth_picture(256)), weights)
        images.append(torch.stack([frame.image.cpu() for frame in frames]))
    return float(np.quantile((images[0] - images[1]).abs().numpy() * 127.5, 0.999))


def smooth_picture(side: int) -> Pictures:
    """uint8 [side,side,3], the same each time."""
    coarse = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    picture = F.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    return (picture[0] * 255).byte().permute(1, 2, 0).contiguous().numpy()


# --- parts ------------------------------------------------------------------------------------------


def parts(engine: Engine, repeats: int, folder: Path) -> list[tuple[str, str]]:
    """What one frame of 512 pixels is made of, each part alone: (name, median and spread)."""
    from core.engine import pipeline
    from core.motion.motion import Motion
    from core.pictures import image
    from core.pictures.picture import Crop, Picture, crop

    large = smooth_picture(512)
    portrait = pipeline.prepare_portrait(engine, Picture(large), Crop(0, 0, 512))
    weights = portrait.weights + np.random.default_rng(0).normal(size=(1, 36)).astype(np.float32)
    small = crop(portrait.picture, portrait.crop, engine.read_size).rgb

    def measured(run: Callable[[], Any]) -> str:
        return str(timed(run, repeats, engine.device))

    def decoded(count: int) -> str:
        asked = partial(engine.decode, portrait.source, np.repeat(weights, count, axis=0), count)
        return str(timed(lambda: list(asked()), repeats, engine.device) / count)

    banked = torch.from_numpy(weights[:, engine._columns]).to(engine.device)
    rows = [
        ("encode a portrait", measured(lambda: engine.prepare(small))),
        ("bank: weights to latent", measured(torch.inference_mode()(lambda: engine._bank(banked)))),
        ("decode", decoded(1)),
    ]
    rows += [(f"  level {side}", str(times)) for side, times in by_level(engine, small, weights, repeats)]
    rows += [(f"decode {count}, one of them", decoded(count)) for count in (4, 16)]
    motion = Motion(weights, model=engine.checkpoint_id)
    asked: dict[str, dict[str, Any]] = {
        "512 without detail transfer": {"detail_transfer": False},
        "512 with detail transfer": {},
        "pasted back": {"composite": "paste"},
    }
    for name, options in asked.items():
        ((_, finish),) = pipeline.unfinished(engine, portrait, motion, **options)
        rows.append((f"finish: {name}", measured(finish)))
    picture = finish()
    forms: tuple[image.Format, ...] = ("png", "png16", "exr")
    for form in forms:
        write = partial(image.write, folder / f"frame{image.SUFFIXES[form]}", picture, form)
        rows.append((f"write {form}", measured(write)))
    return rows


def by_level(engine: Engine, picture: Pictures, weights: Any, repeats: int) -> list[tuple[int, Times]]:
    """Seconds of each level of the CPU's decoder; nothing on other devices, whose calls return early."""
    decoder = engine._decoder
    if not isinstance(decoder, FastDecoder):
        return []
    source, levels = engine.prepare(picture), decoder.levels
    clocks = [_Clock(level) for level in levels]
    try:
        decoder.levels = clocks  # type: ignore[assignment]
        for _ in range(repeats + 1):
            list(engine.decode(source, weights))
    finally:
        decoder.levels = levels
    return [
        (side, Times(tuple(clock.seconds[1:])))
        for side, clock in zip(engine.config.levels, clocks, strict=True)
    ]


class _Clock:
    """A callable, timed."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self.run = run
        self.seconds: list[float] = []

    def __call__(self, *given: Any) -> Any:
        began = time.perf_counter()
        made = self.run(*given)
        self.seconds.append(time.perf_counter() - began)
        return made
