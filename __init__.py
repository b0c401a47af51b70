# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's front door: Blender wants it beside the manifest, so it hands on to `edtalk_blender`.

Nothing is imported before Blender asks, because pytest imports this file too, without bpy.
"""

from __future__ import annotations


def register() -> None:
    """Called by Blender when the extension is switched on."""
    from . import edtalk_blender

    edtalk_blender.register()


def unregister() -> None:
    """Called by Blender when the extension is switched off, updated or removed, and when Blender quits."""
    from . import edtalk_blender

    edtalk_blender.unregister()
