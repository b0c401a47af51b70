# SPDX-License-Identifier: GPL-3.0-or-later
"""The sound that a take speaks, and where it begins."""

from __future__ import annotations

import bpy

from ...pictures import sequencer
from ...settings.paths import absolute
from .. import take_rows


def sound_of(face: bpy.types.Object) -> str:
    """The file that the face's take speaks, "" when there is none."""
    row = take_rows.worn_row(face)
    known = take_rows.settings_in(row).get("audio") if row is not None else None
    return absolute(str(known) if known else face.edtalk.audio)


def sound_start(face: bpy.types.Object, otherwise: float) -> float:
    """The scene frame that the take's sound begins with: where its strip stands, if it has one."""
    for scene in bpy.data.scenes:
        if scene.sequence_editor is not None:
            for strip in sequencer.find_strips(scene, face.edtalk.take.name):
                if strip.type == "SOUND":
                    return float(strip.frame_start)
    return otherwise
