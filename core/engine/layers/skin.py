# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin that feelings move: brows, cheeks, nose and lips of the portrait's own pixels, at output size.

`UNITS` says which places of a face move which way for each unit, in the face's own axes (x along the eyes to
picture right, y down) and in distances between the outer corners of the eyes. A place moves its surroundings
by a Gaussian. With v_k the way of place k, times its unit's amount, and p_k the place itself in this frame:

    d(x) = sum over k of v_k exp(-|(x - p_k - v_k) / s_k|^2 / 2)

and the frame shows at x what was at x - d(x). The ways are short against the Gaussians' widths, so nothing
folds. Places are the portrait's marks, carried by the frame's own flow. A unit moves both sides, but for
those of "left" and "right", which are the person's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.engine.layers.carried import carried
from core.pictures.face_marks import FaceMarks

Plane = NDArray[np.float32]

LEAST = 1e-4  # eye distances: less is not drawn
REACH = 3.2  # widths of a Gaussian beyond which nothing moves
COARSE = 4  # pixels of a picture of 512 a step of the field, which is smooth


class Place(NamedTuple):
    """One place that moves."""

    mark: str  # of the left half of the face, see `_places`
    way: tuple[float, float]  # outwards and down, of the eye distance
    size: tuple[float, float]  # of the Gaussian, across and down
    off: tuple[float, float] = (0.0, 0.0)  # from the mark, outwards and down


UNITS: dict[str, tuple[Place, ...]] = {
    "corners_up": (Place("corner", (0.0, -0.030), (0.10, 0.10)),),
    "corners_out": (Place("corner", (0.040, 0.0), (0.12, 0.12)),),
    "corners_down": (Place("corner", (0.0, 0.030), (0.09, 0.10)),),
    "cheeks_up": (Place("cheek", (0.010, -0.030), (0.15, 0.10), (0.02, 0.03)),),
    "upper_lip_up": (Place("upper_lip", (0.0, -0.035), (0.10, 0.07)),),
    "lips_thin": (
        Place("upper_lip", (0.0, 0.010), (0.14, 0.05)),
        Place("lower_lip", (0.0, -0.014), (0.14, 0.05)),
    ),
    "chin_up": (Place("lower_lip", (0.0, -0.016), (0.12, 0.06), (0.0, 0.03)),),
    "nose_wrinkle": (
        Place("nostril", (0.006, -0.030), (0.09, 0.08)),
        Place("inner_brow", (-0.012, 0.022), (0.09, 0.07), (0.0, -0.03)),
    ),
    "brows_down": (Place("inner_brow", (0.0, 0.030), (0.12, 0.07), (0.02, -0.03)),),
    "brows_together": (Place("inner_brow", (-0.022, 0.0), (0.09, 0.08), (0.0, -0.03)),),
    "inner_brows_up": (Place("inner_brow", (0.0, -0.035), (0.09, 0.08), (0.0, -0.03)),),
    "brows_up": (Place("middle_brow", (0.0, -0.035), (0.16, 0.08), (0.0, -0.03)),),
    "right_brow_up": (Place("middle_brow", (0.0, -0.045), (0.16, 0.08), (0.0, -0.03)),),
    "left_corner_up": (Place("corner", (0.0, -0.055), (0.12, 0.12)),),
    "left_corner_out": (Place("corner", (0.035, 0.0), (0.12, 0.12)),),
    "left_cheek_up": (Place("cheek", (0.008, -0.030), (0.14, 0.10), (0.02, 0.04)),),
    "left_lip_up": (Place("upper_lip", (0.0, -0.030), (0.08, 0.07), (0.03, 0.0)),),
}


class Skin:
    """Prepared once a portrait."""

    def __init__(self, marks: FaceMarks) -> None:
        self.marks = marks
        lips, skull, brows = marks.lips_outer[:, :2], marks.skull[:, :2], marks.brows
        self._names = ("corner", "cheek", "upper_lip", "lower_lip", "nostril", "inner_brow", "middle_brow")
        left = [lips[10], skull[18], lips[7], lips[13], skull[13], brows[1, 0], brows[1, 2]]
        right = [lips[0], skull[17], lips[3], lips[17], skull[12], brows[0, -1], brows[0, 2]]
        eyes = [marks.upper_lids[0, 0], marks.upper_lids[1, -1]]
        self._points = np.array([*left, *right, *eyes])

    def __call__(self, amounts: Mapping[str, float], flow: Plane, picture: Plane) -> Plane:
        """The picture [H, H, 3] of the crop with units moved by amounts; flow [2, S, S] moved the picture."""
        import cv2

        size, count = len(picture), len(self._names)
        at = carried(flow, self._points) * size - 0.5
        eyes = at[-1] - at[-2]
        eye = float(np.linalg.norm(eyes))
        if eye < 8:
            return picture
        along = eyes / eye
        axes = np.stack([along, [-along[1], along[0]]])  # rows: across to picture right, down
        moves = []  # place, way and size, in the face's axes and pixels
        for unit, amount in amounts.items():
            for place in UNITS[unit]:
                for side, sign in ((0, 1), (1, -1)):
                    if unit.startswith(("left_", "right_")[1 - side]):
                        continue
                    mark = axes @ at[side * count + self._names.index(place.mark)]
                    way = np.array([sign, 1]) * place.way * amount * eye
                    if np.abs(way).max() >= LEAST * eye:
                        middle = mark + np.array([sign, 1]) * place.off * eye + way
                        moves.append((middle, way, np.array(place.size) * eye))
        if not moves:
            return picture
        reach = REACH * max(float(s.max()) for _, _, s in moves)
        corners = np.array([axes.T @ middle for middle, _, _ in moves])
        low = np.maximum(np.floor(corners.min(0) - reach), 0).astype(int)
        high = np.minimum(np.ceil(corners.max(0) + reach), size - 1).astype(int)
        if (high - low < 8).any():
            return picture
        wide, tall = (high - low + 1).tolist()
        step = max(1, round(COARSE * size / 512))
        columns, rows = -(-wide // step) + 1, -(-tall // step) + 1
        y, x = np.mgrid[0:rows, 0:columns] * float(step)
        here = np.stack([x + low[0], y + low[1]], -1) @ axes.T
        field = np.zeros((rows, columns, 2))
        for middle, way, wide_by in moves:
            off = (here - middle) / wide_by
            field += np.exp(-0.5 * (off**2).sum(-1))[..., None] * way
        field = (field @ axes).astype(np.float32)  # back to the picture's axes
        y, x = np.mgrid[0:tall, 0:wide].astype(np.float32)
        fine = cv2.remap(field, x / np.float32(step), y / np.float32(step), cv2.INTER_LINEAR)
        result = picture.copy()
        part = np.ascontiguousarray(picture[low[1] : high[1] + 1, low[0] : high[0] + 1])
        moved = cv2.remap(
            part, x - fine[..., 0], y - fine[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        result[low[1] : high[1] + 1, low[0] : high[0] + 1] = moved
        return result
