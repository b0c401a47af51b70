# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device cannot do faster: a frame's multiplications at the best rate a matrix product or a 3x3
convolution reaches there, or its bytes at the rate memory is copied, whichever is longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models import EDTalkConfig
from training.evaluation.timing import timed


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
    best, on_cpu = 0.0, device.type == "cpu"
    # enough work that starting it does not count
    side, count, numbers = (1024, 1, 16 << 20) if on_cpu else (4096, 16, 64 << 20)
    for dtype in (torch.float32, torch.bfloat16):
        square = torch.randn(side, side, device=device, dtype=dtype)
        image = torch.randn(count, 128, 128, 128, device=device, dtype=dtype)
        image = image.contiguous(memory_format=torch.channels_last)
        kernel = torch.randn(128, 128, 3, 3, device=device, dtype=dtype)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        runs: list[tuple[Callable[[], Any], float]] = [
            (_product(square), 2.0 * side**3),
            (_convolution(image, kernel), 2.0 * count * 128 * 128 * 9 * 128 * 128),
        ]
        for run, operations in runs:
            best = max(best, operations / min(timed(run, 5, device).seconds))
    here = torch.zeros(numbers, device=device)
    there = torch.zeros_like(here)
    copied = min(timed(lambda: there.copy_(here), 5, device).seconds)
    return best, 2 * here.nbytes / copied


@torch.inference_mode()
def _product(square: Tensor) -> Callable[[], Tensor]:
    return lambda: square @ square


@torch.inference_mode()
def _convolution(image: Tensor, kernel: Tensor) -> Callable[[], Tensor]:
    return lambda: F.conv2d(image, kernel, padding=1)
