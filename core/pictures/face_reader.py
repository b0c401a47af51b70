# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads real faces: boxes with a score, 468 points with depth, lids and irises, by the networks of
`core.pictures.face_models`.

    for box in boxes(rgb):                    # all that the detector takes for faces
        seen = read(rgb, box)                 # points, and whether there is a face at all
        lids, iris = read_eyes(rgb, seen)

The detector sees the picture as a square of 256 pixels (grey bars fill it up), and answers at 896 anchors
with a score, a box and six points. The mesh sees a square of 1.5 times the box, turned so that the eyes are
level; its second look is framed by the first one's points, as a tracker's would be. The iris model sees a
square of 2.3 eye widths; the left eye is shown mirrored.

Points are in pixels of the picture, x right, y down, (0, 0) the middle of the first pixel; depth z is in the
same unit, away from the viewer, 0 about the middle of the head's depth. "Right" and "left" are the person's
own.

Sources: Bazarevsky et al. 2019 (BlazeFace), Kartynnik et al. 2019 (face mesh), Ablavatski et al. 2020 (iris).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from core.pictures import face_models
from core.pictures.picture import Levels

Floats = NDArray[np.float64]

DETECTOR_SIDE, MESH_SIDE, IRIS_SIDE = 256, 192, 64
SURE = 0.5  # score of the detector from which a box counts
SAME = 0.3  # intersection by union from which two boxes are one face
MESH_WIDER = 1.5  # side of what the mesh sees, in sides of the face's box
EYE_WIDER = 2.3  # side of what the iris model sees, in widths of the eye
LOOKS = 2  # of the mesh
EYES = (
    (33, 133),
    (362, 263),
)  # corners of the right and of the left eye, picture left first in a frontal view
EYE_POINTS = (
    71  # of the iris model: lower lid 9 (outer corner first), upper lid 7, then rings around them, brow
)

_one_at_a_time = Lock()  # a network keeps its input


@dataclass(frozen=True, eq=False)
class Box:
    """What the detector says of one face."""

    score: float  # 0 to 1
    corners: Floats  # [4] left, top, right, bottom
    points: Floats  # [6, 2] right eye, left eye, nose tip, mouth, right ear, left ear

    @property
    def width(self) -> float:
        return float(self.corners[2] - self.corners[0])

    @property
    def middle(self) -> Floats:
        return (self.corners[:2] + self.corners[2:]) / 2

    @property
    def roll(self) -> float:
        """Radians by which the line of the eyes is turned, clockwise as seen."""
        return _roll(self.points[0], self.points[1])

    def moved(self, right: float, down: float) -> Box:
        """The same box in a picture that begins elsewhere."""
        shift = np.array([right, down], np.float64)
        return Box(self.score, self.corners + np.tile(shift, 2), self.points + shift)


@dataclass(frozen=True, eq=False)
class Mesh:
    """468 points of one face."""

    presence: float  # 0 to 1: is there a face at all
    points: Floats  # [468, 3]

    @property
    def roll(self) -> float:
        """Radians by which the line of the eyes is turned, clockwise as seen: -pi to pi."""
        return _roll(self.points[EYES[0][0], :2], self.points[EYES[1][1], :2])


def boxes(rgb: Levels, least: float = SURE) -> list[Box]:
    """All faces that the detector sees in a picture [H, W, 3], best first. It must have been found by
    `face_models.why_not` that the networks are here."""
    import cv2

    levels = eight_bits(rgb)
    height, width = levels.shape[:2]
    scale = DETECTOR_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(levels, size, interpolation=way)
    left, top = (DETECTOR_SIDE - size[0]) // 2, (DETECTOR_SIDE - size[1]) // 2
    square = np.full((DETECTOR_SIDE, DETECTOR_SIDE, 3), 128, np.uint8)
    square[top : top + size[1], left : left + size[0]] = small
    blob = np.moveaxis(square.astype(np.float32) / 127.5 - 1, -1, 0)[None]
    raw_scores, raw_boxes = _answers("detector", blob, ("classificators", "regressors"))
    scores = _share(raw_scores.reshape(-1))
    places = raw_boxes.reshape(-1, 16).astype(np.float64)
    sizes, points = places[:, 2:4].copy(), places.reshape(-1, 8, 2)
    points += _anchors()[:, None] * DETECTOR_SIDE  # the second pair is the size, taken above
    back = np.array([width / size[0], height / size[1]])
    found = []
    for number in np.flatnonzero(scores >= least):
        middle = (points[number, 0] - (left, top)) * back - 0.5
        half = sizes[number] * back / 2
        corners = np.concatenate([middle - half, middle + half])
        found.append(Box(float(scores[number]), corners, (points[number, 2:] - (left, top)) * back - 0.5))
    return best(found)


def best(found: list[Box]) -> list[Box]:
    """The boxes without those that a better one covers, best first."""
    kept: list[Box] = []
    for box in sorted(found, key=lambda one: -one.score):
        if not any(_overlap(box.corners, other.corners) > SAME for other in kept):
            kept.append(box)
    return kept


def square(levels: NDArray[np.uint8], middle: Floats, side: float) -> NDArray[np.uint8]:
    """[n, n, 3] the part of a picture about a point, n the side in whole pixels; grey where there is none."""
    import cv2

    size = max(1, round(side))
    into = _frame(middle, size, 0.0, size)
    grey = (128, 128, 128)
    return np.asarray(cv2.warpAffine(levels, into, (size, size), borderValue=grey), np.uint8)


