# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of the picture stages. Each is one idea; the recipe says how much of it.

Letters: B batch, S picture side, h side of a flow level.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pyramid_l1(made: Tensor, wanted: Tensor, levels: int = 3) -> Tensor:
    """L1 of colours and of horizontal and vertical differences at ``levels`` scales; [B,3,S,S] -> scalar.

    It stands where the paper has VGG features (section 3.3), whose weights we neither have nor want to
    depend on.
    """
    loss = made.new_zeros(())
    for _ in range(levels):
        gap = made - wanted
        loss = loss + gap.abs().mean() + (gap[..., 1:] - gap[..., :-1]).abs().mean()
        loss = loss + (gap[..., 1:, :] - gap[..., :-1, :]).abs().mean()
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
    return loss


def masked_l1(made: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference where ``mask`` [B,1,S,S] is one; both pictures [B,3,S,S]."""
    return ((made - wanted).abs() * mask).sum() / (mask.sum() * made.shape[1] + 1)


def flow_l1(flows: list[Tensor], flow: Tensor, visible: Tensor, weight_map: Tensor) -> Tensor:
    """Distance of each level's sampling positions [B,2,h,h] from the rendered truth, where both pictures show
    it.

    `weight_map` [B,1,S,S] weighs places (mouth and eyes move little and matter much). Coarse levels see the
    truth averaged over visible pixels, finer ones see it interpolated where all neighbours are visible.
    """
    loss = flow.new_zeros(())
    for level in flows:
        side = level.shape[-1]
        known, truth = visible, flow
        if side < flow.shape[-1]:
            block = flow.shape[-1] // side
            known = F.avg_pool2d(visible, block)
            truth = F.avg_pool2d(flow * visible, block) / known.clamp(min=1e-3)
            known = (known > 0.5).float()
        elif side > flow.shape[-1]:
            truth = F.interpolate(flow, size=(side, side), mode="bilinear", align_corners=False)
            known = (
                F.interpolate(visible, size=(side, side), mode="bilinear", align_corners=False) > 0.99
            ).float()
        weight = known * (1 + F.interpolate(weight_map, size=(side, side), mode="area"))
        loss = loss + ((level - truth).abs() * weight).sum() / (weight.sum() * 2 + 1)
    return loss


def weight_regression(read: Tensor, true: Tensor, spread: Tensor) -> Tensor:
    """Smooth L1 between read and true weights [B,36], each in standard deviations of its channel (``spread``
    [36]), summed over the channels: as a mean it does not move at all.

    Without the spread, turns of the head (weights of 1) drown the lips (weights of 0.3) about tenfold.
    Channels that never move (spread 0) are left out.
    """
    moving = spread > 0
    scale = torch.where(moving, 1 / spread.clamp(min=1e-3), torch.zeros_like(spread))
    return F.smooth_l1_loss(read * scale, true * scale, reduction="none").sum(1).mean()


def mask_truth(mask: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
    """Cross entropy of the portrait's share [B,1,S,S] with what the renderer knows; scalar.

    A surface the portrait shows is taken from the portrait, one it hides is synthesised. Left to itself the
    blend hedges with blurred colour wherever the flow is not sure yet; told so, it stays sharp. ``visible``
    and ``hidden`` are [B,1,h,h]; the background is free.
    """
    share = F.interpolate(mask, size=visible.shape[-2:], mode="area").clamp(1e-4, 1 - 1e-4)
    surprise = -(visible * share.log() + hidden * (1 - share).log())
    return surprise.sum() / (visible.sum() + hidden.sum() + 1)
