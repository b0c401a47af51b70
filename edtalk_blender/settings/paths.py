# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths as they stand in settings: whole, or relative to the .blend; and why a file is missing."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

import bpy

from . import files


def absolute(path: str, library: bpy.types.Library | None = None) -> str:
    """A whole path from what was typed into a path field, "" for an empty one. Relative ones may have been
    written on Windows; a whole one of Windows is left as it is elsewhere, for somebody to read.
    """
    path = path.strip()
    if os.sep == "/" and path.startswith("//"):
        path = path.replace("\\", "/")
    elif os.sep == "/" and PureWindowsPath(path).is_absolute():
        return path
    return str(Path(bpy.path.abspath(path, library=library)).absolute()) if path else ""


def short_path(path: Path | str) -> str:
    """Relative to the .blend when there is one (`//edtalk/...`), so that both can be moved together."""
    if not bpy.data.filepath:
        return str(path)
    try:
        return bpy.path.relpath(str(path))
    except ValueError:
        return str(path)  # Windows: the file is on another drive


def found_again(path: str) -> str:
    """The file of this name beside the .blend, "" when there is none: where a moved project has it."""
    name = path.replace("\\", "/").rpartition("/")[2]
    if not name or not bpy.data.filepath:
        return ""
    beside = Path(bpy.data.filepath).parent / name
    return str(beside) if files.is_regular(beside) else ""


def missing_file(path: str, what: str) -> str:
    """Why this path will not do, "" when there is a file."""
    if not path.strip():
        return f"Pick {what} first"
    if files.is_regular(absolute(path)):
        return ""
    beside = found_again(path)
    instead = f"it may be {beside}" if beside else f"pick {what} again"
    return f"There is no file {absolute(path)}: {instead}"
