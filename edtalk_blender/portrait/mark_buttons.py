# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons of the face marks: show them, place them by hand, take them back."""

from __future__ import annotations

import bpy

from ..face import rig
from ..face.rig import settings_of
from ..server_process import jobs
from ..settings.explained import ExplainedOperator
from . import face_marks, found_faces
from .crop_gizmo import is_ours


class EDTALK_OT_place_marks(ExplainedOperator, bpy.types.Operator):
    """Begin with an oval for each eye and a line for the mouth, to be dragged to where they belong: for
    drawings, animals and masks in which no face is read"""

    bl_idname = "edtalk.place_marks"
    bl_label = "Place Marks"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only within a crop that is known."""
        if not is_ours(context):
            return rig.LINKED
        if found_faces.crop_of(settings_of(context)) is None:
            return "Press Find Face first, or set the crop by hand: the marks begin in the middle of it"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In the usual place of the crop."""
        settings = settings_of(context)
        face_marks.place(settings, found_faces.crop_of(settings))
        jobs.redraw(*jobs.PICTURES)
        self.report({"INFO"}, "Drag the ovals to the eyes and the line to the mouth")
        return {"FINISHED"}


class EDTALK_OT_take_back_marks(ExplainedOperator, bpy.types.Operator):
    """Forget the marks that were placed or dragged; those that are read in the portrait count again"""

    bl_idname = "edtalk.take_back_marks"
    bl_label = "Take Back Marks"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only where there are any."""
        if not is_ours(context):
            return rig.LINKED
        return "" if settings_of(context).marks else "No marks were set by hand"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Of the active face."""
        face_marks.take_back(settings_of(context))
        jobs.redraw(*jobs.PICTURES)
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """A row, and what is wrong with the marks."""
    row = layout.row(align=True)
    row.use_property_split = False  # else the words are cut off
    row.prop(settings, "show_marks", toggle=True)
    row.operator("edtalk.place_marks")
    if settings.marks:
        row.operator("edtalk.take_back_marks", text="", icon="X")
    if settings.show_marks and face_marks.current(settings) is None:
        layout.label(text="None are read: Find Face, or Place Marks", icon="INFO")
    if wrong := face_marks.said(settings):
        layout.label(text=wrong, icon="ERROR")


CLASSES = (EDTALK_OT_place_marks, EDTALK_OT_take_back_marks)
