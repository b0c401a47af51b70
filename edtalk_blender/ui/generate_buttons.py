# SPDX-License-Identifier: GPL-3.0-or-later
"""The two buttons everything turns around: Generate and Render Changed."""

from __future__ import annotations

import bpy

from ..face import rig
from ..preview import live_switch
from ..server_process import jobs
from ..takes import generation, request
from ..takes.ready import why_not_generate, why_not_render
from .job_operator import JobOperator


class EDTALK_OT_generate_take(JobOperator, bpy.types.Operator):
    """Analyse the portrait and the voice, key the face rig, and render the frames"""

    bl_idname = "edtalk.generate_take"
    bl_label = "Generate"
    bl_options = {"REGISTER"}

    why_not = staticmethod(why_not_generate)

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """A new take from what the panel says now."""
        return jobs.Job(
            "Generate", generation.generate(request.order_from(context, rig.active_face(context)))
        )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Clicked: the first slider that is moved afterwards moves the face."""
        result = super().invoke(context, event)
        jobs.current().afterwards = live_switch.offer
        return result


class EDTALK_OT_render_changed(JobOperator, bpy.types.Operator):
    """Render the frames whose curves, portrait or settings changed since they were made, and no others"""

    bl_idname = "edtalk.render_changed"
    bl_label = "Render Changed"
    bl_options = {"REGISTER"}

    why_not = staticmethod(why_not_render)

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """The active face's take, with what the panel says now."""
        order = request.order_for_changes(context, rig.active_face(context))
        return jobs.Job("Render Changed", generation.render_changed(order))


CLASSES = (EDTALK_OT_generate_take, EDTALK_OT_render_changed)
