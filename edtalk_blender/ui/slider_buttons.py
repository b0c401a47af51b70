# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's sections for emotions and handles, and their buttons: key them all, zero them, bring a rig up
to date with its checkpoint.
"""

from __future__ import annotations

from collections.abc import Generator

import bpy

from ...core.wire import messages
from ...core.wire.errors import InputError
from ..face import rig, sliders
from ..server_process import jobs
from ..server_process.jobs import busy
from ..server_process.supervisor import ask, ready_server
from ..settings.explained import ExplainedOperator
from ..settings.paths import missing_file
from ..takes import request
from . import expressions
from .desk import pose_buttons
from .job_operator import JobOperator

TITLES = {"emotion": "Emotions", "handle": "Handles"}


def key(face: bpy.types.Object, frame: float) -> int:
    """Key every emotion and handle as it stands now; gives back how many."""
    names = sliders.names_of(face)
    for bone, name in names:
        face.pose.bones[bone].keyframe_insert(f'["{name}"]', frame=frame, group=bone)
    return len(names)


class SliderOperator(ExplainedOperator):
    """What the operators on all sliders of the active face share."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with sliders that may be changed."""
        return sliders.why_not_pose(rig.active_face(context))


class EDTALK_OT_key_sliders(SliderOperator, bpy.types.Operator):
    """Insert a key on every emotion and handle at this frame, so that the face stays as it is here whatever
    is keyed elsewhere, and so that Create Pose Asset saves all of it"""

    bl_idname = "edtalk.key_sliders"
    bl_label = "Key Emotions and Handles"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Into the action that is open, which may be a layer on top of the take."""
        face, scene = rig.active_face(context), context.scene
        try:
            count = key(face, scene.frame_current_final)
        except RuntimeError as error:  # Blender says why: an action that is linked, for one
            self.report({"ERROR"}, str(error).strip().splitlines()[0])
            return {"CANCELLED"}
        self.report({"INFO"}, f"{count} keys at frame {scene.frame_current_final:g}")
        return {"FINISHED"}


class EDTALK_OT_reset_sliders(SliderOperator, bpy.types.Operator):
    """Set every emotion and handle to 0. What is keyed comes back with the next frame, unless Auto Keying is
    on"""

    bl_idname = "edtalk.reset_sliders"
    bl_label = "Reset Emotions and Handles"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """As Blender's own Clear Transform: key it where Auto Keying is on."""
        face = rig.active_face(context)
        for bone, name in sliders.names_of(face):
            face.pose.bones[bone][name] = 0.0
        face.update_tag()
        if context.scene.tool_settings.use_keyframe_insert_auto:
            key(face, context.scene.frame_current_final)
        return {"FINISHED"}


class EDTALK_OT_update_face(JobOperator, bpy.types.Operator):
    """Ask the checkpoint for its emotions and handles and bring the sliders of this face up to date; values
    and keys stay"""

    bl_idname = "edtalk.update_face"
    bl_label = "Update Face"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only a rig of this file can get new bones."""
        face = rig.active_face(context)
        if face is None:
            return rig.NO_FACE
        if face.library is not None or face.override_library is not None or face.data.library is not None:
            return "This face is linked: open the file it belongs to and update it there"
        checkpoint = face.edtalk.checkpoint
        return busy() or (missing_file(checkpoint, "checkpoint") if checkpoint.strip() else "")

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """For the active face, with the checkpoint the panel names."""
        order = request.order_from(context, rig.active_face(context))
        return jobs.Job("Update Face", lambda job: _update(job, order))


def _update(job: jobs.Job, order: request.Order) -> Generator[None, None, jobs.Outcome]:
    server = yield from ready_server(job)
    described = yield from ask(job, server, messages.Describe(checkpoint=order.checkpoint))
    face = rig.find_object(order.rig)
    if face is None:
        raise InputError("The face rig is gone, by undo or because another file was opened")
    sliders.fit_to_checkpoint(face, described)
    jobs.push_undo("EDTalk: Update Face")
    return jobs.Outcome(
        "INFO", f"{face.name}: {len(described.emotions)} emotions, {len(described.handles)} handles"
    )


def draw(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    """Emotions and handles of a face: what goes for all of them, then each with its key diamond."""
    names = sliders.names_of(face)
    if not sliders.is_complete(face) or not names:
        layout.operator("edtalk.update_face", icon="FILE_REFRESH")
    for bone, title in TITLES.items():
        mine = [name for where, name in names if where == bone]
        if not mine:
            continue
        header, body = layout.panel(f"EDTALK_sliders_{bone}", default_closed=bone == "handle")
        header.label(text=title)
        if body is None:
            continue
        if bone == names[0][0]:
            expressions.draw(body)
            pose_buttons.draw(body, face, bpy.context.scene)
            row = body.row(align=True)
            row.operator("edtalk.key_sliders", text="Key All", icon="KEYFRAME")
            row.operator("edtalk.reset_sliders", text="Reset All", icon="LOOP_BACK")
            row.operator("edtalk.update_face", text="", icon="FILE_REFRESH")
        column = body.column(align=True)
        column.use_property_decorate = True
        for name in mine:
            text = sliders.label_of(face, bone, name)
            column.prop(face.pose.bones[bone], f'["{name}"]', text=text, slider=True)


CLASSES = (EDTALK_OT_key_sliders, EDTALK_OT_reset_sliders, EDTALK_OT_update_face)
