# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks for tests: every part present, milliseconds to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from core.models import EDTalk, EDTalkConfig

CHANNELS = {4: 12, 8: 12, 16: 10, 32: 8, 64: 6}


def config(arithmetic: str = "clean", size: int = 32, expression: int = 10, reading: int = 0) -> EDTalkConfig:
    return EDTalkConfig(
        size, 48, expression=expression, channels=CHANNELS, arithmetic=arithmetic, reading=reading
    )


def model(
    arithmetic: str = "clean", size: int = 32, expression: int = 10, seed: int = 0, reading: int = 0
) -> EDTalk:
    """A network whose warps are mild and whose every parameter counts (fresh ones have zeros in them)."""
    torch.manual_seed(seed)
    net = EDTalk(config(arithmetic, size, expression, reading)).eval()
    with torch.no_grad():
        for level in net.decoder.ordered:
            level.flow.weight.mul_(0.2)
            if level.enhance is not None:
                level.enhance.gamma.weight.normal_()
                level.enhance.beta.weight.normal_()
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return net


def picture(size: int = 32, count: int = 1, seed: int = 1) -> Tensor:
    """[count,3,size,size] smooth colours in [-1,1]."""
    torch.manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)


def levels(size: int = 32, count: int = 1, seed: int = 1) -> np.ndarray:
    """The same as uint8 [count,size,size,3]."""
    return (picture(size, count, seed) * 127.5 + 127.5).byte().permute(0, 2, 3, 1).contiguous().numpy()


def weights(count: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 36)).astype(np.float32)


@contextmanager
def one_thread() -> Iterator[None]:
    """Networks this small only wait for each other's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
