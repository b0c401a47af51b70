# SPDX-License-Identifier: GPL-3.0-or-later
"""A face to begin with where no reader is sure: an oval for each eye and a line for the mouth. No bpy.

What nobody places by hand (the skull's steady points with their depth, and chin and brows until they are
dragged) follows from eyes and mouth. The table is the front view of a synthetic head of ours, read by
`core.engine.layers.mark_reader` and made even on both sides. Its unit is the distance between the middles of
the eyes, its origin the middle between them; x right, y down, depth away from the viewer.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from .crop_box import Box
from .mark_shape import ARCH, RING, Marks

EYES = (0.387, 0.409), (0.613, 0.409)  # where they are in a crop, in its sides
MOUTH = 1.04  # the table's y of its mouth
WIDE, HIGH, IRIS = 0.20, 0.11, 0.10  # half an eye, and its iris
MOUTH_WIDE = 0.43  # half of it
INNER = 0.88  # of the outer lips' width
UPPER, LOWER = -0.11, 0.13  # of the lips' outer lines, off the line between them
DEPTH = -0.30  # of the lips' middle
BROW = ((-0.82, -0.17), (-0.72, -0.25), (-0.59, -0.29), (-0.41, -0.29), (-0.19, -0.23))
CHIN = ((0, 1.81, -0.10), (0, 1.59, -0.25), (0, 1.72, -0.21), (0, 1.44, -0.24), (0, 1.30, -0.22))
SKULL = (
    *((-0.70, 0, 0.22), (-0.27, 0, 0.14), (0.27, 0, 0.14), (0.70, 0, 0.22)),  # corners of the eyes
    *((0, -0.10, -0.13), (0, 0.01, -0.21), (0, 0.11, -0.30), (0, 0.21, -0.40)),  # down the nose
    *((0, 0.32, -0.50), (0, 0.46, -0.55), (0, 0.57, -0.52), (0, 0.69, -0.29)),
    *((-0.28, 0.67, -0.16), (0.28, 0.67, -0.16)),  # its wings
    *((0, -0.34, -0.13), (0, -0.21, -0.12), (0, -0.60, -0.05)),  # between the brows, forehead
    *((-0.78, 0.52, 0.07), (0.78, 0.52, 0.07), (-0.54, 0.39, 0), (0.54, 0.39, 0)),  # cheeks
)
"""In the order of `core.wire.marks`: the skull's points."""


def begun(crop: Box) -> Marks:
    """Marks in the usual place of a crop."""
    x, y, side = crop
    middles = np.array(EYES) * side + (x, y)
    unit = float(middles[1, 0] - middles[0, 0])
    upper, lower, irises = [], [], []
    for middle in middles:
        lid = np.column_stack([np.linspace(-WIDE, WIDE, len(ARCH)), np.sqrt(ARCH) * HIGH]) * unit
        upper.append(middle + lid * (1, -1))
        lower.append(middle + lid)
        irises.append([*middle, IRIS * unit])
    marks = {
        "upper_lids": np.concatenate(upper),
        "lower_lids": np.concatenate(lower),
        "irises": np.array(irises),
    }
    mouth = middles.mean(0) + (0, MOUTH * unit)
    for name, wide, lift in (
        ("lips_outer", MOUTH_WIDE, (UPPER, LOWER)),
        ("lips_inner", MOUTH_WIDE * INNER, (0, 0)),
    ):
        off = np.where(np.arange(20) <= 10, *lift) * np.sin(np.pi * RING)
        ring = mouth + np.column_stack([(2 * RING - 1) * wide, off]) * unit
        marks[name] = np.column_stack([ring, DEPTH * unit * np.sin(np.pi * RING)])
    return completed(marks)


def completed(marks: Marks, by_hand: Collection[str] = ()) -> Marks:
    """The marks with skull, chin and brows where eyes and mouth want them; those in `by_hand` stay."""
    eyes = [
        np.concatenate([marks[name][at] for name in ("upper_lids", "lower_lids")]).mean(0) for at in _EYES
    ]
    middle, along = (eyes[0] + eyes[1]) / 2, eyes[1] - eyes[0]
    mouth = marks["lips_outer"][[0, 10], :2].mean(0)
    axes = np.stack([along, (mouth - middle) / MOUTH])
    unit = float(np.linalg.norm(along))

    def placed(table: object) -> np.ndarray:
        points = np.array(table, np.float64)
        flat = middle + points[:, :2] @ axes
        return flat if points.shape[1] == 2 else np.column_stack([flat, points[:, 2] * unit])

    made = dict(marks) | {"skull": placed(SKULL)}
    other_brow = [(-x, y) for x, y in reversed(BROW)]
    for name, table in (("chin", CHIN), ("brows", [*BROW, *other_brow])):
        if name not in by_hand or name not in marks:
            made[name] = placed(table)
    return made


_EYES = slice(0, len(ARCH)), slice(len(ARCH), 2 * len(ARCH))
