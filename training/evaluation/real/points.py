# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a face, frame by frame, and its pose and shape apart.

Points are the 468 of the face mesh and 18 more of the iris model (`core.pictures.face_reader`). A frame on
which no face is found is NaN. Distances are shares of the distance between the outer corners of the eyes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pictures import face_reader
from core.pictures.face_search import PRESENT, STEADY

Array = NDArray[np.float64]

COUNT = 468 + 18
RIGHT_EYE, LEFT_EYE = slice(468, 477), slice(477, 486)
"""Of each eye: iris middle, outer and inner corner, upper lid and lower lid at three places."""
UPPER, LOWER, CORNERS = (10, 11, 12), (3, 4, 5), (0, 8)
"""The same in the iris model's order of 71."""
EYES = (33, 263)
SIDE = 400
"""Pixels: smaller pictures are read when they have been enlarged, as the mesh sees 192 pixels of a face."""


def read_still(rgb: NDArray[np.uint8]) -> Array:
    """[486, 3] of the largest face; NaN where there is none."""
    points: Array = read_film([rgb])[0]
    return points


def read_film(frames: Sequence[NDArray[np.uint8]]) -> Array:
    """[T, 486, 3]. A face is searched where the frame before had none, else followed from it."""
    out = np.full((len(frames), COUNT, 3), np.nan)
    before: face_reader.Mesh | None = None
    for number, frame in enumerate(frames):
        levels, scale = _large_enough(frame)
        mesh = _followed(levels, before) if before is not None else None
        if mesh is None or mesh.presence < PRESENT:
            mesh = _searched(levels)
        before = mesh
        if mesh is not None:
            out[number] = np.concatenate([mesh.points, _eyes(levels, mesh)]) / scale
    return out


def _large_enough(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    import cv2

    scale = max(1.0, SIDE / min(rgb.shape[:2]))
    if scale > 1:
        rgb = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    return rgb, scale


def _searched(rgb: NDArray[np.uint8]) -> face_reader.Mesh | None:
    found = face_reader.boxes(rgb, least=0.3)
    if not found:
        return None
    mesh = face_reader.read(rgb, max(found, key=lambda box: box.width))
    return mesh if mesh.presence >= PRESENT else None


def _followed(rgb: NDArray[np.uint8], before: face_reader.Mesh) -> face_reader.Mesh:
    low, high = before.points[:, :2].min(0), before.points[:, :2].max(0)
    side = face_reader.MESH_WIDER * float(max(high - low))
    return face_reader.read_at(rgb, (low + high) / 2, side, before.roll)


def _eyes(rgb: NDArray[np.uint8], mesh: face_reader.Mesh) -> Array:
    around, irises = face_reader.read_eyes(rgb, mesh)
    eyes = [
        np.concatenate([iris[:1], eye[list(CORNERS)], eye[list(UPPER)], eye[list(LOWER)]])
        for eye, iris in zip(around, irises)
    ]
    flat = np.concatenate(eyes)
    return np.column_stack([flat, np.zeros(len(flat))])


# --- pose and shape --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Head:
    """A clip in a frame of reference that is fixed to the head."""

    pose: Array
    """[T, 3] degrees from `shape`: yaw to the picture's right, pitch up, roll counter-clockwise as seen."""
    fixed: Array
    """[T, 486, 3] the points without that pose, in eye distances, y up."""
    shape: Array
    """[486, 3] the mean of `fixed`, or what was given."""


def head_of(points: Array, shape: Array | None = None) -> Head:
    """Pose and shape by a similarity fit (Umeyama 1991) of the points that a face hardly moves.

    Args:
        points: [T, 486, 3] in pixels.
        shape: the reference; None takes the clip's own mean shape, seen as in its first frame with a face.
    """
    upright = points * (1.0, -1.0, -1.0)
    if shape is None:
        first = upright[np.isfinite(upright[:, 0, 0]).argmax()]
        shape = first - first[STEADY].mean(0)
        shape = np.nanmean(_fitted(upright, shape)[1], axis=0)
        shape = shape / np.linalg.norm(shape[EYES[0]] - shape[EYES[1]])
    turns, fixed = _fitted(upright, shape)
    forward = turns[:, :, 2]  # where the axis out of the face points, in the picture
    yaw = np.degrees(np.arctan2(forward[:, 0], forward[:, 2]))
    pitch = np.degrees(np.arcsin(np.clip(forward[:, 1], -1, 1)))
    roll = np.degrees(np.arctan2(turns[:, 1, 0], turns[:, 1, 1]))
    return Head(np.stack([yaw, pitch, roll], axis=1), fixed, shape)


def _fitted(points: Array, shape: Array) -> tuple[Array, Array]:
    """Rotations [T, 3, 3] that turn `shape` into each frame, and the frames turned back and scaled."""
    goal = shape[STEADY] - shape[STEADY].mean(0)
    turns, fixed = np.full((len(points), 3, 3), np.nan), np.full(points.shape, np.nan)
    for number, face in enumerate(points):
        if np.isnan(face[0, 0]):
            continue
        here = face[STEADY] - face[STEADY].mean(0)
        u, s, vt = np.linalg.svd(goal.T @ here)
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        turn = (vt.T * sign) @ u.T
        scale = float((s * sign).sum() / (here**2).sum())
        fixed[number] = scale * (face - face[STEADY].mean(0)) @ turn + shape[STEADY].mean(0)
        turns[number] = turn
    return turns, fixed
