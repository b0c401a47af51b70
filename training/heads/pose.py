# SPDX-License-Identifier: GPL-3.0-or-later
"""From factors to posed vertices: bone rotations, forward kinematics, skinning, camera and head placement.

Everything happens here, on the processor and once per frame; the graphics card only draws what this file has
placed. So pictures, landmarks and flow cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.factors import Factors
from training.heads.pack import Floats, Pack
from training.heads.recipes import REST_PITCH, unit_weights

# Share of the head's rotation taken by each bone of the neck.
NECK_SHARES = {"neck01": 0.12, "neck02": 0.18, "neck03": 0.25, "head": 0.45}
LID_FOLLOWS_GAZE = 0.55

# Camera: long lens; the picture is 2 * HALF_VIEW dm wide at the plane through the neck.
# Its middle, VIEW_HEIGHT, is the middle of the head: the point about which log_scale grows it.
DISTANCE, HALF_VIEW, VIEW_HEIGHT = 17.5, 1.52, 7.1
NEAR, FAR = 12.0, 24.0
EYE = np.array([0.0, VIEW_HEIGHT, DISTANCE])

# Rest heights between which a vertex goes over from the still body to the moving head.
BODY_BELOW, HEAD_ABOVE = 5.35, 6.35


@dataclass(frozen=True)
class Posed:
    """All vertices of one frame, float32: `clip` [M, 4], `position` [M, 3] in space, `normal` [M, 3]."""

    clip: Floats
    position: Floats
    normal: Floats

    @property
    def screen(self) -> Floats:
        """[M, 3]: x right and y down in [-1, 1], and the distance from the camera in dm."""
        w = self.clip[:, 3:]
        return np.concatenate([self.clip[:, :1] / w, -self.clip[:, 1:2] / w, w], axis=1)


def bone_rotations(
    pack: Pack, factors: Factors, rest: float, action: Mapping[str, float] | None = None
) -> Floats:
    """Rotation vectors [63, 3] of the bones; `rest` and `action` as in `recipes.unit_weights`."""
    units = unit_weights(factors.mouth, factors.expression, rest, action)
    rotations = np.einsum("u,ubd->bd", units, pack.unit_rotations)
    yaw, pitch, roll = (float(x) for x in factors.pose[:3])
    for name, share in NECK_SHARES.items():
        rotations[pack.bone[name]] += share * np.array([-pitch - REST_PITCH, yaw, roll])
    blink, gaze_x, gaze_y = (float(x) for x in factors.expression[7:10])
    lids = -gaze_y * LID_FOLLOWS_GAZE * (1.0 - min(max(blink, 0.0), 1.0))  # closed lids stay closed
    for side in ("L", "R"):
        rotations[pack.bone[f"eye.{side}"]] += (-gaze_y, gaze_x, 0.0)
        rotations[pack.bone[f"orbicularis03.{side}"]] += (lids, 0.0, 0.0)
    return np.asarray(rotations)


def bone_transforms(pack: Pack, joints: Floats, rotations: Floats) -> Floats:
    """Forward kinematics: [64, 3, 4] transforms from rest to posed space; the last is the still body."""
    local = rotation_matrices(rotations)
    result = np.zeros((len(joints) + 1, 3, 4))
    result[-1, :, :3] = np.eye(3)
    for bone, parent in enumerate(pack.parents):
        above, here = result[parent], result[bone]
        here[:, :3] = above[:, :3] @ local[bone]
        here[:, 3] = above[:, :3] @ (joints[bone] - local[bone] @ joints[bone]) + above[:, 3]
    return result


def rotation_matrices(vectors: Floats) -> Floats:
    """Rodrigues' formula: rotation vectors [..., 3] -> matrices [..., 3, 3]."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors / np.maximum(angle[..., 0], 1e-12), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross))


def head_share(canonical: Floats) -> Floats:
    """How far vertices at `canonical` [M, 3] places take part in the head's placement: 0 body .. 1 head."""
    t = np.clip((canonical[:, 1] - BODY_BELOW) / (HEAD_ABOVE - BODY_BELOW), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def pose_vertices(
    rest: Floats, normals: Floats, bones: Floats, share: Floats, transforms: Floats, pose: Floats
) -> Posed:
    """Linear blend skinning, projection, and the head's shift and size within the picture.

    Args:
        rest, normals: [M, 3] float32. bones: [M, 64] float32. share: [M] from `head_share`.
        transforms: [64, 3, 4] from `bone_transforms`. pose: the six pose factors.
    """
    blended = (bones @ transforms.reshape(len(transforms), 12).astype(np.float32)).reshape(-1, 3, 4)
    position = np.einsum("nij,nj->ni", blended[:, :, :3], rest) + blended[:, :, 3]
    normal = np.einsum("nij,nj->ni", blended[:, :, :3], normals)
    return Posed(place(position, share, pose), position, normal)


def place(position: Floats, share: Floats, pose: Floats) -> Floats:
    """Clip coordinates [M, 4] of positions [M, 3]: camera, then tx, ty, log_scale as far as `share` [M] says.

    The shift and the size act in the picture, and only on the head: body and background stay where they are.
    """
    tx, ty, log_scale = (float(x) for x in pose[3:6])
    depth = DISTANCE - position[:, 2]
    x = position[:, 0] * (DISTANCE / HALF_VIEW) / depth
    y = (position[:, 1] - VIEW_HEIGHT) * (DISTANCE / HALF_VIEW) / depth
    size = np.exp(log_scale * share)
    x = size * x + share * tx
    y = size * y + share * ty
    z = (FAR + NEAR - 2.0 * FAR * NEAR / depth) / (FAR - NEAR)
    return np.asarray(np.stack([x * depth, y * depth, z * depth, depth], axis=1), np.float32)
