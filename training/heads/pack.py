# SPDX-License-Identifier: GPL-3.0-or-later
"""The CC0 head assets (`heads_pack.npz`, derived from MakeHuman data; see PACK.md) as ready arrays.

Unit: decimetre, y up, +z out of the face, +x the person's left (picture right).
Base head: eyes at y 7.28, mouth 6.61, chin 6.33, crown 8.49.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACK_FILE = Path(__file__).with_name("heads_pack.npz")

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh whose vertices are split where the texture layout has a seam.

    `vertex` [M] leads from a split vertex to the whole one; `uv` [M, 2]; `triangles` [T, 3] split indices;
    `bones` [n, 64] bone weights of the whole vertices (the last column is the static body).
    """

    vertex: Ints
    uv: Floats
    triangles: Ints
    bones: Floats

    def normals(self, positions: Floats) -> Floats:
        """Unit normals [n, 3] of the whole vertices at `positions` [n, 3], smooth across seams."""
        corners = self.vertex[self.triangles]
        a, b, c = (positions[corners[:, k]] for k in range(3))
        facing = np.repeat(np.cross(b - a, c - a), 3, axis=0)
        total = np.stack([np.bincount(corners.ravel(), facing[:, k], len(positions)) for k in range(3)], 1)
        return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12))


class Pack:
    """All arrays of the pack; meshes and bone weights are prepared on first use."""

    def __init__(self, path: Path = PACK_FILE) -> None:
        with np.load(path, allow_pickle=False) as file:
            self.raw: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
        raw = self.raw
        self.base: Floats = raw["base_v"].astype(np.float64)
        self.target_names = [str(name) for name in raw["t_names"]]
        self.parents = [int(p) for p in raw["bone_parent"]]
        self.bone = {str(name): i for i, name in enumerate(raw["bone_names"])}
        self.unit = {str(name): i for i, name in enumerate(raw["unit_names"])}
        self.unit_rotations: Floats = raw["unit_rotvec"].astype(np.float64)  # [60, 63, 3]
        self.landmarks: Ints = raw["lm68"].astype(np.int64)

    def morph(self, amounts: dict[str, float]) -> Floats:
        """Rest vertices [N, 3] of the base head moved by morph targets; unknown names raise KeyError."""
        starts, where, offsets = self.raw["t_ptr"], self.raw["t_idx"], self.raw["t_off"]
        result = self.base.copy()
        for name, amount in amounts.items():
            i = self._target[name]
            span = slice(int(starts[i]), int(starts[i + 1]))
            result[where[span]] += amount * offsets[span].astype(np.float64)
        return result

    def joints(self, rest: Floats) -> Floats:
        """Bone heads [63, 3] of an identity: each the mean of a few of its rest vertices."""
        counts = self.raw["bone_head_n"].astype(np.int64)
        vertices = self.raw["bone_head_verts"].astype(np.int64)
        share = (np.arange(vertices.shape[1]) < counts[:, None]) / counts[:, None]
        return np.asarray(np.einsum("bk,bkd->bd", share, rest[vertices]))

    def fit(self, name: str, rest: Floats) -> Floats:
        """A fitted mesh (hair, teeth, eyes ...) on an identity's rest vertices: [n, 3]."""
        ref, weights, offsets, scale_vertices, scale_lengths = (
            self.raw[f"m/{name}/{key}"] for key in ("ref", "w", "off", "scale_v", "scale_d")
        )
        size = [
            abs(rest[scale_vertices[k, 0], k] - rest[scale_vertices[k, 1], k]) / scale_lengths[k]
            for k in range(3)
        ]
        return np.asarray(np.einsum("nk,nkd->nd", weights, rest[ref]) + offsets * np.array(size))

    @cached_property
    def bones(self) -> Floats:
        """Bone weights of the base vertices [N, 64], rows summing to 1."""
        dense = np.zeros((len(self.base), len(self.parents) + 1))
        rows = np.arange(len(self.base))
        for k in range(self.raw["skin_bone"].shape[1]):
            dense[rows, self.raw["skin_bone"][:, k]] += self.raw["skin_w"][:, k]
        return np.asarray(dense / dense.sum(axis=1, keepdims=True))

    @cached_property
    def skin(self) -> Mesh:
        """The skin; its whole vertices are the base vertices."""
        return _split(self.raw["skin_f"], self.raw["skin_ft"], self.raw["skin_uv"], self.bones)

    def mesh(self, name: str) -> Mesh:
        """One of the fitted meshes."""
        if name not in self._meshes:
            raw = self.raw
            weights = np.maximum(raw[f"m/{name}/w"], 0.0)
            bones = np.einsum("nk,nkb->nb", weights, self.bones[raw[f"m/{name}/ref"]])
            bones /= np.maximum(bones.sum(axis=1, keepdims=True), 1e-9)
            self._meshes[name] = _split(raw[f"m/{name}/f"], raw[f"m/{name}/ft"], raw[f"m/{name}/uv"], bones)
        return self._meshes[name]

    @cached_property
    def _meshes(self) -> dict[str, Mesh]:
        return {}

    @cached_property
    def _target(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.target_names)}


@lru_cache(maxsize=1)
def load_pack() -> Pack:
    """The embedded pack, read once per process."""
    return Pack()


def _split(quads: Ints, quad_uvs: Ints, uv: Floats, bones: Floats) -> Mesh:
    """Quads with separate vertex and texture indices (a triangle repeats its first vertex) -> `Mesh`."""
    quads, quad_uvs = quads.astype(np.int64), quad_uvs.astype(np.int64)
    pairs, split = np.unique(quads.ravel() * len(uv) + quad_uvs.ravel(), return_inverse=True)
    split = split.reshape(quads.shape)
    triangles = split[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)  # halves side by side: their vertices are reused
    vertex = pairs // len(uv)
    a, b, c = vertex[triangles].T
    proper = (a != b) & (b != c) & (a != c)
    return Mesh(
        vertex,
        uv[pairs % len(uv)].astype(np.float32),
        triangles[proper].astype(np.int32),
        bones.astype(np.float32),
    )
