# SPDX-License-Identifier: GPL-3.0-or-later
"""The small parts every network here is built from.

Layers of equalised learning rate (Karras et al. 2018) store weights of unit variance and multiply
them by 1/sqrt(fan-in) when they run.  A leaky ReLU is positively homogeneous, so the sqrt(2) that
follows it in StyleGAN2, and the 1/sqrt(2) of a residual sum, ride in the weights as `gain`: the
same numbers, and two passes over the picture less.

Shapes: B batch, C channels, h w height and width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
ROOT2 = math.sqrt(2.0)


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU without its sqrt(2): that sits in the gain of the layer before."""
    return F.leaky_relu(x, SLOPE)


def upsample(x: Tensor, zeros_outside: bool) -> Tensor:
    """[B,C,h,w] -> [B,C,2h,2w], bilinear between pixel centres.

    StyleGAN2's zero insertion followed by the 1-3-3-1 kernel is this interpolation with zeros beyond
    the border; ours repeats the edge.
    """
    if not zeros_outside:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    x = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    return x[..., 2:-2, 2:-2]


def resampled(picture: Tensor, side: int) -> Tensor:
    """[B,3,h,h] -> [B,3,side,side]: the mean of the pixels on the way down, bilinear on the way up."""
    here = picture.shape[-1]
    if here == side:
        return picture
    if here > side:
        return F.interpolate(picture, size=(side, side), mode="area")
    return F.interpolate(picture, size=(side, side), mode="bilinear", align_corners=False)


class Fir(nn.Module):
    """Depth-wise 1-3-3-1 low-pass filter, zeros beyond the border.

    Args:
        padding: rows and columns of zeros on each side; the result is 2 * padding - 3 larger.
        stride: keep every stride-th value.
        gain: sum of the kernel.
    """

    kernel: Tensor

    def __init__(self, padding: int, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("kernel", torch.outer(taps, taps)[None, None] * (gain / 64), persistent=False)
        self.padding, self.stride = padding, stride

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, 4, 4)
        return F.conv2d(x, kernel, stride=self.stride, padding=self.padding, groups=channels)


class Equalised(nn.Module):
    """A weight of unit variance that is multiplied by gain / sqrt(fan-in) when it is used.

    `bake()` multiplies it in for good; afterwards the layer can run but no longer be trained alike.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, shape: tuple[int, ...], bias: float | None, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = None if bias is None else nn.Parameter(torch.full((shape[0],), float(bias)))
        self.gain = gain
        self.scale = gain / math.sqrt(math.prod(shape[1:]))

    def scaled(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias as they are used."""
        weight = self.weight if self.scale == 1.0 else self.weight * self.scale
        bias = self.bias if self.bias is None or self.gain == 1.0 else self.bias * self.gain
        return weight, bias

    @torch.no_grad()
    def bake(self) -> None:
        """Multiply the constants into the stored numbers, once per load."""
        self.weight.mul_(self.scale)
        if self.bias is not None:
            self.bias.mul_(self.gain)
        self.scale = self.gain = 1.0

    def extra_repr(self) -> str:
        return " x ".join(str(n) for n in self.weight.shape)


class EqualLinear(Equalised):
    """[B,inputs] -> [B,outputs]."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, gain: float = 1.0) -> None:
        super().__init__((outputs, inputs), bias, gain)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, *self.scaled())


class EqualConv2d(Equalised):
    """[B,inputs,h,w] -> [B,outputs,h',w'], zero padding so that stride 1 keeps h and w unless told."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__((outputs, inputs, kernel, kernel), 0.0 if bias else None, gain)
        self.stride = stride
        self.padding = kernel // 2 if padding is None else padding

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.scaled()
        return F.conv2d(x, weight, bias, self.stride, self.padding)


def bake(module: nn.Module) -> None:
    """Bake every equalised layer inside a module."""
    for part in module.modules():
        if isinstance(part, Equalised):
            part.bake()
