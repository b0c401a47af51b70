# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job needs to know, copied from the panel when the button is pressed.

Later changes in the panel do not reach into a running job, and nothing in an order is a reference into
Blender's data, which undo and file load would pull away: what a job writes to is named by session uid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...core.wire import messages
from ...core.wire.messages import PASSES
from ..face import rig
from ..pictures import image_sequence, take_folder
from ..portrait import face_marks, found_faces, transcript
from ..server_process import checkpoints
from ..settings import files, timing
from ..settings.paths import absolute
from ..settings.preferences import checkpoint_for_new_faces
from ..settings.properties import EDTALK_Settings


@dataclass(frozen=True)
class Order:
    """Everything a job needs to know, as plain data."""

    portrait: str
    audio: str
    driving: str
    checkpoint: str
    folder: Path  # of this take
    take: str
    fps: float
    start: int
    motion: Mapping[str, Any]  # settings that `messages.Analyze` has by name: emotion, idle, text ...
    face: int | None
    crop: tuple[float, float, float] | None  # None: to be found
    size: int
    composite: str
    detail: bool
    format: str
    passes: tuple[str, ...]
    make_plane: bool
    make_strips: bool
    extend_scene: bool
    rig: int  # session uids; rig 0: to be made
    scene: int
    strips: int
    temporary: bool  # the .blend is unsaved, so the folder is a temporary one
    draw: bool = True  # False: a new take is keyed and its pictures are left to Render Changed, or to a farm
    frames: frozenset[int] | None = None  # scene frames to look at, of those of the take; None: all
    known: tuple[str, str] = ("", "")  # portrait and checkpoint as the take was made, see `files_of`
    fork: bool = True  # pictures that belong to another .blend are copied into a take of its own
    worker: str = ""  # one of several that fill the folder: its name, see `frame_record`
    marks: str = ""  # of the face, where an animator has set them, see `portrait.face_marks`


def base_folder(settings: bpy.types.PropertyGroup) -> tuple[Path, bool]:
    """The folder all takes go to, and whether it is a temporary one.

    An unsaved .blend has no "beside it". Then the takes go to a folder of the system's temporary files
    that is not Blender's own one, so that quitting Blender does not delete them; the panel and the
    report say so.
    """
    if settings.folder.startswith("//") and not bpy.data.filepath:
        return temporary_folder(), True
    return Path(absolute(settings.folder or "//edtalk/")), False


def temporary_folder() -> Path:
    """Where the takes of unsaved files are: a folder that only this user may enter, made with the first."""
    return take_folder.private_name()


def order_from(context: bpy.types.Context, face: bpy.types.Object | None) -> Order:
    """What the panel says now, for a new take of `face`, or of a face that is still to be made."""
    settings = (face if face is not None else context.scene).edtalk
    base, temporary = base_folder(settings)
    portrait = absolute(settings.portrait)
    take = take_folder.free_name(base, portrait, {action.name for action in bpy.data.actions})
    strips = getattr(context, "sequencer_scene", None) or context.scene
    return Order(
        portrait=portrait,
        audio=absolute(settings.audio),
        driving=absolute(settings.driving),
        checkpoint=absolute(settings.checkpoint) or ("" if face is not None else checkpoint_for_new_faces()),
        folder=base / take,
        take=take,
        fps=timing.rate_in(context.scene),
        start=settings.start,
        motion=motion_settings(settings),
        face=settings.face - 1 if settings.face else None,
        crop=found_faces.chosen_crop(settings),
        size=settings.size,
        composite=settings.composite,
        detail=settings.detail,
        format=settings.format,
        passes=tuple(name for name in PASSES if name in settings.passes),
        make_plane=settings.make_plane,
        make_strips=settings.make_strips,
        extend_scene=settings.extend_scene,
        rig=face.session_uid if face is not None else 0,
        scene=context.scene.session_uid,
        strips=strips.session_uid,
        temporary=temporary,
        marks=face_marks.text_by_hand(settings),
    )


def motion_settings(settings: bpy.types.PropertyGroup) -> dict[str, Any]:
    """The panel's settings that say how the face moves: every one that `messages.Analyze` has by the same
    name, besides files and crop, which the order itself has. A new setting needs no line here.
    """
    names = {field.name for field in fields(messages.Analyze)} - {field.name for field in fields(Order)}
    found = {name: getattr(settings, name) for name in names & set(EDTALK_Settings.__annotations__)}
    rows = {
        name: tuple(value) for name, value in found.items() if isinstance(value, bpy.types.bpy_prop_array)
    }
    emotion = "" if settings.emotion == "NONE" else settings.emotion
    return found | rows | {"emotion": emotion, "text": transcript.text_of(settings)}


def order_for_changes(context: bpy.types.Context, face: bpy.types.Object) -> Order:
    """What the panel says now, for the take that `face` wears; a take shared with a copied rig becomes
    its own.
    """
    order = order_from(context, face)
    take = face.edtalk.take
    shared = any(
        other != face and other.edtalk.take.name == take.name and folder_of(other) == folder_of(face)
        for other in bpy.data.objects
        if rig.is_face(other)
    )
    if shared:
        return order
    return replace(
        order,
        take=take.name,
        folder=folder_of(face),
        start=take.first,
        temporary=False,
        known=(take.portrait, take.checkpoint),
    )


def folder_of(face: bpy.types.Object) -> Path:
    """Where the pictures of the face's take are; where they would be when somebody deleted their image."""
    take = face.edtalk.take
    if take.image is not None:
        return image_sequence.folder_of(take.image)
    return base_folder(face.edtalk)[0] / take.name


def files_of(order: Order) -> tuple[str, str]:
    """What portrait and checkpoint are known by: a digest, and the id a checkpoint gives itself, "" for the
    one that comes with EDTalk. A file that is gone is known by what it was as the take was made.
    """
    checkpoint = ""
    if order.checkpoint:
        read = files.may_read()
        checkpoint = (checkpoints.look(Path(order.checkpoint)).id if read else "") or take_folder.file_digest(
            order.checkpoint
        )
        checkpoint = checkpoint or order.known[1]
    return take_folder.file_digest(order.portrait) or order.known[0], checkpoint


def look_of(order: Order, crop: tuple[float, float, float], model: str) -> bytes:
    """Digest of all that the pictures depend on besides the weights. A file that is gone counts as unchanged:
    pictures are not out of date because their portrait was moved.
    """
    portrait, checkpoint = files_of(order)
    return take_folder.Look(
        portrait=portrait,
        checkpoint=checkpoint or model,
        crop=tuple(float(np.float32(value)) for value in crop),
        size=order.size,
        composite=order.composite,
        detail=order.detail,
        format=order.format,
        marks=order.marks,
    ).digest()
