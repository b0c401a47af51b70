# SPDX-License-Identifier: GPL-3.0-or-later
"""A crop with what lies around it: what a turning head brings in from beyond the edge is real.

Around the crop comes the whole picture, as far as it reaches. Beyond that the picture is mirrored, and the
softer the farther out: a mirror image that is sharp is seen as one. A crop that itself reaches over the
picture's border repeats the edge there, as `core.pictures.picture.crop` does, so that a frame at rest is that
crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import soft
from core.pictures.picture import Crop, Levels

MARGIN = 0.25  # of the crop's side, on each side
SOFTENED = 0.03  # of the crop's side: sigma of what is mirrored, at the margin's end


@dataclass(frozen=True, eq=False)
class Around:
    """A picture [H + 2 margin, H + 2 margin, C] float32, in which the crop lies `margin` pixels in."""

    picture: NDArray[np.float32]
    margin: int

    @property
    def size(self) -> int:
        """Pixels of the crop's own side."""
        return len(self.picture) - 2 * self.margin

    @property
    def inner(self) -> NDArray[np.float32]:
        """[H, H, C] the crop alone."""
        part = slice(self.margin, self.margin + self.size)
        return self.picture[part, part]


def around(levels: Levels, where: Crop, inner: NDArray[np.float32]) -> Around:
    """Put `inner` [H, H, C], the crop at its output size in [0, 1], into what lies around it.

    levels  [h, w] or [h, w, C] of the whole picture
    """
    import cv2

    size, side = len(inner), where.side
    more = max(1, round(MARGIN * side))
    margin = max(1, round(more * size / side))
    top, bottom = _known(where.y, side, more, levels.shape[0])
    left, right = _known(where.x, side, more, levels.shape[1])
    part = _cut(levels, top, bottom, left, right).astype(np.float32) / np.iinfo(levels.dtype).max
    missing = [top - where.y + more, where.y + side + more - bottom]
    missing += [left - where.x + more, where.x + side + more - right]
    above, below, before, after = missing
    wide: Any = cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_REFLECT_101)
    whole = size + 2 * margin
    if len(wide) != whole:
        way = cv2.INTER_AREA if whole < len(wide) else cv2.INTER_CUBIC
        wide = np.clip(cv2.resize(wide, (whole, whole), interpolation=way), 0, 1)
    wide = np.ascontiguousarray(wide.reshape(whole, whole, -1))
    if any(missing):
        out = [count * margin / more for count in missing]
        share = np.maximum.outer(_beyond(whole, *out[:2]), _beyond(whole, *out[2:]))
        blurred = cv2.GaussianBlur(wide, (0, 0), max(0.5, SOFTENED * size)).reshape(wide.shape)
        wide += (blurred - wide) * soft(share / margin).astype(np.float32)[..., None]
    wide[margin : margin + size, margin : margin + size] = inner
    return Around(wide, margin)


def _known(first: int, side: int, more: int, length: int) -> tuple[int, int]:
    """From where to where along one axis there are pixels: the crop, and around it what the picture has."""
    return min(first, max(0, first - more)), max(first + side, min(length, first + side + more))


def _cut(levels: Levels, top: int, bottom: int, left: int, right: int) -> Levels:
    """Rows and columns of a picture; beyond its border the edge is repeated."""
    rows, columns = (
        np.clip(np.arange(first, end), 0, count - 1)
        for first, end, count in ((top, bottom, levels.shape[0]), (left, right, levels.shape[1]))
    )
    return np.asarray(levels[rows[:, None], columns])


def _beyond(length: int, before: float, after: float) -> NDArray[np.float64]:
    """[length] by how many pixels each one lies within the first `before` or the last `after`."""
    place = np.arange(length) + 0.5
    return np.maximum(np.maximum(before - place, place - (length - after)), 0)
