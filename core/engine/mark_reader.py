# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the marks of the face in a portrait's crop, by the networks of `core.pictures.face_reader`."""

from __future__ import annotations

import numpy as np

from core.pictures import face_models, face_reader
from core.pictures.face_marks import FaceMarks, Floats
from core.pictures.face_search import PRESENT
from core.pictures.picture import Crop, Levels

# Points of the mesh, in the order of `core.pictures.face_marks`.
OUTER = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
INNER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95]
BROWS = [[46, 53, 52, 65, 55], [285, 295, 282, 283, 276]]
CHIN = [152, 199, 175, 200, 18]
SKULL = [33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 9, 8, 151, 50, 280, 101, 330]
# Of the 71 points that the iris model gives an eye, outer corner first.
UPPER, LOWER = [0, 9, 10, 11, 12, 13, 14, 15, 8], [0, 1, 2, 3, 4, 5, 6, 7, 8]
AROUND = 1.4  # side of what is searched for the face, in sides of the crop
BOX = 0.55  # side of the detector's box, in sides of the crop, where it sees none


def marks_of(rgb: Levels, where: Crop) -> FaceMarks | None:
    """The marks of the face in a crop of a picture [H, W, 3]; None where the networks are not installed, or
    see no face there."""
    if face_models.why_not():
        return None
    levels = face_reader.eight_bits(rgb)
    middle = np.array([where.x + (where.side - 1) / 2, where.y + (where.side - 1) / 2])
    around = face_reader.square(levels, middle, AROUND * where.side)
    start = middle - (len(around) - 1) / 2
    found = [box.moved(*start) for box in face_reader.boxes(around)]
    near = [box for box in found if np.abs(box.middle - middle).max() < where.side / 4]
    if near:
        mesh = face_reader.read(levels, max(near, key=lambda box: box.width))
    else:
        mesh = face_reader.read_at(levels, middle, face_reader.MESH_WIDER * BOX * where.side, 0.0)
    if mesh.presence < PRESENT:
        return None
    eyes, irises = face_reader.read_eyes(levels, mesh)

    def placed(points: Floats) -> Floats:
        return (points + 0.5 - (where.x, where.y)) / where.side

    def line(order: list[int]) -> Floats:
        return np.stack([placed(eyes[0][order]), placed(eyes[1][order[::-1]])])

    rims = np.linalg.norm(irises[:, 1:] - irises[:, :1], axis=2).mean(1)
    flat = mesh.points[:, :2]
    return FaceMarks(
        lips_outer=placed(flat[OUTER]),
        lips_inner=placed(flat[INNER]),
        upper_lids=line(UPPER),
        lower_lids=line(LOWER),
        brows=np.stack([placed(flat[brow]) for brow in BROWS]),
        irises=np.column_stack([placed(irises[:, 0]), rims / where.side]),
        chin=placed(flat[CHIN]),
        skull=np.column_stack([placed(flat[SKULL]), mesh.points[SKULL, 2] / where.side]),
        certainty=mesh.presence,
    )
