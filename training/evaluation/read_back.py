# SPDX-License-Identifier: GPL-3.0-or-later
"""How well weights are read off pictures: R2, in three definitions, because one alone misleads.

pooled    1 - SSE / SST over all channels of a bank at once, in weights.  Weights are scaled so that "all of
          it" is the same number for every unit of a bank; so this asks how much of the bank's motion is
          read, and a tongue that hardly ever moves counts little.  The headline number, also in `--json`.
channels  The mean of every channel's own R2.  Each counts the same; rare and hidden ones pull it down.
as seen   1 - SSE / SST of the 68 landmarks, when one average face makes the true and the read motion.  What a
          picture cannot show does not count: a tongue behind closed lips, a jaw that pressed lips keep shut.

1 is perfect, 0 is guessing the mean.  Shapes: N pictures, C = 36 channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..factors import Factors, from_weights
from ..heads.figure import build_figure
from ..heads.pack import Floats, load_pack
from ..heads.pose import bone_rotations, bone_transforms, pose_vertices
from .reconstruction import BLOCKS, r2

AVERAGE_FACE = 1_000_017
"""The face that makes the motion for "as seen"."""


@dataclass(frozen=True)
class ReadBack:
    """R2 of one bank; `seen` is None for gaze, which moves no landmark."""

    pooled: float
    channels: float
    seen: float | None


def read_back(read: Tensor, true: Tensor) -> dict[str, ReadBack]:
    """R2 of each block of channels (pose, mouth, expression, blink, gaze) for weights [N, 36]."""
    found = {}
    for name, block in BLOCKS.items():
        each = [r2(read[:, k, None], true[:, k, None]) for k in range(block.start, block.stop)]
        seen = None
        if name != "gaze":
            ours, theirs = (torch.from_numpy(_moved(w.cpu().numpy(), block)) for w in (read, true))
            seen = r2(ours, theirs)
        found[name] = ReadBack(r2(read[:, block], true[:, block]), float(np.mean(each)), seen)
    return found


def _moved(weights: NDArray[np.float32], block: slice) -> NDArray[np.float32]:
    """Landmarks [N, 136] of the average face when only this block of the weights acts."""
    alone = np.zeros_like(weights)
    alone[:, block] = weights[:, block]
    rows = []
    for pose, mouth, expression in zip(*from_weights(alone), strict=True):
        rows.append(_landmarks(Factors(pose, mouth, expression)).reshape(-1))
    return np.asarray(np.stack(rows), np.float32)


@lru_cache(maxsize=1)
def _face() -> tuple[Floats, ...]:
    figure = build_figure(AVERAGE_FACE)
    at = figure.landmark_vertices
    return figure.joints, figure.rest[at], figure.normal[at], figure.bones[at], figure.share[at]


def _landmarks(factors: Factors) -> Floats:
    """[68, 2], without posing the whole head."""
    joints, rest, normal, bones, share = _face()
    pack = load_pack()
    transforms = bone_transforms(pack, joints, bone_rotations(pack, factors, 1.0))
    return pose_vertices(rest, normal, bones, share, transforms, factors.pose).screen[:, :2]
