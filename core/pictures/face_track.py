# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows one face through the pictures of a clip, by the networks of `core.pictures.face_reader`.

    follower = Follower()
    for picture in pictures:
        seen = follower.look(picture)      # None where it shows no face

The mesh looks where the face was in the picture before, in squares of four sizes; the mean of the four
trembles half as much as one. A face that has moved far meanwhile is looked at again where it is now. Where no
face is left there, and after a cut, the detector looks again: first about the last place, then in the whole
picture, for the face nearest to the one before. The first face is the largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pictures import face_reader, face_search
from core.pictures.face_reader import Floats, Mesh
from core.pictures.picture import Levels

SQUARES = (1.1, 1.3, 1.5, 1.7)  # sides of what the mesh sees, in sides of the box around its points
MOVED = 0.08, 0.06  # sides of that box, and radians of roll, by which a face has moved far
PRESENT = 0.5  # mean presence below which there is no face
NEAR = 4.0  # widths of the face: side of the square in which a lost one is looked for first
SMALL = 24  # pixels of the picture by which cuts are told
CUT = 0.6  # correlation with the picture before below which the scene is another
FAR = 1.0  # widths by which a face may have moved between two pictures without a cut
LIKE = 0.5, 2.0  # shares of its width before


@dataclass(frozen=True, eq=False)
class FaceSeen:
    """One face in one picture, in its pixels."""

    points: Floats  # [468, 3] as in `face_reader.Mesh`
    lids: Floats  # [2, 71, 2] right and left eye, as in `face_reader.read_eyes`
    irises: Floats  # [2, 5, 2]
    presence: float  # 0 to 1


class Follower:
    """Looks at the pictures of a clip one after the other."""

    def __init__(self) -> None:
        self.rivals = 0
        """Faces beside the followed one, when it was first seen."""
        self.cuts = 0
        """Times that the scene has changed so far."""
        self._last: FaceSeen | None = None
        self._lost = True
        self._small: NDArray[np.float32] | None = None

    def look(self, rgb: Levels) -> FaceSeen | None:
        """The face in the next picture [H, W, 3], or None."""
        levels = face_reader.eight_bits(rgb)
        cut = self._is_cut(levels)
        seen = None if self._lost or cut else read(levels, self._last)
        if seen is None:
            seen = self._found(levels)
        if seen is not None and self._last is not None and not cut and self._jumped(seen):
            cut = True
        self.cuts += cut
        self._lost = seen is None
        self._last = seen or self._last
        return seen

    def _found(self, levels: NDArray[np.uint8]) -> FaceSeen | None:
        if self._last is None:
            return self._first(levels)
        middle, side = _box(self._last.points)
        part = face_reader.square(levels, middle, NEAR * side)
        start = middle - (len(part) - 1) / 2
        near = [box.moved(*start) for box in face_reader.boxes(part)]
        for found in (near, face_reader.boxes(levels)):
            like = sorted(found, key=lambda box: float(np.linalg.norm(box.middle - middle)))
            for box in like:
                seen = read(levels, face_reader.read(levels, box))
                if seen is not None:
                    return seen
        return None

    def _first(self, levels: NDArray[np.uint8]) -> FaceSeen | None:
        faces = [face for face in face_search.search(levels) if face.sure and not face.quarter]
        self.rivals = max(0, len(faces) - 1)
        return read(levels, faces[0].mesh) if faces else None

    def _jumped(self, seen: FaceSeen) -> bool:
        assert self._last is not None
        (middle, side), (before, was) = _box(seen.points), _box(self._last.points)
        far = float(np.linalg.norm(middle - before)) > FAR * was
        return far or not LIKE[0] < side / max(was, 1e-6) < LIKE[1]

    def _is_cut(self, levels: NDArray[np.uint8]) -> bool:
        import cv2

        small = cv2.resize(levels, (SMALL, SMALL), interpolation=cv2.INTER_AREA).mean(axis=-1)
        small = np.asarray(small - small.mean(), np.float32)
        before, self._small = self._small, small
        if before is None:
            return False
        both = float(np.sqrt((small**2).sum() * (before**2).sum()))
        return float((small * before).sum()) < CUT * both


def read(rgb: Levels, before: FaceSeen | Mesh | None) -> FaceSeen | None:
    """The face of a picture where it was `before`; None where there is none."""
    if before is None:
        return None
    levels, points = face_reader.eight_bits(rgb), before.points
    for _ in range(2):
        middle, side = _box(points)
        roll = _roll(points)
        looks = [face_reader.look(levels, middle, share * side, roll) for share in SQUARES]
        presence, points = (
            np.mean(each, axis=0) for each in zip(*((one.presence, one.points) for one in looks))
        )
        moved = float(np.linalg.norm(_box(points)[0] - middle)) / side
        if presence < PRESENT or (moved < MOVED[0] and abs(_roll(points) - roll) < MOVED[1]):
            break
    if presence < PRESENT:
        return None
    lids, irises = face_reader.read_eyes(levels, Mesh(float(presence), points))
    return FaceSeen(points, lids, irises, float(presence))


def _box(points: Floats) -> tuple[Floats, float]:
    """Middle [2] and side of the box around points, in axes in which the eyes are level."""
    roll = _roll(points)
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    level = points[:, :2] @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    return (low + high) / 2 @ turn, max(float((high - low).max()), 1.0)


def _roll(points: Floats) -> float:
    return Mesh(1.0, points).roll
