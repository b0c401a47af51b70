# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a mouth that the network does not open: of a drawing, an animal or a mask, whose marks a person has
placed.

The network gets the portrait's own mouth, so it leaves the lips alone; here the frame's pixels are moved. In
the mouth's own axes (s along its corners from 0 to L, t down), with u and l the inner upper and lower lip, ol
the outer lower one, n the chin's tip, e the eye distance:

    gap    g(s) = o MOST (n - ol) sin(pi s / L)^ROUND, o the handle jaw_open since the portrait's, less press
    u'     u - RISES g,  l' = l + (1 - RISES) g: between them the inside of the mouth is seen
    above  t from the top, ABOVE e over the upper lip, to u': pulled
    lip    the lower lip moves down as it is
    below  from the lip to the chin's tip: pressed together
    width  s is scaled about the mouth's middle by 1 + WIDE wide - NARROW pucker, less with the distance

A frame depends on its own weights and flow and on the portrait alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.engine.layers.carried import carried
from core.motion.motion import Weights
from core.pictures.face_marks import FaceMarks, Floats
from core.wire.channels import BANK_SLICES

Plane = NDArray[np.float32]

NAMES = ("jaw_open", "press", "wide", "pucker")
MOST, RISES, ROUND = 0.55, 0.15, 0.7
WIDE, NARROW = 0.20, 0.35
ABOVE = 0.15  # of the eye distance
LEAST_CHIN = 0.25  # of the eye distance: room below the lip where no chin is
SOFT = 0.008  # of the eye distance: how soft the opening's edge is, a pixel at least
LEAST = 0.02  # of the handles: less moves nothing


class Opening(NamedTuple):
    """Where the inside of the mouth is seen, and how far the jaw has dropped."""

    top: int
    left: int
    share: Plane  # [h, w] 0 to 1
    drop: float  # pixels


class DrawnMouth:
    """Prepared once a portrait; `own` [36] its weights, `directions` handle -> [36] what one unit adds."""

    def __init__(
        self, marks: FaceMarks, own: NDArray[np.float32], directions: Mapping[str, Sequence[float]]
    ) -> None:
        self._marks, self._own = marks, np.asarray(own, np.float64)
        self._names = [name for name in NAMES if name in directions]
        ways = np.array([directions[name] for name in self._names], np.float64).reshape(-1, len(self._own))
        self._reads = np.linalg.pinv(ways)

    def sent(self, weights: Weights) -> Weights:
        """Weights [N, 36] with the portrait's own mouth."""
        result = weights.copy()
        result[:, BANK_SLICES["mouth"]] = self._own[BANK_SLICES["mouth"]]
        return result

    def __call__(
        self, weights: NDArray[np.float32], flow: Plane, picture: Plane
    ) -> tuple[Plane, Opening | None]:
        """The picture [H, H, C] of the crop with its lips moved as the weights want it, and where they are
        open now.

        flow [2, S, S] the one the picture was moved by
        """
        import cv2

        read = dict(zip(self._names, (np.asarray(weights, np.float64) - self._own) @ self._reads))
        open_ = float(np.clip(read.get("jaw_open", 0.0) - max(read.get("press", 0.0), 0.0), 0.0, 1.2))
        wide = float(
            np.clip(1 + WIDE * read.get("wide", 0.0) - NARROW * max(read.get("pucker", 0.0), 0.0), 0.6, 1.3)
        )
        if open_ < LEAST and abs(wide - 1) < LEAST:
            return picture, None
        marks, size = self._marks, len(picture)
        points = np.concatenate([marks.lips_outer[:, :2], marks.lips_inner[:, :2], marks.chin[:1, :2]])
        lines = carried(flow, points) * size - 0.5
        outer, inner, chin = lines[:20], lines[20:40], lines[40]
        eye = marks.eye_distance * size
        length = max(float(np.linalg.norm(outer[10] - outer[0])), 1.0)
        along = (outer[10] - outer[0]) / length
        axes = np.array([[along[0], -along[1]], [along[1], along[0]]])
        bottom = float((outer[15] - outer[0]) @ axes[:, 1])
        room = max(float((chin - outer[0]) @ axes[:, 1]) - bottom, LEAST_CHIN * eye)
        reach = np.array([0.6 * length, room + MOST * room])
        low = np.maximum(np.floor(outer.min(0) - reach), 0).astype(int)
        high = np.minimum(np.ceil(outer.max(0) + reach), size - 1).astype(int)
        if (high - low < 4).any():
            return picture, None
        rows, columns = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1]
        s, t = np.moveaxis(((np.stack([columns, rows], -1) - outer[0]) @ axes).astype(np.float32), -1, 0)
        near = np.exp(-0.5 * (((s - length / 2) / (0.7 * length)) ** 2 + (t / max(room, 1)) ** 2))
        s_from = s + (length / 2 - s) * (1 - 1 / wide) * near

        def line(ring: Floats) -> Plane:
            """t of a line at every pixel's s."""
            ours = (ring - outer[0]) @ axes
            ours = ours[np.argsort(ours[:, 0], kind="stable")]
            return np.asarray(np.interp(s_from, ours[:, 0], ours[:, 1]), np.float32)

        back = [0, *range(19, 9, -1)]
        upper, lower, lip = line(inner[:11]), line(inner[back]), line(outer[back])
        lower, lip = np.maximum(lower, upper), np.maximum(lip, lower)
        arch = np.clip(np.sin(np.pi * np.clip(s_from / length, 0, 1)), 0, 1)  # sin(pi) is below 0 by rounding
        gap = open_ * MOST * room * arch**ROUND
        upper_now, lower_now = upper - RISES * gap, lower + (1 - RISES) * gap
        lip_now = lip + (1 - RISES) * gap
        top = np.minimum(line(outer[:11]), upper) - np.float32(ABOVE * eye)
        end = np.float32(bottom + room)
        t_from = np.select(
            [t < top, t < upper_now, t < (upper_now + lower_now) / 2, t < lower_now, t < lip_now, t < end],
            [
                t,
                top + (t - top) * (upper - top) / np.maximum(upper_now - top, 1e-3),
                upper,
                lower,
                t - (1 - RISES) * gap,
                end - (end - t) * (end - lip) / np.maximum(end - lip_now, 1e-3),
            ],
            t,
        )
        y, x = np.mgrid[0 : len(t), 0 : t.shape[1]]
        right, down = s_from - s, t_from - t
        from_x = (x + right * axes[0, 0] + down * axes[0, 1]).astype(np.float32)
        from_y = (y + right * axes[1, 0] + down * axes[1, 1]).astype(np.float32)
        result = picture.copy()
        part = result[low[1] : high[1] + 1, low[0] : high[0] + 1]
        part[:] = cv2.remap(part, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        soft = max(SOFT * eye, 1.0)
        share = np.clip(np.minimum(t - upper_now, lower_now - t) / soft + 0.5, 0, 1)
        share = share * np.clip((lower_now - upper_now) / soft - 0.5, 0, 1)
        share = (share * ((s_from > 0) & (s_from < length))).astype(np.float32)
        drop = float((1 - RISES) * open_ * MOST * room)
        return result, Opening(int(low[1]), int(low[0]), share, drop) if share.any() else None
