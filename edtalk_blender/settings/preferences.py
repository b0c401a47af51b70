# SPDX-License-Identifier: GPL-3.0-or-later
"""Read access to the add-on's preferences; `ui.preferences_page` defines and draws them."""

from __future__ import annotations

from pathlib import Path

import bpy

from ... import __package__ as EXTENSION  # what Blender calls us, as in bl_ext.user_default.edtalk
from . import files


def preferences() -> bpy.types.AddonPreferences | None:
    """The preferences; None while the extension is not enabled as an add-on, as in some scripts."""
    addon = bpy.context.preferences.addons.get(EXTENSION)
    return addon.preferences if addon is not None else None


def checkpoint_folder() -> Path | None:
    """The folder with the user's own checkpoints, None when there is none."""
    chosen = preferences()
    path = chosen.checkpoint_folder.strip() if chosen is not None else ""
    return Path(bpy.path.abspath(path)).absolute() if path else None


def checkpoint_for_new_faces() -> str:
    """Path of the checkpoint that new faces begin with, "" for the one that comes with EDTalk."""
    chosen = preferences()
    path = chosen.checkpoint if chosen is not None else ""
    return path if files.is_regular(path) else ""
