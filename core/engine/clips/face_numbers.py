# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face does, as numbers that are read alike off a clip and off the portrait as it is drawn.

Lengths are in distances of the outer eye corners, in the axes of the head; heights are positive upwards.
`open_*` is the gap between the lids by the eye's width; `iris_*` is the iris' place between the eye's corners
by that width, to picture right and up, the mean of both eyes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.pictures.face_track import FaceSeen
from core.pictures.head_shape import Floats, Heads, heads, shape_of

TURNS = ("yaw", "pitch", "roll")
LIPS = ("aperture", "width", "lips", "corners", "brow_in", "brow_out")
EYES = ("open_right", "open_left", "iris_x", "iris_y")
NAMES: tuple[str, ...] = (*TURNS, *LIPS, *EYES)
"""The columns; the turns are degrees, see `core.pictures.head_shape`."""
COLUMN = {name: number for number, name in enumerate(NAMES)}
LIDS = (COLUMN["open_right"], COLUMN["open_left"])

# points of the mesh
INNER = ((13, 14), (82, 87), (312, 317))  # inner lips, upper and lower
CORNERS, OUTER = (61, 291), (0, 17)  # of the mouth; middles of the outer lips
EYE_CORNERS = [33, 133, 362, 263]
BROW_IN, BROW_OUT = [55, 285, 107, 336], [52, 282, 105, 334]
# points of the iris model, outer corner first
UPPER, LOWER = [10, 11, 12, 13, 14], [2, 3, 4, 5, 6]
OUTER_CORNER, INNER_CORNER = 0, 8


def shape_in(faces: Sequence[FaceSeen]) -> Floats:
    """[468, 3] the mean shape of one person's head in pictures."""
    return shape_of(np.stack([face.points for face in faces]))


def numbers_of(faces: Sequence[FaceSeen], shape: Floats) -> Floats:
    """[N, len(NAMES)] of the faces in N pictures of one person, whose head has this shape [468, 3]."""
    seen = heads(np.stack([face.points for face in faces]), shape)
    lids = np.stack([face.lids for face in faces])
    irises = np.stack([face.irises for face in faces])[:, :, 0]
    return np.column_stack([seen.angles, _lips(seen), *_eyes(lids, irises)])


def _lips(seen: Heads) -> Floats:
    points = seen.fixed

    def apart(a: int, b: int) -> Floats:
        return np.asarray(np.linalg.norm(points[:, a] - points[:, b], axis=1))

    aperture = np.mean([apart(*pair) for pair in INNER], axis=0)
    eyes = points[:, EYE_CORNERS, 1].mean(axis=1)
    above = [eyes - points[:, part, 1].mean(axis=1) for part in (list(CORNERS), BROW_IN, BROW_OUT)]
    return np.column_stack([aperture, apart(*CORNERS), apart(*OUTER) - aperture, *above])


def _eyes(lids: Floats, irises: Floats) -> list[Floats]:
    """Openness of both eyes and place of the irises, [N] each; lids [N, 2, 71, 2], irises [N, 2, 2]."""
    ends = lids[:, :, [OUTER_CORNER, INNER_CORNER]]
    ends = np.stack([ends[:, 0], ends[:, 1, ::-1]], axis=1)  # picture left first
    along = ends[:, :, 1] - ends[:, :, 0]
    width = np.maximum(np.linalg.norm(along, axis=2), 1e-6)
    along = along / width[..., None]
    up = np.stack([along[..., 1], -along[..., 0]], axis=-1)
    gaps = lids[:, :, LOWER] - lids[:, :, UPPER]
    gap = -(gaps * up[:, :, None]).sum(axis=-1).mean(axis=2) / width
    off = irises - ends.mean(axis=2)
    x, y = ((off * axis).sum(axis=-1) / width for axis in (along, up))
    return [gap[:, 0], gap[:, 1], x.mean(axis=1), y.mean(axis=1)]
