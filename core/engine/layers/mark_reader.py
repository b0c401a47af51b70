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
MOST_LOWER = 0.09  # of an eye's width: by how much its lower lid may be moved below the iris
# Radii at which the white begins around an iris that is larger than the reader sees it, in radii of what it
# sees; levels by which it must be brighter; directions in degrees that look at it past both lids.
LARGER, BRIGHTER = (1.15, 1.5), 25.0
ASIDE = (-25, -12, 0, 12, 25, 155, 168, 180, 192, 205)
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

    def deep(order: list[int]) -> Floats:
        return np.column_stack([placed(mesh.points[order, :2]), mesh.points[order, 2] / where.side])

    def line(order: list[int]) -> Floats:
        return np.stack([placed(eyes[0][order]), placed(eyes[1][order[::-1]])])

    larger = _larger(levels, irises)
    upper, lower = (_about(line(order), placed(irises[:, 0]), larger) for order in (UPPER, LOWER))
    rims = larger * np.linalg.norm(irises[:, 1:] - irises[:, :1], axis=2).mean(1)
    irises_at = np.column_stack([placed(irises[:, 0]), rims / where.side])
    return FaceMarks(
        lips_outer=deep(OUTER),
        lips_inner=deep(INNER),
        upper_lids=upper,
        lower_lids=np.stack([_below_iris(one, iris) for one, iris in zip(lower, irises_at)]),
        brows=np.stack([placed(mesh.points[brow, :2]) for brow in BROWS]),
        irises=irises_at,
        chin=deep(CHIN),
        skull=deep(SKULL),
        certainty=mesh.presence,
    )


def _about(lines: Floats, middles: Floats, by: float) -> Floats:
    """Lines [2, N, 2] made larger about a point each [2, 2]."""
    return np.asarray(middles[:, None] + (lines - middles[:, None]) * by)


def _larger(levels: Levels, irises: Floats) -> float:
    """By how much the eyes are larger than the reader sees them, as those of drawn figures are: 1 or more.

    Beside an iris, white begins: where brightness rises most along rays to both sides. Both eyes must say so.
    """
    import cv2

    radii, found = np.arange(0.7, 1.9, 0.05), []
    turns = np.radians(ASIDE)[:, None]
    for iris in irises:
        radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
        x = (iris[0, 0] + np.cos(turns) * radii * radius).astype(np.float32)
        y = (iris[0, 1] + np.sin(turns) * radii * radius).astype(np.float32)
        rays = cv2.remap(levels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        bright = np.median(rays.astype(np.float64).mean(-1), 0)
        rise = bright[4:] - bright[:-4]
        at = float(radii[int(rise.argmax()) + 2])
        if rise.max() < BRIGHTER or not LARGER[0] < at < LARGER[1]:
            return 1.0
        found.append(at)
    return float(np.mean(found))


def _below_iris(lid: Floats, iris: Floats) -> Floats:
    """A lower lid [9, 2] that leaves no part of the iris (middle and radius) below it: the reader, which
    expects people, sees the eyes of drawn figures smaller than they are."""
    wide = float(np.linalg.norm(lid[-1] - lid[0]))
    along = (lid[-1] - lid[0]) / max(wide, 1e-9)
    down = np.array([-along[1], along[0]])
    s, t = ((lid - lid[0]) @ np.stack([along, down], 1)).T
    across, deep = (iris[:2] - lid[0]) @ along, (iris[:2] - lid[0]) @ down + iris[2]
    over = min(max(float(deep - np.interp(across, s, t)), 0.0), MOST_LOWER * wide)
    return np.asarray(lid + over * np.sin(np.pi * np.clip(s / max(wide, 1e-9), 0, 1))[:, None] * down)
