# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact training labels from rendered geometry: flow between two frames of one person, visibility, boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.heads.pack import Floats, Ints
from training.heads.render import Frame

FLOW_SIDE = 64
BACKGROUND, VISIBLE, HIDDEN = 0, 1, 2
DEPTH_TOLERANCE = 0.12  # dm; a surface this close behind what is seen counts as seen

MOUTH_POINTS, LEFT_EYE_POINTS, RIGHT_EYE_POINTS = slice(48, 68), slice(36, 42), slice(42, 48)
# Margin around each group of landmarks, as shares of the group's width.
BOX_MARGINS = ((MOUTH_POINTS, 0.25, 0.25), (LEFT_EYE_POINTS, 0.35, 0.35), (RIGHT_EYE_POINTS, 0.35, 0.35))


def pixel_centres(side: int) -> Floats:
    """[side, side, 2]: x right, y down in [-1, 1] (grid_sample's align_corners=False)."""
    line = (2.0 * np.arange(side) + 1.0) / side - 1.0
    return np.stack(np.meshgrid(line, line), axis=-1)


def flow(driving: Frame, source: Frame, triangles: Ints) -> tuple[Floats, NDArray[np.uint8]]:
    """Where each pixel of `driving` is found in `source`.

    Args:
        driving, source: two frames of one person. triangles: that person's [T, 3].
    Returns:
        position float32 [64, 64, 2]: x right, y down in [-1, 1] in the source; background stays where it is.
        visible uint8 [64, 64]: 0 background, 1 seen in both, 2 hidden (or outside) in the source.
    """
    centres = pixel_centres(FLOW_SIDE)
    step = driving.triangles.shape[0] // FLOW_SIDE
    seen = driving.triangles[step // 2 :: step, step // 2 :: step].astype(np.int64)
    surface = seen > 0
    corners = triangles[seen[surface] - 1]  # [K, 3]
    share = _barycentric(centres[surface], driving.screen[corners, :2])
    at = np.einsum("kc,kcd->kd", share, source.screen[corners].astype(np.float64))
    position = centres.copy()
    position[surface] = at[:, :2]
    visible = np.full(seen.shape, BACKGROUND, np.uint8)
    behind = at[:, 2] > _depth_seen(source, triangles, at[:, :2]) + DEPTH_TOLERANCE
    outside = np.abs(at[:, :2]).max(axis=1) > 1.0
    visible[surface] = np.where(behind | outside, HIDDEN, VISIBLE)
    return np.clip(position, -2.0, 2.0).astype(np.float32), visible


def boxes(landmarks: Floats) -> Floats:
    """Boxes of mouth, picture-left eye, picture-right eye: [3, 4] as x0, y0, x1, y1 in [-1, 1]."""
    result = np.empty((3, 4), np.float32)
    for row, (points, across, along) in enumerate(BOX_MARGINS):
        low, high = landmarks[points].min(axis=0), landmarks[points].max(axis=0)
        margin = np.array([across, along]) * (high[0] - low[0])
        result[row] = (*(low - margin), *(high + margin))
    return np.clip(result, -1.0, 1.0)


def _barycentric(points: Floats, corners: Floats) -> Floats:
    """Shares [K, 3] of triangle corners [K, 3, 2] at points [K, 2]; edge-on triangles give their middle."""
    a, b, c = (corners[:, k].astype(np.float64) for k in range(3))
    ab, ac, ap = b - a, c - a, points - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    thin = np.abs(area) < 1e-9
    area = np.where(thin, 1.0, area)
    along_b = (ap[:, 0] * ac[:, 1] - ap[:, 1] * ac[:, 0]) / area
    along_c = (ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0]) / area
    share = np.stack([1.0 - along_b - along_c, along_b, along_c], axis=1)
    share[thin] = 1.0 / 3.0
    share = np.clip(share, -0.5, 1.5)  # a pixel's centre may lie a little outside the triangle sampled for it
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def _depth_seen(frame: Frame, triangles: Ints, positions: Floats) -> Floats:
    """Distance of the surface seen at positions [K, 2], the farthest of 3 x 3 samples; background is inf."""
    side = frame.triangles.shape[0]
    pixel = np.floor((positions * 0.5 + 0.5) * side).astype(np.int64)
    farthest = np.zeros(len(positions))
    depth = np.append(frame.screen[triangles, 2].mean(axis=1), np.inf)  # last = background, number 0 - 1
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            x, y = np.clip(pixel + (dx, dy), 0, side - 1).T
            farthest = np.maximum(farthest, depth[frame.triangles[y, x].astype(np.int64) - 1])
    return farthest
