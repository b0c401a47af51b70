# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that come in as a new take: weights, other programs' performances, and their timed mouth shapes.

The take before stays as it is. A new action gets a key at each row, or is the take's own with another mouth.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np

from ....core.wire import moments
from ....core.wire.formats import cues, kinds
from ....core.wire.formats.curves import Cue
from ....core.wire.mouth_knobs import KNOBS
from ...face import fcurves, keys, rig, take_action, teeth
from ...settings import timing
from ...settings.properties import copy_settings
from .. import apply, edit_on_top, request, take_rows, work_folder
from . import arkit_take, mouth_take, weight_files


def layout_of(table: weight_files.Table, start: int, fps: float) -> tuple[np.ndarray, range]:
    """Where the rows of a table are keyed, and the scene frames they cover. A table of the scene's frame rate
    comes back to the frames it names; one of another rate begins at `start` with its time kept, and so does
    one that counts its rows from 0, as the motion.npz of a take.
    """
    counted = table.numbers - table.numbers[0]
    same = abs(table.rate - fps) < 1e-3
    begin = int(table.numbers[0]) if same and table.numbers[0] else start
    rate = fps if same else table.rate
    count = moments.frames_within(int(counted[-1]) + 1, rate, fps)
    return moments.carried(counted, rate, fps, begin), range(begin, begin + count)


def land(context: bpy.types.Context, table: weight_files.Table) -> bpy.types.Object:
    """Put a table onto the active face, or onto a new one, as a new take. Portrait, crop and settings
    stay.
    """
    face, scene = rig.active_face(context), context.scene
    order = work_folder.claimed(request.order_from(context, face))
    times, frames = layout_of(table, order.start, order.fps)
    if face is None:
        face = rig.make_rig(scene, Path(order.portrait).stem or "Face")
        copy_settings(scene.edtalk, face.edtalk)
    edit_on_top.land(face, order.take, times, table.weights)
    if table.turned:
        _land_mouth_knobs(face, times, table)
    apply.begin_take(order, face, frames[0], frames[-1])
    take = face.edtalk.take
    take.model = take.model or table.model
    take_rows.note(face, order)
    return face


def _land_mouth_knobs(face: bpy.types.Object, frames: np.ndarray, table: weight_files.Table) -> None:
    """Key the knobs of the mouth that the table turns, beside its weights."""
    rig.add_bones(face, (teeth.BONE,))
    teeth.fit(face)
    place = keys.take_place(face)
    for column, knob in enumerate(KNOBS):
        values = np.array([row[column] for row in table.mouths])
        if place is not None and (values != knob.default).any():
            fcurves.key_property(place.curves, teeth.BONE, knob.name, frames, values)


def land_mouth(context: bpy.types.Context, found: Sequence[Cue]) -> tuple[bpy.types.Object, str]:
    """Give the take that the active face wears another mouth, as a new take; or the scene a take of a mouth
    alone. Gives back the face, and what is to be said, "" for nothing. Raises InputError.
    """
    face, scene = rig.active_face(context), context.scene
    if mouth_take.worn(face) is None:
        table, said = mouth_take.table_of(face, scene, found)
        return land(context, table), said
    frames, mouth, said = mouth_take.frames_and_mouth(face, scene, found)
    order = work_folder.claimed(request.order_from(context, face))
    take = face.edtalk.take
    begin = take_action.begin_of(take_action.take_of(face), face)
    mouth_take.land(face, order.take, frames, mouth)
    apply.begin_take(order, face, take.first, take.last)
    take_action.take_of(face)[take_action.BEGIN] = begin
    take_rows.note(face, order)
    return face, said


def seen_otherwise(face: bpy.types.Object, scene: bpy.types.Scene, table: weight_files.Table) -> bool:
    """Does the face show something else than the table that was just put onto it? Emotions, handles, edits on
    top, other NLA tracks and drivers do that; a hundred rows are looked at.
    """
    start, fps = face.edtalk.start, timing.rate_in(scene)
    rows = np.unique(np.linspace(0, len(table.numbers) - 1, 100).astype(int))
    shown = fcurves.read_weights(face, layout_of(table, start, fps)[0][rows], scene)
    return bool(np.abs(shown - table.weights[rows]).max() > 0.01)


def bring(
    context: bpy.types.Context, path: Path
) -> tuple[bpy.types.Object, weight_files.Table | None, list[str]]:
    """Read any file that Import Weights knows onto the active face, or onto a new one. Gives back the face,
    the table that it shows now (None where only its mouth is new), and warnings. Raises InputError.
    """
    face, scene = rig.active_face(context), context.scene
    data = weight_files.read(path)
    kind = kinds.kind_of(data, path.name)
    if kind == kinds.CUES:
        face, said = land_mouth(context, cues.read(data, path.name, timing.rate_in(scene)))
        return face, None, [f"{path.name}: {said}"] if said else []
    warnings = []
    if kind == kinds.WEIGHTS:
        table = weight_files.table_in(data, path.name)
        mine = face.edtalk.take.model if face is not None else ""
        if table.model and mine and table.model != mine:
            warnings.append(
                f"{path.name} belongs to checkpoint {table.model}, this face to {mine}: "
                "the same weights may move it differently"
            )
    else:
        curves = arkit_take.read(data, path.name, kind, timing.rate_in(scene))
        table, said = arkit_take.table_of(face, curves)
        warnings += [f"{path.name}: {said}"] if said else []
    return land(context, table), table, warnings
