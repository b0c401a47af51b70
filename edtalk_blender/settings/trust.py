# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a .blend starts nothing and reads none of the files it names, until this person acts: presses a
button that starts a job, switches the live preview on, or moves a slider. A file may come from anybody.

Who lets Blender run scripts of files by themselves (Auto Run Python Scripts) trusts files already; a file
that was never saved is this person's own; and in background mode whoever calls a command has acted. What may
not be read counts as unchanged.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy.app.handlers import persistent

from . import files

_acted: bool | None = None
"""None: not known yet. Trap: while Blender enables an extension, `bpy.data` has no `filepath`."""
WHEN_ACTED: list[Callable[[], None]] = []
"""What is to be looked at again once files may be read."""


def may_read() -> bool:
    """May files that the open .blend names be read, and a server be started for them?"""
    if _acted is None:
        _opened("")
    return _acted or _watched_by_nobody() or _trusted()


def act() -> None:
    """This person did something that only works with those files."""
    global _acted
    before, _acted = may_read(), True
    if not before:
        for look in WHEN_ACTED:
            look()


def _watched_by_nobody() -> bool:
    return bpy.app.background


def _trusted() -> bool:
    return bpy.context.preferences.filepaths.use_scripts_auto_execute and not bpy.app.autoexec_fail


@persistent
def _opened(_path: str) -> None:
    global _acted
    _acted = not bpy.data.filepath


def register() -> None:
    """Begin to watch, with the file that is open: before every other handler, since they may read."""
    global _acted
    _acted = None
    bpy.app.handlers.load_post.insert(0, _opened)
    files.GATE[:] = [may_read]


def unregister() -> None:
    """The reverse of `register`."""
    files.GATE.clear()
    bpy.app.handlers.load_post.remove(_opened)
