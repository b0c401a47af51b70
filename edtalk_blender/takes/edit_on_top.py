# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit on Top: hand keys in a layer of their own, above the generated take.

The take goes down to an NLA track, and the rig's own action becomes an empty one that is added to it. A
new take then changes places with the old one in that track, and the hand keys stay. It is plain NLA:
everything Blender offers for strips and layers works on it, with the add-on and without.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..face import fcurves, rig, take_action
from ..face.take_action import base_strip, lay, replace_strip
from ..settings.explained import ExplainedOperator
from . import take_rows

EDITS = "edtalk_edits"
"""Custom property of the rig: the layer of edits that was laid aside."""


def back_to_take(face: bpy.types.Object) -> bpy.types.Action:
    """The reverse of `edit_on_top`: the take becomes the rig's own action again. The layer is laid aside and
    given back; Edit on Top brings it back.
    """
    data, strip = face.animation_data, base_strip(face)
    layer, action = data.action, strip.action
    slot = strip.action_slot if fcurves.LAYERED else None
    blend, extrapolation, influence = strip.blend_type, strip.extrapolation, strip.influence
    track = next(track for track in data.nla_tracks if strip in track.strips.values())
    layer.use_fake_user = True
    data.action = None
    track.strips.remove(strip)
    if not len(track.strips):
        data.nla_tracks.remove(track)
    data.action = action
    if slot is not None:
        data.action_slot = slot
    data.action_blend_type, data.action_extrapolation, data.action_influence = blend, extrapolation, influence
    face[EDITS] = layer
    return layer


def land(face: bpy.types.Object, name: str, frames: np.ndarray, weights: np.ndarray) -> None:
    """Give the rig a new take: weights [T, 36] at scene frames [T]. Above it nothing changes; the take
    before is kept.
    """
    take_action.wake(face)
    take_rows.save_to_row(face)
    strip = base_strip(face)
    if strip is None:
        fcurves.new_action(face, name)
        fcurves.write_weights(face, frames, weights)
        return
    before = strip.action_slot if fcurves.LAYERED else None
    action, slot = fcurves.next_action(face, strip.action, before, name)
    fcurves.write_curves(fcurves.curves_in(action, slot), frames, weights)
    replace_strip(face, strip, action, slot)


def edit_on_top(face: bpy.types.Object) -> bpy.types.Action:
    """Push the rig's action down and open an empty layer above it, which is given back."""
    data = face.animation_data
    action = data.action
    if action is not None:
        action.use_fake_user = True
        slot = data.action_slot if fcurves.LAYERED else None
        blend, extrapolation, influence = (
            data.action_blend_type,
            data.action_extrapolation,
            data.action_influence,
        )
        data.action = None
        track = data.nla_tracks.new()  # above the other tracks, where the action was
        track.name = take_action.TRACK
        strip = lay(track, action, slot)
        strip.blend_type, strip.extrapolation, strip.influence = blend, extrapolation, influence
    layer = face.get(EDITS)
    if not isinstance(layer, bpy.types.Action):  # else one that was laid aside comes back
        layer = bpy.data.actions.new(f"{face.name} Edits")
        layer.use_fake_user = True
    data.action = layer
    fcurves.curves_of(face)
    # Added, and held beyond its first and last key, as a layer alone is: a single key moves the whole take.
    data.action_blend_type, data.action_extrapolation, data.action_influence = "ADD", "HOLD", 1.0
    data.use_nla = True
    return layer


class EDTALK_OT_edit_on_top(ExplainedOperator, bpy.types.Operator):
    """Put the take on an NLA track and open an empty layer above it for keys of your own, which are added
    to the take and stay when a new take is generated"""

    bl_idname = "edtalk.edit_on_top"
    bl_label = "Edit on Top"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with curves to edit on top of, once."""
        return why_not(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Push down, open a layer, say what it is called."""
        layer = edit_on_top(rig.active_face(context))
        self.report({"INFO"}, f"Keys go to {layer.name} now and are added to the take")
        return {"FINISHED"}


def why_not(context: bpy.types.Context) -> str:
    """Why there is nothing to edit on top of, "" when there is."""
    face = rig.active_face(context)
    if reason := rig.why_not_ours(face):
        return reason
    data = face.animation_data
    if data is None or (data.action is None and base_strip(face) is None):
        return "The rig has no curves yet: generate a take first"
    if data.use_tweak_mode:
        return "Leave the Tweak Mode of the NLA Editor first"
    if data.action is not None and data.action_blend_type != "REPLACE":
        return f"Keys go on top already, to {data.action.name}"
    return ""


class EDTALK_OT_back_to_take(ExplainedOperator, bpy.types.Operator):
    """Let keys go into the take itself again. The layer on top is laid aside and adds nothing meanwhile; Edit
    on Top brings it back"""

    bl_idname = "edtalk.back_to_take"
    bl_label = "Back to Take"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only from a layer right above the take."""
        face = rig.active_face(context)
        if reason := rig.why_not_ours(face):
            return reason
        data, strip = face.animation_data, base_strip(face)
        if not is_on_top(face) or strip is None:
            return "Keys go into the take already"
        if data.use_tweak_mode:
            return "Leave the Tweak Mode of the NLA Editor first"
        tracks = [track for track in data.nla_tracks if not track.mute and len(track.strips)]
        if strip not in tracks[-1].strips.values():
            return "There are NLA tracks of your own above the take: use the NLA Editor"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Say where the edits are."""
        face = rig.active_face(context)
        layer = back_to_take(face)
        self.report({"INFO"}, f"Keys go into {face.edtalk.take.name}; Edit on Top brings {layer.name} back")
        return {"FINISHED"}


def is_on_top(face: bpy.types.Object) -> bool:
    """Do new keys go into a layer above the take?"""
    data = face.animation_data
    return data is not None and data.action is not None and data.action_blend_type != "REPLACE"


def draw(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    """The button; once there is a layer, where the keys go, and the way back."""
    if is_on_top(face):
        row = layout.row(align=True)
        row.label(text=f"Keys go on top: {face.animation_data.action.name}", icon="NLA_PUSHDOWN")
        row.operator("edtalk.back_to_take", text="", icon="LOOP_BACK")
    else:
        layout.operator("edtalk.edit_on_top", icon="NLA_PUSHDOWN")


CLASSES = (EDTALK_OT_edit_on_top, EDTALK_OT_back_to_take)
