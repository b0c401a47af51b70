# SPDX-License-Identifier: GPL-3.0-or-later
"""One person as arrays ready to pose and draw: shape, look, light, all meshes joined into one vertex list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.factors import Factors
from training.heads.identity import random_identity
from training.heads.light import Light, random_background, random_light
from training.heads.look import Look, random_look
from training.heads.pack import Floats, Ints, Mesh, Pack, load_pack
from training.heads.pose import Posed, bone_rotations, bone_transforms, head_share, pose_vertices

# Linear skinning lets teeth through the lips at strong mouths, and eyeballs through closed lids: both sit a
# little further back (dm).
TEETH_BACK = np.array([0.0, 0.0, -0.035])
EYES_BACK = np.array([0.0, 0.0, -0.025])
CLOTH_OUT = 0.045  # clothes are skin pushed out by this much, dm

# The fitted eye centre of the base head; lashes are measured from it.
EYE_CENTRE = np.array([0.307, 7.285, 1.25])

# Fraying width of hair borders, dm: tight styles get wide soft borders.
TIGHT_HAIR = ("short02", "short03", "short04", "ponytail", "braid")


@dataclass(frozen=True)
class Part:
    """A stretch of the triangle list drawn with one shader."""

    name: str
    material: str  # skin, eye, cornea, teeth, tongue, hair, brow, lash
    first: int
    count: int


@dataclass(frozen=True)
class Figure:
    """Vertices of all parts in one list (M split vertices, T triangles).

    float32: `rest`, `normal` [M, 3] on the person, `canonical` [M, 3] on the base head, `uv` [M, 2],
    `trait` [M, 4] (for the material's shader), `bones` [M, 64], `share` [M] (`pose.head_share`).
    int: `triangles` [T, 3]; `landmark_vertices` [68]. `friendliness` scales the rest face.
    """

    seed: int
    look: Look
    light: Light
    background: Floats
    friendliness: float
    joints: Floats
    rest: Floats
    normal: Floats
    canonical: Floats
    uv: Floats
    trait: Floats
    bones: Floats
    share: Floats
    triangles: Ints
    parts: tuple[Part, ...]
    landmark_vertices: Ints

    def pose(self, factors: Factors, action: Mapping[str, float] | None = None) -> Posed:
        """All vertices under one frame's factors; `action` adds a recipe of face units to them."""
        pack = load_pack()
        rotations = bone_rotations(pack, factors, self.friendliness, action)
        transforms = bone_transforms(pack, self.joints, rotations)
        return pose_vertices(self.rest, self.normal, self.bones, self.share, transforms, factors.pose)


@dataclass(frozen=True)
class _Piece:
    name: str
    material: str
    mesh: Mesh
    triangles: Ints
    rest: Floats  # whole vertices
    canonical: Floats
    trait: Floats  # split vertices
    uv: Floats


def build_figure(seed: int) -> Figure:
    """The person of this seed. Shape, look, light and background have random streams of their own."""
    pack = load_pack()
    shape_rng, look_rng, light_rng, background_rng = (np.random.default_rng((seed, k)) for k in range(4))
    identity = random_identity(pack, shape_rng)
    look = random_look(identity, look_rng)
    pieces = [_skin(pack, identity.rest, look)]
    for name in look.meshes:
        pieces.extend(_fitted(pack, name, identity.rest))
    pieces.append(pieces.pop(next(i for i, p in enumerate(pieces) if p.material == "cornea")))
    joined, triangles, parts = _join(pieces)
    whole_to_split = np.zeros(len(pack.base), np.int64)
    whole_to_split[pack.skin.vertex] = np.arange(len(pack.skin.vertex))
    return Figure(
        seed=seed,
        look=look,
        light=random_light(light_rng),
        background=random_background(background_rng),
        joints=pack.joints(identity.rest),
        friendliness=float(look_rng.uniform(0.75, 1.3)),
        triangles=triangles,
        parts=parts,
        share=head_share(joined["canonical"]).astype(np.float32),
        landmark_vertices=whole_to_split[pack.landmarks],
        **joined,
    )


def magnified(uv: Floats) -> Floats:
    """The skin's texture layout with the face's area spread over most of it, axis by axis."""
    u = np.interp(uv[:, 0], [0.0, 0.55, 0.82, 1.0], [0.0, 0.18, 0.88, 1.0])
    v = np.interp(uv[:, 1], [0.0, 0.46, 0.75, 1.0], [0.0, 0.18, 0.85, 1.0])
    return np.stack([u, v], axis=1)


def _skin(pack: Pack, rest: Floats, look: Look) -> _Piece:
    mesh, base = pack.skin, pack.base
    back, drop, width = look.neckline
    line = back - drop * np.clip(base[:, 2] - 0.2, -0.6, 1.0) * np.exp(-((base[:, 0] / width) ** 2))
    line = np.minimum(line, 6.02 + 0.12 * np.clip(0.6 - base[:, 2], 0.0, 1.0))
    below = np.clip(line - base[:, 1], -1.0, 1.0)
    clothed = np.clip(below / 0.06 + 0.6, 0.0, 1.0)
    pushed = rest + mesh.normals(rest) * (clothed * CLOTH_OUT)[:, None]
    trait = _traits(pack.raw["vert_ao"], pack.raw["vert_mask"][:, 2], below)[mesh.vertex]
    return _Piece("skin", "skin", mesh, mesh.triangles, pushed, base, trait, magnified(mesh.uv))


def _fitted(pack: Pack, name: str, rest: Floats) -> list[_Piece]:
    mesh, canonical, fitted = pack.mesh(name), pack.fit(name, pack.base), pack.fit(name, rest)
    raw = pack.raw
    ones = np.ones(len(canonical))
    if name == "eyes":
        fitted = fitted + EYES_BACK
        cornea = raw["m/eyes/cornea"] > 0
        trait = _traits(ones, cornea, canonical[:, 0] > 0)[mesh.vertex]
        clear = cornea[mesh.vertex[mesh.triangles[:, 0]]]
        return [
            _Piece(name, material, mesh, mesh.triangles[which], fitted, canonical, trait, mesh.uv)
            for name, material, which in (("eyes", "eye", ~clear), ("cornea", "cornea", clear))
        ]
    if name.startswith("teeth"):
        material, trait = "teeth", _traits(ones, raw[f"m/{name}/tooth"], 0 * ones)
    elif name.startswith("tongue"):
        material, trait = "tongue", _traits(ones, 0 * ones, ones)
    elif name.startswith("hair"):
        border = 0.16 if any(style in name for style in TIGHT_HAIR) else 0.06
        material = "hair"
        trait = _traits(
            np.clip(raw[f"m/{name}/edge"] / border, 0.0, 1.0),
            np.clip((canonical[:, 1] - 6.6) / 1.4, 0.0, 1.0),
            0 * ones,
        )
    elif name.startswith("eyebrow"):
        edge = raw[f"m/{name}/edge"].astype(np.float64)
        material, trait = "brow", _traits(np.clip(edge / (0.85 * edge.max()), 0.0, 1.0), 0 * ones, 0 * ones)
    else:
        side = np.sign(canonical[:, 0])
        along = np.clip((np.abs(canonical[:, 0]) - 0.31) / 0.15, -1.0, 1.0)
        material, trait = "lash", _traits(_lash_root(canonical), canonical[:, 0] * 1.2, side * along)
    if material in ("teeth", "tongue"):
        fitted = fitted + TEETH_BACK
    return [_Piece(name, material, mesh, mesh.triangles, fitted, canonical, trait[mesh.vertex], mesh.uv)]


def _lash_root(canonical: Floats) -> Floats:
    """1 where a lash leaves the lid, 0 at its tip: from the distance to the eye, lid by lid."""
    root = np.zeros(len(canonical))
    for side in (1.0, -1.0):
        for upper in (True, False):
            lid = (canonical[:, 0] * side > 0) & ((canonical[:, 1] > 7.283) == upper)
            distance = np.linalg.norm(canonical[lid] - EYE_CENTRE * (side, 1.0, 1.0), axis=1)
            near, far = np.percentile(distance, (10, 95))
            root[lid] = 1.0 - np.clip((distance - near) / (far - near + 1e-6), 0.0, 1.0)
    return root


def _traits(*columns: NDArray[Any]) -> Floats:
    """Three columns as [n, 4]; the fourth is 0."""
    return np.asarray(np.stack([*columns, 0 * columns[0]], axis=1), np.float32)


def _join(pieces: list[_Piece]) -> tuple[dict[str, Floats], Ints, tuple[Part, ...]]:
    names = ("rest", "normal", "canonical", "uv", "trait", "bones")
    columns: dict[str, list[Floats]] = {name: [] for name in names}
    triangles: list[Ints] = []
    parts: list[Part] = []
    vertices = drawn = 0
    for piece in pieces:
        index = piece.mesh.vertex
        values = (
            piece.rest[index],
            piece.mesh.normals(piece.rest)[index],
            piece.canonical[index],
            piece.uv,
            piece.trait,
            piece.mesh.bones[index],
        )
        for name, value in zip(names, values, strict=True):
            columns[name].append(value)
        triangles.append(piece.triangles + vertices)
        parts.append(Part(piece.name, piece.material, drawn, len(piece.triangles)))
        vertices += len(index)
        drawn += len(piece.triangles)
    joined = {name: np.concatenate(values).astype(np.float32) for name, values in columns.items()}
    return joined, np.concatenate(triangles).astype(np.int32), tuple(parts)
