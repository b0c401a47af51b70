# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain face of marks, made by hand, and a flow that moves it."""

from __future__ import annotations

import numpy as np

from core.pictures.face_marks import FaceMarks

SIDE, S = 256, 64  # of a picture and of a flow, in pixels
WIDE, HIGH, RADIUS = 0.16, 0.032, 0.028  # of an eye, half its height, its iris; in sides of the crop


def marks_at(roll: float = 0.0, open_: float = 1.0, gap: float = 0.0) -> FaceMarks:
    """A face whose eyes are lens-shaped, turned by `roll` degrees about the crop's middle; its lips are
    `gap` sides of the crop apart."""
    across = np.linspace(-0.5, 0.5, 9)
    arch = HIGH * open_ * (1 - (2 * across) ** 2)
    eyes = np.array([0.35, 0.65])[:, None]
    x = eyes + across * WIDE
    ring = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    lips = np.stack([0.5 - 0.1 * np.cos(ring), 0.75 - 0.03 * np.sin(ring), 0 * ring], 1)
    marks = {
        "lips_outer": lips,
        "lips_inner": (lips - (0.5, 0.75, 0)) * (0.85, gap / 0.06, 0) + (0.5, 0.75, 0),
        "upper_lids": np.stack([x, np.broadcast_to(0.4 - arch, x.shape)], -1),
        "lower_lids": np.stack([x, np.broadcast_to(0.4 + arch, x.shape)], -1),
        "brows": np.stack([x[:, ::2], np.full((2, 5), 0.29)], -1),
        "irises": np.array([[0.35, 0.4, RADIUS], [0.65, 0.4, RADIUS]]),
        "chin": np.tile([0.5, 0.9, 0.0], (5, 1)),
        "skull": np.zeros((21, 3)) + [0.5, 0.5, 0],
    }
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    for values in marks.values():
        values[..., :2] = (values[..., :2] - 0.5) @ np.array([[c, s], [-s, c]]) + 0.5
    return FaceMarks(**marks)


def still(shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """A flow that moves the portrait by `shift`, in sides of the crop."""
    line = (np.arange(S, dtype=np.float32) * 2 + 1) / S - 1
    return np.stack(np.meshgrid(line - 2 * shift[0], line - 2 * shift[1])).astype(np.float32)
