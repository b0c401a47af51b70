# SPDX-License-Identifier: GPL-3.0-or-later
"""The crop on the portrait in the Image Editor, dragged by its handles; a face is picked by a click on it.

Wherever an Image Editor shows the portrait of the active face, its crop lies over it: bright while it is set
by hand, thin while it is only what was found; taking hold of a thin one sets it by hand. Found faces carry
their numbers. It is one gizmo, so no mode is entered or left, panning and zooming go on as ever, and a drag
that is cancelled leaves no trace.
"""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from ..face.rig import settings_of
from ..server_process import jobs
from ..settings.paths import absolute
from . import crop_box, crop_drawing, face_marks, found_faces
from .crop_drawing import Frame

REACH = 9.0  # pixels around a handle that take hold of it, at normal interface scale
FINE = 0.1  # of the way is gone while Shift is held


def picture_of(settings: bpy.types.PropertyGroup) -> str:
    """The file that shows the portrait upright: itself, or the copy made of one that lies on its side."""
    seen = found_faces.sighting_of(settings)
    if seen is not None and seen.upright and Path(seen.upright).is_file():
        return seen.upright
    return absolute(settings.portrait)


def shows_portrait(space: bpy.types.Space | None, settings: bpy.types.PropertyGroup) -> bool:
    """Does an Image Editor show the portrait?"""
    image = space.image if space is not None and space.type == "IMAGE_EDITOR" else None
    if image is None or not image.filepath or not settings.portrait.strip() or not image.size[0]:
        return False
    shown = absolute(image.filepath, image.library)  # a portrait beside the .blend has ".." in its path
    return os.path.normpath(shown) == os.path.normpath(picture_of(settings))


def is_ours(context: bpy.types.Context) -> bool:
    """May the settings on show be changed?"""
    return found_faces.owner_of(context).library is None


def _frame(context: bpy.types.Context) -> Frame:
    width, height = context.space_data.image.size
    return Frame(context.region, width, height)


class EDTALK_GT_crop(bpy.types.Gizmo):
    """The crop over the portrait"""

    bl_idname = "EDTALK_GT_crop"
    __slots__ = ("before", "by_hand", "origin", "part", "start")

    def setup(self) -> None:
        """Called by Blender when it is made."""
        self.part, self.before, self.start, self.origin, self.by_hand = "", None, None, None, False
        self.use_draw_modal = True

    def draw(self, context: bpy.types.Context) -> None:
        """Drawn by Blender, in pixels of the region."""
        settings, frame = settings_of(context), _frame(context)
        box = found_faces.crop_of(settings)
        if box is not None:
            crop_drawing.draw_crop(frame, box, settings.use_crop, self.is_highlight or self.is_modal, context)
        crop_drawing.draw_faces(frame, settings, context)

    def test_select(self, context: bpy.types.Context, location) -> int:
        """Is there something of it under the pointer?"""
        return 0 if self._under(context, *location) else -1

    def _under(self, context: bpy.types.Context, x: float, y: float) -> str:
        """The part of the crop at a place of the region, or the number of a face, "" for neither."""
        settings, frame = settings_of(context), _frame(context)
        at, box = frame.to_portrait(x, y), found_faces.crop_of(settings)
        reach = REACH * context.preferences.system.ui_scale / frame.scale
        part = crop_box.part_at(box, *at, reach) if box is not None else ""
        if part and part != crop_box.MOVE:
            return part
        return _face_at(settings, *at) or part

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Taken hold of."""
        settings = settings_of(context)
        self.part = self._under(context, event.mouse_region_x, event.mouse_region_y)
        self.origin = _frame(context).to_portrait(event.mouse_region_x, event.mouse_region_y)
        self.start, self.by_hand = found_faces.crop_of(settings), settings.use_crop
        self.before = tuple(settings.crop)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event, tweak: set[str]) -> set[str]:
        """Dragged."""
        if self.part.isdigit() or self.start is None:
            return {"RUNNING_MODAL"}
        settings, frame = settings_of(context), _frame(context)
        x, y = frame.to_portrait(event.mouse_region_x, event.mouse_region_y)
        share = FINE if "PRECISE" in tweak else 1.0
        right, down = (x - self.origin[0]) * share, (y - self.origin[1]) * share
        box = crop_box.kept(crop_box.dragged(self.start, self.part, right, down), frame.width, frame.height)
        if settings.use_crop or box != self.start:
            settings.crop = box  # before the switch, which fills in a crop that nobody has set
            settings.use_crop = True
        context.area.tag_redraw()
        return {"RUNNING_MODAL"}

    def exit(self, context: bpy.types.Context, cancel: bool) -> None:
        """Let go, or cancelled."""
        settings = settings_of(context)
        if self.part.isdigit() and not cancel:
            found_faces.pick(settings, int(self.part))
            jobs.push_undo("EDTalk: Choose Face")
        elif cancel:
            settings.crop, settings.use_crop = self.before, self.by_hand
        elif settings.use_crop and tuple(settings.crop) != self.before:
            jobs.push_undo("EDTalk: Crop")
        jobs.redraw()
        context.area.tag_redraw()


def _face_at(settings: bpy.types.PropertyGroup, x: float, y: float) -> str:
    """The number of the face at a place, as text, where there are several and another one is chosen."""
    seen = found_faces.sighting_of(settings)
    if seen is None or len(seen.faces) < 2:
        return ""
    for number, face in enumerate(seen.faces, 1):
        left, top, width, height = face.box
        if number != settings.face and left <= x <= left + width and top <= y <= top + height:
            return str(number)
    return ""


class EDTALK_GGT_crop(bpy.types.GizmoGroup):
    """The crop over the portrait"""

    bl_idname = "EDTALK_GGT_crop"
    bl_label = "EDTalk Crop"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT", "SHOW_MODAL_ALL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only over the portrait of the active face, of which something is known."""
        settings, space = settings_of(context), context.space_data
        if space.mode != "VIEW" or not shows_portrait(space, settings) or not is_ours(context):
            return False
        if face_marks.are_shown(settings):
            return False
        return found_faces.crop_of(settings) is not None or found_faces.sighting_of(settings) is not None

    def setup(self, context: bpy.types.Context) -> None:
        """Called by Blender when it is made."""
        self.gizmos.new(EDTALK_GT_crop.bl_idname)


CLASSES = (EDTALK_GT_crop, EDTALK_GGT_crop)
