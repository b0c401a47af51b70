# SPDX-License-Identifier: GPL-3.0-or-later
"""The two buttons everything turns around: Generate and Render Changed."""

from __future__ import annotations

import bpy

from ..face import rig
from ..preview import live_switch
from ..server_process import jobs
from ..server_process.jobs import busy
from ..takes import all_faces, generation, request
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


class AllFacesOperator(JobOperator):
    """What both buttons for all faces share."""

    bl_options = {"REGISTER"}
    works = staticmethod(all_faces.to_render)

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with several faces of which one can be done."""
        if len(rig.faces_in(context.scene)) < 2:
            return "There is only one face in this scene"
        return busy()

    def job(self, context: bpy.types.Context) -> jobs.Job:
        """Every face that has what it needs, with what its own panel says now."""
        return jobs.Job(self.bl_label, all_faces.one_after_the_other(self.works(context)))


class EDTALK_OT_generate_all(AllFacesOperator, bpy.types.Operator):
    """Generate a new take for every face of this scene that has a portrait and a sound"""

    bl_idname = "edtalk.generate_all"
    bl_label = "Generate All Faces"
    works = staticmethod(all_faces.to_generate)


class EDTALK_OT_render_all_changed(AllFacesOperator, bpy.types.Operator):
    """Render the frames that changed for every face of this scene, one face after the other"""

    bl_idname = "edtalk.render_all_changed"
    bl_label = "Render Changed of All Faces"


def draw(layout: bpy.types.UILayout, face: bpy.types.Object | None, several: bool) -> None:
    """The two buttons; with several faces, beside each the one for all of them."""
    row = layout.row(align=True)
    has_take = face is not None and bool(face.edtalk.take.name)
    row.operator("edtalk.generate_take", text="New Take" if has_take else "Generate", icon="PLAY")
    if several:
        row.operator("edtalk.generate_all", text="", icon="COMMUNITY")
    row = layout.row(align=True)
    row.operator("edtalk.render_changed", icon="FILE_REFRESH")
    if several:
        row.operator("edtalk.render_all_changed", text="", icon="COMMUNITY")


CLASSES = (
    EDTALK_OT_generate_take,
    EDTALK_OT_render_changed,
    EDTALK_OT_generate_all,
    EDTALK_OT_render_all_changed,
)
