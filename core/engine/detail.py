# SPDX-License-Identifier: GPL-3.0-or-later
"""Detail transfer: the network works at its own size, the output does not have to.

A picture is a low band (what survives being made small) and a high band (the rest). The network's frame is
the low band. The high band is in the portrait itself and only has to be moved: the last level's flow says
from where each pixel comes, its mask how much of it comes from there at all. With P the portrait at output
size, W the flow, M the mask, up and down between sizes:

    out = up(model) + up(M) * (W(P) - up(down(W(P))))

Where the mask is 0 (an opened mouth, ground that the head uncovers) the frame stays as soft as the network
made it. Any checkpoint will do, and a frame depends on nothing but itself.

On a CPU, OpenCV enlarges: the same filters as torch's, fifteen times as fast.

Legend: B batch, C channels, S the network's size, H the output's, pictures float32 in [-1, 1].
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SETTLED = 0.14  # share of the side from the edge at which pixels follow the whole flow
TAKEN_OVER = (0.06, 0.16)  # and between which the frame takes over from the warped portrait


def transfer(image: Tensor, flow: Tensor, mask: Tensor, portrait: Tensor) -> Tensor:
    """The network's frame with the portrait's own detail, [B, 3, H, H].

    image     [B, 3, S, S]  the network's frame
    flow      [B, 2, S, S]  absolute sampling positions (x, y) in [-1, 1], align_corners False
    mask      [B, 1, S, S]  share of the frame that is taken from the warped portrait, 0 to 1
    portrait  [B or 1, 3, H, H], with H >= S; for a smaller H the frame is only made smaller
    """
    size, small = portrait.shape[-1], image.shape[-1]
    if size <= small:
        return down(image, size)
    moved = warp(portrait, flow)
    high = moved - up(down(moved, small), size)
    return torch.addcmul(up(image, size), up_linear(mask, size), high)


def settle(frame: Tensor, flow: Tensor, portrait: Tensor, rim: Tensor) -> Tensor:
    """Let a frame [B, C, H, H] come to rest towards the edges of its crop, so that it can be pasted back.

    Cross-fading a moved head with the unmoved one would show both. So the motion itself fades: at the edge
    stands the portrait, further in the portrait warped by a part of the flow, and only where it moves with
    the whole flow, and so lies under the frame, does the frame take over.

    rim  [H, H] distance of each pixel from the nearest edge to settle at, as a share of the crop's side
    """
    moved = warp(portrait, flow, soft(rim / SETTLED))
    return moved + (frame - moved) * soft((rim - TAKEN_OVER[0]) / (TAKEN_OVER[1] - TAKEN_OVER[0]))


def soft(place: Tensor) -> Tensor:
    """From 0 to 1 without a corner."""
    place = place.clamp(0, 1)
    return place * place * (3 - 2 * place)


def warp(picture: Tensor, flow: Tensor, share: Tensor | None = None) -> Tensor:
    """Sample `picture` [B or 1, C, H, H] where `flow` [B, 2, S, S] says -> [B, C, H, H].

    `share` [H, H] is how much of its displacement a pixel follows. The border is repeated. What is enlarged
    is the displacement, not the position: positions held flat at the border would bend the frame's edge.
    """
    size = picture.shape[-1]
    offsets = up_linear(flow - _grid_like(flow, flow.shape[-1]), size)
    if share is not None:
        offsets = offsets * share
    positions = (offsets + _grid_like(flow, size)).permute(0, 2, 3, 1)
    source = picture.expand(len(positions), -1, -1, -1)
    return F.grid_sample(source, positions, mode="bilinear", padding_mode="border", align_corners=False)


def up(picture: Tensor, size: int) -> Tensor:
    """Bicubic enlargement of [B, C, h, h]."""
    return _enlarged(picture, size, "bicubic")


def up_linear(field: Tensor, size: int) -> Tensor:
    """Bilinear enlargement, for flows and masks, which must not overshoot."""
    return _enlarged(field, size, "bilinear")


def down(picture: Tensor, size: int) -> Tensor:
    """Antialiased reduction of [B, C, h, h]: the mean of each cell where the ratio is whole, else a
    triangle filter."""
    ratio, rest = divmod(picture.shape[-1], size)
    if not rest:
        return picture if ratio == 1 else F.avg_pool2d(picture, ratio)
    return F.interpolate(picture, (size, size), mode="bilinear", align_corners=False, antialias=True)


def _enlarged(planes: Tensor, size: int, mode: str) -> Tensor:
    """[B, C, h, h] -> [B, C, size, size], pixel centres kept, edges repeated."""
    if planes.shape[-1] == size:
        return planes
    if planes.device.type != "cpu" or planes.dtype != torch.float32 or planes.requires_grad:
        return F.interpolate(planes, (size, size), mode=mode, align_corners=False)
    import cv2

    way = cv2.INTER_CUBIC if mode == "bicubic" else cv2.INTER_LINEAR
    large = np.empty((*planes.shape[:2], size, size), np.float32)
    for plane, out in zip(
        planes.flatten(0, 1).contiguous().numpy(), large.reshape(-1, size, size), strict=True
    ):
        cv2.resize(plane, (size, size), dst=out, interpolation=way)
    return torch.from_numpy(large)


def _grid_like(field: Tensor, size: int) -> Tensor:
    return _grid(size, field.device, field.dtype)


@lru_cache(maxsize=4)
def _grid(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """[1, 2, size, size] pixel centres (x, y) in [-1, 1]."""
    line = (torch.arange(size, device=device, dtype=dtype) * 2 + 1) / size - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y])[None]
