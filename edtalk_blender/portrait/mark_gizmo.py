# SPDX-License-Identifier: GPL-3.0-or-later
"""The face marks over the portrait in the Image Editor, dragged by their dots, or by an eye or the mouth.

They take the place of the crop while Show Marks is on. Thin lines were read; taking hold of them makes them
the animator's own, which are bright. A drag that is cancelled leaves no trace.
"""

from __future__ import annotations

import bpy

from ..face.rig import settings_of
from ..server_process import jobs
from . import crop_drawing, face_marks, mark_shape
from .crop_drawing import BRIGHT, THIN, Frame
from .crop_gizmo import FINE, REACH, is_ours, shows_portrait

WRONG = (1.0, 0.3, 0.25, 1.0)


def _frame(context: bpy.types.Context) -> Frame:
    width, height = context.space_data.image.size
    return Frame(context.region, width, height)


class EDTALK_GT_marks(bpy.types.Gizmo):
    """The face marks over the portrait"""

    bl_idname = "EDTALK_GT_marks"
    __slots__ = ("before", "handle", "origin", "start")

    def setup(self) -> None:
        """Called by Blender when it is made."""
        self.handle, self.before, self.start, self.origin = "", None, None, None
        self.use_draw_modal = True

    def draw(self, context: bpy.types.Context) -> None:
        """Drawn by Blender, in pixels of the region."""
        settings, frame = settings_of(context), _frame(context)
        marks = face_marks.current(settings)
        if marks is None:
            return
        said = face_marks.said(settings)
        colour = WRONG if said else BRIGHT if face_marks.text_by_hand(settings) else THIN
        for line in mark_shape.lines(marks):
            crop_drawing.draw_lines([frame.to_region(x, y) for x, y in line], colour, 1.5)
        size = 3.0 * context.preferences.system.ui_scale
        for name, place in mark_shape.handles(marks).items():
            x, y = frame.to_region(*place)
            wide = size * 1.6 if self.is_modal and name == self.handle else size
            crop_drawing.draw_rectangle(x - wide, y - wide, x + wide, y + wide, colour)
        if said:
            x, y = frame.to_region(*mark_shape.handles(marks)["chin"])
            crop_drawing.draw_text(said, x - 120, y - 30, 12, WRONG, context)

    def test_select(self, context: bpy.types.Context, location) -> int:
        """Is there something of them under the pointer?"""
        return 0 if self._under(context, *location) else -1

    def _under(self, context: bpy.types.Context, x: float, y: float) -> str:
        marks, frame = face_marks.current(settings_of(context)), _frame(context)
        reach = REACH * context.preferences.system.ui_scale / frame.scale
        return "" if marks is None else mark_shape.handle_at(marks, *frame.to_portrait(x, y), reach)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Taken hold of."""
        settings = settings_of(context)
        self.handle = self._under(context, event.mouse_region_x, event.mouse_region_y)
        self.origin = _frame(context).to_portrait(event.mouse_region_x, event.mouse_region_y)
        self.start, self.before = face_marks.current(settings), face_marks.kept(settings)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event, tweak: set[str]) -> set[str]:
        """Dragged."""
        if not self.handle or self.start is None:
            return {"RUNNING_MODAL"}
        frame = _frame(context)
        x, y = frame.to_portrait(event.mouse_region_x, event.mouse_region_y)
        x, y = min(max(x, 0), frame.width), min(max(y, 0), frame.height)
        share = FINE if "PRECISE" in tweak else 1.0
        right, down = (x - self.origin[0]) * share, (y - self.origin[1]) * share
        if right or down:
            marks = mark_shape.dragged(self.start, self.handle, right, down)
            face_marks.set_by_hand(settings_of(context), marks, self.handle)
        context.area.tag_redraw()
        return {"RUNNING_MODAL"}

    def exit(self, context: bpy.types.Context, cancel: bool) -> None:
        """Let go, or cancelled."""
        settings = settings_of(context)
        if cancel:
            face_marks.put_back(settings, self.before)
        elif face_marks.kept(settings) != self.before:
            jobs.push_undo("EDTalk: Face Marks")
        jobs.redraw()
        context.area.tag_redraw()


class EDTALK_GGT_marks(bpy.types.GizmoGroup):
    """The face marks over the portrait"""

    bl_idname = "EDTALK_GGT_marks"
    bl_label = "EDTalk Face Marks"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT", "SHOW_MODAL_ALL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only over the portrait of the active face, while its marks are to be shown."""
        settings, space = settings_of(context), context.space_data
        if space.mode != "VIEW" or not face_marks.are_shown(settings) or not is_ours(context):
            return False
        return shows_portrait(space, settings)

    def setup(self, context: bpy.types.Context) -> None:
        """Called by Blender when it is made."""
        self.gizmos.new(EDTALK_GT_marks.bl_idname)


CLASSES = (EDTALK_GT_marks, EDTALK_GGT_marks)
