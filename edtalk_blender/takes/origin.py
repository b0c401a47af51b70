# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face's pictures and films say of where they come from: what is asked of the server, and what the
pictures on disk say already.

All that is asked for stands in the .blend, so that each worker of a farm writes the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import bpy

from ...core.wire import origin
from ..pictures import image_sequence, take_folder
from ..settings import files

OFF = "Files do not say that they are synthetic: Write Origin is off under Output"
EMPTY = "It does not say who is shown, on what permission: there is a place for that under Output"
HEAD = origin.MOST_BYTES
"""Bytes at the beginning of a picture in which its record stands."""

_written: dict[Path, tuple[tuple[int, int], dict[str, str]]] = {}
"""Picture -> time and size, and the record that was read from it."""


def asked(face: bpy.types.Object) -> dict[str, object]:
    """The fields `mark` and `origin` of `messages.Decode` and `messages.Film`."""
    settings, take = face.edtalk, face.edtalk.take
    known = {
        "seed": str(take.seed) if take.seed >= 0 else "",
        "sound": take.sound,
        "clip": take.clip,
        "shown": settings.shown,
        "permission": settings.permission,
    }
    texts = {name: origin.tidy(text) for name, text in known.items()}
    return {"mark": settings.write_origin, "origin": {name: text for name, text in texts.items() if text}}


def warnings(face: bpy.types.Object) -> list[str]:
    """What of the record is not as somebody may believe."""
    settings = face.edtalk
    if not settings.write_origin:
        return [OFF]
    cut = origin.shortened({name: getattr(settings, name) for name in origin.CONSENT})
    return [cut] if cut else []


def is_answered(face: bpy.types.Object) -> bool:
    """Is it said who is shown, or on what permission?"""
    return any(origin.tidy(getattr(face.edtalk, name)) for name in origin.CONSENT)


def for_export(face: bpy.types.Object) -> str:
    """A sentence when a film says nothing of who is shown."""
    return EMPTY if face.edtalk.write_origin and not is_answered(face) else ""


def written(face: bpy.types.Object) -> dict[str, str] | None:
    """What the first picture of the face's take says; {} when it says nothing, None when it is not there or
    may not be read yet. Read again when the file has changed.
    """
    take = face.edtalk.take
    if take.image is None or not files.may_read():
        return None
    name = take_folder.file_name(take.first + take.shift, face.edtalk.format)
    path = image_sequence.folder_of(take.image) / name
    try:
        stat = path.stat()
        stamp = stat.st_mtime_ns, stat.st_size
        if path not in _written or _written[path][0] != stamp:
            if len(_written) > 64:
                _written.clear()
            with files.open_regular(path) as file:
                _written[path] = stamp, origin.of_stream(file, HEAD) or {}
    except (OSError, ValueError):
        return None
    return _written[path][1]
