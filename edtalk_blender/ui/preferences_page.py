# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to the computer and not to a file: which Python runs the server and on what, where checkpoints
lie, and what is shown.
"""

from __future__ import annotations

import bpy

from ..server_process import jobs, python_search, supervisor
from ..settings.preferences import EXTENSION
from . import preferences_view

DEVICES = [
    ("AUTO", "Automatic", "The fastest that is here: CUDA, then Metal, then the processor"),
    ("CPU", "Processor", "Slower, but it leaves the graphics card to Blender"),
    ("CUDA", "CUDA", "An NVIDIA graphics card"),
    ("MPS", "Metal", "The graphics of an Apple computer"),
]


def _draw_keys_again(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    jobs.redraw(*jobs.KEY_EDITORS)


def _another_server(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    """The running server is of the old settings; the next job starts one of the new."""
    python_search.forget()
    if jobs.current() is None:
        supervisor.stop_server()


class EDTALK_Preferences(bpy.types.AddonPreferences):
    """Preferences of the extension."""

    bl_idname = EXTENSION

    python: bpy.props.StringProperty(
        name="Server Python",
        description="Python with torch that runs the EDTalk server, or the folder of its environment. "
        "Empty: EDTALK_PYTHON, the environment made by make, ~/edtalk-server, then the PATH",
        subtype="FILE_PATH",
        update=_another_server,
    )
    device: bpy.props.EnumProperty(
        name="Device", description="What the network runs on", items=DEVICES, update=_another_server
    )
    unload_minutes: bpy.props.IntProperty(
        name="Free Memory When Idle (min)",
        description="Minutes without work after which the model leaves the memory of the graphics card, so "
        "that a render has it; the next preview or take loads it again in seconds. 0 keeps it",
        default=5,
        min=0,
        soft_max=120,
        update=_another_server,
    )
    idle_minutes: bpy.props.IntProperty(
        name="Stop Server When Idle (min)",
        description="Minutes without work after which the server leaves altogether; 0 keeps it",
        default=15,
        min=0,
        soft_max=120,
    )
    checkpoint_folder: bpy.props.StringProperty(
        name="Checkpoint Folder",
        description="Folder with checkpoints of your own (.safetensors), besides the one of EDTalk",
        subtype="DIR_PATH",
        update=_another_server,
    )
    checkpoint: bpy.props.StringProperty(
        name="For New Faces",
        description="Checkpoint that new faces begin with; empty: the one that comes with EDTalk",
        options={"HIDDEN"},
    )
    cache_bar: bpy.props.BoolProperty(
        name="Cache Bar",
        description="Show in Timeline, Dope Sheet and Graph Editor which frames are rendered (green), "
        "out of date (orange) and missing (grey)",
        default=True,
        update=_draw_keys_again,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Drawn by Blender in Preferences > Add-ons."""
        preferences_view.draw(self.layout, self, context)


CLASSES = (EDTALK_Preferences,)
