# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of `core.engine.cpu.decoder`: torch's own, called so that a CPU does nothing twice.

Convolutions are oneDNN's, with packed weights and the activation in the same call, where torch brings them.
Our own operations give the same bits on any number of threads; whether oneDNN's do depends on the processor.

Shapes: C channels, I O channels in and out, h w sides (equal), N = h * w; batch 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LAST = torch.channels_last

FUSED: bool = torch.backends.mkldnn.is_available() and all(  # type: ignore[no-untyped-call]
    hasattr(torch.ops.mkldnn, name)
    for name in (
        "_convolution_pointwise",
        "_convolution_transpose_pointwise",
        "_reorder_convolution_weight",
        "_reorder_convolution_transpose_weight",
    )
)
"""Whether torch brings oneDNN's convolutions with packed weights and activation (x86 and Arm builds do)."""


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16 or AMX); elsewhere it would be slower."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return FUSED and any(getattr(torch.cpu, check, lambda: False)() for check in checks)


PHASED: bool = FUSED and bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())
"""Whether a transposed convolution runs as one ordinary convolution (`phases`).  With AMX, oneDNN's
transposed ones reach a quarter of the rate of ordinary ones; with AVX2 and AVX512 they are as fast or faster.
The choice goes by the instruction set, not by a timing of the day: on one machine bits never change.
"""


def warp(table: Tensor, flow: Tensor, mask: Tensor, padding: str) -> Tensor:
    """Feature map, as rows [h*w,C], read at flow [1,2,h,w], times mask [1,1,h,w] -> [1,C,h,w].

    Bilinear, align_corners=False, padding "zeros" or "border", as `core.models.decoder.sample`.
    One row more is a constant that the whole feature map has on top.
    """
    channels, side = table.shape[1], flow.shape[-1]
    pixels = side * side
    at = flow[0].flatten(1).mul(side / 2).add_((side - 1) / 2)  # [2,N] in pixels
    if padding == "border":
        at = at.clamp_(0, side - 1)
    low = at.floor().clamp_(0, side - 2)
    # the hat of either neighbour; outside the picture both are further than one pixel away
    at = at.sub_(low)
    near = torch.stack([1 - at.abs(), 1 - (at - 1).abs_()]).clamp_(0)  # [neighbour,2,N]
    across, down = near[:, 0], near[:, 1] * mask.flatten()
    corner = low[1].mul_(side).add_(low[0]).int()
    reads = 4 + len(table) - pixels
    rows = torch.empty(pixels, reads, dtype=torch.int32)
    share = torch.empty(pixels, reads, dtype=table.dtype)
    torch.add(corner[:, None], torch.tensor([0, 1, side, side + 1], dtype=torch.int32), out=rows[:, :4])
    torch.mul(down[:, None], across, out=share[:, :4].view(pixels, 2, 2).permute(1, 2, 0))
    if reads > 4:
        rows[:, 4] = pixels
        torch.mul(down.sum(0), across.sum(0), out=share[:, 4])
    read = F.embedding_bag(rows, table, mode="sum", per_sample_weights=share)
    return read.reshape(1, side, side, channels).permute(0, 3, 1, 2)


def enlarged(x: Tensor, zeros_outside: bool) -> Tensor:
    """`upsample` of a few planes: three times as fast, and the same bits on any number of threads."""
    for dim in (2, 3):
        side, shape = x.shape[dim], list(x.shape)
        first, last = x.narrow(dim, 0, 1), x.narrow(dim, side - 1, 1)
        if zeros_outside:
            first = last = torch.zeros_like(first)
        far, near = torch.cat([first, x, last], dim).mul_(0.25), x * 0.75
        shape.insert(dim + 1, 2)
        twice = x.new_empty(shape)
        torch.add(far.narrow(dim, 0, side), near, out=twice.select(dim + 1, 0))
        torch.add(far.narrow(dim, 2, side), near, out=twice.select(dim + 1, 1))
        x = twice.flatten(dim, dim + 1)
    return x


