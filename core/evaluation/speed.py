# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a frame takes, part by part, and how long it would have to take on this device.

Two networks are measured.  The published one at full size (random weights: speed does not depend on them)
decodes against two marks taken in the same run, turn by turn, so that a busy machine slows all alike:

    naive   `core.evaluation.naive`, the published way to make a frame
    floor   what the device cannot do faster: a frame's multiplications at the best rate a matrix product or
            a 3x3 convolution reaches here, or its bytes at the rate memory is copied, whichever is longer

A checkpoint of ours is measured in parts, down to the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import Engine, Pictures, Precision
from core.evaluation import naive
from core.fast import FastDecoder
from core.models import EDTalk, EDTalkConfig


@dataclass(frozen=True)
class Times:
    """Seconds of repeated runs."""

    seconds: tuple[float, ...]

    def at(self, share: float) -> float:
        """The quantile `share`, 0.5 the median."""
        return float(np.quantile(self.seconds, share))

    @property
    def fps(self) -> float:
        return 1 / self.at(0.5)

    def __str__(self) -> str:
        """Median and the middle half, in milliseconds."""
        median, low, high = (1000 * self.at(share) for share in (0.5, 0.25, 0.75))
        return f"{median:.2f} ms ({low:.2f} to {high:.2f})"


def timed(run: Callable[[], Any], repeats: int, device: torch.device | None = None) -> Times:
    """Run once to warm up, then `repeats` times."""
    run()
    seconds = []
    for _ in range(repeats):
        _settled(device)
        began = time.perf_counter()
        run()
        _settled(device)
        seconds.append(time.perf_counter() - began)
    return Times(tuple(seconds))


