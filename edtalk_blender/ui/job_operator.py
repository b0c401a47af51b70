# SPDX-License-Identifier: GPL-3.0-or-later
"""What every button that starts a job shares, the button that stops it, and the report at its end.

A job operator has two manners: clicked, it leaves the work to a timer and returns; called from a script
or in background mode, it works until it is done.
"""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from ..server_process import jobs
from ..server_process.jobs import busy
from ..settings import trust
from ..settings.explained import ExplainedOperator
from ..takes import status


class JobOperator(ExplainedOperator):
    """What the operators that start a job share."""

    title = ""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why the button is grey; "" when it is not."""
        return busy()

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """The job to run, made from what the panel says now."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Clicked: start and return; the report comes when the job has ended."""
        trust.act()
        if context.space_data is not None and context.space_data.type == "VIEW_3D":
            let_pictures_show(context.space_data.shading, context.visible_objects)
        jobs.start(self.job(context))
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Called by a script or in background mode: work until done."""
        trust.act()
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


def let_pictures_show(shading: bpy.types.View3DShading, seen: Iterable[bpy.types.Object]) -> None:
    """In a fresh viewport the picture plane would be grey, and then darker than the live preview: it gets the
    texture, and the picture's own brightness where nothing else is there to be lit.
    """
    if shading.type == "SOLID" and shading.color_type == "MATERIAL":
        shading.color_type = "TEXTURE"
        if shading.light == "STUDIO" and not any(ob.type == "MESH" for ob in seen):
            shading.light = "FLAT"


class EDTALK_OT_cancel(ExplainedOperator, bpy.types.Operator):
    """Stop the work at the next frame; what is made stays"""

    bl_idname = "edtalk.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only while something runs."""
        return "Nothing is running" if jobs.current() is None else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the job to stop."""
        jobs.current().cancel()
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


CLASSES = (EDTALK_OT_cancel, EDTALK_OT_announce)
