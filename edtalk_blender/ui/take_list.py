# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of a face's takes in the panel, and how takes of older files come into it."""

from __future__ import annotations

import re

import bpy

from ..face import rig
from ..pictures import image_sequence
from ..server_process import jobs
from ..takes import migrate, status, take_rows
from ..takes.several import compare
from . import origin_buttons

WIDE = 360
"""From this width of the sidebar on, a row has room for the model's name; else it stands below the list."""

NARROW = 190
"""Up to this width the number of frames is left out: the icons would lie over each other."""


class EDTALK_UL_takes(bpy.types.UIList):
    """A take: worn or not, name, model, frames, whether its pictures are up to date, muted or not"""

    bl_idname = "EDTALK_UL_takes"

    def draw_item(
        self, context, layout, data, item, _icon, _active_data, _active_property, _index=0, _flag=0
    ) -> None:
        """One row."""
        face = data.id_data
        take, is_worn = take_rows.take_in(face, item), item.key == face.edtalk.take.name
        row = layout.row(align=True)
        button = row.row(align=True)
        button.operator(
            "edtalk.switch_take", text="", icon="RADIOBUT_ON" if is_worn else "RADIOBUT_OFF", emboss=False
        ).take = item.key
        name = row.row(align=True)
        name.active = not item.muted
        name.prop(item, "name", text="", emboss=False)
        about = row.row(align=True)
        about.alignment = "RIGHT"
        about.active = not item.muted
        width = context.region.width / context.preferences.system.ui_scale
        if width > WIDE:
            about.label(text=model_of(take))
        if width > NARROW:
            about.label(text=str(take.last - take.first + 1))
        stale = status.stale_frames(face) if is_worn else (None if item.stale < 0 else item.stale)
        if is_worn and stale and stale == status.missing_frames(face):
            stale = None  # never made is not wrong: the status above says so, too
        row.label(text="", icon=status_icon(stale))
        row.operator(
            "edtalk.mute_take", text="", icon="HIDE_ON" if item.muted else "HIDE_OFF", emboss=False
        ).take = item.key


def model_of(take: bpy.types.PropertyGroup) -> str:
    """The name of a take's checkpoint, without the digest at its end."""
    return re.sub(r"-[0-9a-f]{12}$", "", take.model)


def status_icon(stale: int | None) -> str:
    """Grey: not known; green: the pictures match the curves; yellow: they do not."""
    if stale is None:
        return "DOT"
    return "COLLECTION_COLOR_03" if stale else "COLLECTION_COLOR_04"


def draw(layout: bpy.types.UILayout, face: bpy.types.Object) -> bpy.types.UILayout | None:
    """The list and its buttons, for the panel; gives back where more can be drawn, None while closed."""
    known = face.edtalk_takes
    header, body = layout.panel("EDTALK_takes")
    header.label(text=f"Takes ({len(known.rows)})" if len(known.rows) else "Takes")
    if body is None:
        return None
    row = body.row()
    row.template_list(
        "EDTALK_UL_takes", "", known, "rows", known, "index", rows=3 if len(known.rows) > 1 else 2
    )
    column = row.column(align=True)
    column.operator("edtalk.delete_take", text="", icon="TRASH")
    column.operator("edtalk.list_takes", text="", icon="VIEWZOOM")
    if 0 <= known.index < len(known.rows):
        take = take_rows.take_in(face, known.rows[known.index])
        body.label(text=" · ".join(filter(None, [model_of(take), f"frames {take.first} to {take.last}"])))
    if face.edtalk.take.name:
        origin_buttons.draw_line(body, face)
    row = body.row(align=True)
    row.operator("edtalk.flip_take", icon="UV_SYNC_SELECT")
    beside = compare.compared(face) is not None
    row.operator("edtalk.compare_take", icon="IMAGE_REFERENCE", depress=beside)
    row.operator("edtalk.blend_takes", text="", icon="ARROW_LEFTRIGHT")
    if not len(known.rows) and face.edtalk.take.name and not _is_waiting:
        _list_soon()
    return body


_is_waiting = False


def _list_soon() -> None:
    """A face was appended from an older file: list its takes as soon as data may be changed."""
    global _is_waiting
    _is_waiting = True
    bpy.app.timers.register(_list_now, first_interval=0.0)


def _list_now() -> None:
    global _is_waiting
    _is_waiting = False
    if collect_all():
        jobs.push_undo("EDTalk: List Takes")
        jobs.redraw()


def collect_all() -> int:
    """List the older takes of all faces of this file that wear a take which is not listed."""
    faces = [ob for ob in bpy.data.objects if rig.is_face(ob) and ob.library is None]
    unlisted = [ob for ob in faces if ob.edtalk.take.name and take_rows.worn_row(ob) is None]
    return sum(migrate.collect(face) for face in unlisted)


@bpy.app.handlers.persistent
def _loaded(_path: str) -> None:
    collect_all()
    for face in (ob for ob in bpy.data.objects if rig.is_face(ob) and ob.library is None):
        for row in take_rows.rows_of(face):
            if row.take.image is not None and not image_sequence.folder_of(row.take.image).is_dir():
                row.stale = -1  # its pictures are not where they were


def register() -> None:
    """A look at every file that is opened."""
    bpy.app.handlers.load_post.append(_loaded)


def unregister() -> None:
    """The reverse of `register`."""
    bpy.app.handlers.load_post.remove(_loaded)
    if bpy.app.timers.is_registered(_list_now):
        bpy.app.timers.unregister(_list_now)


CLASSES = (EDTALK_UL_takes,)
