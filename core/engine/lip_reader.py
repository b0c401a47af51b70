# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the lips of a face are apart, and how wide its mouth is, read off pictures by the face mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LIPS = ((13, 14), (82, 87), (312, 317))  # points of the mesh: the inner lips, upper and lower
CORNERS, EYES = (61, 291), (33, 263)  # of the mouth; outer ones of the eyes
SURE = 0.5  # presence below which there is no face
GAIN = 1.35  # the mesh sees lips less far apart than they are: by the refined mesh, on the same pictures
SIDE = 256  # pixels: smaller pictures are read when they have been enlarged


def read(pictures: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Aperture and width of the mouth, [N] each, in distances of the outer eye corners.

    Args:
        pictures: [N, S, S, 3] of one face that keeps its place.
    Returns:
        None where real faces cannot be read here, or no face is seen in one of the pictures.
    """
    try:
        from core.pictures import face_models, face_reader  # type: ignore[attr-defined, unused-ignore]
    except ImportError:
        return None
    if face_models.why_not():
        return None
    import cv2

    if pictures.shape[1] < SIDE:
        size = (SIDE, SIDE)
        pictures = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in pictures])
    found = face_reader.boxes(pictures[0])
    if not found:
        return None
    meshes = [face_reader.read(picture, found[0]) for picture in pictures]
    if min(mesh.presence for mesh in meshes) < SURE:
        return None
    points = np.stack([mesh.points for mesh in meshes])  # [N, 468, 3]

    def apart(a: int, b: int) -> NDArray[Any]:
        return np.asarray(np.linalg.norm(points[:, a] - points[:, b], axis=1))

    eyes = apart(*EYES)
    return GAIN * np.mean([apart(*pair) for pair in LIPS], axis=0) / eyes, apart(*CORNERS) / eyes
