# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows one face through the pictures of a clip, by the networks of `core.pictures.face_reader`.

    follower = Follower()
    for picture in pictures:
        seen = follower.look(picture)      # None where it shows no face

The mesh looks where the face was in the picture before, in three squares of different size; the mean of the
three trembles half as much as one. Where no face is left there, and after a cut, the detector looks again:
first about the last place, then in the whole picture, for the face most like the one before in place and
size. The first face is the largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pictures import face_reader, face_search
from core.pictures.face_reader import Floats, Mesh
from core.pictures.picture import Levels

SQUARES = (1.3, 1.5, 1.7)  # sides of what the mesh sees, in sides of the box around its points
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

    @property
    def box(self) -> tuple[Floats, float]:
        """Middle [2] and side of the box around the points, in axes in which the eyes are level."""
        turn = _level(self.points)
        low, high = _span(self.points[:, :2] @ turn.T)
        return (low + high) / 2 @ turn, float((high - low).max())


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
        middle, side = self._last.box
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
        (middle, side), (before, was) = seen.box, self._last.box
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
    levels = face_reader.eight_bits(rgb)
    turn = _level(before.points)
    low, high = _span(before.points[:, :2] @ turn.T)
    middle, side, roll = (low + high) / 2 @ turn, float((high - low).max()), _roll(before.points)
    looks = [face_reader.look(levels, middle, share * side, roll) for share in SQUARES]
    mesh = Mesh(float(np.mean([look.presence for look in looks])), np.mean([look.points for look in looks], 0))
    if mesh.presence < PRESENT:
        return None
    lids, irises = face_reader.read_eyes(levels, mesh)
    return FaceSeen(mesh.points, lids, irises, mesh.presence)


def _roll(points: Floats) -> float:
    return Mesh(1.0, points).roll


def _level(points: Floats) -> Floats:
    roll = _roll(points)
    return np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])


def _span(points: Floats) -> tuple[Floats, Floats]:
    return points.min(axis=0), points.max(axis=0)
