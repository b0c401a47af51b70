# SPDX-License-Identifier: GPL-3.0-or-later
"""Which .blend a take's pictures belong to: a note beside them says it, and only that file writes there.

    edtalk-blend.json    {"blend": "../../shot.blend", "session": "..."}

The path goes from the take's folder to the .blend, so a project may be moved as a whole. A .blend that was
saved under another name or copied, or that appended a face, finds the name of another file there and gets a
take of its own. Where the file that is named is gone, it was renamed, and who comes is its heir. A .blend
that was never saved is known by its Blender alone (`session`), until it is saved.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..face import rig
from ..pictures import image_sequence, take_folder
from ..settings.files import read_small, write_whole
from . import take_rows

NOTE = "edtalk-blend.json"
MOST = 1 << 16
SESSION = uuid.uuid4().hex


def note(folder: Path) -> None:
    """The pictures in `folder` belong to the .blend that is open. Without room for the note they belong to
    nobody.
    """
    mine, blend = bpy.data.filepath, ""
    if mine:
        try:
            blend = os.path.relpath(mine, folder).replace(os.sep, "/")
        except ValueError:
            blend = mine  # Windows: on another drive
    text = json.dumps({"blend": blend, "session": SESSION})
    with suppress(OSError):
        write_whole(folder / NOTE, text.encode())


def other_owner(folder: Path) -> str:
    """Whose pictures these are, in words; "" when they are those of the open .blend, or nobody's."""
    try:
        known = json.loads(read_small(folder / NOTE, MOST))
        blend, session = str(known["blend"]), str(known["session"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not blend:
        return "" if session == SESSION else "a file that was never saved"
    path = Path(os.path.normpath(folder / blend))
    mine = bpy.data.filepath
    with suppress(OSError, ValueError):
        if path.is_file() and not (mine and os.path.exists(mine) and os.path.samefile(path, mine)):
            return path.name
    return ""


def folders(face: bpy.types.Object) -> set[Path]:
    """Where the pictures of all takes of a face are."""
    images = {face.edtalk.take.image, *(row.take.image for row in take_rows.rows_of(face))} - {None}
    return {image_sequence.folder_of(image) for image in images if image.library is None}


@persistent
def _saved(path: str, *_: object) -> None:
    """What this Blender made before the file had a name belongs to that name now."""
    if not bpy.data.filepath or bpy.data.filepath != path:
        return
    for face in bpy.data.objects:
        if face.library is None and rig.is_face(face):
            for folder in folders(face):
                if _of_this_unsaved_file(folder):
                    note(folder)


def _of_this_unsaved_file(folder: Path) -> bool:
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        known = json.loads(read_small(folder / NOTE, MOST))
        return not known.get("blend") and known.get("session") == SESSION
    return False


def claim(base: Path, portrait: str) -> str:
    """A take name that nobody uses, with a new folder of that name in `base`; two Blenders that ask at once
    get two. Raises OutputBlocked.
    """
    return take_folder.claim(base, portrait, {action.name for action in bpy.data.actions})


def register() -> None:
    """Begin to watch for the first saving."""
    bpy.app.handlers.save_post.append(_saved)


def unregister() -> None:
    """The reverse of `register`."""
    bpy.app.handlers.save_post.remove(_saved)
