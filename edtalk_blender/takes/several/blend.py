# SPDX-License-Identifier: GPL-3.0-or-later
"""Blend Takes: a new take between two of a face, or one that goes over from one into the other. The weights
are mixed key by key; both takes stay.
"""

from __future__ import annotations

import bpy
import numpy as np

from ....core.wire.channels import CHANNELS
from ...face import fcurves, rig, take_action
from .. import apply, edit_on_top, request, take_rows, work_folder


def keys_of(face: bpy.types.Object, action: bpy.types.Action) -> np.ndarray:
    """The scene frames of a take's keys, float64 [T]; empty where it has none."""
    curves = fcurves.curves_in(action, take_action.slot_of(action, face)).fcurves
    curve = curves.find(rig.path_of(CHANNELS[0]), index=0)
    if curve is None or not len(curve.keyframe_points):
        return np.zeros(0)
    found = np.empty(2 * len(curve.keyframe_points))
    curve.keyframe_points.foreach_get("co", found)
    return found[::2]


def weights_at(face: bpy.types.Object, action: bpy.types.Action, frames: np.ndarray) -> np.ndarray:
    """A take's own weights at scene frames [T], held beyond its ends: float32 [T, 36]."""
    curves = fcurves.curves_in(action, take_action.slot_of(action, face)).fcurves
    found = np.zeros((len(frames), len(CHANNELS)), np.float32)
    for column, name in enumerate(CHANNELS):
        curve = curves.find(rig.path_of(name), index=0)
        if curve is not None:
            found[:, column] = [curve.evaluate(frame) for frame in frames]
    return found


def shares(frames: np.ndarray, share: float, at: float | None, fade: float) -> np.ndarray:
    """How much of the other take is seen at scene frames [T]: `share` throughout, or 0 before frame `at` and
    `share` after it, going over within `fade` frames around it: float32 [T] in 0..1.
    """
    if at is None:
        return np.full(len(frames), share, np.float32)
    way = np.clip((frames - at) / max(fade, 1e-6) + 0.5, 0, 1)
    return (share * way * way * (3 - 2 * way)).astype(np.float32)  # smoothstep: no corner in the motion


def blend(
    context: bpy.types.Context,
    face: bpy.types.Object,
    other: take_rows.EDTALK_TakeRow,
    share: float,
    at: float | None,
    fade: float,
) -> str:
    """Make the new take and let the face wear it; gives back its name. It has the keys of the take that is
    worn, and the range, sound and settings of it. Raises OutputBlocked.
    """
    worn = take_action.take_of(face)
    frames = keys_of(face, worn)
    part = shares(frames, share, at, fade)[:, None]
    mine, others = weights_at(face, worn, frames), weights_at(face, other.action, frames)
    begin, first, last = take_action.begin_of(worn, face), face.edtalk.take.first, face.edtalk.take.last
    order = work_folder.claimed(request.order_from(context, face))
    edit_on_top.land(face, order.take, frames, mine * (1 - part) + others * part)
    apply.begin_take(order, face, first, last)
    take_action.take_of(face)[take_action.BEGIN] = begin
    take_rows.note(face, order)
    return order.take
