# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons around the server: check it, stop it, read its log, make its Python, choose a checkpoint."""

from __future__ import annotations

import sys

import bpy
import tomllib

from ..face import rig
from ..face.rig import settings_of
from ..server_process import checkpoints, environment, jobs, python_search, server_report, setup, supervisor
from ..server_process.jobs import busy
from ..settings.explained import ExplainedOperator
from ..settings.preferences import checkpoint_folder, preferences
from .job_operator import JobOperator

TORCHES = [
    ("ALL", "With Graphics Cards", "What pypi.org has: on Linux about 3 GB, for NVIDIA cards, too"),
    ("CPU", "Processor Only", "Less than 1 GB, from download.pytorch.org; no graphics card is used"),
]


class EDTALK_OT_check_server(JobOperator, bpy.types.Operator):
    """Start the server if need be, and report its Python, torch, device and checkpoints"""

    bl_idname = "edtalk.check_server"
    bl_label = "Check Server"
    bl_options = {"REGISTER"}

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """A look at the server."""
        return jobs.Job("Check Server", setup.check)


class EDTALK_OT_set_up_server(JobOperator, bpy.types.Operator):
    """Make the server's Python in your home folder: downloads its packages after asking, in the background.
    Blender's own Python stays as it is"""

    bl_idname = "edtalk.set_up_server"
    bl_label = "Set Up Server"
    bl_options = {"REGISTER"}

    torch: bpy.props.EnumProperty(
        name="PyTorch", description="Which PyTorch to download", items=TORCHES, options={"SKIP_SAVE"}
    )
    asked = False

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Blender's own setting has the last word on the network."""
        return busy() or setup.why_not_set_up()

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Say what will happen, and ask."""
        self.asked = True
        return context.window_manager.invoke_props_dialog(self, width=440, confirm_text="Download")

    def draw(self, context: bpy.types.Context) -> None:
        """The question."""
        folder = environment.home_environment()
        where = "pypi.org, download.pytorch.org" if self.torch == "CPU" else "pypi.org"
        column = self.layout.column(align=True)
        for text in (
            "This downloads PyTorch and the server's other packages from the Internet",
            f"({where}) into {folder}.",
            "It takes some minutes, in the background. Delete that folder to undo it.",
        ):
            column.label(text=text)
        self.layout.prop(self, "torch", expand=True)
        size = "less than 1 GB" if self.torch == "CPU" or sys.platform != "linux" else "about 3 GB"
        self.layout.label(text=f"To download: {size}")

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """What the preferences' command does."""
        return jobs.Job("Set Up Server", setup.set_up("cpu" if self.torch == "CPU" else ""))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Confirmed in the dialog: in the background; called by a script: until done."""
        if not self.asked or bpy.app.background:
            return super().execute(context)
        jobs.start(self.job(context))
        return {"FINISHED"}


class EDTALK_OT_stop_server(ExplainedOperator, bpy.types.Operator):
    """Stop the server and give its memory back; the next job starts it again"""

    bl_idname = "edtalk.stop_server"
    bl_label = "Stop Server"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only when there is one and it is idle."""
        server = supervisor.server_or_none()
        return busy() or ("" if server is not None and server.alive else "The server is not running")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Let it go."""
        supervisor.stop_server()
        return {"FINISHED"}


class EDTALK_OT_end_server(bpy.types.Operator):
    """End a server that gives no sign of life, and the job with it; the frames that were made stay"""

    bl_idname = "edtalk.end_server"
    bl_label = "End Server Now"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when there is one."""
        server = supervisor.server_or_none()
        if server is None or not server.alive:
            cls.poll_message_set("The server is not running")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """At once, whatever it does."""
        supervisor.server_or_none().kill()
        return {"FINISHED"}


class EDTALK_OT_copy_server_command(bpy.types.Operator):
    """Copy the command that makes the server's Python, to be pasted into a terminal; it downloads from
    pypi.org"""

    bl_idname = "edtalk.copy_server_command"
    bl_label = "Copy Command"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """To the clipboard."""
        context.window_manager.clipboard = environment.install_command()
        python_search.forget()
        self.report({"INFO"}, "Copied: paste it into a terminal, then press Check Server")
        return {"FINISHED"}