def as_rows(picture: Tensor) -> Tensor:
    """[1,C,h,w] -> [h*w,C]; no copy if channels lie together."""
    return picture.permute(0, 2, 3, 1).flatten(0, 2)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """1x1 convolution to a few planes: [1,I,h,w], [O,I,1,1], [O] -> float32 [1,O,h,w]."""
    found = (weight.flatten(1).to(x.dtype) @ as_rows(x).t()).to(torch.float32)
    return found.add_(bias[:, None]).reshape(1, -1, *x.shape[2:])


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    slope: float | None = None,
    groups: int = 1,
    padding: int | None = None,
) -> Tensor:
    """Convolution of stride 1 and leaky ReLU, in one call where torch can. Sides stay, unless padded else."""
    around = weight.shape[-1] // 2 if padding is None else padding
    if not FUSED:
        x = F.conv2d(x, weight, bias, padding=around, groups=groups)
        return x if slope is None else F.leaky_relu_(x, slope)
    name, numbers = ("none", []) if slope is None else ("leaky_relu", [slope])
    run = torch.ops.mkldnn._convolution_pointwise
    return run(x, weight, bias, [around] * 2, [1, 1], [1, 1], groups, name, numbers, "")  # type: ignore[no-any-return]


def doubling(x: Tensor, weight: Tensor) -> Tensor:
    """Transposed convolution of stride 2: [1,I,h,w] and [I,O,3,3] -> [1,O,2h+1,2w+1]."""
    if not weight.is_mkldnn:
        return F.conv_transpose2d(x, weight, stride=2)
    run = torch.ops.mkldnn._convolution_transpose_pointwise
    return run(x, weight, None, [0, 0], [0, 0], [2, 2], [1, 1], 1, "none", [], "")  # type: ignore[no-any-return]


def phases(weight: Tensor) -> Tensor:
    """Transposed convolution of stride 2 as an ordinary one: [I,O,3,3] -> [4*O,I,2,2].

    Output row 2i reads weight rows 0 and 2 at input rows i and i - 1; output row 2i + 1 reads row 1 at i.
    """
    inputs, outputs = weight.shape[:2]
    made = weight.new_zeros(2, 2, outputs, inputs, 2, 2)  # [row phase, column phase, O, I, row, column]
    taps = ((0, 1, 0), (0, 0, 2), (1, 1, 1))  # phase, place in the 2x2 filter, place in the 3x3 filter
    for row, down, from_row in taps:
        for column, across, from_column in taps:
            made[row, column, :, :, down, across] = weight[:, :, from_row, from_column].t()
    return made.reshape(4 * outputs, inputs, 2, 2)


def doubling_in_phases(x: Tensor, weight: Tensor) -> Tensor:
    """What `doubling` computes, from the weight that `phases` gives: [1,I,h,w] -> [1,O,2h+1,2w+1]."""
    made = convolve(x, weight, padding=1)  # [1,4*O,h+1,w+1]
    side, channels = made.shape[2], made.shape[1] // 4
    parts = made.permute(0, 2, 3, 1).reshape(side, side, 2, 2, channels).transpose(1, 2)
    whole = parts.reshape(1, 2 * side, 2 * side, channels)[:, :-1, :-1]
    return whole.permute(0, 3, 1, 2)


def packed(weight: Tensor, side: int, transposed: bool) -> Tensor:
    """A weight that never changes, in the order oneDNN wants it for pictures of this side."""
    weight = weight.contiguous(memory_format=LAST)
    if not FUSED:
        return weight
    shape, ones = [1, weight.shape[0 if transposed else 1], side, side], [1, 1]
    if transposed:
        run = torch.ops.mkldnn._reorder_convolution_transpose_weight
        return run(weight, [0, 0], [0, 0], [2, 2], ones, 1, shape)  # type: ignore[no-any-return]
    return torch.ops.mkldnn._reorder_convolution_weight(weight, ones, ones, ones, 1, shape)  # type: ignore[no-any-return]
