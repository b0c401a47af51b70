# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of repeated runs, on any device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


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

    def __truediv__(self, count: int) -> Times:
        """Of one thing, when each run made `count`."""
        return Times(tuple(seconds / count for seconds in self.seconds))

    def __str__(self) -> str:
        """Median and the middle half, in milliseconds."""
        median, low, high = (1000 * self.at(share) for share in (0.5, 0.25, 0.75))
        return f"{median:.2f} ms ({low:.2f} to {high:.2f})"


def timed(
    run: Callable[[], Any], repeats: int, device: torch.device | None = None, warm: bool = False
) -> Times:
    """Run once to warm up, unless it is warm, then `repeats` times."""
    if not warm:
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
