# SPDX-License-Identifier: GPL-3.0-or-later
"""The transcript: what is said, for the mouth that follows it and for the emotion that follows from it.

It is typed into a field, or kept in one of Blender's own text blocks, where there is room, or it is the name
of a text or subtitle file. A text block that is chosen is what counts.
"""

from __future__ import annotations

import bpy

from ..settings.paths import absolute

FILES = (".txt", ".srt", ".vtt", ".md")


def text_of(settings: bpy.types.PropertyGroup) -> str:
    """What the panel says is said, or the whole path of a file that holds it; "" where it says nothing."""
    block = bpy.data.texts.get(settings.transcript_text)
    if block is not None:
        return block.as_string().strip()
    typed = settings.transcript.strip()
    return absolute(typed) if typed.lower().endswith(FILES) else typed


def draw(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """The fields."""
    column = layout.column(align=True)
    row = column.row(align=True)
    row.enabled = settings.transcript_text not in bpy.data.texts
    row.prop(settings, "transcript")
    column.prop_search(settings, "transcript_text", bpy.data, "texts", text="Text Block")
    if bpy.ops.edtalk.show_marks.poll():
        column.operator("edtalk.show_marks", icon="MARKER_HLT")
