# SPDX-License-Identifier: GPL-3.0-or-later
"""Ground that may be kept still: where the cut of the figure can be trusted.

A matte that was cut by colours is wrong where figure and ground look alike: dark hair before a dark curtain.
There the edge of the matte has no contrast. So each place of the ground is trusted as far as the nearest
parts of that edge show one. A portrait that brings its own alpha needs no guess.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import soft
from core.pictures.picture import Levels

Plane = NDArray[np.float32]

SIDE = 128  # pixels of the crop's side while looking
BAND = 0.03  # of the side: how far from the edge its two sides are compared
CONTRAST = (10.0, 30.0)  # levels of 255 between them from which an edge begins to count, and does
NEAR = 0.06  # of the side: over which parts of the edge vouch for a place
LEAST = 0.04  # of the crop: less ground is not worth it


def trust(rgb: Levels, figure: Plane, own: bool = False) -> Plane | None:
    """[SIDE,SIDE] how far the ground there may be kept still, 0 to 1; None where there is hardly any ground.

    rgb     uint8 [H,W,3], the crop
    figure  [H,W] share of the figure, 0 to 1
    own     the portrait brought its own alpha: all of the ground is trusted
    """
    import cv2

    size = (SIDE, SIDE)
    share = np.asarray(cv2.resize(figure, size, interpolation=cv2.INTER_AREA), np.float32)
    if (share < 0.1).mean() < LEAST:
        return None
    if own:
        return np.ones(size, np.float32)
    colour = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    solid = (share > 0.5).astype(np.uint8)
    inside, outside = (_mean_near(colour, part) for part in (solid, 1 - solid))
    seen = soft((np.abs(inside - outside).max(-1) - CONTRAST[0]) / (CONTRAST[1] - CONTRAST[0]))
    edge = cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(np.float32)
    vouching, all_of_it = (
        cv2.GaussianBlur(part, (0, 0), NEAR * SIDE) for part in ((edge * seen).astype(np.float32), edge)
    )
    return np.asarray((vouching + 1e-4) / (all_of_it + 1e-4), np.float32)


def _mean_near(colour: Plane, part: NDArray[Any]) -> Plane:
    """[h,w,3] the mean colour of a part of the picture around each place."""
    import cv2

    weight = part.astype(np.float32)
    near, much = (
        cv2.GaussianBlur(plane, (0, 0), BAND * SIDE) for plane in (colour * weight[..., None], weight)
    )
    return np.asarray(near / np.maximum(much, 1e-3)[..., None], np.float32)
