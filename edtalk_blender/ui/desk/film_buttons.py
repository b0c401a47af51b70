# SPDX-License-Identifier: GPL-3.0-or-later
"""Set Up for Film: what Blender's own Render Animation needs for a film of a take is shown, ticked and set.
And Frame Face and Camera for Face, which put the picture into the view and into the camera.
"""

from __future__ import annotations

import bpy

from ...face import rig
from ...pictures import film_scene, image_sequence, workspace
from ...settings.explained import ExplainedOperator

ITEMS = [
    ("SIZE", "Size", "The output is as large as the take's pictures, so that each pixel stays one"),
    ("STRIPS", "Strips", "The take's pictures fill the output, neither cropped nor with a margin"),
    ("RANGE", "Range", "The scene starts and ends with its takes"),
    ("SOUND", "Sound", "Playback keeps in step with the sound, and scrubbing is heard"),
    ("COLOUR", "Colour", "Pixels pass through unaltered: no view transform, look or dither"),
    ("FILE", "File", "MP4 with H.264 and AAC, and the Sequencer is rendered"),
]


def why_not(context: bpy.types.Context) -> str:
    """Why there is nothing to film or to look at, "" when there is."""
    face = rig.active_face(context)
    if face is None or face.edtalk.take.image is None:
        return "Generate a take first"
    return "This scene is linked from another file" if context.scene.library is not None else ""


class EDTALK_OT_set_up_for_film(ExplainedOperator, bpy.types.Operator):
    """Set this scene up so that Render Animation writes the take as it is on disk, with its sound: shows what
    would change first. Undo takes it back"""

    bl_idname = "edtalk.set_up_for_film"
    bl_label = "Set Up for Film"
    bl_options = {"REGISTER", "UNDO"}

    what: bpy.props.EnumProperty(
        name="Set Up",
        description="What is set up",
        items=ITEMS,
        options={"ENUM_FLAG"},
        default=set(film_scene.GROUPS),
    )

    why_not = staticmethod(why_not)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Show it and ask."""
        self.what = set(film_scene.GROUPS)
        return context.window_manager.invoke_props_dialog(self, width=380, confirm_text="Set Up")

    def draw(self, context: bpy.types.Context) -> None:
        """A tick for each group, and below it what it would change."""
        scene, face = context.scene, rig.active_face(context)
        column = self.layout.column()
        for name, word in film_scene.GROUPS.items():
            column.prop_enum(self, "what", name, text=word)
            rows = film_scene.changes(scene, face, {name} | ({"SIZE"} & self.what))
            rows = [row for row in rows if row.group == name]
            lines = column.column(align=True)
            lines.active = name in self.what
            for row in rows:
                lines.label(text=row.words(), icon="BLANK1")
            if not rows:
                lines.label(text="As it should be", icon="CHECKMARK")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the changes that are ticked, and say which."""
        said, failed = [], []
        rows = film_scene.changes(context.scene, rig.active_face(context), set(self.what))
        for row in rows:
            try:
                said.append(row.make())
            except (TypeError, ValueError):  # another colour configuration; a Blender without films
                failed.append(f"{row.label} {row.value}")
        if failed:
            self.report({"WARNING"}, f"This Blender does not know {', '.join(failed)}")
        elif not said:
            self.report({"INFO"}, "This scene is set up for film already")
        else:
            self.report({"INFO"}, "; ".join(said))
        return {"FINISHED"}


class PlaneOperator(ExplainedOperator):
    """What needs a picture plane."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with one."""
        reason, face = why_not(context), rig.active_face(context)
        if not reason and image_sequence.plane_of(face) is None:
            reason = "This face has no picture plane: press Add Picture Plane under Output"
        return reason


class EDTALK_OT_frame_face(PlaneOperator, bpy.types.Operator):
    """Turn this 3D View to the face's picture, from the front"""

    bl_idname = "edtalk.frame_face"
    bl_label = "Frame Face"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In this editor, else in the largest 3D View of the window."""
        areas = [area for area in context.screen.areas if area.type == "VIEW_3D"] if context.screen else []
        if context.area in areas:
            areas = [context.area]
        if not areas:
            self.report({"WARNING"}, "There is no 3D View in this window")
            return {"CANCELLED"}
        area = max(areas, key=lambda one: one.width * one.height)
        workspace.turn(area, image_sequence.plane_of(rig.active_face(context)))
        return {"FINISHED"}


class EDTALK_OT_camera_for_face(PlaneOperator, bpy.types.Operator):
    """Add a camera that sees the face's picture and nothing beside it, make it the scene's camera, and set
    the output to the size of the pictures; pressed again, it is fitted to the picture again"""

    bl_idname = "edtalk.camera_for_face"
    bl_label = "Camera for Face"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """One camera a face."""
        scene = context.scene
        camera = film_scene.camera_for(rig.active_face(context), scene)
        size = f"{scene.render.resolution_x} x {scene.render.resolution_y}"
        self.report({"INFO"}, f"{camera.name} is the scene's camera, the output is {size}")
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout) -> None:
    """The buttons of the section Output."""
    row = layout.row(align=True)
    row.operator("edtalk.set_up_for_film", icon="RENDER_ANIMATION")
    row.operator("edtalk.camera_for_face", icon="CAMERA_DATA")


CLASSES = (EDTALK_OT_set_up_for_film, EDTALK_OT_frame_face, EDTALK_OT_camera_for_face)
