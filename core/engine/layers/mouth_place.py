# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the two rows of teeth stand: in the portrait, and in a frame.

Axes are the head's own (x right, y down, z away, decimetres); e is the distance of the outer eye corners in
them.

    portrait   the similarity (Umeyama 1991) of 12 points of the CC0 head onto the marks gives the turn R0
    and the
               person's points h in the head's axes. The upper incisors' edge stands below the foot of the
               nose by clip(nose to inner upper lip + 0.05 e + half the gap beyond 0.05 dm, 0.20 e, 0.42 e),
               and BEHIND the lips
    frame      R = Ry(yaw) Rx(pitch) Rz(roll) R0 with the degrees since the portrait from the pose's weights:
    they are
               steady, where points of a frame are not. Size and place by least squares of 21 steady points
               that the flow has carried, the nose's counted three times
    jaw        turned about its hinge by rest + drop / lever; drop is how far the carried chin lies below the
    skull's camera     x_seen = x AWAY / (AWAY + depth behind the incisors)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.engine.layers.carried import carried
from core.engine.layers.mouth_mesh import LARGER, TONGUE, Floats, MouthMesh
from core.pictures.face_marks import FaceMarks

AWAY = 7.5
BEHIND = 0.075  # dm from the lips' depth back to the incisors
TURNS = ("yaw", "pitch", "roll")
MOST_OPEN = 0.5  # radians of the jaw
# The marks' points for the 12 of the CC0 head: numbers in the skull's list, then chin and outer lips'
# corners.
OF_SKULL = [0, 1, 2, 3, 4, 9, 11, 12, 13]
NOSE = [9, 10, 11, 12, 13]  # of the skull: tip, foot and wings
WEIGHT = np.where(np.isin(np.arange(21), [*NOSE, 8]), 3.0, 1.0) / (15 + 18)
EYES, FOOT, BRIDGE = (0, 3), 11, 4  # of the skull
UPPER, LOWER = 5, 15  # middles of the inner lips


class Pose(NamedTuple):
    """Skull and jaw of one frame, in pixels of the picture."""

    scale: float  # pixels per dm
    turn: Floats  # [3, 3] head's axes -> picture's
    shift: Floats  # [2]
    jaw: float  # radians that it is open

    def seen(self, points: Floats) -> Floats:
        """[N, 2] pixels of points [N, 3] without perspective."""
        return np.asarray(self.scale * points @ self.turn[:2].T + self.shift)


