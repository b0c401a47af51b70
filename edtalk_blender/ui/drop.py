# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait and a sound dropped into the 3D View or the Sequencer become those of the active face.

Blender has its own ideas for such files (an image empty, a strip) and keeps them: where several want a
file, it asks with a menu.
"""

from __future__ import annotations

from pathlib import Path

import bpy

from ..face import rig
from ..face.rig import settings_of
from ..settings.explained import ExplainedOperator
from ..settings.paths import short_path

PICTURES = tuple(".png .jpg .jpeg .webp .bmp .tif .tiff .exr .dpx .cin .hdr .jxl .psd .tga".split())
SOUNDS = (".wav", ".mp3", ".flac", ".ogg", ".m4a")


def take_in(settings: bpy.types.PropertyGroup, paths: list[Path]) -> tuple[list[str], list[str]]:
    """Set portrait and audio from the first picture and the first sound of `paths`; gives back what was
    set and the names of what was not, in words.
    """
    said, left = [], []
    for field, label, suffixes in (("portrait", "Portrait", PICTURES), ("audio", "Audio", SOUNDS)):
        found = [path for path in paths if path.suffix.lower() in suffixes]
        if found:
            setattr(settings, field, short_path(found[0]))
            said.append(f"{label}: {found[0].name}")
        left += [path.name for path in found[1:]]
    left += [path.name for path in paths if path.suffix.lower() not in PICTURES + SOUNDS]
    return said, left


class EDTALK_OT_drop(ExplainedOperator, bpy.types.Operator):
    """Take these files as the portrait and the audio of the active face, or of the next one"""

    bl_idname = "edtalk.drop"
    bl_label = "EDTalk Portrait or Audio"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Not onto what belongs to another file."""
        owner = rig.active_face(context) or context.scene
        return rig.LINKED if owner.library is not None else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set what there is; nothing is started."""
        paths = [Path(self.directory) / file.name for file in self.files]
        settings = settings_of(context)
        said, left = take_in(settings, paths)
        if not said:
            self.report({"ERROR"}, "There is no picture and no sound that EDTalk reads among these files")
            return {"CANCELLED"}
        if left:
            said.append(f"not used: {', '.join(left)}")
        ready = settings.portrait and (settings.audio or settings.driving)
        said.append("press Generate in the sidebar (N), tab EDTalk" if ready else "")
        self.report({"WARNING" if left else "INFO"}, "; ".join(filter(None, said)))
        return {"FINISHED"}


class EDTALK_FH_drop(bpy.types.FileHandler):
    """What may be dropped, and where"""

    bl_idname = "EDTALK_FH_drop"
    bl_label = "EDTalk Portrait or Audio"
    bl_import_operator = EDTALK_OT_drop.bl_idname
    bl_file_extensions = ";".join(PICTURES + SOUNDS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """The two editors that have the tab EDTalk."""
        area = context.area
        return area is not None and area.type in {"VIEW_3D", "SEQUENCE_EDITOR"}


CLASSES = (EDTALK_OT_drop, EDTALK_FH_drop)
