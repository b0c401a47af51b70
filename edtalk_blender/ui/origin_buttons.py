# SPDX-License-Identifier: GPL-3.0-or-later
"""What files say of where they come from: the switch, who is shown, and a look into any file."""

from __future__ import annotations

import textwrap
from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ...core.wire import origin as records
from ..face import rig
from ..settings import files
from ..settings.paths import absolute
from ..takes import origin

LETTERS = 34
"""In a line beside the file browser."""


def draw_settings(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """In Output."""
    column = layout.column()
    column.prop(settings, "write_origin")
    column = column.column()
    column.active = settings.write_origin
    column.prop(settings, "shown", text="Person")
    column.prop(settings, "permission")


def draw_line(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    """Below the list of takes: one line, whatever it says, so that nothing moves."""
    settings, row = face.edtalk, layout.row(align=True)
    row.use_property_split = False
    if not settings.write_origin:
        row.prop(settings, "write_origin", text="Write Origin is off", icon="ERROR", toggle=True)
    elif not origin.is_answered(face) and not settings.asked:
        row.popover("EDTALK_PT_consent", text="Who is shown?", icon="QUESTION")
        row.prop(settings, "asked", text="", icon="X", toggle=True)
    else:
        row.label(text=words(face), icon="CHECKMARK" if origin.written(face) != {} else "INFO")
        row.popover("EDTALK_PT_consent", text="", icon="GREASEPENCIL")
    row.operator("edtalk.read_origin", text="", icon="VIEWZOOM")


def words(face: bpy.types.Object) -> str:
    """What the take's pictures say, in a few words."""
    said = origin.written(face)
    if said is None:
        return "Frames will say they are synthetic"
    return f"Synthetic, shown: {said.get('shown', 'not said')}" if said else "Frames without a record"


def draw_for_export(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    """Beside the file browser: the question, as long as it has no answer."""
    if not face.edtalk.write_origin:
        _lines(layout, origin.OFF, "ERROR")
    elif sentence := origin.for_export(face):
        _lines(layout, sentence, "QUESTION")
        layout.prop(face.edtalk, "shown", text="Person")
        layout.prop(face.edtalk, "permission")


def _lines(layout: bpy.types.UILayout, text: str, icon: str) -> None:
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, LETTERS)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")


class EDTALK_PT_consent(bpy.types.Panel):
    """Kept with the face, written into its pictures and films"""

    bl_idname = "EDTALK_PT_consent"
    bl_label = "Who Is Shown"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"INSTANCED"}
    bl_ui_units_x = 16

    def draw(self, context: bpy.types.Context) -> None:
        """Two fields in a pop-over."""
        face = rig.active_face(context)
        if face is not None:
            self.layout.label(text="Written into pictures and films:")
            draw_settings(self.layout, face.edtalk)


class EDTALK_OT_read_origin(ImportHelper, bpy.types.Operator):
    """Show what a picture or film says of where it comes from"""

    bl_idname = "edtalk.read_origin"
    bl_label = "Read Origin"
    bl_options = {"INTERNAL"}

    filter_glob: bpy.props.StringProperty(
        default="*.png;*.exr;*.tif;*.tiff;*.jpg;*.mp4;*.mov;*.mkv", options={"HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """A report, and in a window a pop-up."""
        path = Path(absolute(self.filepath))
        try:
            with files.open_regular(path) as file:
                found = records.of_stream(file)
        except (OSError, ValueError) as error:
            self.report({"ERROR"}, f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
            return {"CANCELLED"}
        if found is None:
            self.report({"WARNING"}, f"{path.name} says nothing of its origin")
            return {"FINISHED"}
        lines = [f"{records.TITLES[name]}: {text}" for name, text in found.items()]
        self.report({"INFO"}, f"{path.name}: " + "; ".join(lines))
        if not bpy.app.background:

            def draw_lines(popup: bpy.types.Menu, _context: bpy.types.Context) -> None:
                for line in lines:
                    for part in textwrap.wrap(line, 90):
                        popup.layout.label(text=part)

            context.window_manager.popup_menu(draw_lines, title=path.name, icon="INFO")
        return {"FINISHED"}


CLASSES = (EDTALK_PT_consent, EDTALK_OT_read_origin)
