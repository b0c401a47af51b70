# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a button is grey, in a sentence that says what to do about it; "" when it can be pressed."""

from __future__ import annotations

from pathlib import Path

import bpy

from . import jobs, rig, take_rows
from .properties import absolute, settings_of


def missing_file(path: str, what: str) -> str:
    """Why this path will not do, "" when there is a file."""
    if not path.strip():
        return f"Pick {what} first"
    return "" if Path(absolute(path)).is_file() else f"There is no file {absolute(path)}"


def busy() -> str:
    """Why nothing can be started now."""
    job = jobs.current()
    return f"Busy: {job.title}. Wait for it or cancel it" if job is not None else ""


def why_not_generate(context: bpy.types.Context) -> str:
    """Why no take can be generated, "" when it can."""
    settings = settings_of(context)
    reason = busy() or missing_file(settings.portrait, "a portrait")
    if not reason and not settings.audio.strip() and not settings.driving.strip():
        reason = "Pick an audio file or a driving clip first"
    for path, what in (
        (settings.audio, "audio"),
        (settings.driving, "clip"),
        (settings.checkpoint, "checkpoint"),
    ):
        if not reason and path.strip():
            reason = missing_file(path, what)
    face = rig.active_face(context)
    if not reason and face is not None and face.library is not None:
        reason = "This face is linked: make a library override of it first"
    return reason


def why_not_render(context: bpy.types.Context) -> str:
    """Why nothing can be rendered again, "" when it can."""
    face = rig.active_face(context)
    if face is None:
        return busy() or "Select a face rig first, or generate a take"
    take = face.edtalk.take
    if not take.name or take.image is None:
        return busy() or "Generate a take first"
    if take_rows.is_muted(face):
        return busy() or f"The take {take.name} is muted: open its eye in the list of takes first"
    return busy() or missing_file(face.edtalk.portrait, "a portrait")
