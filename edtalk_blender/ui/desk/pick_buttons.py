# SPDX-License-Identifier: GPL-3.0-or-later
"""Portrait and sound, each a button with the name of its file: the browser begins where such files are likely
to be and shows no others. The whole path is in the tooltip; it can be typed under Crop and Driving Clip.
"""

from __future__ import annotations

import os
from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ...face import rig
from ...face.rig import settings_of
from ...settings.explained import ExplainedOperator
from ...settings.paths import absolute, missing_file, short_path

PICTURES = "*.png;*.jpg;*.jpeg;*.tif;*.tiff;*.webp;*.bmp;*.gif"
SOUNDS = "*.wav;*.flac;*.ogg;*.mp3;*.m4a;*.aac;*.opus;*.mp4;*.mov;*.mkv;*.webm;*.avi"


def start_folder(settings: bpy.types.PropertyGroup, field: str) -> Path:
    """Where to look for a file: where the one of this field is, or that of the other, beside the .blend, or
    at home.
    """
    others = [name for name in ("portrait", "audio", "driving") if name != field]
    known = (absolute(getattr(settings, name)) for name in (field, *others))
    folders = [Path(path).parent for path in known if path]
    folders += [Path(bpy.data.filepath).parent] if bpy.data.filepath else []
    return next((folder for folder in folders if folder.is_dir()), Path.home())


class PickOperator(ExplainedOperator, ImportHelper):
    """What both share."""

    bl_options = {"REGISTER", "UNDO"}
    field = ""

    # Blender reads this from the operator: pictures as thumbnails, by Blender's own number for that.
    display_type: bpy.props.EnumProperty(
        items=[("DEFAULT", "Default", "", 0), ("THUMBNAIL", "Thumbnails", "", 3)],
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Not for what belongs to another file."""
        owner = rig.active_face(context) or context.scene
        return rig.LINKED if owner.library is not None else ""

    @classmethod
    def description(cls, context: bpy.types.Context, _properties: bpy.types.OperatorProperties) -> str:
        """What it is for, and the whole path."""
        path = absolute(getattr(settings_of(context), cls.field))
        return f"{cls.__doc__}.\n{path}" if path else cls.__doc__

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the browser."""
        settings = settings_of(context)
        path = absolute(getattr(settings, self.field))
        known = path and Path(path).is_file()
        self.filepath = path if known else f"{start_folder(settings, self.field)}{os.sep}"
        self.display_type = "THUMBNAIL" if self.field == "portrait" else "DEFAULT"
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Into the settings on show."""
        reason = missing_file(self.filepath, "a file")
        if reason:
            self.report({"ERROR"}, reason)
            return {"CANCELLED"}
        setattr(settings_of(context), self.field, short_path(absolute(self.filepath)))
        return {"FINISHED"}


class EDTALK_OT_pick_portrait(PickOperator, bpy.types.Operator):
    """Choose the picture of the face that shall talk"""

    bl_idname = "edtalk.pick_portrait"
    bl_label = "Choose Portrait"
    field = "portrait"
    filter_glob: bpy.props.StringProperty(default=PICTURES, options={"HIDDEN"})


class EDTALK_OT_pick_sound(PickOperator, bpy.types.Operator):
    """Choose the sound that is spoken: wav, flac, ogg, mp3, or a clip with sound"""

    bl_idname = "edtalk.pick_sound"
    bl_label = "Choose Sound"
    field = "audio"
    filter_glob: bpy.props.StringProperty(default=SOUNDS, options={"HIDDEN"})


def with_end(name: str, letters: int) -> str:
    """A name in so many letters: of a long one the end is shown, which tells it from its like."""
    return name if len(name) <= letters else "..." + name[-max(1, letters - 3) :]


def draw(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, letters: int) -> None:
    """A row for each."""
    for field, operator, words, icon in (
        ("portrait", "edtalk.pick_portrait", "Choose Portrait", "FILE_IMAGE"),
        ("audio", "edtalk.pick_sound", "Choose Sound", "FILE_SOUND"),
    ):
        path = getattr(settings, field).strip()
        row = layout.row(align=True)
        row.alert = bool(path) and bool(missing_file(path, "a file"))
        text = with_end(path.replace("\\", "/").rpartition("/")[2], letters) if path else words
        row.operator(operator, text=text, icon=icon)


CLASSES = (EDTALK_OT_pick_portrait, EDTALK_OT_pick_sound)
