# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouth composites: one person's picture with another's mouth pasted in (Tan et al. 2024, section 3.2).

What makes cross-reconstruction work on pictures of which nothing is known: the composite has the pose of
the one and the mouth of the other, so a navigator that is to read either can only look at its own part.

Letters: B batch, S picture side. Places are in [-1, 1], x right and y down.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..heads.people import Faces

EDGE = 0.05  # width over which the pasted mouth fades in; a hard edge would itself be a thing to see


def with_mouth_of(faces: Faces, donors: Faces, edge: float = EDGE) -> Tensor:
    """Pictures [B, 3, S, S] of ``faces`` wearing the mouths of ``donors``.

    The donor's picture is turned, scaled and shifted so that its eyes and mouth lie best on those of the
    face, then shifted so that the mouths meet exactly, and the face's mouth box is filled from it.
    """
    size = faces.picture.shape[-1]
    scale, turn = similarity(donors.anchors, faces.anchors)
    centre = (torch.arange(size, device=scale.device) + 0.5) * 2 / size - 1
    grid = torch.stack(torch.meshgrid(centre, centre, indexing="xy"), -1)[None] - _mouth(faces)
    # a place x of the face shows the donor's (x - mouth) / factor + donor's mouth; factors are complex
    length = (scale**2 + turn**2).clamp(min=1e-4)[:, None, None]
    x, y = grid.unbind(-1)
    a, b = scale[:, None, None] / length, -turn[:, None, None] / length
    there = torch.stack([a * x - b * y, b * x + a * y], -1) + _mouth(donors)
    warped = F.grid_sample(donors.picture.float(), there, padding_mode="border", align_corners=False)
    share = mouth_share(faces.boxes[:, 0], size, edge)
    return torch.lerp(faces.picture, warped.to(faces.picture.dtype), share)


def similarity(points: Tensor, onto: Tensor) -> tuple[Tensor, Tensor]:
    """Least-squares turn and scale that bring points [B, K, 2] onto others, as a complex factor: real and
    imaginary parts, [B] each."""
    p, q = points - points.mean(1, keepdim=True), onto - onto.mean(1, keepdim=True)
    size = p.square().sum((1, 2)).clamp(min=1e-6)
    real = (p * q).sum((1, 2)) / size
    imaginary = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(1) / size
    return real, imaginary


def mouth_share(box: Tensor, size: int, edge: float) -> Tensor:
    """Boxes [B, 4] -> [B, 1, S, S]: 1 inside, falling to 0 over ``edge`` outside."""
    centre = (torch.arange(size, device=box.device) + 0.5) * 2 / size - 1
    x0, y0, x1, y1 = (box[:, i, None] for i in range(4))
    across = torch.minimum(centre - x0, x1 - centre)
    down = torch.minimum(centre - y0, y1 - centre)
    inside = torch.minimum(across[:, None, :], down[:, :, None])
    return (inside / edge + 0.5).clamp(0, 1)[:, None]


def _mouth(faces: Faces) -> Tensor:
    return faces.anchors[:, 2, None, None, :]
