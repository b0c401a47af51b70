# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons of a take that was made for another frame rate than the scene's: fit it, or leave it."""

from __future__ import annotations

import bpy

from ..face import rig, take_action
from ..server_process.jobs import busy
from ..settings import timing
from ..settings.explained import ExplainedOperator
from ..takes import retime


def why_not_fit(context: bpy.types.Context) -> str:
    """Why nothing can be fitted, "" when it can."""
    face = rig.active_face(context)
    if face is None or not face.edtalk.take.name:
        return "Generate a take first"
    if face.library is not None:
        return rig.LINKED
    data = face.animation_data
    if data is None or take_action.take_of(face) is None:
        return "The take has no curves"
    if any(holder.action.library is not None for holder in retime.holders_of(data)):
        return "Curves of this face are linked from another file: make them local first"
    if take_action.is_at_rest(face):
        return "The take is muted: open its eye in the list of takes first"
    return busy()


class EDTALK_OT_fit_take(ExplainedOperator, bpy.types.Operator):
    """Move all keys of the face so that the take lasts as long as it did at the frame rate it was made for,
    in step with its sound. Render Changed then makes the pictures"""

    bl_idname = "edtalk.fit_take"
    bl_label = "Fit Take to Frame Rate"
    bl_options = {"REGISTER", "UNDO"}

    made_at: bpy.props.FloatProperty(
        name="Made At",
        description="Frames a second the take was made for; 0: what the take remembers",
        min=0.0,
        max=1000.0,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a take of one's own."""
        return why_not_fit(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From the rate the take was made at to the scene's."""
        face, scene = rig.active_face(context), context.scene
        strips = getattr(context, "sequencer_scene", None) or scene
        now = timing.rate_in(scene)
        rate = self.made_at or retime.odd_rate(face, scene)
        if not rate and not retime.rate_of(face):
            self.report({"ERROR"}, "Nobody knows the rate this take was made at: type it into Made At")
            return {"CANCELLED"}
        if not rate or abs(rate - now) <= retime.SAME:
            self.report({"INFO"}, f"The take is made for {now:.6g} frames a second already")
            return {"CANCELLED"}
        retime.fit(face, scene, strips, self.made_at)
        take = face.edtalk.take
        if face.edtalk.extend_scene:
            scene.frame_end = max(scene.frame_end, take.last)
        said = f"{take.name}: {rate:.6g} -> {now:.6g} frames a second"
        self.report({"INFO"}, f"{said}, frames {take.first} to {take.last}; press Render Changed")
        return {"FINISHED"}


class EDTALK_OT_keep_frames(ExplainedOperator, bpy.types.Operator):
    """Leave the keys at their frames: the take plays faster or slower than its sound, as it does now"""

    bl_idname = "edtalk.keep_frames"
    bl_label = "Keep Frames"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a take of one's own."""
        return why_not_fit(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The take counts as made for the scene's rate from now on."""
        face, rate = rig.active_face(context), timing.rate_in(context.scene)
        for holder in retime.holders_of(face.animation_data):
            holder.action[retime.RATE] = rate
        face.edtalk.take.rate = rate
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, face: bpy.types.Object) -> None:
    """A question, while the scene runs at another rate than the take was made for."""
    odd = retime.odd_rate(face, context.scene)
    if not odd:
        return
    column = layout.column(align=True)
    text = f"Take {odd:.5g} fps, scene {timing.rate_in(context.scene):.5g} fps"  # fits a narrow sidebar
    column.label(text=text, icon="TIME")
    row = column.row(align=True)
    row.operator("edtalk.fit_take", text="Fit to Frame Rate")
    row.operator("edtalk.keep_frames")


CLASSES = (EDTALK_OT_fit_take, EDTALK_OT_keep_frames)
