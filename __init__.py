# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's front door: Blender wants it beside the manifest, so it hands on to `edtalk_blender`.

Nothing is imported before Blender asks, because pytest imports this file too, without bpy.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`from bl_ext.user_default.edtalk import Face`: loaded when a script asks for it (docs/scripting.md)."""
    if name == "Face":
        from .edtalk_blender.batch.scripting import Face

        return Face
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def register() -> None:
    """Called by Blender when the extension is switched on."""
    from . import edtalk_blender

    edtalk_blender.register()


def unregister() -> None:
    """Called by Blender when the extension is switched off, updated or removed, and when Blender quits."""
    from . import edtalk_blender

    edtalk_blender.unregister()
