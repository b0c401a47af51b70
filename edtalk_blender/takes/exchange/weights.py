# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights of a take out to other programs, and in again as a new take.

Out go the evaluated weights at scene frames: drivers and NLA are in them, as in the pictures. In comes a
new action with a key at each row; the take before stays as it is, and no picture is made until Render
Changed is pressed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ....core.wire import moments
from ....core.wire.errors import BadMotion, EDTalkError, InputError, OutputExists
from ....core.wire.mouth_knobs import KNOBS
from ...face import fcurves, in_effect, keys, probe, rig, teeth
from ...settings import timing
from ...settings.explained import ExplainedOperator
from ...settings.paths import absolute
from ...settings.properties import copy_settings
from .. import apply, edit_on_top, ready, request, take_rows, work_folder
from . import weight_files

FORMAT_ITEMS = [
    ("npz", "NumPy (.npz)", "Arrays without pickles, as the edtalk command line reads and writes them"),
    ("csv", "Table (.csv)", "One line a frame, for spreadsheets and other programs"),
    ("json", "JSON (.json)", "One object, for scripts and web pages"),
]
PATTERN = "*.npz;*.csv;*.json"


def range_of(face: bpy.types.Object, scene: bpy.types.Scene) -> range:
    """The scene frames of the face's take, or of the scene while it has none."""
    take = face.edtalk.take
    if take.name:
        return range(take.first, max(take.first, take.last) + 1)
    return range(scene.frame_start, max(scene.frame_start, scene.frame_end) + 1)


def table_of(face: bpy.types.Object, scene: bpy.types.Scene, frames: Sequence[int]) -> weight_files.Table:
    """The face's evaluated weights at scene frames."""
    weights, mouths = fcurves.read_rows(face, frames, scene)
    return weight_files.Table(
        weights=weights,
        numbers=np.asarray(frames),
        rate=timing.rate_in(scene),
        model=face.edtalk.take.model,
        mouths=tuple(mouths),
    )


def export(
    face: bpy.types.Object,
    scene: bpy.types.Scene,
    path: Path,
    frames: Sequence[int] | None = None,
    overwrite=True,
) -> str:
    """Write the face's weights in the format the path ends in; gives back what was done, in words.

    Raises OutputExists, OutputBlocked, BadMotion, and InputError where nothing moves the face.
    """
    if path.suffix.lower() not in weight_files.SUFFIXES:
        path = path.with_name(path.name + ".npz")
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} exists already", hint="Choose another name")
    frames = range_of(face, scene) if frames is None else frames
    if len(frames) > weight_files.MOST_FRAMES:  # before they are evaluated, which would take minutes
        raise BadMotion(f"{len(frames)} frames are more than the {weight_files.MOST_FRAMES} a file may hold")
    reason = ready.no_curves(face) if face.edtalk.take.name else ""
    if reason:
        raise InputError(reason)
    table = table_of(face, scene, frames)
    probe.check(face, scene, table.numbers, table.weights)
    if face.edtalk.take.name:
        in_effect.check(face, table.numbers, table.weights)
    weight_files.save(path, table)
    said = f"{len(table.numbers)} frames of weights are in {path}"
    if table.turned and path.suffix.lower() == ".csv":
        said += "; the knobs of Teeth are not: a .csv holds weights alone, .npz and .json hold them too"
    return said


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
        _land_mouths(face, times, table)
    apply.begin_take(order, face, frames[0], frames[-1])
    take = face.edtalk.take
    take.model = take.model or table.model
    take_rows.note(face, order)
    return face


def _land_mouths(face: bpy.types.Object, frames: np.ndarray, table: weight_files.Table) -> None:
    """Key the knobs of the mouth that the table turns, beside its weights."""
    rig.add_bones(face, (teeth.BONE,))
    teeth.fit(face)
    place = keys.take_place(face)
    for column, knob in enumerate(KNOBS):
        values = np.array([row[column] for row in table.mouths])
        if place is not None and (values != knob.default).any():
            fcurves.key_property(place.curves, teeth.BONE, knob.name, frames, values)


def seen_otherwise(face: bpy.types.Object, scene: bpy.types.Scene, table: weight_files.Table) -> bool:
    """Does the face show something else than the table that was just put onto it? Emotions, handles, edits on
    top, other NLA tracks and drivers do that; a hundred rows are looked at.
    """
    start, fps = face.edtalk.start, timing.rate_in(scene)
    rows = np.unique(np.linspace(0, len(table.numbers) - 1, 100).astype(int))
    shown = fcurves.read_weights(face, layout_of(table, start, fps)[0][rows], scene)
    return bool(np.abs(shown - table.weights[rows]).max() > 0.01)


def _folder() -> Path:
    """Where the file browser begins."""
    return Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()


class EDTALK_OT_export_weights(ExplainedOperator, ExportHelper, bpy.types.Operator):
    """Write the 36 weights of the face at every frame of its take, with drivers and NLA in them"""

    bl_idname = "edtalk.export_weights"
    bl_label = "Export Weights"

    filter_glob: bpy.props.StringProperty(default=PATTERN, options={"HIDDEN"})
    format: bpy.props.EnumProperty(name="Format", description="Kind of file", items=FORMAT_ITEMS)

    @property
    def filename_ext(self) -> str:
        """What the file browser puts at the end of the name."""
        return f".{self.format}"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a face."""
        return rig.NO_FACE if rig.active_face(context) is None else ""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for a file; the name of the take is offered."""
        face = rig.active_face(context)
        if not self.filepath:
            name = face.edtalk.take.name or face.name
            self.filepath = str(_folder() / f"{bpy.path.clean_name(name)}{self.filename_ext}")
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file; the file browser has asked before it lets an old one be replaced."""
        try:
            said = export(rig.active_face(context), context.scene, Path(absolute(self.filepath)))
        except EDTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, said)
        return {"FINISHED"}


class EDTALK_OT_import_weights(ExplainedOperator, ImportHelper, bpy.types.Operator):
    """Read weights from a file as a new take of the face; the take before stays. Render Changed makes its
    pictures"""

    bl_idname = "edtalk.import_weights"
    bl_label = "Import Weights"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default=PATTERN, options={"HIDDEN"})

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Not onto what belongs to another file."""
        face = rig.active_face(context)
        reason = ""
        if face is not None and face.library is not None:
            reason = rig.LINKED
        elif context.scene.library is not None:
            reason = "This scene is linked from another file"
        return reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for a file: those beside the .blend are offered, and none is named."""
        if not self.filepath:
            self.filepath = str(_folder()) + os.sep
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read the whole file before anything is changed."""
        path = Path(absolute(self.filepath))
        try:
            table = weight_files.load(path)
            face = rig.active_face(context)
            mine = face.edtalk.take.model if face is not None else ""
            face = land(context, table)
        except EDTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if table.model and mine and table.model != mine:
            self.report(
                {"WARNING"},
                f"{path.name} belongs to checkpoint {table.model}, this face to {mine}: "
                "the same weights may move it differently",
            )
        if seen_otherwise(face, context.scene, table):
            self.report(
                {"WARNING"},
                "Emotions, handles, edits on top, NLA tracks or drivers change what was imported: "
                "reset or mute them to see it alone",
            )
        take = face.edtalk.take
        self.report({"INFO"}, f"{take.name}: frames {take.first} to {take.last}; press Render Changed")
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout) -> None:
    """The two buttons."""
    row = layout.row(align=True)
    row.operator("edtalk.import_weights", icon="IMPORT")
    row.operator("edtalk.export_weights", icon="EXPORT")


CLASSES = (EDTALK_OT_export_weights, EDTALK_OT_import_weights)
