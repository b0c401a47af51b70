# SPDX-License-Identifier: GPL-3.0-or-later
"""How a head is turned: a similarity of its steady points, with depth, onto a shape that looks ahead.

    points = scale turn (shape - middle of its steady points) + place

Points are fitted to the average head first, then to this head's own mean shape, so that a long nose is not
taken for a nod. Where the head is in the picture does not matter: angles are those to the camera's axis.

Axes: x right, y down, z away from the viewer. Yaw is positive with the nose to picture right, pitch with the
nose up, roll counter-clockwise as seen; degrees.

Legend: N pictures, P = 468 points of the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EYES = (33, 263)  # outer corners, picture left first in a frontal view
TIMES = 3  # that the mean shape is found anew

AVERAGE: dict[int, tuple[float, float, float]] = {
    # The points that a face hardly moves of its own, as the mesh sees the mean of 40 synthetic heads that
    # look straight ahead; symmetrical, in distances of the outer eye corners from the middle between them.
    33: (-0.500, 0.000, 0.000),
    133: (-0.190, 0.012, -0.057),
    362: (0.190, 0.012, -0.057),
    263: (0.500, 0.000, 0.000),
    168: (0.000, -0.054, -0.246),
    6: (0.000, 0.030, -0.298),
    197: (0.000, 0.111, -0.356),
    195: (0.000, 0.188, -0.419),
    5: (0.000, 0.270, -0.484),
    4: (0.000, 0.370, -0.511),
    1: (0.000, 0.447, -0.488),
    98: (-0.197, 0.502, -0.223),
    327: (0.197, 0.502, -0.223),
    10: (0.000, -0.586, -0.181),
    151: (0.000, -0.413, -0.226),
    9: (0.000, -0.232, -0.262),
    8: (0.000, -0.135, -0.249),
    127: (-0.797, 0.068, 0.561),
    356: (0.797, 0.068, 0.561),
    234: (-0.792, 0.233, 0.609),
    454: (0.792, 0.233, 0.609),
    103: (-0.556, -0.480, 0.027),
    332: (0.556, -0.480, 0.027),
    67: (-0.388, -0.549, -0.093),
    297: (0.388, -0.549, -0.093),
    54: (-0.669, -0.376, 0.169),
    284: (0.669, -0.376, 0.169),
}
STEADY = list(AVERAGE)


@dataclass(frozen=True, eq=False)
class Heads:
    """Heads of N pictures, held against one shape."""

    turns: Floats  # [N, 3, 3]
    fixed: Floats  # [N, P, 3] the points without turn, size and place, in eye distances

    @property
    def angles(self) -> Floats:
        """[N, 3] yaw, pitch, roll in degrees."""
        t = self.turns
        yaw = np.arctan2(-t[:, 0, 2], t[:, 2, 2])
        pitch = np.arcsin(np.clip(t[:, 1, 2], -1, 1))
        roll = -np.arctan2(t[:, 1, 0], t[:, 1, 1])
        return np.asarray(np.degrees(np.stack([yaw, pitch, roll], axis=1)), np.float64)


def heads(points: Floats, shape: Floats | None = None) -> Heads:
    """How the heads of one person [N, P, 3] are turned.

    Args:
        shape: [P, 3] this person's, from `shape_of` other pictures; None is the mean of these.
    """
    turns, fixed = _fitted(points, (shape_of(points) if shape is None else shape)[STEADY])
    return Heads(turns, fixed)


def shape_of(points: Floats) -> Floats:
    """[P, 3] the mean shape of a person's head, looking straight ahead, in eye distances."""
    goal: Floats = np.array(list(AVERAGE.values()))
    mean = goal
    for _ in range(TIMES):
        mean = _fitted(points, goal)[1].mean(axis=0)
        mean = np.asarray(mean / max(float(np.linalg.norm(mean[EYES[1]] - mean[EYES[0]])), 1e-9))
        goal = mean[STEADY]
    return np.asarray(mean, np.float64)


def _fitted(points: Floats, goal: Floats) -> tuple[Floats, Floats]:
    """Turns [N, 3, 3] and points in the goal's frame [N, P, 3], by least squares (Umeyama 1991)."""
    middle = points[:, STEADY].mean(axis=1, keepdims=True)
    here, there = points[:, STEADY] - middle, goal - goal.mean(axis=0)
    u, s, vt = np.linalg.svd(np.swapaxes(here, 1, 2) @ there)
    s[:, 2] *= np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    turns = u @ vt
    scale = s.sum(axis=1) / np.maximum((here**2).sum(axis=(1, 2)), 1e-9)
    return turns, scale[:, None, None] * ((points - middle) @ turns) + goal.mean(axis=0)
