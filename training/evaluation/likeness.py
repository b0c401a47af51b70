# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures that need eyes: where the lips are, whether it is still the same person, whether it trembles.

All of them look through the landmark reader, at redrawn and at true pictures alike, so that its own mistakes
largely cancel.  Distances are in percent of the picture's width.

Shapes: N pictures, T frames of a clip.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from .reader import LEFT_EYE, MOUTH, RIGHT_EYE, Reading

PERCENT = 50.0
"""Places in [-1, 1] -> percent of the picture's width."""


class Distance(NamedTuple):
    """Mean distances of landmarks, each face around its own middle (the metric of the paper's tables)."""

    mouth: float  # M-LMD: the 20 of the mouth, around the mouth's mean
    face: float  # F-LMD: all 68, around the face's mean


def landmark_distance(seen: Tensor, wanted: Tensor) -> Distance:
    """M-LMD and F-LMD of landmarks [N, 68, 2] in percent of the picture's width; no scale is taken out."""

    def centred(points: Tensor) -> Tensor:
        return points - points.mean(1, keepdim=True)

    return Distance(
        *(
            float((centred(seen[:, part]) - centred(wanted[:, part])).norm(dim=2).mean() * PERCENT)
            for part in (MOUTH, slice(0, 68))
        )
    )


def drift(seen: Reading, source: Reading) -> float:
    """How far a face has become another person's: 1 - cosine of the reader's person vectors, the mean.

    0 is the same picture; two renders of one person in two poses lie at the *ground truth* row, two
    different people at about 1.
    """
    return float((1 - (seen.person * source.person).sum(1)).mean())


def tremble(landmarks: Tensor) -> float:
    """Root mean square of the second difference over time of landmarks [T, 68, 2], in percent of the width.

    Smooth motion has little of it; what a model adds to the ground truth's is jitter.
    """
    second = landmarks[2:] - 2 * landmarks[1:-1] + landmarks[:-2]
    return float(second.square().sum(2).mean().sqrt() * PERCENT)


def lip_gap(landmarks: Tensor) -> Tensor:
    """Opening between the lips [N], as a share of the distance between the eyes."""
    gap = (landmarks[:, 65:68] - landmarks[:, 61:64].flip(1)).norm(dim=2).mean(1)
    eyes = (landmarks[:, RIGHT_EYE].mean(1) - landmarks[:, LEFT_EYE].mean(1)).norm(dim=1)
    share: Tensor = gap / eyes.clamp(min=0.05)
    return share


def correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's correlation of two tracks [T]; 0 where one of them never moves."""
    a, b = one - one.mean(), other - other.mean()
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size > 1e-9 else 0.0