def _settled(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    if device is not None and device.type == "mps":
        torch.mps.synchronize()


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


def published(device: str = "cpu", rounds: int = 5, batch: int | None = None) -> Published:
    """Measure naive, exact and fast frames turn by turn, `rounds` times."""
    model, rng = published_model(), np.random.default_rng(0)
    engines: dict[Precision, Engine] = {
        name: Engine(model, device, precision=name) for name in ("exact", "fast")
    }
    where = engines["exact"].device
    model = model.to(where)
    picture = smooth_picture(256)
    sources = {name: engine.prepare(picture) for name, engine in engines.items()}
    weights = rng.normal(size=(64, 36)).astype(np.float32)
    counts = {name: 4 * (batch or engine.batch) for name, engine in engines.items()}

    def frames(name: Precision) -> list[Any]:
        return list(engines[name].decode(sources[name], weights[: counts[name]], batch))

    portrait, one = sources["exact"].portrait, torch.from_numpy(weights[:1]).to(where)
    steps: dict[str, Callable[[], Any]] = {
        "naive": lambda: naive.frame(model, portrait, portrait, one),
        "exact": lambda: frames("exact"),
        "fast": lambda: frames("fast"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    rates = []
    for turn in range(rounds):
        for name, step in steps.items():
            times = timed(step, 1, where) if turn == 0 or name == "naive" else timed(step, 2, where)
            share = counts["fast"] if name != "naive" else 1
            seconds[name] += [second / share for second in times.seconds]
        rates.append(rates_of(where))
    compute, copy = max(rate[0] for rate in rates), max(rate[1] for rate in rates)
    floating, moved = work(model.config, 2)
    pairs = zip(frames("exact"), frames("fast"), strict=True)
    apart = torch.cat([(one.image - two.image).abs().flatten().cpu() for one, two in pairs])
    return Published(
        naive=Times(tuple(seconds["naive"])),
        exact=Times(tuple(seconds["exact"])),
        fast=Times(tuple(seconds["fast"])),
        floor=max(floating / compute, moved / copy),
        compute=compute,
        copy=copy,
        p999=float(np.quantile(apart.numpy() * 127.5, 0.999)),
    )


def smooth_picture(side: int) -> Pictures:
    """uint8 [side,side,3], the same each time."""
    coarse = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    picture = F.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    return (picture[0] * 255).byte().permute(1, 2, 0).contiguous().numpy()


def work(config: EDTalkConfig, width: int) -> tuple[float, float]:
    """Floating-point operations of one frame's convolutions, and bytes that must pass through memory.

    Each layer reads its weights and input once and writes its output once, `width` bytes a number; each
    level reads its source features.
    """
    operations = numbers = 0.0
    heads, colour = 2 + len(config.rules.mask_bias), 9 if config.rules.portrait else 1

    def layer(inputs: int, outputs: int, taps: int, pixels: int, before: int) -> None:
        nonlocal operations, numbers
        operations += 2.0 * inputs * outputs * taps * pixels
        numbers += inputs * outputs * taps + inputs * before + outputs * max(pixels, before)

    layer(config.width(4), config.width(4), 9, 16, 16)
    for side in config.levels:
        channels, coarser, pixels = config.width(side), config.width(side // 2), side * side
        # a transposed convolution multiplies at the coarse side, a bilinear doubling at the fine one
        layer(coarser, channels, 9, pixels // 4 if config.rules.fir_resampling else pixels, pixels // 4)
        layer(channels, channels, 9, pixels, pixels)
        layer(channels, heads, 1, pixels, pixels)
        layer(channels, 3, colour, pixels, pixels)
        numbers += 2 * channels * pixels  # source features are read, warped features written
    return operations, numbers * width


def rates_of(device: torch.device) -> tuple[float, float]:
    """Best rate of multiplying (operations a second, in the fastest type) and of copying (bytes a second)."""
    best = 0.0
    for dtype in (torch.float32, torch.bfloat16):
        square = torch.randn(1024, 1024, device=device, dtype=dtype)
        image = torch.randn(1, 128, 128, 128, device=device, dtype=dtype)
        image = image.contiguous(memory_format=torch.channels_last)
        kernel = torch.randn(128, 128, 3, 3, device=device, dtype=dtype)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        runs: list[tuple[Callable[[], Any], float]] = [
            (_product(square), 2.0 * 1024**3),
            (_convolution(image, kernel), 2.0 * 128 * 128 * 9 * 128 * 128),
        ]
        for run, operations in runs:
            best = max(best, operations / min(timed(run, 5, device).seconds))
    here = torch.zeros(16 << 20, device=device)
    there = torch.zeros_like(here)
    copied = min(timed(lambda: there.copy_(here), 5, device).seconds)
    return best, 2 * here.nbytes / copied


@torch.inference_mode()
def _product(square: Tensor) -> Callable[[], Tensor]:
    return lambda: square @ square


@torch.inference_mode()
def _convolution(image: Tensor, kernel: Tensor) -> Callable[[], Tensor]:
    return lambda: F.conv2d(image, kernel, padding=1)


# --- parts ------------------------------------------------------------------------------------------


def parts(engine: Engine, repeats: int, folder: Path) -> list[tuple[str, str]]:
    """What one frame of 512 pixels is made of, each part alone: (name, median and spread)."""
    from core import image, pipeline
    from core.motion import Motion
    from core.picture import Crop, Picture, crop

    large = smooth_picture(512)
    portrait = pipeline.prepare_portrait(engine, Picture(large), Crop(0, 0, 512))
    weights = portrait.weights + np.random.default_rng(0).normal(size=(1, 36)).astype(np.float32)
    small = crop(portrait.picture, portrait.crop, engine.read_size).rgb

    def measured(run: Callable[[], Any]) -> str:
        return str(timed(run, repeats, engine.device))

    rows = [
        ("encode a portrait", measured(lambda: engine.prepare(small))),
        ("decode", measured(lambda: list(engine.decode(portrait.source, weights, 1)))),
    ]
    rows += [(f"  level {side}", str(times)) for side, times in by_level(engine, small, weights, repeats)]
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
