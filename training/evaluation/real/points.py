# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a face, frame by frame, and its pose and shape apart.

Points are the 468 of the face mesh and 18 more of the iris model (`core.pictures.face_track`). A frame on
which no face is found is NaN. Distances are shares of the distance between the outer corners of the eyes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pictures import head_shape
from core.pictures.face_track import Follower

Array = NDArray[np.float64]

COUNT = 468 + 18
RIGHT_EYE, LEFT_EYE = slice(468, 477), slice(477, 486)
"""Of each eye: iris middle, outer and inner corner, upper lid and lower lid at three places."""
UPPER, LOWER, CORNERS = (10, 11, 12), (3, 4, 5), (0, 8)
"""The same in the iris model's order of 71."""
SIDE = 400
"""Pixels: smaller pictures are read when they have been enlarged, as the mesh sees 192 pixels of a face."""


def read_still(rgb: NDArray[np.uint8]) -> Array:
    """[486, 3] of the largest face; NaN where there is none."""
    points: Array = read_film([rgb])[0]
    return points


def read_film(frames: Sequence[NDArray[np.uint8]]) -> Array:
    """[T, 486, 3] of one face, followed from frame to frame."""
    out, follower = np.full((len(frames), COUNT, 3), np.nan), Follower()
    for number, frame in enumerate(frames):
        levels, scale = _large_enough(frame)
        seen = follower.look(levels)
        if seen is not None:
            eyes = [
                np.concatenate([iris[:1], eye[list(CORNERS)], eye[list(UPPER)], eye[list(LOWER)]])
                for eye, iris in zip(seen.lids, seen.irises)
            ]
            flat = np.pad(np.concatenate(eyes), ((0, 0), (0, 1)))
            out[number] = np.concatenate([seen.points, flat]) / scale
    return out


def _large_enough(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    import cv2

    scale = max(1.0, SIDE / min(rgb.shape[:2]))
    if scale > 1:
        rgb = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    return rgb, scale


@dataclass(frozen=True, eq=False)
class Head:
    """A clip in a frame of reference that is fixed to the head."""

    pose: Array
    """[T, 3] degrees: yaw to the picture's right, pitch up, roll counter-clockwise as seen."""
    fixed: Array
    """[T, 486, 3] the points without that pose, in eye distances, y up."""
    shape: Array
    """[486, 3] this person's, as `core.pictures.head_shape` has it."""


def head_of(points: Array, shape: Array | None = None) -> Head:
    """Pose and shape of the face of one person.

    Args:
        points: [T, 486, 3] in pixels.
        shape: the person's, from other pictures; None is the mean of these.
    """
    seen = np.isfinite(points[:, 0, 0])
    shape = head_shape.shape_of(points[seen]) if shape is None else shape
    found = head_shape.heads(points[seen], shape)
    pose, fixed = np.full((len(points), 3), np.nan), np.full(points.shape, np.nan)
    pose[seen], fixed[seen] = found.angles, found.fixed * (1.0, -1.0, 1.0)
    return Head(pose, fixed, shape)
