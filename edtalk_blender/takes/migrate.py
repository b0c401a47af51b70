# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of files from before there was a list of them: what can still be known of each becomes a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import bpy

from ...core.wire.channels import CHANNELS
from ...core.wire.errors import BadMotion
from ..face import fcurves, rig, take_action
from ..pictures import image_sequence, take_folder
from ..settings import files
from . import take_rows

SIDECAR = "edtalk-take.json"
MOST_BYTES = 1 << 24
PICTURE = re.compile(rf"{re.escape(take_folder.STEM)}(\d{{{take_folder.DIGITS},7}})\.(png|exr)")


def collect(face: bpy.types.Object) -> int:
    """List the takes that were made before there was a list: the one the face wears, and those whose
    pictures and curves are in the file and bear the portrait's name. Gives back how many were found.
    """
    if face.library is not None:
        return 0
    before = len(take_rows.rows_of(face))
    if face.edtalk.take.name and take_rows.worn_row(face) is None:
        take_rows.note(face)
    stems = {
        _stem_of(face.edtalk.take.name),
        _stem_of(take_folder.free_name(Path(), face.edtalk.portrait or "x")),
    }
    listed = {row.take.image for ob in bpy.data.objects if rig.is_face(ob) for row in take_rows.rows_of(ob)}
    listed |= {ob.edtalk.take.image for ob in bpy.data.objects if rig.is_face(ob)}
    for image in bpy.data.images:
        action = bpy.data.actions.get((image.name, image.library.filepath if image.library else None))
        if image in listed or image.source != "SEQUENCE" or action is None or not has_weights(action):
            continue
        number = PICTURE.fullmatch(image_sequence.file_of(image).name)
        if number and _stem_of(image.name) in stems and take_rows.row_named(face, image.name) is None:
            _list(face, image, action, int(number[1]))
    made = len(take_rows.rows_of(face)) - before
    if made:
        _sort(face)
    return made


def _list(face: bpy.types.Object, image: bpy.types.Image, action: bpy.types.Action, number: int) -> None:
    row = take_rows.new_row(face, image.name)
    row.action, row.take.image, row.take.name, row.take.shown = action, image, image.name, True
    known = _identity(image_sequence.folder_of(image))
    first, last = _span(action, image_sequence.folder_of(image), number)
    row.take.shift = number - first
    take_rows.set_range(row.take, first, last)
    worn_take = face.edtalk.take
    row.take.width, row.take.height = worn_take.width, worn_take.height
    row.take.crop = known.get("crop", tuple(worn_take.crop))
    row.take.model = str(known.get("model", worn_take.model))
    row.take.portrait = str(known.get("portrait", worn_take.portrait))
    kept = {name: known[name] for name in ("size", "composite", "detail", "format") if name in known}
    row.made_of = json.dumps(kept, sort_keys=True)


def _stem_of(name: str) -> str:
    return re.sub(r"_\d+(\.\d+)?$", "", name)


def _identity(folder: Path) -> dict:
    """What the server noted beside the pictures, empty when it did not."""
    try:
        found = json.loads(files.read_small(folder / SIDECAR, MOST_BYTES))["takes"]
        return next(
            dict(entry["identity"]) for name, entry in found.items() if name.startswith(take_folder.STEM)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError):
        return {}


def _span(action: bpy.types.Action, folder: Path, number: int) -> tuple[int, int]:
    """First and last scene frame of an older take: its pictures tell how many, its curves where."""
    first = round(action.get(take_action.BEGIN, action.frame_range[0]))
    last = max(first, round(action.frame_range[1]))
    with suppress(OSError, BadMotion):
        files = [PICTURE.fullmatch(path.name) for path in folder.iterdir()]
        numbers = [int(found[1]) for found in files if found]
        last = first + max(0, max(numbers, default=number) - number) if numbers else last
    return first, last


def _sort(face: bpy.types.Object) -> None:
    """By name, as they were made."""
    rows = take_rows.rows_of(face)
    for place in range(len(rows)):
        least = min(range(place, len(rows)), key=lambda index: rows[index].name)
        rows.move(least, place)
    face.edtalk_takes.index = next((i for i, row in enumerate(rows) if row == take_rows.worn_row(face)), 0)


def has_weights(action: bpy.types.Action) -> bool:
    """Does an action move a face?"""
    path = rig.path_of(CHANNELS[0])
    return any(curve.data_path == path for curve in all_curves(action))


def all_curves(action: bpy.types.Action) -> Iterator[bpy.types.FCurve]:
    """Every curve of an action, of all its slots."""
    if not fcurves.LAYERED:
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                yield from bag.fcurves
