# SPDX-License-Identifier: GPL-3.0-or-later
"""Close Mouth in Silence: where the sound of a take is silent, its mouth closes, softly."""

from __future__ import annotations

import bpy
import numpy as np

from ...core.wire import moments
from ...core.wire.channels import CHANNELS
from ..face import rig, take_action
from ..face.keys import Place, take_place
from ..server_process import jobs
from ..settings import timing
from ..settings.paths import missing_file
from ..takes.exchange import sound
from . import arithmetic, measurements
from .tool_base import CurveTool, HandKeys, values_at, why_not


class EDTALK_OT_close_mouth(HandKeys, CurveTool, bpy.types.Operator):
    """Close the mouth where the sound is silent, softly. Hand keys stay"""

    bl_idname = "edtalk.close_mouth"
    bl_label = "Close Mouth in Silence"

    below: bpy.props.FloatProperty(
        name="Silence (dB)",
        description="How many decibels below the loud parts count as silence",
        default=30.0,
        min=3.0,
        soft_max=60.0,
    )
    shortest: bpy.props.FloatProperty(
        name="At Least",
        description="Seconds that a silence lasts at least",
        default=0.2,
        min=0.02,
        soft_max=2.0,
        unit="TIME_ABSOLUTE",
    )
    fade: bpy.props.FloatProperty(
        name="Fade",
        description="Seconds that the mouth takes to close, and to open again",
        default=0.1,
        min=0.0,
        soft_max=1.0,
        unit="TIME_ABSOLUTE",
    )
    to: bpy.props.EnumProperty(
        name="To",
        description="What the mouth closes to",
        items=[
            ("CLOSED", "Closed", "Lips together: all mouth weights 0"),
            ("PORTRAIT", "Portrait", "The mouth of the portrait"),
        ],
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with a take and its sound."""
        reason = why_not(context)
        face = rig.active_face(context)
        if not reason and take_place(face) is None:
            reason = "The rig has no curves yet: generate a take first"
        return reason or missing_file(sound.sound_of(face), "the sound of the take")

    def needs(self, face: bpy.types.Object) -> jobs.Job | None:
        """How loud the sound is."""
        path = sound.sound_of(face)
        return (
            None
            if measurements.levels_of(path) is not None
            else jobs.Job("Listen", measurements.listen(path))
        )

    def apply(self, context: bpy.types.Context, face: bpy.types.Object, place: Place) -> str:
        """Fade the mouth out where nobody speaks; keys are set where the fades begin and end."""
        self.where, self.curves, self.banks = "TAKE", "BANKS", {"mouth"}
        place = take_place(face)
        fps = timing.rate_in(context.scene)
        levels, rate = measurements.levels_of(sound.sound_of(face))
        spans = arithmetic.silences(levels, rate, self.below, self.shortest)
        found = list(self.targets(context, place))
        if not found:
            return ""
        start = sound.sound_start(face, place.to_scene(take_action.begin_of(place.action, face)))
        bends = place.to_action(moments.frame_at(arithmetic.corners(spans, self.fade), fps, start))
        rest = dict(zip(CHANNELS, rig.rest_of(face).tolist()))
        changed = 0
        for target in found:
            goal = rest.get(target.name, 0.0) if self.to == "PORTRAIT" else 0.0
            keys = target.keys
            if np.abs(keys.values - goal).max() < 1e-6:
                continue
            fresh = bends[(bends > target.low) & (bends < target.high)]
            if self.range == "KEYS":
                fresh = fresh[:0]
            near = np.abs(fresh[:, None] - keys.times[None]).min(axis=1, initial=np.inf) < 0.1
            keys = keys.with_generated(fresh[~near], values_at(target.curve, keys, fresh[~near]))
            times = keys.times
            seconds = moments.seconds_at(place.to_scene(times), fps, start)
            share = arithmetic.closed_share(seconds, spans, self.fade) * self.free(keys)
            if self.range == "KEYS":
                share *= keys.selected
            else:
                share *= (times >= target.low - 1e-4) & (times <= target.high + 1e-4)
            if share.any():
                keys.move(values=keys.values + share * (goal - keys.values))
                keys.write(target.curve)
                changed += int(np.count_nonzero(share))
        if not spans:
            return f"There is no silence of {self.shortest:.2g} seconds; a smaller Silence (dB) finds more"
        where = "1 silence" if len(spans) == 1 else f"{len(spans)} silences"
        if not changed:
            return f"The mouth is closed already in {where}"
        return f"The mouth closes in {where}; {changed} keys were changed"

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        """What is silence, and how the mouth closes."""
        for name in ("below", "shortest", "fade", "to", "hand_keys"):
            layout.prop(self, name)

    def draw_scope(self, layout: bpy.types.UILayout, face: bpy.types.Object | None) -> None:
        """The mouth of the take, always."""
        layout.prop(self, "range")


CLASSES = (EDTALK_OT_close_mouth,)
