# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons that show an existing take somewhere else, or bring its frames beside the file."""

from __future__ import annotations

import bpy

from ...core.wire.errors import EDTalkError
from ..face import rig, take_action, word_marks
from ..pictures import image_sequence, sequencer
from ..server_process.jobs import busy
from ..settings.explained import ExplainedOperator
from ..takes import display


class TakeOperator(ExplainedOperator):
    """What the operators that show an existing take share."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a take."""
        face = rig.active_face(context)
        if face is None and rig.faces_in(context.scene):
            return "Select a face rig first"
        return "Generate a take first" if face is None or face.edtalk.take.image is None else ""


class EDTALK_OT_add_plane(TakeOperator, bpy.types.Operator):
    """Add a plane that shows the take, in front of the rig; one that is there is brought up to date"""

    bl_idname = "edtalk.add_plane"
    bl_label = "Add Picture Plane"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """One plane a face: a second one would lie in the first and flicker."""
        face = rig.active_face(context)
        plane = image_sequence.plane_of(face)
        if plane is None:
            image_sequence.show_take_on_plane(face, image_sequence.make_plane(face, context.scene))
            return {"FINISHED"}
        image_sequence.show_take_on_plane(face, plane)
        hidden = "" if plane.visible_get() else "; it is hidden"
        self.report({"INFO"}, f"{plane.name} shows the take already{hidden}")
        return {"FINISHED"}


class EDTALK_OT_add_strips(TakeOperator, bpy.types.Operator):
    """Add the take's pictures and sound to the sequencer, on free channels, unless they are there"""

    bl_idname = "edtalk.add_strips"
    bl_label = "Add Strips"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Into the scene the sequencer shows, which from 5.0 need not be the active one."""
        scene = getattr(context, "sequencer_scene", None) or context.scene
        face = rig.active_face(context)
        there = sequencer.find_strips(scene, face.edtalk.take.name) if scene.sequence_editor else ()
        if any(strip.type == "IMAGE" for strip in there):
            channels = " and ".join(sorted({str(strip.channel) for strip in there}))
            self.report({"INFO"}, f"The strips are there already, on channel {channels}")
            return {"FINISHED"}
        made = display.add_strips(face, scene)
        if not made:
            self.report({"ERROR"}, "All 128 channels are taken at the take's frames: clear two of them first")
            return {"CANCELLED"}
        if all(strip.type != "SOUND" for strip in made):
            self.report({"WARNING"}, "Only pictures: there is no sound that Blender can read")
        return {"FINISHED"}


class EDTALK_OT_bring_take(TakeOperator, bpy.types.Operator):
    """Copy the frames of a take that was made before the file was saved to the output folder beside it"""

    bl_idname = "edtalk.bring_take"
    bl_label = "Bring Frames Beside File"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only for a temporary take of a file that is saved by now."""
        reason = super().why_not(context) or busy() or ("" if bpy.data.filepath else "Save the file first")
        if not reason and not display.is_temporary(rig.active_face(context)):
            reason = "The frames are not in a temporary folder"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy the folder and tell image and strips."""
        try:
            folder = display.bring_beside_file(rig.active_face(context))
        except EDTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"The frames are in {folder}; save the file again")
        return {"FINISHED"}


class EDTALK_OT_show_marks(TakeOperator, bpy.types.Operator):
    """Show the words and phones of the take as markers in the Dope Sheet. Move them there, and the mouth
    follows with Render Changed"""

    bl_idname = "edtalk.show_marks"
    bl_label = "Show Words and Phones"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only for a take that was made with a transcript, in its own action."""
        face = rig.active_face(context)
        action = take_action.take_of(face) if face is not None else None
        if action is None or word_marks.MARKS not in action:
            return "The take has no words: generate one with a transcript, where pocketsphinx is installed"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In the first Dope Sheet or Timeline of the window."""
        area = next((area for area in context.screen.areas if area.type == "DOPESHEET_EDITOR"), None)
        if area is None:
            self.report({"ERROR"}, "Open a Dope Sheet or a Timeline first")
            return {"CANCELLED"}
        area.ui_type = "DOPESHEET"
        area.spaces.active.ui_mode = "ACTION"
        area.spaces.active.show_pose_markers = True
        face = rig.active_face(context)
        if face.animation_data.action != take_action.take_of(face):
            self.report({"WARNING"}, "The take is on an NLA track: press Tab on its strip to see its markers")
        return {"FINISHED"}


CLASSES = (EDTALK_OT_add_plane, EDTALK_OT_add_strips, EDTALK_OT_bring_take, EDTALK_OT_show_marks)