class EDTALK_OT_copy_report(ExplainedOperator, bpy.types.Operator):
    """Copy what Check Server found, for a question or a bug report"""

    bl_idname = "edtalk.copy_report"
    bl_label = "Copy Report"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only after a check."""
        return "Press Check Server first" if not setup.report() else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """To the clipboard."""
        manifest = tomllib.loads((environment.ROOT / "blender_manifest.toml").read_text("utf-8"))
        text = server_report.as_text(setup.report(), manifest["version"], bpy.app.version_string)
        context.window_manager.clipboard = text
        self.report({"INFO"}, "The report is in the clipboard")
        return {"FINISHED"}


class EDTALK_OT_open_log(ExplainedOperator, bpy.types.Operator):
    """Open the server's log"""

    bl_idname = "edtalk.open_log"
    bl_label = "Open Log"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only when a server was started in this session."""
        return "The server was not started yet" if not supervisor.log_path().exists() else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """As a text in Blender, which works everywhere, background mode included."""
        path = supervisor.log_path()
        text = bpy.data.texts.get(path.name) or bpy.data.texts.new(path.name)
        text.from_string(path.read_text("utf-8", "replace")[-200_000:])
        if not bpy.app.background:
            bpy.ops.wm.path_open(filepath=str(path))
        self.report({"INFO"}, f"The log is {path}; it is also among this file's texts")
        return {"FINISHED"}


class EDTALK_OT_use_checkpoint(bpy.types.Operator):
    """Let new faces begin with this checkpoint; faces that exist keep theirs"""

    bl_idname = "edtalk.use_checkpoint"
    bl_label = "Use for New Faces"
    bl_options = {"INTERNAL"}

    path: bpy.props.StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In the preferences, which Blender saves by itself."""
        chosen = preferences()
        if chosen is None:
            return {"CANCELLED"}
        chosen.checkpoint = self.path
        context.preferences.is_dirty = True
        return {"FINISHED"}


class EDTALK_OT_choose_checkpoint(ExplainedOperator, bpy.types.Operator):
    """Let the active face, or the next one, use this checkpoint; its frames are then out of date"""

    bl_idname = "edtalk.choose_checkpoint"
    bl_label = "Choose Checkpoint"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    path: bpy.props.StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Not for what belongs to another file."""
        owner = rig.active_face(context) or context.scene
        return rig.LINKED if owner.library is not None else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Into the field of the panel. "" means the one that comes with EDTalk, also for a take that was made
        with an earlier one of them.
        """
        settings = settings_of(context)
        settings.checkpoint = self.path
        found = checkpoints.look(checkpoints.SHIPPED) if not self.path else None
        if found is not None and found.id:
            settings.take.model = settings.take.model and found.id
        return {"FINISHED"}


class EDTALK_MT_checkpoints(bpy.types.Menu):
    """The checkpoints that were found"""

    bl_idname = "EDTALK_MT_checkpoints"
    bl_label = "Checkpoints"

    def draw(self, context: bpy.types.Context) -> None:
        """One row each."""
        for found in checkpoints.in_folder(checkpoint_folder()):
            row = self.layout.row()
            row.enabled = not found.trouble
            button = row.operator("edtalk.choose_checkpoint", text=f"{found.label}: {found.about}")
            button.path = "" if found.shipped else found.path
        self.layout.label(text="More: Preferences > Add-ons > EDTalk, Checkpoint Folder")


CLASSES = (
    EDTALK_OT_check_server,
    EDTALK_OT_set_up_server,
    EDTALK_OT_stop_server,
    EDTALK_OT_end_server,
    EDTALK_OT_copy_server_command,
    EDTALK_OT_copy_report,
    EDTALK_OT_open_log,
    EDTALK_OT_use_checkpoint,
    EDTALK_OT_choose_checkpoint,
    EDTALK_MT_checkpoints,
)
