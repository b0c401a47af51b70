# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour where a picture shows none: transparent pixels are filled with what is around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.pictures.picture import Levels


def filled(rgb: Levels, share: NDArray[np.float32]) -> Levels:
    """Colour [H, W, 3] that counts only as far as `share` [H, W, 1] in [0, 1] says, the rest filled with
    what is around it. Somewhere the share must be above 0.
    """
    import cv2

    height, width = rgb.shape[:2]
    whole: Any = np.where(share[..., 0] > 0.999, np.float32(1), share[..., 0])
    colour: Any = cv2.multiply(rgb.astype(np.float32), cv2.merge([whole] * 3))
    small = (-(-width // 4), -(-height // 4))  # what fills is smooth: a quarter of the size shows no less
    parts = (cv2.resize(array, small, interpolation=cv2.INTER_AREA) for array in (colour, whole))
    around: Any = _pushed(*parts)
    around = cv2.resize(np.rint(around).astype(rgb.dtype), (width, height), interpolation=cv2.INTER_LINEAR)
    if rgb.dtype == np.uint8:  # one pass over the picture, which OpenCV has for no other levels
        return np.asarray(cv2.blendLinear(rgb, around, whole, 1 - whole))
    return np.asarray(np.rint(colour + around * (1 - whole[..., None])).astype(rgb.dtype))


def _pushed(colour: Any, cover: Any) -> NDArray[np.float32]:
    """Premultiplied colour [h, w, 3] over a cover [h, w], its gaps closed by ever coarser versions of itself
    (pull-push)."""
    import cv2

    height, width = cover.shape
    if max(height, width) == 1:
        return np.asarray(colour.reshape(1, 1, 3) / max(float(cover.item()), 1e-6))
    half = (max(1, width // 2), max(1, height // 2))
    low, lower = (cv2.resize(array, half, interpolation=cv2.INTER_AREA) for array in (colour, cover))
    below: Any = _pushed(low.reshape(half[1], half[0], 3), lower.reshape(half[1], half[0]))
    below = cv2.resize(below, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(colour + below.reshape(height, width, 3) * (1 - cover[..., None]))
