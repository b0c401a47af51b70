# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons around the server: check it, stop it, read its log, copy the commands that make its Python."""

from __future__ import annotations

import bpy

from . import environment, jobs, service, work
from .job_operator import JobOperator
from .reasons import busy


class EDTALK_OT_check_server(JobOperator, bpy.types.Operator):
    """Start the server if need be, and report its Python, torch, device and checkpoints"""

    bl_idname = "edtalk.check_server"
    bl_label = "Check Server"
    bl_options = {"REGISTER"}

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """A look at the server."""
        return jobs.Job("Check Server", work.check)


class EDTALK_OT_stop_server(bpy.types.Operator):
    """Stop the server and give its memory back; the next job starts it again"""

    bl_idname = "edtalk.stop_server"
    bl_label = "Stop Server"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when there is one and it is idle."""
        server = service.server_or_none()
        reason = busy() or ("" if server is not None and server.alive else "The server is not running")
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Let it go."""
        service.stop_server()
        return {"FINISHED"}


class EDTALK_OT_copy_server_command(bpy.types.Operator):
    """Copy the commands that make the server's Python, to be pasted into a terminal"""

    bl_idname = "edtalk.copy_server_command"
    bl_label = "Copy Commands"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """To the clipboard."""
        context.window_manager.clipboard = environment.install_command()
        self.report({"INFO"}, "Copied: paste it into a terminal, then press Check Server")
        return {"FINISHED"}


class EDTALK_OT_open_log(bpy.types.Operator):
    """Open the server's log"""

    bl_idname = "edtalk.open_log"
    bl_label = "Open Log"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when a server was started in this session."""
        if not service.log_path().exists():
            cls.poll_message_set("The server was not started yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """As a text in Blender, which works everywhere, background mode included."""
        path = service.log_path()
        text = bpy.data.texts.get(path.name) or bpy.data.texts.new(path.name)
        text.from_string(path.read_text("utf-8", "replace")[-200_000:])
        if not bpy.app.background:
            bpy.ops.wm.path_open(filepath=str(path))
        self.report({"INFO"}, f"The log is {path}; it is also among this file's texts")
        return {"FINISHED"}


CLASSES = (
    EDTALK_OT_check_server,
    EDTALK_OT_stop_server,
    EDTALK_OT_copy_server_command,
    EDTALK_OT_open_log,
)
