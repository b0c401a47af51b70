# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights of a take out to other programs, and in again as a new take; other programs' files, too.

Out go the evaluated weights at scene frames: drivers and NLA are in them, as in the pictures. In comes a
new action with a key at each row, or the take's own with another mouth; the take before stays as it is, and
no picture is made until Render Changed is pressed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ....core.wire.errors import BadMotion, EDTalkError, InputError, OutputExists
from ....core.wire.formats import kinds
from ...face import fcurves, in_effect, probe, rig
from ...settings import timing
from ...settings.explained import ExplainedOperator
from ...settings.paths import absolute
from .. import ready
from . import arkit_take, incoming, weight_files

LIVELINK = "livelink"
FORMAT_ITEMS = [
    ("npz", "NumPy (.npz)", "Arrays without pickles, as the edtalk command line reads and writes them"),
    ("csv", "Table (.csv)", "One line a frame, for spreadsheets and other programs"),
    ("json", "JSON (.json)", "One object, for scripts and web pages"),
    (LIVELINK, "Live Link Face (.csv)", "ARKit's 52 shapes and the head's turns, for Unreal, Unity and Maya"),
]
PATTERN = ";".join(f"*{suffix}" for suffix in kinds.SUFFIXES)


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
    livelink=False,
) -> str:
    """Write the face's weights in the format the path ends in, or as ARKit's shapes in a Live Link Face CSV,
    which a path that ends in .livelink.csv asks for, too; gives back what was done, in words.

    Raises OutputExists, OutputBlocked, BadMotion, and InputError where nothing moves the face.
    """
    livelink = livelink or path.name.lower().endswith(f".{LIVELINK}.csv")
    if path.suffix.lower() not in ((".csv",) if livelink else weight_files.SUFFIXES):
        path = path.with_name(path.name + (".csv" if livelink else ".npz"))
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
    if livelink:
        weight_files.write(path, arkit_take.livelink_text(face, table).encode())
        return f"{len(table.numbers)} frames of ARKit's shapes are in {path}"
    weight_files.save(path, table)
    said = f"{len(table.numbers)} frames of weights are in {path}"
    if table.turned and path.suffix.lower() == ".csv":
        said += "; the knobs of Teeth are not: a .csv holds weights alone, .npz and .json hold them too"
    return said


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
        return ".csv" if self.format == LIVELINK else f".{self.format}"

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
            path, live = Path(absolute(self.filepath)), self.format == LIVELINK
            said = export(rig.active_face(context), context.scene, path, livelink=live)
        except EDTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, said)
        return {"FINISHED"}


class EDTALK_OT_import_weights(ExplainedOperator, ImportHelper, bpy.types.Operator):
    """Read weights, a performance of Live Link Face or Audio2Face, or mouth shapes of Rhubarb, Praat, Moho or
    Papagayo as a new take of the face; the take before stays. Render Changed makes its pictures"""

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
            face, table, warnings = incoming.bring(context, path)
        except EDTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if table is not None and incoming.seen_otherwise(face, context.scene, table):
            warnings.append(
                "Emotions, handles, edits on top, NLA tracks or drivers change what was imported: "
                "reset or mute them to see it alone"
            )
        for warning in warnings:
            self.report({"WARNING"}, warning)
        take = face.edtalk.take
        self.report({"INFO"}, f"{take.name}: frames {take.first} to {take.last}; press Render Changed")
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout) -> None:
    """The two buttons."""
    row = layout.row(align=True)
    row.operator("edtalk.import_weights", icon="IMPORT")
    row.operator("edtalk.export_weights", icon="EXPORT")


def draw_import(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """The row of File > Import."""
    menu.layout.operator("edtalk.import_weights", text="EDTalk Face (weights, ARKit, mouth shapes)")


def draw_export(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """The row of File > Export."""
    menu.layout.operator("edtalk.export_weights", text="EDTalk Face (weights, Live Link Face)")


def register() -> None:
    """Both rows."""
    bpy.types.TOPBAR_MT_file_import.append(draw_import)
    bpy.types.TOPBAR_MT_file_export.append(draw_export)


def unregister() -> None:
    """Take them away."""
    bpy.types.TOPBAR_MT_file_import.remove(draw_import)
    bpy.types.TOPBAR_MT_file_export.remove(draw_export)


CLASSES = (EDTALK_OT_export_weights, EDTALK_OT_import_weights)
