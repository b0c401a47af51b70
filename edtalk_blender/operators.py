# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons. A job operator has two manners: clicked, it leaves the work to a timer and returns;
called from a script or in background mode, it works until it is done. A button that cannot be pressed
says why.
"""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core.wire.errors import EDTalkError
from . import (
    destinations,
    drop,
    environment,
    exchange,
    image_sequence,
    jobs,
    landing,
    orders,
    rig,
    service,
    status,
    work,
)
from .properties import absolute, settings_of


def missing_file(path: str, what: str) -> str:
    """Why this path will not do, "" when there is a file."""
    if not path.strip():
        return f"Pick {what} first"
    return "" if Path(absolute(path)).is_file() else f"There is no file {absolute(path)}"


def busy() -> str:
    """Why nothing can be started now."""
    job = jobs.current()
    return f"Busy: {job.title}. Wait for it or cancel it" if job is not None else ""


def why_not_generate(context: bpy.types.Context) -> str:
    """Why no take can be generated, "" when it can."""
    settings = settings_of(context)
    reason = busy() or missing_file(settings.portrait, "a portrait")
    if not reason and not settings.audio.strip() and not settings.driving.strip():
        reason = "Pick an audio file or a driving clip first"
    for path, what in (
        (settings.audio, "audio"),
        (settings.driving, "clip"),
        (settings.checkpoint, "checkpoint"),
    ):
        if not reason and path.strip():
            reason = missing_file(path, what)
    face = rig.active_face(context)
    if not reason and face is not None and face.library is not None:
        reason = "This face is linked: make a library override of it first"
    return reason


def why_not_render(context: bpy.types.Context) -> str:
    """Why nothing can be rendered again, "" when it can."""
    face = rig.active_face(context)
    if face is None:
        return busy() or "Select a face rig first, or generate a take"
    take = face.edtalk.take
    if not take.name or take.image is None:
        return busy() or "Generate a take first"
    return busy() or missing_file(face.edtalk.portrait, "a portrait")


class JobOperator:
    """What the operators that start a job share."""

    title = ""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why the button is grey; "" when it is not."""
        return busy()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Asked by Blender before it draws the button."""
        reason = cls.why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """The job to run, made from what the panel says now."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Clicked: start and return; the report comes when the job has ended."""
        if context.space_data is not None and context.space_data.type == "VIEW_3D":
            shading = context.space_data.shading
            if shading.type == "SOLID" and shading.color_type == "MATERIAL":
                shading.color_type = "TEXTURE"  # else the picture plane is grey in a fresh viewport
        jobs.start(self.job(context))
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Called by a script or in background mode: work until done."""
        manager = context.window_manager
        manager.progress_begin(0, 1)
        try:
            outcome = jobs.run(
                self.job(context), lambda job: manager.progress_update(job.done / max(1, job.total))
            )
        finally:
            manager.progress_end()
        self.report({outcome.level}, jobs.sentence(outcome))
        return {"CANCELLED"} if outcome.level == "ERROR" else {"FINISHED"}


class EDTALK_OT_generate_take(JobOperator, bpy.types.Operator):
    """Analyse the portrait and the voice, key the face rig, and render the frames"""

    bl_idname = "edtalk.generate_take"
    bl_label = "Generate"
    bl_options = {"REGISTER"}

    why_not = staticmethod(why_not_generate)

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """A new take from what the panel says now."""
        return jobs.Job("Generate", work.generate(orders.order_from(context, rig.active_face(context))))


class EDTALK_OT_render_changed(JobOperator, bpy.types.Operator):
    """Render the frames whose curves, portrait or settings changed since they were made, and no others"""

    bl_idname = "edtalk.render_changed"
    bl_label = "Render Changed"
    bl_options = {"REGISTER"}

    why_not = staticmethod(why_not_render)

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """The active face's take, with what the panel says now."""
        order = orders.order_for_changes(context, rig.active_face(context))
        return jobs.Job("Render Changed", work.render_changed(order))


