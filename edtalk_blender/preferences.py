# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to the computer and not to a file: which Python runs the server."""

from __future__ import annotations

import bpy

from .. import __package__ as EXTENSION
from . import environment


def _draw_keys_again(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    from . import jobs

    jobs.redraw(*jobs.KEY_EDITORS)


def _another_python(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    """The running server is of the old Python; the next job starts one of the new."""
    from . import jobs, service

    if jobs.current() is None:
        service.stop_server()


class EDTALK_Preferences(bpy.types.AddonPreferences):
    """Preferences of the extension."""

    bl_idname = EXTENSION

    python: bpy.props.StringProperty(
        name="Server Python",
        description="Python with torch that runs the EDTalk server, or the folder of its environment. "
        "Empty: EDTALK_PYTHON, the environment made by make, ~/edtalk-server, then the PATH",
        subtype="FILE_PATH",
        update=_another_python,
    )
    idle_minutes: bpy.props.IntProperty(
        name="Stop When Idle",
        description="Minutes without work after which the server leaves and frees its memory; 0 keeps it",
        default=15,
        min=0,
        soft_max=120,
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
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "python")
        layout.prop(self, "idle_minutes")
        row = layout.row(align=True)
        row.operator("edtalk.check_server")
        row.operator("edtalk.open_log")
        box = layout.box()
        box.label(text="EDTalk installs nothing by itself. To make the server's Python, run in a terminal:")
        for line in environment.install_command().splitlines():
            box.label(text=line)
        box.operator("edtalk.copy_server_command", icon="COPYDOWN")


def preferences() -> EDTALK_Preferences | None:
    """The preferences; None while the extension is not enabled as an add-on, as in some scripts."""
    addon = bpy.context.preferences.addons.get(EXTENSION)
    return addon.preferences if addon is not None else None


CLASSES = (EDTALK_Preferences,)
