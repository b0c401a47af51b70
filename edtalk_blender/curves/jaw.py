# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the jaw is open along a take's curves: what closing the mouth, and not smoothing it open, go by."""

from __future__ import annotations

import bpy
import numpy as np

from ...core.wire.channels import CHANNELS
from ..face import rig, sliders
from ..face.keys import Keys, Place
from .tool_base import values_at


def openness(face: bpy.types.Object, place: Place, frames: np.ndarray) -> np.ndarray | None:
    """How far the jaw is open at frames of the action, in units of the checkpoint's handle or slider for it;
    None for a checkpoint that has neither.
    """
    handle = next((one for one in sliders.directions_of(face) if one.name == "jaw_open"), None)
    direction = {}
    if handle is not None:
        direction = {n: d for n, d in zip(CHANNELS, handle.direction) if n.startswith("mouth") and d}
    else:
        labels = rig.labels_of(face, "mouth")
        direction = {name: 1.0 for name, label in labels if label.lower() == "jaw open"}
    total = sum(value * value for value in direction.values())
    if not total:
        return None
    result = np.zeros(len(frames))
    for name, value in direction.items():
        curve = place.curve(name)
        if curve is not None and len(curve.keyframe_points):
            result += values_at(curve, Keys.of(curve), frames) * (value / total)
    return result
