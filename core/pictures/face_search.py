# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faces a picture shows, by the networks of `core.pictures.face_reader`, and how far each can be relied
on.

The detector looks at the whole picture. Where it sees none: at the picture in the three other quarter turns
(it lies), with a border (it fills the picture) and at nine parts of it (it is small). The mesh then has a
say: patterns that the detector takes for faces it knows for none. On 28 pictures of things (coins, a flower,
cells, motorcycles ...), each in four turns, the two together saw no face but a far photographer's and, as
doubtful, a cat's; the cascades saw faces in three of them.

The detector also sees faces that lie on their side or stand on their head, and takes some for upright ones.
So a face that is not quite certain is looked at in all four turns, and the best says how it lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.pictures import face_reader
from core.pictures.face_reader import Box, Floats, Mesh
from core.pictures.picture import Levels

PRESENT = 0.8  # of the mesh's certainty: a face
CERTAIN = 0.95  # a face in a part of the picture; there are many parts
CLEAR = 0.75  # score in all looks but the first
PERHAPS = (0.7, 0.02)  # score and certainty from which something may be a face: a mask, an animal, a drawing
LESSER = 0.4  # beside a face, one smaller than this share of it is a bystander
APART = 0.6  # of the larger face's width: nearer middles are one face
PLAIN = 0.87, np.radians(35)  # score and roll of a face whose turn is beyond doubt
LEVEL = np.radians(50)  # roll of a face that is upright in a quarter turn
TURNED = 0.05  # by how much another quarter turn must score better
BORDER = 0.4  # of the picture's side, for faces that fill it
PARTS = (0.0, 0.25, 0.5)  # where the parts of half the size begin
# Of the mesh: points that a face moves little, brow to chin; those between which the face's height runs.
STEADY = [
    33,
    133,
    362,
    263,
    168,
    6,
    197,
    195,
    5,
    4,
    1,
    2,
    98,
    327,
    9,
    8,
    151,
    50,
    280,
    101,
    330,
    61,
    291,
    152,
]
EYES, BROW, CHIN = [33, 263], 9, 152
# What brings the mesh to the common box of `core.pictures.face`, in root mean square distances of the steady
# points from their middle: its width, and how far below the eyes its middle lies. Fitted to 138 synthetic
# heads, turned ones among them, on which the cascades' box and this one have the same middle within 1.2 % of
# the crop's side, and checked on 11 photographs and paintings.
WIDTH, BELOW = 3.91, 0.40
AROUND = 2.0, 3.5  # sides of what is looked at in the four turns, in widths of the face's box


@dataclass(frozen=True, eq=False)
class Seen:
    """A face in a picture; middle, width and points are in its pixels."""

    box: Box
    mesh: Mesh
    quarter: (
        int  # by how many quarter turns, counter-clockwise, the picture must be turned to have it upright
    )

    @property
    def sure(self) -> bool:
        """Whether detector and mesh agree that it is a face."""
        return self.mesh.presence >= PRESENT

    @property
    def tilt(self) -> float:
        """Degrees to which the head leans to its left as seen, from upright; -180 to 180."""
        return float(np.degrees(self.mesh.roll))

    @property
    def common(self) -> tuple[Floats, float]:
        """Middle [2] and width of the box that the crop is made from."""
        points = self.mesh.points
        spread = float(np.sqrt(points[STEADY].var(0).sum()))
        down = (points[CHIN] - points[BROW]) / max(float(np.linalg.norm(points[CHIN] - points[BROW])), 1e-6)
        return points[EYES, :2].mean(0) + BELOW * spread * down[:2], WIDTH * spread


def search(rgb: Levels) -> list[Seen]:
    """The faces of a picture [H, W, 3], the largest first. Sure ones, or else the likeliest of all that may
    be a face; none is an empty list."""
    levels = face_reader.eight_bits(rgb)
    whole = _read(levels, face_reader.boxes(levels))
    sure = [one for one in whole if one.sure]
    if sure:
        return [_turned(levels, one) for one in _apart(sure)]
    for look in (_lying, _bordered, _parts):
        found = look(levels)
        if found:
            return _apart(found)
    perhaps = [one for one in whole if one.box.score >= PERHAPS[0] and one.mesh.presence >= PERHAPS[1]]
    return sorted(perhaps, key=lambda one: -one.mesh.presence)[:1]


def _read(levels: Levels, found: list[Box], quarter: int = 0) -> list[Seen]:
    return [Seen(box, face_reader.read(levels, box), quarter) for box in found]


def _lying(levels: Levels) -> list[Seen]:
    """What looks like a face in another quarter turn only. Places are those of the turned picture."""
    for quarter in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(levels, quarter))
        found = _read(turned, face_reader.boxes(turned, CLEAR), quarter)
        level = [one for one in found if one.sure and abs(one.mesh.roll) < LEVEL]
        if level:
            return level
    return []


def _bordered(levels: Levels) -> list[Seen]:
    """Faces that fill the picture."""
    import cv2

    down, right = (round(side * BORDER) for side in levels.shape[:2])
    wide = cv2.copyMakeBorder(levels, down, down, right, right, cv2.BORDER_CONSTANT, value=(128, 128, 128))
    found = [box.moved(-right, -down) for box in face_reader.boxes(wide, CLEAR)]
    return [one for one in _read(levels, found) if one.sure]


def _parts(levels: Levels) -> list[Seen]:
    """Faces that are small in the picture."""
    height, width = levels.shape[:2]
    found = []
    for top in PARTS:
        for left in PARTS:
            y, x = round(top * height), round(left * width)
            part = levels[y : y + (height + 1) // 2, x : x + (width + 1) // 2]
            found += [box.moved(x, y) for box in face_reader.boxes(part, CLEAR)]
    return [one for one in _read(levels, face_reader.best(found)) if one.mesh.presence >= CERTAIN]


def _turned(levels: Levels, seen: Seen) -> Seen:
    """The same face with the quarter turn in which it is upright."""
    if seen.box.score >= PLAIN[0] and abs(seen.mesh.roll) < PLAIN[1]:
        return seen
    scores = np.zeros(4)
    for side in AROUND:
        cut = face_reader.square(levels, seen.box.middle, side * seen.box.width)
        for quarter in range(4):
            for box in face_reader.boxes(np.rot90(cut, quarter)):
                near = np.abs(box.middle - len(cut) / 2).max() < seen.box.width / 2
                if near and abs(box.roll) < LEVEL:
                    scores[quarter] += box.score / len(AROUND)
                    break
    best = int(np.argmax(scores))
    return Seen(seen.box, seen.mesh, best if scores[best] > scores[0] + TURNED else 0)


def _apart(faces: list[Seen]) -> list[Seen]:
    """Without what lies on another face, or is far smaller than the largest."""
    kept: list[Seen] = []
    for face in sorted(faces, key=lambda one: -one.box.width):
        gaps = [_gap(face.box.middle, other.box.middle) / other.box.width for other in kept]
        if min(gaps, default=np.inf) > APART and face.box.width >= LESSER * (kept or [face])[0].box.width:
            kept.append(face)
    return kept


def _gap(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a - b))
