# SPDX-License-Identifier: GPL-3.0-or-later
"""The button Key This Pose: what was applied or moved without a key is keyed at this frame, with a fade."""

from __future__ import annotations

import bpy

from ...face import rig, sliders, unkeyed
from ...settings import timing
from ...settings.explained import ExplainedOperator

FADE = 0.3
"""Seconds that the pose takes to come and to go."""


class EDTALK_OT_key_pose(ExplainedOperator, bpy.types.Operator):
    """Key the emotions and handles that differ from their curves at this frame, fading in and out, so that
    the rest of the take stays as it is"""

    bl_idname = "edtalk.key_pose"
    bl_label = "Key This Pose"
    bl_options = {"REGISTER", "UNDO"}

    fade: bpy.props.FloatProperty(
        name="Fade",
        description="Seconds that the pose takes to come and to go; 0: the key alone",
        default=FADE,
        min=0.0,
        soft_max=2.0,
        unit="TIME_ABSOLUTE",
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with sliders that may be changed."""
        return sliders.why_not_pose(rig.active_face(context))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Into the action that is open, which may be a layer on top of the take."""
        face, scene = rig.active_face(context), context.scene
        frame = scene.frame_current_final
        try:
            count = unkeyed.key(face, frame, round(self.fade * timing.rate_in(scene)))
        except RuntimeError as error:  # Blender says why: an action that is linked, for one
            self.report({"ERROR"}, str(error).strip().splitlines()[0])
            return {"CANCELLED"}
        if not count:
            self.report({"INFO"}, "Nothing differs from its keys at this frame")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{count} slider{'s' if count > 1 else ''} keyed at frame {frame:g}")
        return {"FINISHED"}


class EDTALK_OT_mirror_pose(ExplainedOperator, bpy.types.Operator):
    """Exchange left and right of the emotions and handles as they stand: head and gaze turn the other way.
    With Auto Keying on it is keyed; the take's own weights stay"""

    bl_idname = "edtalk.mirror_pose"
    bl_label = "Mirror Pose"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with sliders that may be changed."""
        return sliders.why_not_pose(rig.active_face(context))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """As Blender's own Paste Flipped."""
        face, scene = rig.active_face(context), context.scene
        count = unkeyed.mirror(face)
        if not count:
            self.report({"INFO"}, "Nothing in this pose goes to one side")
            return {"CANCELLED"}
        if scene.tool_settings.use_keyframe_insert_auto:
            unkeyed.key(face, scene.frame_current_final, 0.0)
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout, face: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """A line of fixed height: how much is unkeyed, and the buttons."""
    count = len(unkeyed.unkeyed(face, scene.frame_current_final)) if face.edtalk.take.name else 0
    row = layout.row(align=True)
    button = row.row(align=True)
    button.active = count > 0
    text = f"Key This Pose ({count} not keyed)" if count else "Key This Pose"
    button.operator("edtalk.key_pose", text=text, icon="KEYFRAME_HLT" if count else "KEYFRAME")
    row.operator("edtalk.mirror_pose", text="", icon="MOD_MIRROR")


CLASSES = (EDTALK_OT_key_pose, EDTALK_OT_mirror_pose)
