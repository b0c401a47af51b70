# SPDX-License-Identifier: GPL-3.0-or-later
"""The button that makes a film of a take, and the one that shows where it is."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from ..face import rig
from ..server_process import jobs
from ..settings.explained import ExplainedOperator
from ..settings.paths import absolute
from ..takes import request
from ..takes.exchange import movie
from ..takes.ready import why_not_render
from . import origin_buttons
from .job_operator import JobOperator

FORM_ITEMS = [
    ("mp4", "MP4", "H.264 and AAC, for sending and uploading; no alpha"),
    ("prores", "ProRes 4444", "For editing and compositing; keeps an alpha"),
    ("ffv1", "FFV1", "Lossless, in Matroska; keeps an alpha"),
]
_written: list[Path] = []  # the last film of this Blender


class EDTALK_OT_export_movie(JobOperator, ExportHelper, bpy.types.Operator):
    """Write the take with its sound as a film. Frames that are out of date are rendered first"""

    bl_idname = "edtalk.export_movie"
    bl_label = "Export Movie"
    bl_options = {"REGISTER"}

    filename_ext = ""
    filter_glob: bpy.props.StringProperty(default="*.mp4;*.mov;*.mkv", options={"HIDDEN"})
    form: bpy.props.EnumProperty(name="Format", description="Kind of film", items=FORM_ITEMS)
    cut_out: bpy.props.BoolProperty(
        name="Face with Alpha",
        description="The cut-out of the pass Face, with its alpha, instead of the picture",
        options={"SKIP_SAVE"},
    )

    why_not = staticmethod(why_not_render)
    _browsed = False

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """The active face's take, with what the panel says now."""
        order = request.order_for_changes(context, rig.active_face(context))
        out = Path(absolute(self.filepath)).with_suffix(movie.SUFFIXES[self.form])
        cut_out = self.cut_out and self.form != "mp4" and "face" in order.passes
        _written[:] = [out]
        return jobs.Job("Export Movie", movie.export(order, movie.Movie(out, self.form, cut_out)))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask where to; a name that no file has is offered."""
        self._browsed = True
        self.filepath = str(movie.offered(rig.active_face(context), self.form))
        return ExportHelper.invoke(self, context, event)

    def check(self, context: bpy.types.Context) -> bool:
        """The file's suffix follows the format that is chosen."""
        path = str(Path(self.filepath).with_suffix(movie.SUFFIXES[self.form]))
        changed, self.filepath = path != self.filepath, path
        return changed

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From the file browser: start and return. From a script or in background mode: work until done."""
        if not self.filepath:
            self.filepath = str(movie.offered(rig.active_face(context), self.form))
        if not self._browsed:
            return JobOperator.execute(self, context)
        jobs.start(self.job(context))
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Beside the file browser."""
        layout = self.layout
        layout.use_property_split = True
        face = rig.active_face(context)
        layout.prop(self, "form")
        row = layout.row()
        row.enabled = self.form != "mp4" and "face" in face.edtalk.passes
        row.prop(self, "cut_out")
        origin_buttons.draw_for_export(layout, face)


class EDTALK_OT_open_movie_folder(ExplainedOperator, bpy.types.Operator):
    """Open the folder of the film that was exported last"""

    bl_idname = "edtalk.open_movie_folder"
    bl_label = "Open Folder"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only when a film is there."""
        return "Export a movie first" if not _written or not _written[0].is_file() else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In the system's own file manager."""
        bpy.ops.wm.path_open(filepath=str(_written[0].parent))
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout) -> None:
    """The button, and beside it the folder once there is a film."""
    row = layout.row(align=True)
    row.operator("edtalk.export_movie", icon="RENDER_ANIMATION")
    if _written and _written[0].is_file():
        row.operator("edtalk.open_movie_folder", text="", icon="FILE_FOLDER")


CLASSES = (EDTALK_OT_export_movie, EDTALK_OT_open_movie_folder)
