# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons Capture from Clip and Capture from Photo: a driving clip becomes curves of the chosen banks, a
photo becomes keys at the current frame; nothing is rendered.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ...core.wire.channels import BANKS
from ..curves.capture import Wish, capture
from ..curves.tool_base import BANK_ITEMS
from ..face import rig, take_action
from ..face.keys import take_place, top_place
from ..face.rig import settings_of
from ..pictures import take_folder
from ..server_process import jobs
from ..server_process.jobs import Job, busy
from ..settings import trust
from ..settings.explained import ExplainedOperator
from ..settings.paths import absolute, missing_file
from ..takes import request
from .drop import PICTURES

CLIPS = "*.mp4;*.mov;*.mkv;*.avi;*.webm;*.m4v;*.gif"
PHOTOS = ";".join(f"*{suffix}" for suffix in PICTURES)


def why_not(context: bpy.types.Context) -> str:
    """Why nothing can be captured, "" when it can."""
    face = rig.active_face(context)
    if face is not None and face.library is not None:
        return rig.LINKED
    if face is not None and take_action.is_at_rest(face):
        return "The take is muted: open its eye in the list of takes first"
    return busy() or missing_file((face or context.scene).edtalk.portrait, "a portrait")


class CaptureOperator(ExplainedOperator, ImportHelper):
    """What both share: the file browser, the options beside it, and a job in the background."""

    bl_options = {"REGISTER"}
    is_photo = False

    banks: bpy.props.EnumProperty(
        name="Banks",
        description="What is taken over",
        items=BANK_ITEMS,
        options={"ENUM_FLAG"},
        default=set(BANKS),
    )
    hand_keys: bpy.props.EnumProperty(
        name="Hand Keys",
        description="What happens to keys that were set by hand and are in the way",
        items=[
            ("KEEP", "Keep", "They stay as they are, and what is captured goes around them"),
            ("REPLACE", "Replace", "They give way to what is captured"),
        ],
        options={"SKIP_SAVE"},
    )
    in_background: bpy.props.BoolProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a portrait, while nothing runs."""
        return why_not(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Clicked: choose a file; the work then goes on in the background."""
        self.in_background = not bpy.app.background
        if not self.filepath:
            driving = absolute(settings_of(context).driving)
            portrait = Path(absolute(settings_of(context).portrait))
            self.filepath = driving if driving and not self.is_photo else f"{portrait.parent}{os.sep}"
        return super().invoke(context, event)

    def wish(self, context: bpy.types.Context) -> Wish:
        """What is to be captured."""
        face = rig.active_face(context)
        order = request.order_from(context, face)
        if face is not None and order.crop is None and face.edtalk.take.crop[2] > 0:
            if face.edtalk.take.portrait == take_folder.file_digest(order.portrait):
                order = replace(order, crop=tuple(face.edtalk.take.crop))
        return Wish(
            order=order,
            path=absolute(self.filepath),
            banks=frozenset(self.banks),
            frame=self.frame(context),
            is_photo=self.is_photo,
            replace=self.hand_keys == "REPLACE",
            fade=self.fade,
        )

    def frame(self, context: bpy.types.Context) -> float:
        """The scene frame at which it begins."""
        return context.scene.frame_current_final

    def execute(self, context: bpy.types.Context) -> set[str]:
        """After the file browser: start and return. From a script: work until done."""
        reason = missing_file(self.filepath, "a file") or ("" if self.banks else "Choose a bank at least")
        if reason:
            self.report({"ERROR"}, reason)
            return {"CANCELLED"}
        trust.act()
        job = Job(self.bl_label, capture(self.wish(context)))
        if self.in_background:
            jobs.start(job)
            return {"FINISHED"}
        outcome = jobs.run(job)
        self.report({outcome.level}, jobs.sentence(outcome))
        return {"CANCELLED"} if outcome.level == "ERROR" or job.error is not None else {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Beside the file browser."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.column().prop(self, "banks")
        self.draw_own(layout)
        layout.prop(self, "hand_keys")
        face = rig.active_face(context)
        if face is not None and top_place(face) is not None:
            layout.label(text="Goes on top of the take", icon="NLA_PUSHDOWN")
        elif face is not None and take_place(face) is not None:
            layout.label(text="Goes into the take itself", icon="ACTION")
        else:
            layout.label(text="Becomes a new take", icon="ADD")

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        """What is special about a clip or a photo."""
        layout.prop(self, "fade")


class EDTALK_OT_capture_clip(CaptureOperator, bpy.types.Operator):
    """Turn the face in a clip into curves of the chosen banks: head motion, mouth, expression. Nothing is
    rendered"""

    bl_idname = "edtalk.capture_clip"
    bl_label = "Capture from Clip"

    filter_glob: bpy.props.StringProperty(default=CLIPS, options={"HIDDEN"})
    use_current: bpy.props.BoolProperty(
        name="From Current Frame", description="Begin at the current frame", default=True
    )
    start: bpy.props.FloatProperty(name="Start Frame", description="Scene frame of the clip's first frame")
    fade: bpy.props.FloatProperty(
        name="Fade",
        description="Seconds over which the clip's motion fades in and out where other keys go on",
        default=0.2,
        min=0.0,
        soft_max=2.0,
        unit="TIME_ABSOLUTE",
    )

    def frame(self, context: bpy.types.Context) -> float:
        """Where the playhead stands, or the frame that is named."""
        named = self.properties.is_property_set("start") and not self.in_background
        return self.start if named or not self.use_current else context.scene.frame_current_final

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        """Where it begins, and how softly."""
        layout.prop(self, "use_current")
        row = layout.row()
        row.active = not self.use_current
        row.prop(self, "start")
        layout.prop(self, "fade")


class EDTALK_OT_capture_photo(CaptureOperator, bpy.types.Operator):
    """Key the face as it is in a photo at the current frame, in the chosen banks. Nothing is rendered"""

    bl_idname = "edtalk.capture_photo"
    bl_label = "Capture from Photo"
    is_photo = True

    filter_glob: bpy.props.StringProperty(default=PHOTOS, options={"HIDDEN"})
    fade: bpy.props.FloatProperty(
        name="Ease",
        description="Seconds that the face takes to get there and back to its curves; 0: only the key is set",
        default=0.3,
        min=0.0,
        soft_max=2.0,
        unit="TIME_ABSOLUTE",
    )


def draw(layout: bpy.types.UILayout) -> None:
    """The two buttons."""
    row = layout.row(align=True)
    row.operator("edtalk.capture_clip", icon="FILE_MOVIE", text="Capture Clip")
    row.operator("edtalk.capture_photo", icon="FILE_IMAGE", text="Capture Photo")


CLASSES = (EDTALK_OT_capture_clip, EDTALK_OT_capture_photo)
