# SPDX-License-Identifier: GPL-3.0-or-later
"""Closes the lips of a portrait whose mouth is open: on m, b and p the frame's own lips meet over its teeth.

The network's flow leaves a third to a half of a smile's opening. Here the frame's pixels are moved for the
rest. In the mouth's own axes (s along its corners, t down), with u and l the inner upper and lower lip, ou
and ol the outer ones, e the eye distance and c the closing, 0 to 1:

    meet(s)  u + HIGH (l - u)                     where they come together: the lower lip does most of it
    u'       u + c (meet - u),  l' = l + c (meet - l)
    top..u'  shows top + (t - top) (u - top) / (u' - top),            top = ou - ABOVE e
    l'..end  shows end - (end - t) (end - l) / (end - l'),            end = ol + BELOW e
    u'..l'   t: what is still open stays

u and l are taken INTO the lips, for the carried lines err by that much and no tooth shall be left between.

c says how far the weights close the mouth: by the handle `press`, and by a jaw that is shut further than the
portrait's. A portrait whose lips are closed is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.engine.layers.carried import carried
from core.pictures.face_marks import FaceMarks, Floats

Plane = NDArray[np.float32]

NAMES = ("press", "jaw_open", "pucker", "wide")  # read together, so that none is taken for another
LEAST_GAP = 0.06  # of the eye distance: the reader sees up to 0.05 between closed lips
LEAST_JAW = 0.15  # of the handle: what an open mouth's jaw is taken to be at least
STARTS, ENDS = 0.25, 0.75  # of the closing that the weights ask for
HIGH = 0.30
ABOVE, BELOW = 0.06, 0.16
INTO = 0.012  # of the eye distance


class Lips:
    """Prepared once a portrait; `own` [36] its weights, `directions` handle -> [36] what one unit adds."""

    def __init__(
        self, marks: FaceMarks, own: NDArray[np.float32], directions: Mapping[str, Sequence[float]]
    ) -> None:
        self.marks, self.own = marks, np.asarray(own, np.float64)
        self._names = [name for name in NAMES if name in directions]
        ways = np.array([directions[name] for name in self._names], np.float64).reshape(-1, len(self.own))
        self._reads = np.linalg.pinv(ways)
        gap = float(np.linalg.norm(marks.lips_inner[15, :2] - marks.lips_inner[5, :2]))
        self.open = gap > LEAST_GAP * marks.eye_distance and "press" in self._names

    def closing(self, weights: NDArray[np.float32]) -> float:
        """How far the lips are to be closed in a frame with these weights [36], 0 to 1."""
        if not self.open:
            return 0.0
        change = dict(zip(self._names, (np.asarray(weights, np.float64) - self.own) @ self._reads))
        had = dict(zip(self._names, self.own @ self._reads)).get("jaw_open", 0.0)
        shut = max(0.0, -change.get("jaw_open", 0.0)) / max(had, LEAST_JAW)
        asked = max(0.0, change["press"]) + shut - max(0.0, change.get("jaw_open", 0.0))
        place = float(min(max((asked - STARTS) / (ENDS - STARTS), 0.0), 1.0))
        return place * place * (3 - 2 * place)

    def __call__(self, weights: NDArray[np.float32], flow: Plane, mask: Plane, picture: Plane) -> Plane:
        """The picture [H, H, 3] of the crop, in [-1, 1], with its lips closed as far as the weights want it.

        flow [2, S, S] the one the picture was moved by; mask is not needed
        """
        amount = self.closing(weights)
        return self.close(amount, flow, picture) if amount > 0 else picture

    def close(self, amount: float, flow: Plane, picture: Plane) -> Plane:
        """The same, closed by an amount, 0 to 1."""
        import cv2

        marks, size = self.marks, picture.shape[0]
        lines = carried(flow, np.concatenate([marks.lips_outer[:, :2], marks.lips_inner[:, :2]])) * size - 0.5
        outer, inner = lines[:20], lines[20:]
        eye = marks.eye_distance * size
        reach = (ABOVE + BELOW) * eye
        low = np.maximum(np.floor(outer.min(0) - reach), 0).astype(int)
        high = np.minimum(np.ceil(outer.max(0) + reach), size - 1).astype(int)
        if (high - low < 4).any():
            return picture
        along = (outer[10] - outer[0]) / max(float(np.linalg.norm(outer[10] - outer[0])), 1e-6)
        axes = np.array([[along[0], -along[1]], [along[1], along[0]]])
        rows, columns = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1]
        s, t = np.moveaxis(((np.stack([columns, rows], -1) - outer[0]) @ axes).astype(np.float32), -1, 0)

        def line(points: Floats) -> Plane:
            """t of a line at every pixel's s."""
            ours = (points - outer[0]) @ axes
            ours = ours[np.argsort(ours[:, 0], kind="stable")]
            return np.asarray(np.interp(s, ours[:, 0], ours[:, 1]), np.float32)

        upper, lower = line(inner[:11]), line(inner[[0, *range(19, 9, -1)]])
        lower = np.maximum(lower, upper)
        into = np.minimum(INTO * eye, lower - upper)  # nothing at the corners, where the lips meet already
        top = np.minimum(line(outer[:11]), upper - 2 * into) - np.float32(ABOVE * eye)
        end = np.maximum(line(outer[[0, *range(19, 9, -1)]]), lower + 2 * into) + np.float32(BELOW * eye)
        upper, lower = upper - into, lower + into
        meet = upper + HIGH * (lower - upper)
        upper_now, lower_now = upper + amount * (meet - upper), lower + amount * (meet - lower)
        above = top + (t - top) * (upper - top) / np.maximum(upper_now - top, 1e-3)
        below = end - (end - t) * (end - lower) / np.maximum(end - lower_now, 1e-3)
        is_upper = (t > top) & (t < upper_now)
        t_from = np.where(is_upper, above, np.where((t >= lower_now) & (t < end), below, t))
        y, x = np.mgrid[0 : len(t), 0 : t.shape[1]]
        from_x = (x + (t_from - t) * axes[0, 1]).astype(np.float32)
        from_y = (y + (t_from - t) * axes[1, 1]).astype(np.float32)
        result = picture.copy()
        part = result[low[1] : high[1] + 1, low[0] : high[0] + 1]
        part[:] = cv2.remap(part, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return result