class Place:
    """Prepared once a portrait and size: the rows' place on this face."""

    def __init__(
        self,
        mesh: MouthMesh,
        marks: FaceMarks,
        size: int,
        own: NDArray[np.float32],
        directions: Mapping[str, Sequence[float]],
    ) -> None:
        """`size` pixels of the picture's side; `own` [36] weights; `directions` handle -> [36]."""
        self.mesh, self.size, self.own = mesh, size, np.asarray(own, np.float64)
        self._names = [name for name in TURNS if name in directions]
        ways = np.array([directions[name] for name in self._names], np.float64).reshape(-1, len(self.own))
        self._reads = np.linalg.pinv(ways)
        self._skull, self._chin = marks.skull[:, :2], marks.chin[:, :2]
        corners = marks.lips_outer[[0, 10]]
        same = np.concatenate([marks.skull[OF_SKULL], marks.chin[:1], corners]) * size
        scale, turn, shift = _similarity(mesh.face, same)

        def own_axes(points: Floats) -> Floats:
            return np.asarray((points * size - shift) @ turn / scale)

        self._skull_at, self._chin_at = own_axes(marks.skull), own_axes(marks.chin)
        inner = own_axes(marks.lips_inner)
        self.eye = float(np.linalg.norm(self._skull_at[EYES[0]] - self._skull_at[EYES[1]]))
        self.gap = max(0.0, float(inner[LOWER, 1] - inner[UPPER, 1]))
        nose = float(self._skull_at[FOOT, 1])
        below = inner[UPPER, 1] - nose + 0.05 * self.eye + 0.5 * max(0.0, self.gap - 0.05)
        edge = np.array(
            [
                np.mean([self._skull_at[FOOT, 0], inner[UPPER, 0], own_axes(marks.lips_outer)[5, 0]]),
                nose + np.clip(below, 0.20 * self.eye, 0.42 * self.eye),
                (inner[UPPER, 2] + inner[LOWER, 2]) / 2 + BEHIND,
            ]
        )
        self._lip = float(inner[LOWER, 1])
        self.rest_turn = turn
        self.at = edge
        self.rest = self.pose(own, self._points(None))

    @property
    def at(self) -> Floats:
        """[3] the upper incisors' edge on this head."""
        return self._at

    @at.setter
    def at(self, edge: Floats) -> None:
        self._at = edge
        self.hinge = self.mesh.hinge + edge - self.mesh.edge
        lever = self.hinge[2] - edge[2]
        self._rest_jaw = float(np.clip(0.8 * (self._lip - edge[1]) / lever, 0.02, 0.15))

    def in_frame(self, weights: NDArray[np.float32], flow: NDArray[np.float32]) -> Pose:
        """Skull and jaw of a frame with weights [36] that was moved by `flow` [2, S, S]."""
        return self.pose(weights, self._points(flow))

    def _points(self, flow: NDArray[np.float32] | None) -> Floats:
        points = np.concatenate([self._skull, self._chin])
        return (points if flow is None else carried(flow, points)) * self.size

    def pose(self, weights: NDArray[np.float32], points: Floats) -> Pose:
        """From the frame's weights and its skull and chin [26, 2] in pixels."""
        skull, chin = points[:21], points[21:]
        degrees = dict(zip(self._names, (np.asarray(weights, np.float64) - self.own) @ self._reads))
        yaw, pitch, roll = (np.radians(degrees.get(name, 0.0)) for name in TURNS)
        turn = _about(1, -yaw) @ _about(0, -pitch) @ _about(2, -roll) @ self.rest_turn
        flat = self._skull_at @ turn[:2].T
        middle, seen = WEIGHT @ flat, WEIGHT @ skull
        a, b = flat - middle, skull - seen
        scale = float((WEIGHT * (a * b).sum(1)).sum() / max((WEIGHT * (a * a).sum(1)).sum(), 1e-9))
        pose = Pose(scale, turn, seen - scale * middle, 0.0)
        down = turn[:2, 1]
        lever = self.hinge[2] - self._chin_at[:, 2].mean()
        drop = float(
            ((chin - pose.seen(self._chin_at)) @ down).mean() / max(float(down @ down), 1e-6) / scale
        )
        return pose._replace(jaw=float(np.clip(drop / lever + self._rest_jaw, 0.0, MOST_OPEN)))

    def dropped(self, pose: Pose, pixels: float) -> Pose:
        """The pose with its jaw dropped by so many pixels more."""
        lever = max(float(self.hinge[2] - self._chin_at[:, 2].mean()), 1e-3)
        return pose._replace(jaw=float(np.clip(pose.jaw + pixels / pose.scale / lever, 0.0, MOST_OPEN)))

    def vertices(self, pose: Pose, size: float = 1.0, sink: float = 0.0) -> Floats:
        """[V, 3] the mesh with its jaw open, in the head's axes; `size` a factor, `sink` dm downwards."""
        mesh = self.mesh
        move = (0.0, sink, 0.0)
        result = (mesh.vertices - mesh.edge) * (LARGER * size) + self.at + move
        low = mesh.low
        hinge = self.hinge + move
        result[low] = (result[low] - hinge) @ _about(0, pose.jaw).T + hinge
        tongue = mesh.kind == TONGUE  # it lies lower and further back, the more so the wider the mouth
        result[tongue] = result[tongue] * (1.2, 1, 1) + (0, 0.01 + 0.05 * min(pose.jaw / 0.35, 1), 0.03)
        return np.asarray(result)

    def project(self, points: Floats, pose: Pose) -> tuple[Floats, Floats]:
        """[N, 2] pixels of points [N, 3] of the head, and their depth [N] in dm."""
        turned, edge = points @ pose.turn.T, pose.turn @ self.at
        nearer = AWAY / (AWAY + turned[:, 2] - edge[2])
        axis = pose.turn[:2] @ (self._skull_at[BRIDGE] + self._skull_at[FOOT]) / 2
        return pose.scale * ((turned[:, :2] - axis) * nearer[:, None] + axis) + pose.shift, turned[:, 2]


def _similarity(a: Floats, b: Floats) -> tuple[float, Floats, Floats]:
    """Scale, turn and shift of points a [N, 3] onto b [N, 3]."""
    middle, there = a.mean(0), b.mean(0)
    u, sizes, vt = np.linalg.svd((b - there).T @ (a - middle) / len(a))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = (u * signs) @ vt
    scale = float((sizes * signs).sum() / ((a - middle) ** 2).sum(1).mean())
    return scale, turn, there - scale * turn @ middle


def _about(axis: int, angle: float) -> Floats:
    """The turn about x, y or z (right, down, away)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.roll(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]), (axis, axis), (0, 1))