class EDTALK_OT_check_server(JobOperator, bpy.types.Operator):
    """Start the server if need be, and report its Python, torch, device and checkpoints"""

    bl_idname = "edtalk.check_server"
    bl_label = "Check Server"
    bl_options = {"REGISTER"}

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """A look at the server."""
        return jobs.Job("Check Server", work.check)


class EDTALK_OT_cancel(bpy.types.Operator):
    """Stop the work at the next frame; what is made stays"""

    bl_idname = "edtalk.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while something runs."""
        if jobs.current() is None:
            cls.poll_message_set("Nothing is running")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the job to stop."""
        jobs.current().cancel()
        return {"FINISHED"}


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


class TakeOperator:
    """What the operators that show an existing take share."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a take."""
        face = rig.active_face(context)
        if face is None or face.edtalk.take.image is None:
            cls.poll_message_set("Generate a take first")
            return False
        return True


class EDTALK_OT_add_plane(TakeOperator, bpy.types.Operator):
    """Add a plane that shows the take, in front of the rig"""

    bl_idname = "edtalk.add_plane"
    bl_label = "Add Picture Plane"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make a plane even when there is one already: it may stand elsewhere."""
        face = rig.active_face(context)
        landing.show_on_plane(face, image_sequence.make_plane(face, context.scene))
        return {"FINISHED"}


class EDTALK_OT_add_strips(TakeOperator, bpy.types.Operator):
    """Add the take's pictures and sound to the sequencer, on free channels"""

    bl_idname = "edtalk.add_strips"
    bl_label = "Add Strips"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Into the scene the sequencer shows, which from 5.0 need not be the active one."""
        scene = getattr(context, "sequencer_scene", None) or context.scene
        made = landing.add_strips(rig.active_face(context), scene)
        if all(strip.type != "SOUND" for strip in made):
            self.report({"WARNING"}, "Only pictures: there is no sound that Blender can read")
        return {"FINISHED"}


class EDTALK_OT_bring_take(TakeOperator, bpy.types.Operator):
    """Copy the frames of a take that was made before the file was saved to the output folder beside it"""

    bl_idname = "edtalk.bring_take"
    bl_label = "Bring Frames Beside File"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for a temporary take of a file that is saved by now."""
        if not super().poll(context):
            return False
        reason = busy() or ("" if bpy.data.filepath else "Save the file first")
        if not reason and not landing.is_temporary(rig.active_face(context)):
            reason = "The frames are not in a temporary folder"
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy the folder and tell image and strips."""
        try:
            folder = landing.bring_beside_file(rig.active_face(context))
        except EDTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"The frames are in {folder}; save the file again")
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


class EDTALK_OT_announce(bpy.types.Operator):
    """Report how a job ended"""

    bl_idname = "edtalk.announce"
    bl_label = "EDTalk"
    bl_options = {"INTERNAL"}

    level: bpy.props.StringProperty(options={"SKIP_SAVE"})
    text: bpy.props.StringProperty(options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Wait for the next event: a report made while a timer runs would not be shown."""
        self._timer = context.window_manager.event_timer_add(0.01, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Report and be gone."""
        context.window_manager.event_timer_remove(self._timer)
        self.report({self.level}, self.text)
        status.forget()
        return {"FINISHED"}


CLASSES = (
    EDTALK_OT_generate_take,
    EDTALK_OT_render_changed,
    EDTALK_OT_check_server,
    EDTALK_OT_cancel,
    EDTALK_OT_stop_server,
    EDTALK_OT_add_plane,
    EDTALK_OT_add_strips,
    EDTALK_OT_bring_take,
    EDTALK_OT_copy_server_command,
    EDTALK_OT_open_log,
    EDTALK_OT_announce,
    *destinations.CLASSES,
    *exchange.CLASSES,
    *drop.CLASSES,
)