def read(rgb: Levels, box: Box) -> Mesh:
    """The points of the face in a box."""
    return read_at(rgb, box.middle, MESH_WIDER * float(max(box.corners[2:] - box.corners[:2])), box.roll)


def read_at(rgb: Levels, middle: Floats, side: float, roll: float) -> Mesh:
    """The points of the face in a square of `side` pixels about a point [2], turned by `roll` radians."""
    levels = eight_bits(rgb)
    for _ in range(LOOKS):
        mesh = look(levels, middle, side, roll)
        roll = mesh.roll
        turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        level = mesh.points[:, :2] @ turn.T
        low, high = level.min(0), level.max(0)
        middle, side = (low + high) / 2 @ turn, MESH_WIDER * float(max(high - low))
    return mesh


def look(levels: NDArray[np.uint8], middle: Floats, side: float, roll: float) -> Mesh:
    """What the mesh sees in a square at its first look, framed as it is told."""
    into = _frame(middle, side, roll, MESH_SIDE)
    crop = _cut(levels, into, MESH_SIDE, side)
    blob = np.moveaxis(crop.astype(np.float32) / 255, -1, 0)[None]
    flag, places = _answers("mesh", blob, ("conv2d_30", "conv2d_20"))
    local = places.reshape(468, 3).astype(np.float64)
    points = np.column_stack([_back(local[:, :2], into), local[:, 2] * side / MESH_SIDE])
    return Mesh(float(_share(flag.reshape(-1))[0]), points)


def read_eyes(rgb: Levels, mesh: Mesh) -> tuple[Floats, Floats]:
    """[2, 71, 2] points around the right and the left eye, and [2, 5, 2] irises: middle, then four of the
    rim."""
    levels = eight_bits(rgb)
    around: list[Floats] = []
    irises: list[Floats] = []
    for number, (one, other) in enumerate(EYES):
        a, b = mesh.points[one, :2], mesh.points[other, :2]
        side = max(EYE_WIDER * float(np.linalg.norm(b - a)), 1.0)
        into = _frame((a + b) / 2, side, mesh.roll, IRIS_SIDE)
        crop = _cut(levels, into, IRIS_SIDE, side)
        if number:
            crop = crop[:, ::-1]
        blob = np.ascontiguousarray(np.moveaxis(crop.astype(np.float32) / 255, -1, 0)[None])
        lids, iris = _answers("iris", blob, ("output_eyes_contours_and_brows", "output_iris"))
        for answer, kept in ((lids, around), (iris, irises)):
            local = answer.reshape(-1, 3)[:, :2].astype(np.float64)
            if number:
                local[:, 0] = IRIS_SIDE - local[:, 0]
            kept.append(_back(local - 0.5, into))
    return np.stack(around), np.stack(irises)


def eight_bits(rgb: Levels) -> NDArray[np.uint8]:
    """The same levels in 8 bits."""
    return np.ascontiguousarray(rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8))


# --- geometry -------------------------------------------------------------------------------------


@cache
def _anchors() -> Floats:
    """[896, 2] middles of the detector's anchors, 0 to 1: 16 x 16 cells with 2 each, 8 x 8 with 6."""
    found = []
    for cells, each in ((16, 2), (8, 6)):
        y, x = np.mgrid[0:cells, 0:cells]
        found.append(np.repeat(np.stack([(x + 0.5) / cells, (y + 0.5) / cells], -1).reshape(-1, 2), each, 0))
    return np.concatenate(found)


def _roll(right: Floats, left: Floats) -> float:
    return float(np.arctan2(*(left - right)[::-1]))


def _overlap(a: Floats, b: Floats) -> float:
    """Intersection by union of two boxes [4]."""
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    both = wide * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return float(both / either) if either > 0 else 0.0


def _frame(middle: Floats, side: float, roll: float, size: int) -> Floats:
    """[2, 3] picture -> a square of `size` pixels that shows `side` of the picture about a point, made
    level."""
    c, s = np.cos(roll), np.sin(roll)
    turn = np.array([[c, s], [-s, c]]) * (size / side)
    return np.column_stack([turn, (size - 1) / 2 - turn @ middle])


def _back(points: Floats, into: Floats) -> Floats:
    return np.asarray((points - into[:, 2]) @ np.linalg.inv(into[:, :2]).T)


def _cut(levels: NDArray[np.uint8], into: Floats, size: int, side: float) -> NDArray[np.uint8]:
    """[size, size, 3] what the square shows; made smaller in two steps, so that nothing flickers."""
    import cv2

    finer = max(1, int(side // size))
    fine = into * finer
    fine[:, 2] += (finer - 1) / 2
    cut = cv2.warpAffine(levels, fine, (size * finer, size * finer), flags=cv2.INTER_LINEAR)
    if finer > 1:
        cut = cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(cut, np.uint8)


# --- networks -------------------------------------------------------------------------------------


def _answers(name: str, blob: NDArray[np.float32], layers: tuple[str, str]) -> list[NDArray[np.float32]]:
    network = face_models.networks()[name]
    with _one_at_a_time:
        network.setInput(np.ascontiguousarray(blob))
        return [np.array(answer, np.float32) for answer in network.forward(layers)]


def _share(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -80, 80))))
