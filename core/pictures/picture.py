# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture is here, squares of it, and the one edge where it meets the network.

One type, `Picture`, goes in and comes out: integer levels of sRGB colour, straight alpha beside it. The
network's range is met in `to_model` and `from_model` only: level = x * 127.5 + 127.5, rounded, so that 0 is
128 and brightness never depends on content. Files are the business of `core.pictures.image`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.wire.errors import InputError

Levels = NDArray[Any]  # uint8 or uint16

SMALLEST_CROP = 16  # pixels of side


@dataclass(frozen=True)
class Picture:
    """sRGB colour `rgb` [H, W, 3], uint8 or uint16, and straight (not premultiplied) `alpha` [H, W] of the
    same type, or None."""

    rgb: Levels
    alpha: Levels | None = None

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def depth(self) -> int:
        """Bits per channel, 8 or 16."""
        return 8 * int(self.rgb.dtype.itemsize)

    def to_depth(self, depth: int) -> Picture:
        """The same picture with 8 or 16 bits per channel."""
        if depth == self.depth:
            return self
        return Picture(
            _to_depth(self.rgb, depth), None if self.alpha is None else _to_depth(self.alpha, depth)
        )


@dataclass(frozen=True)
class Crop:
    """A square of a picture: left and top edge and side, in pixels. It may reach over the border; the edge
    is repeated there."""

    x: int
    y: int
    side: int

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Crop:
        """From [x, y, side] as it comes over the wire or from a command line. Raises InputError."""
        try:
            x, y, side = (round(float(number)) for number in numbers)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"A crop is three numbers (left, top, side), not {numbers!r}") from None
        return cls(x, y, side)

    def check(self, width: int, height: int) -> None:
        """Raises InputError when the crop is too small, or mostly outside of a picture of this size."""
        if self.side < SMALLEST_CROP:
            raise InputError(f"The crop is {self.side} pixels wide, at least {SMALLEST_CROP} are needed")
        inside_x = min(self.x + self.side, width) - max(self.x, 0)
        inside_y = min(self.y + self.side, height) - max(self.y, 0)
        if inside_x < self.side / 4 or inside_y < self.side / 4:
            place = f"The crop at ({self.x}, {self.y}) with side {self.side}"
            raise InputError(
                f"{place} lies mostly outside of the picture ({width} x {height})",
                hint="Draw the crop around the face, or leave it empty to have the face found",
            )


def crop(picture: Picture, where: Crop, size: int) -> Picture:
    """The square `where` of the picture, resampled to size x size: area average when it shrinks, bicubic
    when it grows.

    What lies beyond the border repeats the edge. Raises InputError for a crop that is outside of the
    picture.
    """
    where.check(picture.width, picture.height)
    rgb = resampled(picture.rgb, where, size)
    return Picture(rgb, None if picture.alpha is None else resampled(picture.alpha, where, size))


def resampled(levels: Levels, where: Crop, size: int) -> Levels:
    """The square `where` of levels [H, W] or [H, W, C], as `crop` resamples it."""
    return _resize(_cut(levels, where), size)


def to_model(levels: Levels) -> NDArray[np.float32]:
    """Levels [..., H, W, 3] -> the network's range, float32 [..., 3, H, W] in [-1, 1]."""
    top = np.float32(np.iinfo(levels.dtype).max)
    return np.ascontiguousarray(np.moveaxis((levels.astype(np.float32) / top - np.float32(0.5)) * 2, -1, -3))


def from_model(values: NDArray[Any], depth: int = 8) -> Levels:
    """The network's output [..., 3, H, W] -> levels [..., H, W, 3].

    A fixed map, clamped to [-1, 1]: 0 is level 128 of 255, or 32768 of 65535.
    """
    half = 127.5 if depth == 8 else 32767.5
    scaled: NDArray[Any] = np.clip(np.asarray(values, np.float32 if depth == 8 else np.float64), -1.0, 1.0)
    scaled *= half
    scaled += half + 0.5  # at least a half, so that cutting off rounds down
    return np.ascontiguousarray(np.moveaxis(scaled.astype(np.uint8 if depth == 8 else np.uint16), -3, -1))


def published_picture(levels: Levels, size: int = 256) -> NDArray[np.float32]:
    """A still picture as the published programs prepare it: Pillow's bicubic filter on the 8-bit levels,
    aspect not kept."""
    from PIL import Image

    resized = Image.fromarray(levels).resize((size, size), Image.Resampling.BICUBIC)
    return to_model(np.asarray(resized))


def published_frame(levels: Levels, size: int = 256) -> NDArray[np.float32]:
    """A frame of a clip as the published programs prepare it: to [-1, 1] first, then bilinear without
    antialiasing."""
    import torch

    values = torch.from_numpy(to_model(levels))[None]
    return torch.nn.functional.interpolate(values, (size, size), mode="bilinear", align_corners=False)[
        0
    ].numpy()


def _cut(array: Levels, where: Crop) -> Levels:
    height, width = array.shape[:2]
    left, top, right, bottom = where.x, where.y, where.x + where.side, where.y + where.side
    inside = array[max(top, 0) : bottom, max(left, 0) : right]
    beyond = [(max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)), (0, 0)]
    return np.pad(inside, beyond[: array.ndim], mode="edge")


def _resize(array: Levels, size: int) -> Levels:
    if array.shape[0] == size:
        return np.ascontiguousarray(array)
    import cv2

    kind = cv2.INTER_AREA if size < array.shape[0] else cv2.INTER_CUBIC
    return np.asarray(
        cv2.resize(np.ascontiguousarray(array), (size, size), interpolation=kind), dtype=array.dtype
    )


def _to_depth(levels: Levels, depth: int) -> Levels:
    if depth == 16:
        return levels.astype(np.uint16) * np.uint16(257)
    return ((levels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
