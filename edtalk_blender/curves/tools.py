# SPDX-License-Identifier: GPL-3.0-or-later
"""The curve tools: simplify, smooth, gain and offset, shift in time. (`close_mouth` is one more.)

Keys keep their types. Where a tool would change hand keys without need, it leaves them alone until it is told
otherwise.
"""

from __future__ import annotations

import bpy
import numpy as np

from ...core.wire.channels import BANKS, CHANNELS
from ..face import rig, take_action
from ..face.keys import POINTS, Place
from ..server_process import jobs
from ..settings import timing
from ..settings.paths import missing_file
from . import arithmetic, measurements
from .jaw import openness
from .tool_base import CurveTool, HandKeys, values_at, why_not


class EDTALK_OT_simplify_curves(HandKeys, CurveTool, bpy.types.Operator):
    """Remove the keys that nobody would miss: no point of the face moves by more than the tolerance, in
    pixels of the take's pictures. Hand keys stay"""

    bl_idname = "edtalk.simplify_curves"
    bl_label = "Simplify Curves"

    tolerance: bpy.props.FloatProperty(
        name="Tolerance",
        description="How far any point of the face may move away from where it is now, in pixels of the "
        "take's pictures",
        default=0.5,
        min=0.001,
        soft_min=0.05,
        soft_max=10.0,
        subtype="PIXEL",
        precision=2,
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """The face is measured with its portrait."""
        face = rig.active_face(context)
        reason = why_not(context)
        if not reason and measurements.shares_of(face) is None:
            reason = missing_file(face.edtalk.portrait, "a portrait")
        return reason

    def needs(self, face: bpy.types.Object) -> jobs.Job | None:
        """How far each weight moves this face."""
        if measurements.shares_of(face) is not None:
            return None
        return jobs.Job("Measure Face", measurements.measure(face))

    def apply(self, context: bpy.types.Context, face: bpy.types.Object, place: Place) -> str:
        """Drop keys, all curves together."""
        pixels = measurements.pixels_of(face) or {}
        found = [t for t in self.targets(context, place) if (t.bone, t.name) in pixels]
        if not found:
            return ""
        lines = [
            arithmetic.Polyline(
                t.keys.times,
                t.keys.values,
                t.within & self.free(t.keys) & t.keys.straight,
                pixels[t.bone, t.name],
            )
            for t in found
        ]
        kept = arithmetic.simplify(lines, self.tolerance)
        before = sum(len(t.keys) for t in found)
        for target, keep in zip(found, kept):
            if not keep.all():
                target.keys.take(keep).write(target.curve)
        after = sum(int(keep.sum()) for keep in kept)
        lost = arithmetic.motion_lost(lines, kept)
        return f"{before} keys became {after}; no point of the face moves by more than {lost:.2f} pixels"

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        """How much may be lost."""
        layout.prop(self, "tolerance")
        layout.prop(self, "hand_keys")


class EDTALK_OT_smooth_curves(HandKeys, CurveTool, bpy.types.Operator):
    """Even out trembling curves. The lips still close where they closed, and hand keys stay"""

    bl_idname = "edtalk.smooth_curves"
    bl_label = "Smooth Curves"

    sigma: bpy.props.FloatProperty(
        name="Width",
        description="Over how many seconds values are averaged (the sigma of a Gaussian)",
        default=0.05,
        min=0.0,
        soft_max=0.5,
        precision=3,
        unit="TIME_ABSOLUTE",
    )
    keep_closures: bpy.props.BoolProperty(
        name="Keep Lip Closures",
        description="Leave the mouth alone where the lips close, so that p, b and m stay closed",
        default=True,
    )

    def apply(self, context: bpy.types.Context, face: bpy.types.Object, place: Place) -> str:
        """Smooth each curve by itself."""
        fps = timing.rate_in(context.scene)
        width = self.sigma * fps / place.scale  # in frames of the action
        count = 0
        for target in self.targets(context, place):
            keys, times = target.keys, target.keys.times
            step = max(min(width / 3, fps / 25), (times[-1] - times[0]) / 100_000, 1e-3)
            grid = np.arange(times[0], times[-1] + step, step)
            smooth = np.interp(
                times, grid, arithmetic.gaussian(values_at(target.curve, keys, grid), width / step)
            )
            share = self.shares(target, 2 * width) * self.free(keys)
            if self.keep_closures and target.bone == "mouth" and self.where == "TAKE":
                open_now = openness(face, place, grid)
                if open_now is not None:
                    closing = arithmetic.closures(open_now, step * place.scale / fps)
                    share *= 1 - np.interp(times, grid, closing)
            if share.any():
                keys.move(values=keys.values + share * (smooth - keys.values))
                keys.write(target.curve)
                count += int(np.count_nonzero(share))
        return f"{count} keys were smoothed" if count else ""

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        """How much, and what stays."""
        layout.prop(self, "sigma")
        layout.prop(self, "keep_closures")
        layout.prop(self, "hand_keys")


class EDTALK_OT_gain_curves(CurveTool, bpy.types.Operator):
    """Make the motion of a bank larger or smaller, or move it as a whole"""

    bl_idname = "edtalk.gain_curves"
    bl_label = "Gain and Offset"
    adjustable = True

    gain: bpy.props.FloatVectorProperty(
        name="Gain",
        description="Multiplies the motion: of mouth, pose and expression, and of selected curves",
        size=4,
        default=(1.0,) * 4,
        soft_min=0.0,
        soft_max=3.0,
    )
    offset: bpy.props.FloatVectorProperty(
        name="Offset",
        description="Is added to the values: of mouth, pose and expression, and of selected curves",
        size=4,
        soft_min=-3.0,
        soft_max=3.0,
    )
    around: bpy.props.EnumProperty(
        name="Around",
        description="What a gain leaves where it is",
        items=[
            ("REST", "Portrait", "The portrait's own face"),
            ("MEAN", "Average", "The average of the keys in range, for each curve"),
            ("ZERO", "Zero", "The weight 0"),
        ],
    )
    fade: bpy.props.FloatProperty(
        name="Fade",
        description="Seconds over which the change fades in and out, where the range ends inside the take",
        default=0.2,
        min=0.0,
        soft_max=2.0,
        unit="TIME_ABSOLUTE",
    )

    def apply(self, context: bpy.types.Context, face: bpy.types.Object, place: Place) -> str:
        """Scale and move values, handles with them."""
        fps = timing.rate_in(context.scene)
        rest = dict(zip(CHANNELS, rig.rest_of(face).tolist()))
        is_top = place.action != take_action.worn(face)
        count = 0
        for target in self.targets(context, place):
            keys = target.keys
            index = 3 if self.curves == "SELECTED" else list(BANKS).index(target.bone)
            centre = 0.0
            if self.around == "MEAN":
                centre = float(keys.values[target.within].mean())
            elif self.around == "REST" and not is_top:  # what is added on top counts from nothing
                centre = rest.get(target.name, 0.0)
            share = self.shares(target, self.fade * fps / place.scale)
            for name in POINTS:
                values = keys.data[name][:, 1]
                wanted = centre + (values - centre) * self.gain[index] + self.offset[index]
                values += (share * (wanted - values)).astype(np.float32)
            keys.write(target.curve)
            count += int(np.count_nonzero(share))
        return f"{count} keys were changed" if count else ""

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        """A row for each bank."""
        banks = list(BANKS)
        rows = [(index, banks[index].title()) for index in range(3) if banks[index] in self.banks]
        if self.curves == "SELECTED":
            rows = [(3, "Selected")]
        for index, title in rows:
            row = layout.row(align=True)
            row.prop(self, "gain", index=index, text=f"{title} ×")
            row.prop(self, "offset", index=index, text="+")
        layout.prop(self, "around")
        layout.prop(self, "fade")


class EDTALK_OT_shift_curves(CurveTool, bpy.types.Operator):
    """Move keys in time, by whole frames or less: a mouth often looks best a frame before its sound"""

    bl_idname = "edtalk.shift_curves"
    bl_label = "Shift in Time"
    adjustable = True

    frames: bpy.props.FloatProperty(
        name="Frames", description="How many frames later; less than 0: earlier", soft_min=-10, soft_max=10
    )
    seconds: bpy.props.FloatProperty(
        name="Seconds",
        description="How many seconds later, beside the frames",
        soft_min=-1.0,
        soft_max=1.0,
        precision=3,
        unit="TIME_ABSOLUTE",
    )

    def apply(self, context: bpy.types.Context, face: bpy.types.Object, place: Place) -> str:
        """Move keys; generated ones they run over give way, hand keys stay."""
        fps = timing.rate_in(context.scene)
        amount = (self.frames + self.seconds * fps) / place.scale
        count = 0
        for target in self.targets(context, place):
            keys, moved = target.keys, target.within
            times = keys.times + np.where(moved, amount, 0.0)
            low, high = times[moved].min(), times[moved].max()
            over = ~moved & keys.generated & (times > low - 1e-4) & (times < high + 1e-4)
            keys.move(times=times)
            keys = keys.take(np.flatnonzero(~over)[np.argsort(times[~over], kind="stable")])
            keys.write(target.curve)
            count += int(np.count_nonzero(moved))
        return f"{count} keys were moved by {amount * place.scale:+.2f} frames" if count else ""

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        """How far."""
        layout.prop(self, "frames")
        layout.prop(self, "seconds")


CLASSES = (
    EDTALK_OT_simplify_curves,
    EDTALK_OT_smooth_curves,
    EDTALK_OT_gain_curves,
    EDTALK_OT_shift_curves,
)
