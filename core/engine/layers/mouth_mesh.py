# SPDX-License-Identifier: GPL-3.0-or-later
"""Teeth and tongue of the CC0 head as triangles, ready to be posed: `mouth.npz`, made by tools/make_mouth.py.

Axes: decimetres, x to picture right, y down, z away from the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FILE = Path(__file__).with_name("mouth.npz")
# Landmark of the 68 -> point of the 468-point mesh: places that both the CC0 head and the reader know.
SAME = {36: 33, 39: 133, 42: 362, 45: 263, 27: 168, 30: 4, 33: 2, 31: 98, 35: 327, 8: 152, 48: 61, 54: 291}
GUM, TOOTH, TONGUE = 0, 1, 2
LARGER = 1.22  # the pack's crowns are 6.5 mm high and 7 mm wide; people's front teeth 10 and 8.5
HIDDEN_MOLARS = 0.26  # dm behind the incisors from which lower teeth stand behind tongue and cheek
NEVER = 0.75  # of a normal, away from the viewer: such a triangle is seen in no pose
FRONT_SHELL = 0.13  # within which backs of teeth are drawn too, so that no gap is seen between them


@dataclass(frozen=True, eq=False)
class MouthMesh:
    """V vertices, F triangles."""

    vertices: Floats  # [V, 3]
    triangles: Ints  # [F, 3]
    normals: Floats  # [F, 3] half of the triangle's own, half of the smooth surface's
    kind: NDArray[np.uint8]  # [V] GUM, TOOTH or TONGUE
    low: NDArray[np.bool_]  # [V] goes with the jaw
    face_kind: Ints  # [F]
    face_low: NDArray[np.bool_]  # [F]
    behind: Floats  # [F] dm behind the incisors, jaw shut, at the size it is drawn
    two_sided: NDArray[np.bool_]  # [F]
    edge: Floats  # [3] middle of the upper incisors' edge
    hinge: Floats  # [3] of the jaw
    face: Floats  # [12, 3] the points of SAME on this head


@cache
def load() -> MouthMesh:
    """The mesh of the shipped file, read once."""
    with np.load(FILE, allow_pickle=False) as file:
        raw = {name: file[name] for name in file.files}
    vertices, triangles = raw["vertices"].astype(np.float64), raw["triangles"].astype(np.int64)
    kind, low = raw["kind"], raw["low"]
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    flat = _unit(np.cross(b - a, c - a))
    smooth = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(smooth, triangles[:, k], flat)
    kinds = kind[triangles].astype(np.int64)
    face_kind = kinds.max(1) * (kinds.min(1) > 0)  # a triangle between gum and tooth is gum
    front = vertices[(kind == TOOTH) & ~low & (np.abs(vertices[:, 0]) < 0.08)]
    edge = np.array([0.0, front[:, 1].max(), front[:, 2].min()])
    behind = LARGER * (vertices[triangles].mean(1)[:, 2] - edge[2])
    normals = 0.5 * flat + 0.5 * _unit(smooth)[triangles].mean(1)
    two_sided = (face_kind != TOOTH) | (behind < FRONT_SHELL)
    face_low = low[triangles[:, 0]]
    seen = ~(face_low & (face_kind != TONGUE) & (behind > HIDDEN_MOLARS)) & (normals[:, 2] < NEVER)
    return MouthMesh(
        vertices=vertices,
        triangles=triangles[seen],
        normals=normals[seen],
        kind=kind,
        low=low,
        face_kind=face_kind[seen],
        face_low=face_low[seen],
        behind=behind[seen],
        two_sided=two_sided[seen],
        edge=edge,
        hinge=raw["hinge"].astype(np.float64),
        face=raw["face"].astype(np.float64),
    )


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
