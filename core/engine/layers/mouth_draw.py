# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the inside of a mouth as levels, 0 to 255: the posed mesh, then the portrait's own teeth over it.

One soft light from above the viewer. It grows dark backwards: 1 - 0.92 (depth / 0.46 dm)^.85, lower row
0.30, tongue 0.72 at 0.56. What does not face forwards in the head's own axes stands in the cheeks' shadow.
Triangles are filled from the back to the front, so OpenCV's polygons are enough, and the bits are the same
on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from core.engine.layers.mouth_colours import Colours, OwnTeeth
from core.engine.layers.mouth_mesh import GUM, HIDDEN_MOLARS, TONGUE, TOOTH, Floats, MouthMesh
from core.engine.layers.mouth_place import Place, Pose
from core.wire import mouth_knobs

Plane = NDArray[np.float32]
Teeth = Literal["auto", "own", "template", "off"]

FINER = 3  # pixels are drawn at this many times the size, then averaged
TOWARDS = np.array([0.0, -0.35, -0.94])  # the light
HALFWAY = (TOWARDS - (0, 0, 1)) / np.linalg.norm(TOWARDS - (0, 0, 1))
# What lies in shadow is lit by the red around it: exponents of the shade.
REDDENED = np.array([0.80, 1.04, 1.16])
WARM = np.array([1.10, 1.0, 0.86])  # times this at warmth 1
MILLIMETRE = 0.01  # dm


@dataclass(frozen=True)
class MouthLook:
    """How the animator wants the inside of a mouth; each can change from frame to frame."""

    teeth: Teeth = "auto"
    """auto: the portrait's own where it shows them, completed by the template; own: only those; off: as the
    network draws the mouth."""
    height: float = 0.0  # millimetres that both rows stand higher, -6 to 6
    size: float = 1.0  # of all of it, 0.7 to 1.4
    brightness: float = 1.0  # of the teeth, 0.3 to 1.5
    warmth: float = 0.0  # of the teeth, -1 bluish to 1 yellowish
    gums: float = 1.0  # brightness of gums and tongue, 0.3 to 1.5
    depth: float = 1.0  # how fast it grows dark backwards, 0 to 2

    @classmethod
    def of(cls, row: Sequence[float]) -> MouthLook:
        """What a row of `core.wire.mouth_knobs` asks for."""
        tidy = mouth_knobs.tidy(row)
        return cls(cast(Teeth, mouth_knobs.teeth_of(tidy)), *tidy[1:])


def drawn(
    place: Place, pose: Pose, look: MouthLook, tints: Colours, start: tuple[int, int], shape: tuple[int, ...]
) -> Plane:
    """[h, w, 3] levels of teeth, gums, tongue and dark."""
    import cv2

    tall, wide = shape[0] * FINER, shape[1] * FINER
    mesh = place.mesh
    seen, depth = place.project(place.vertices(pose, look.size, -look.height * MILLIMETRE), pose)
    place_in = np.round(((seen + 0.5 - start[::-1]) * FINER - 0.5) * 16).astype(np.int32)
    corners = place_in[mesh.triangles]
    within = (place_in > 0).all(1) & (place_in < (wide * 16, tall * 16)).all(1)
    turn = pose.turn @ _opened(pose.jaw)
    normals = np.where(mesh.face_low[:, None], mesh.normals @ turn.T, mesh.normals @ pose.turn.T)
    a, b, c = mesh.triangles.T
    shown = within[a] | within[b] | within[c]  # a triangle is 2 to 3 pixels: none spans the opening
    shown &= (normals[:, 2] < 0) | mesh.two_sided
    if look.teeth == "own":
        shown &= mesh.face_kind == TONGUE
    order = np.flatnonzero(shown)
    order = order[np.argsort(-depth[mesh.triangles[order]].mean(1), kind="stable")]
    filled = np.empty((tall, wide, 3), np.float32)
    filled[:] = tints.dark
    levels = _lit(mesh, order, normals[order], pose, look, tints)
    for triangle, level in zip(corners[order], levels.tolist()):
        cv2.fillConvexPoly(filled, triangle, level, cv2.LINE_8, 4)
    return np.asarray(cv2.resize(filled, shape[1::-1], interpolation=cv2.INTER_AREA), np.float32)


def _lit(
    mesh: MouthMesh, order: NDArray[np.int64], normals: Floats, pose: Pose, look: MouthLook, tints: Colours
) -> Floats:
    """[N, 3] levels of the triangles `order`."""
    kind, low, behind = mesh.face_kind[order], mesh.face_low[order], mesh.behind[order]
    tongue = kind == TONGUE
    normals = normals * np.where(normals[:, 2:] > 0, -1, 1)
    lit, gloss = np.clip(normals @ TOWARDS, 0, 1), np.clip(normals @ HALFWAY, 0, 1) ** 40
    deep = np.where(tongue, 0.56, np.where(low, 0.30, 0.46))
    fall = np.where(tongue, 0.72, 0.92) * np.clip(behind / deep, 0, 1) ** np.where(tongue, 1, 0.85)
    open_ = np.clip(1 - look.depth * fall, 0, 1)
    ahead = -(normals @ pose.turn)[:, 2]
    open_ *= np.where(tongue, 1.0, 0.40 + 0.60 * _soft((ahead + 0.05) / 0.6))
    ambient = np.where(tongue, 0.35, 0.48)
    shade = 1.06 * (ambient + (1.08 - ambient) * lit) * open_ * np.where(low & ~tongue, 0.86, 1.0)
    tooth = tints.tooth * look.brightness * WARM**look.warmth
    table = np.zeros((3, 3))
    table[GUM], table[TOOTH], table[TONGUE] = tints.gum * look.gums, tooth, tints.tongue * look.gums
    shine = np.array([10.0, 26.0, 8.0])[kind] * gloss * open_
    reddened = np.clip(shade, 0, None)[:, None] ** REDDENED
    levels = table[kind] * reddened + shine[:, None]
    # lower molars end where the tongue hides them: no edge shall be seen there
    ends = (low & ~tongue) * _soft((behind - 0.5 * HIDDEN_MOLARS) / (0.4 * HIDDEN_MOLARS))
    levels += (0.5 * table[TONGUE] - levels) * ends[:, None]
    return np.asarray(np.clip(levels, 0, 255))


def own_over(
    place: Place, pose: Pose, look: MouthLook, own: OwnTeeth, start: tuple[int, int], rgb: Plane
) -> Plane:
    """The portrait's own teeth over the template, moved as the plane of the upper incisors moves."""
    import cv2

    plane = place.at + np.array([[0, 0, 0], [0.2, 0, 0.10], [-0.2, 0, 0.10], [0, -0.12, 0]])
    middle = plane[:1] + (0, -look.height * MILLIMETRE, 0)
    here = pose.seen(middle + (plane - plane[:1]) * look.size) - start[::-1]
    there = place.rest.seen(plane)
    into = np.linalg.lstsq(np.column_stack([here, np.ones(4)]), there, rcond=None)[0].T
    size = rgb.shape[1::-1]
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    teeth = cv2.warpAffine(own.rgb, into, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(own.share, into, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)[..., None]
    teeth = teeth * (look.brightness * WARM**look.warmth).astype(np.float32)
    return np.asarray(rgb + (teeth - rgb) * share, np.float32)


def _opened(angle: float) -> Floats:
    """The jaw's turn, downwards in front."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _soft(place: Plane) -> Plane:
    place = np.clip(place, 0, 1)
    return np.asarray(place * place * (3 - 2 * place), np.float32)
