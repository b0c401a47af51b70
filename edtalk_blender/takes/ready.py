# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a button is grey, in a sentence that says what to do about it; "" when it can be pressed."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..face import evaluation, fcurves, in_effect, rig
from ..face.rig import settings_of
from ..server_process import checkpoints
from ..server_process.jobs import busy
from ..settings import files
from ..settings.paths import absolute, missing_file
from ..settings.preferences import checkpoint_folder
from . import request, take_rows


def why_not_generate(context: bpy.types.Context) -> str:
    """Why no take can be generated, "" when it can."""
    face = rig.active_face(context)
    reason = busy() or (rig.LINKED if face is not None and face.library is not None else "")
    return reason or _lacks(settings_of(context)) or (lost(context) if face is None else "")


def why_not_generate_for(face: bpy.types.Object) -> str:
    """Why no take can be generated for a face, whatever is active, "" when it can."""
    return rig.LINKED if face.library is not None else _lacks(face.edtalk)


def _lacks(settings: bpy.types.PropertyGroup) -> str:
    """Which file a take lacks, "" when all are there."""
    reason = missing_file(settings.portrait, "a portrait")
    if not reason and not settings.audio.strip() and not settings.driving.strip():
        reason = "Pick an audio file or a driving clip first"
    for path, what in (
        (settings.audio, "a sound"),
        (settings.driving, "a driving clip"),
        (settings.checkpoint, "a checkpoint"),
    ):
        if not reason and path.strip():
            reason = missing_file(path, what)
    return reason


def why_not_render(context: bpy.types.Context) -> str:
    """Why nothing can be rendered again, "" when it can."""
    face = rig.active_face(context)
    if face is None:
        return busy() or lost(context) or rig.NO_FACE
    return busy() or why_not_render_for(face)


def why_not_render_for(face: bpy.types.Object) -> str:
    """Why nothing of a face can be rendered again, whatever is active, "" when it can."""
    if face.library is not None:
        return rig.LINKED
    take = face.edtalk.take
    if not take.name:
        return "Generate a take first"
    if take_rows.is_muted(face):
        return f"The take {take.name} is muted: open its eye in the list of takes first"
    reason = no_curves(face) or missing_file(face.edtalk.portrait, "a portrait")
    return reason or missing_checkpoint(face)


def no_curves(face: bpy.types.Object) -> str:
    """Why a take would become a still: nothing moves the face any more. "" while something does."""
    if in_effect.is_moved(face):
        return ""
    file = request.folder_of(face) / "motion.npz"
    back = f"import {file}" if file.is_file() else "generate another take"
    data, name = face.animation_data, face.edtalk.take.name
    if data is None or not (data.action is not None or data.drivers or data.nla_tracks):
        return f"The curves of {name} are gone: undo that, or {back}. Its frames are kept"
    if fcurves.LAYERED and data.action is not None and data.action_slot is None:
        why = f"assign a slot of {data.action.name} in the Action Editor"
    else:
        why = "they are deleted, muted or without influence. Undo that"
    return f"The curves of {name} move nothing, and its frames are kept: {why}, or {back}"


def missing_checkpoint(face: bpy.types.Object) -> str:
    """Why the face's checkpoint will not do: which one its take wants, and where it may be."""
    settings = face.edtalk
    if not settings.checkpoint.strip() or files.is_regular(absolute(settings.checkpoint)):
        return ""
    take = settings.take
    found = checkpoints.with_id(take.model, checkpoint_folder())
    name = Path(found.path).name if found is not None else "it"
    where = f"It is not at {absolute(settings.checkpoint)}"
    return f"{take.name} wants checkpoint {take.model}: choose {name} again under Take. {where}"


def lost(context: bpy.types.Context) -> str:
    """Why the active object is a face no more, "" for one that never was."""
    ob = context.view_layer.objects.active
    bones = evaluation.lost_bones(ob)
    if not bones:
        return ""
    what = f"the bone {bones[0]}" if len(bones) == 1 else f"the bones {', '.join(bones)}"
    return f"{ob.name} has lost {what} and is no face rig any more: undo that, or select another face"
