# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting a take from the .blend: its row, curves, image and strips; and its files only when that is asked
for, of which only those that EDTalk wrote.
"""

from __future__ import annotations

import re
from contextlib import suppress

import bpy

from ....core.wire.channels import CHANNELS
from ...face import rig, take_action
from ...pictures import image_sequence, sequencer, take_folder
from .. import migrate, owners, status, take_rows
from . import compare, switch

FILES = re.compile(
    rf"{re.escape(take_folder.STEM.rstrip('.'))}[\w.-]*\.(png|exr)|(motion|(decode|rendered)(-[\w.-]+)?)\.npz"
    rf"|{re.escape(migrate.SIDECAR)}|{re.escape(owners.NOTE)}"
)
"""What EDTalk itself writes into the folder of a take."""


def delete(face: bpy.types.Object, row: take_rows.EDTALK_TakeRow, files: bool) -> str:
    """Remove a take from the file: its row, curves, image and strips; its files only when asked. Gives back
    what is left behind, in words.
    """
    rows, name = take_rows.rows_of(face), row.key
    if name == face.edtalk.take.name:
        other = take_rows.row_named(face, face.edtalk_takes.other)
        if other is None or other == row:
            other = next((one for one in reversed(rows) if one.key != name), None)
        if other is not None:
            switch.switch(face, other)
            row = take_rows.row_named(face, name)
        else:
            _undress(face)
    image, action = row.take.image, row.action
    folder = image_sequence.folder_of(image) if image is not None else None
    plane = compare.compared(face)
    if plane is not None and plane.get(compare.COMPARED) == name:
        compare.remove_plane(plane)
    for scene in switch.cut_scenes():
        for strip in sequencer.find_strips(scene, name):
            sequencer.remove_strip(scene, strip)
    rows.remove(next(index for index, one in enumerate(rows) if one.key == name))
    face.edtalk_takes.index = max(0, min(face.edtalk_takes.index, len(rows) - 1))
    if face.edtalk_takes.other == name:
        face.edtalk_takes.other = ""
    if face.edtalk.take.before == image:
        face.edtalk.take.before = None
    if action is not None and action.library is None and not _is_needed("action", action):
        bpy.data.actions.remove(action)
    if image is not None and image.library is not None:
        return "Its files stay: they belong to the file it is linked from" if files else ""
    if image is not None and not _is_needed("image", image):
        for one, _ in take_rows.images_of(image):
            bpy.data.images.remove(one)
    elif files and image is not None:
        return f"Its files stay: another face shows them in {folder}"
    status.forget()
    if files and folder is not None:
        return _delete_files(folder)
    return ""


def _undress(face: bpy.types.Object) -> None:
    """Take off the last take: the face is at rest, and nothing shows its pictures."""
    take = face.edtalk.take
    take_rows.save_to_row(face)
    take_action.wake(face)
    plane = image_sequence.plane_of(face)
    if plane is not None:
        compare.remove_plane(plane)
    strip, data = take_action.base_strip(face), face.animation_data
    if strip is not None:
        track = next(track for track in data.nla_tracks if strip in track.strips.values())
        data.nla_tracks.remove(track)
    elif data is not None and data.action_blend_type == "REPLACE":
        data.action = None
    for name, value in zip(CHANNELS, rig.rest_of(face)):
        face.pose.bones[rig.bank_of(name)][name] = float(value)
    face.update_tag()
    for name in ("name", "model", "portrait"):
        setattr(take, name, "")
    take.image = take.before = None
    take.shown = False


def _is_needed(kind: str, block: bpy.types.ID) -> bool:
    """Does a face still list or wear this action or image?"""
    for face in (ob for ob in bpy.data.objects if rig.is_face(ob)):
        if kind == "action" and take_action.take_of(face) == block:
            return True
        if kind == "image" and face.edtalk.take.image == block:
            return True
        for row in take_rows.rows_of(face):
            if (row.action if kind == "action" else row.take.image) == block:
                return True
    return False


def _delete_files(folder) -> str:
    """Delete what EDTalk wrote into a take's folder, and the folder if nothing else is in it. Frames of
    another .blend stay.
    """
    owner = owners.other_owner(folder)
    if owner:
        return f"Its files stay: they belong to {owner}"
    kept = 0
    try:
        for path in list(folder.iterdir()):
            if path.is_file() and FILES.fullmatch(path.name):
                path.unlink()
            else:
                kept += 1
    except OSError as error:
        return f"Not all files could be deleted from {folder}: {error.strerror or error}"
    with suppress(OSError):
        folder.rmdir()
    return f"{kept} other files stay in {folder}" if kept else ""
