# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of the take that a face shows, below keys set by hand; and how to exchange it.

Without Edit on Top the take is the rig's own action; with it, the take plays in a strip of an NLA track
below. Muting needs neither flags nor handlers: a placeholder action that holds the portrait's own weights
takes the place of the take and points to it, so the state survives saving, undo and a Blender without the
add-on.
"""

from __future__ import annotations

from math import floor

import bpy
import numpy as np

from ...core.wire.channels import CHANNELS
from . import fcurves, rig

TRACK = "EDTalk Take"
MUTED_ACTION = "edtalk_take"
"""Custom property of the placeholder action of a muted take: the take's real action."""
BEGIN = "edtalk_begin"
"""Custom property of a take's action: the scene frame that the take begins with, and its sound."""


def base_strip(face: bpy.types.Object) -> bpy.types.NlaStrip | None:
    """The strip that plays the rig's generated take, None while the take is the rig's own action. A take
    that was pushed down by hand is found by its name.
    """
    data = face.animation_data
    for track in data.nla_tracks if data is not None else ():
        for strip in track.strips:
            action = strip.action
            named = action is not None and (action.name == face.edtalk.take.name or MUTED_ACTION in action)
            if not track.mute and not strip.mute and (named or track.name == TRACK):
                return strip
    return None


def worn(face: bpy.types.Object) -> bpy.types.Action | None:
    """The action in the take's place: the take, or its placeholder while it is muted."""
    data, strip = face.animation_data, base_strip(face)
    if strip is not None:
        return strip.action
    return data.action if data is not None and data.action_blend_type == "REPLACE" else None


def take_of(face: bpy.types.Object) -> bpy.types.Action | None:
    """The action of the face's take, also while it is muted."""
    action = worn(face)
    return action[MUTED_ACTION] if action is not None and MUTED_ACTION in action else action


def span_of(action: bpy.types.Action, face: bpy.types.Object) -> tuple[float, float]:
    """Where the first and the last key of a take's weights stand, whatever else is keyed in its action."""
    curve = fcurves.curves_in(action, slot_of(action, face)).fcurves.find(rig.path_of(CHANNELS[0]), index=0)
    if curve is None or not len(curve.keyframe_points):
        return tuple(action.frame_range)
    return curve.keyframe_points[0].co.x, curve.keyframe_points[-1].co.x


def begin_of(action: bpy.types.Action, face: bpy.types.Object) -> float:
    """The frame a take's action begins with. Its first key stands half a step of motion into it, and not
    where frames are, see `core.wire.moments`; takes of older files, which do not say, have a key there.
    """
    begin = action.get(BEGIN)
    return float(begin) if begin is not None else span_of(action, face)[0]


def slot_of(action: bpy.types.Action, face: bpy.types.Object):
    """The slot of an action that holds a face's weights, a new one when there is none; None before 4.4."""
    if not fcurves.LAYERED:
        return None
    path = rig.path_of(CHANNELS[0])
    slots = [slot for slot in action.slots if slot.target_id_type in {"OBJECT", "UNSPECIFIED"}]
    for slot in slots:
        if fcurves.curves_in(action, slot).fcurves.find(path, index=0) is not None:
            return slot
    return slots[0] if slots else fcurves.new_slot(face, action)


def wear(face: bpy.types.Object, action: bpy.types.Action) -> None:
    """Put an action into the take's place; layers above it stay."""
    data = face.animation_data or face.animation_data_create()
    strip, slot = base_strip(face), slot_of(action, face)
    if strip is not None:
        replace_strip(face, strip, action, slot)
        return
    if data.action is not None:
        data.action.use_fake_user = True
    data.action = action
    if slot is not None:
        data.action_slot = slot


def replace_strip(face: bpy.types.Object, strip: bpy.types.NlaStrip, action: bpy.types.Action, slot) -> None:
    """Let another action play where a strip did, in the same manner."""
    data = face.animation_data
    data.use_tweak_mode = False  # strips cannot be changed while one is being tweaked
    track = next(track for track in data.nla_tracks if strip in track.strips.values())
    blend, extrapolation, influence = strip.blend_type, strip.extrapolation, strip.influence
    if strip.action is not None:
        strip.action.use_fake_user = True
    track.strips.remove(strip)
    made = lay(track, action, slot)
    made.blend_type, made.extrapolation, made.influence = blend, extrapolation, influence


def lay(track: bpy.types.NlaTrack, action: bpy.types.Action, slot) -> bpy.types.NlaStrip:
    """A strip that plays an action at the scene frames where its keys are, whole or between."""
    begin, end = action.frame_range
    strip = track.strips.new(action.name, floor(begin), action)
    if slot is not None:
        strip.action_slot = slot
    strip.frame_end_raw, strip.frame_start_raw = max(end, begin + 1), begin
    return strip


# ------------------------------------------------------------------------------------------------ muting


def is_at_rest(face: bpy.types.Object) -> bool:
    """Is the face's take muted?"""
    action = worn(face)
    return action is not None and MUTED_ACTION in action


def rest(face: bpy.types.Object) -> None:
    """Mute the take: a placeholder holds the portrait's own weights; edits on top are added to them."""
    take = worn(face)
    if take is None or MUTED_ACTION in take:
        return
    action = bpy.data.actions.new(f"{face.name} At Rest")
    action[MUTED_ACTION] = take
    curves = fcurves.curves_in(action, fcurves.new_slot(face, action))
    fcurves.write_curves(curves, np.array([take.frame_range[0]]), rig.rest_of(face)[None])
    wear(face, action)


def wake(face: bpy.types.Object) -> None:
    """Unmute the take. A placeholder with keys set by hand is kept as an action, any other is removed."""
    action = worn(face)
    if action is None or MUTED_ACTION not in action:
        return
    take = action[MUTED_ACTION]
    wear(face, take)
    curves = fcurves.curves_in(action, slot_of(action, face)).fcurves
    if sum(len(curve.keyframe_points) for curve in curves) <= len(CHANNELS):
        bpy.data.actions.remove(action)
    else:
        del action[MUTED_ACTION]
