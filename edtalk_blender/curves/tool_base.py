# SPDX-License-Identifier: GPL-3.0-or-later
"""What a curve tool acts on, and how it runs: the base of the tools in `tools`.

Banks or what is selected in the Graph Editor; the whole take, the preview range or the selected keys; the
take itself or the layer that Edit on Top opened. A tool is one undo step and can be adjusted afterwards.
What the server has to be asked first (how far a weight moves the face, how loud the sound is) is asked in
the background; the tool waits for it without holding up Blender.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from ...core.wire.channels import BANKS
from ..face import rig, take_action
from ..face.keys import LINEAR, Keys, Place, refit, take_place, top_place, weights_in
from ..server_process import jobs
from ..server_process.jobs import busy
from ..settings.explained import ExplainedOperator
from . import arithmetic

BANK_ITEMS = [
    (bank, bank.title(), f"Curves of the bank {bank.title()}", 1 << n) for n, bank in enumerate(BANKS)
]
WHERE_ITEMS = [
    ("TAKE", "Take", "The generated curves, wherever the take plays"),
    ("TOP", "Edits on Top", "The layer that Edit on Top opened"),
]
CURVE_ITEMS = [
    ("BANKS", "Banks", "All curves of the chosen banks"),
    ("SELECTED", "Selected", "The curves that are selected in the Graph Editor, emotions and handles too"),
]
RANGE_ITEMS = [
    ("TAKE", "Whole Take", "All keys"),
    (
        "PREVIEW",
        "Preview Range",
        "Keys in the scene's preview range, or in its frame range while it has none",
    ),
    ("KEYS", "Selected Keys", "The selected keys alone"),
]


LINKED = "These curves are linked from another file: make their action local, or generate a take"


class EDTALK_CurveScope(bpy.types.PropertyGroup):
    """What the curve tools of the panel act on"""

    where: bpy.props.EnumProperty(name="Act On", description="Which curves", items=WHERE_ITEMS)
    banks: bpy.props.EnumProperty(
        name="Banks", description="Which banks", items=BANK_ITEMS, options={"ENUM_FLAG"}, default=set(BANKS)
    )
    range: bpy.props.EnumProperty(name="Range", description="Which keys", items=RANGE_ITEMS)


@dataclass
class Target:
    """A curve that a tool acts on."""

    bone: str
    name: str
    curve: bpy.types.FCurve
    keys: Keys
    within: np.ndarray  # bool [N]: keys in range
    low: float  # the range, in frames of the action
    high: float


def place_of(face: bpy.types.Object, where: str) -> Place | None:
    """The curves that are meant; the take itself when there is no layer on top of it."""
    return (top_place(face) if where == "TOP" else None) or take_place(face)


def why_not(context: bpy.types.Context) -> str:
    """Why there is nothing to work on, "" when there is."""
    face = rig.active_face(context)
    if reason := rig.why_not_ours(face):
        return reason
    if take_action.is_at_rest(face):
        return "The take is muted: open its eye in the list of takes first"
    if take_place(face) is None and top_place(face) is None:
        return "The rig has no curves yet: generate a take first"
    if all(place.action.library is not None for place in (take_place(face), top_place(face)) if place):
        return LINKED
    return busy()


class CurveTool(ExplainedOperator):
    """What all curve tools share: what they act on, and waiting for the server where they need it."""

    bl_options = {"REGISTER", "UNDO"}
    adjustable = False
    """Shown in a popup at once, since it does nothing as it comes."""

    where: bpy.props.EnumProperty(name="Act On", description="Which curves", items=WHERE_ITEMS)
    curves: bpy.props.EnumProperty(name="Curves", description="Which curves", items=CURVE_ITEMS)
    banks: bpy.props.EnumProperty(
        name="Banks", description="Which banks", items=BANK_ITEMS, options={"ENUM_FLAG"}, default=set(BANKS)
    )
    range: bpy.props.EnumProperty(name="Range", description="Which keys", items=RANGE_ITEMS)

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why the button is grey; "" when it is not."""
        return why_not(context)

    def needs(self, face: bpy.types.Object) -> jobs.Job | None:
        """What has to be asked of the server before the tool can work, None for nothing."""
        return None

    def apply(self, context: bpy.types.Context, face: bpy.types.Object, place: Place) -> str:
        """Change the curves, and say what was done."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Clicked: what the editor has selected is meant, if it shows curves."""
        self._mean_selection(context)
        job = self.needs(rig.active_face(context))
        if job is None:
            if self.adjustable:
                return context.window_manager.invoke_props_popup(self, event)
            return self.execute(context)
        self._job, self._face = job, rig.active_face(context).session_uid
        jobs.start(job)
        manager = context.window_manager
        self._timer = manager.event_timer_add(0.05, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """The server works; so does everything else in Blender."""
        if event.type != "TIMER" or not self._job.finished:
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        jobs.redraw()
        face = rig.active_face(context)
        if self._job.error is not None or face is None or face.session_uid != self._face:
            return {"CANCELLED"}
        return self.execute(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Another file is opened while the server works."""
        context.window_manager.event_timer_remove(self._timer)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it; called by a script, it waits for what it needs."""
        face = rig.active_face(context)
        job = self.needs(face)
        if job is not None:
            outcome = jobs.run(job)
            if job.error is not None:
                self.report({outcome.level}, jobs.sentence(outcome))
                return {"CANCELLED"}
        place = place_of(face, self.where)
        if place.action.library is not None:
            self.report({"ERROR"}, LINKED)
            return {"CANCELLED"}
        said = self.apply(context, face, place)
        if not said:
            self.report({"WARNING"}, "No keys are in what this acts on: choose other banks or another range")
            return {"CANCELLED"}
        refit(face, place)
        place.action.update_tag()
        face.update_tag()
        self.report({"INFO"}, said)
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Adjust Last Operation: the tool's own settings, then what it acts on."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        self.draw_own(layout)
        layout.separator()
        self.draw_scope(layout, rig.active_face(context))

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        """The tool's own settings."""

    def draw_scope(self, layout: bpy.types.UILayout, face: bpy.types.Object | None) -> None:
        """What it acts on."""
        if face is not None and top_place(face) is not None:
            layout.prop(self, "where")
        layout.prop(self, "curves")
        if self.curves == "BANKS":
            row = layout.row(align=True)
            row.use_property_split = False  # the whole width, for whole words
            row.prop(self, "banks")
        layout.prop(self, "range")

    def _mean_selection(self, context: bpy.types.Context) -> None:
        area = context.area
        if area is None or area.type not in {"GRAPH_EDITOR", "DOPESHEET_EDITOR"}:
            return
        face = rig.active_face(context)
        if not self.properties.is_property_set("where") and top_place(face) is not None:
            self.where = "TOP"  # which is what these editors show
        place = place_of(face, self.where)
        chosen = [curve for _, _, curve in weights_in(place) if curve.select and not curve.hide]
        if not self.properties.is_property_set("curves"):
            self.curves = "SELECTED" if chosen else "BANKS"
        if not self.properties.is_property_set("range"):
            self.range = "KEYS" if any(Keys.of(curve).selected.any() for curve in chosen) else "TAKE"

    def targets(self, context: bpy.types.Context, place: Place) -> Iterator[Target]:
        """The curves this acts on, those without a key in range left out."""
        scene = context.scene
        low, high = scene.frame_start, scene.frame_end
        if scene.use_preview_range:
            low, high = scene.frame_preview_start, scene.frame_preview_end
        for bone, name, curve in weights_in(place):
            if curve.lock or not len(curve.keyframe_points):
                continue
            if self.curves == "BANKS" and bone not in self.banks:
                continue
            if self.curves == "SELECTED" and (not curve.select or curve.hide):
                continue
            keys = Keys.of(curve)
            times, first, last = keys.times, keys.times[0], keys.times[-1]
            within = np.ones(len(keys), bool)
            if self.range == "PREVIEW":
                first, last = place.to_action(low), place.to_action(high)
                within = (times >= first - 1e-4) & (times <= last + 1e-4)
            elif self.range == "KEYS":
                within = keys.selected.copy()
                if within.any():
                    first, last = times[within][0], times[within][-1]
            if within.any():
                yield Target(bone, name, curve, keys, within, float(first), float(last))

    def shares(self, target: Target, fade: float) -> np.ndarray:
        """float64 [N]: how much of a change each key takes, see `arithmetic.border`."""
        times = target.keys.times
        if self.range == "KEYS":
            return target.within.astype(np.float64)
        return arithmetic.border(times, target.low, target.high, times[0], times[-1], fade)


class HandKeys:
    """For tools that leave hand keys alone unless they are told otherwise."""

    hand_keys: bpy.props.BoolProperty(
        name="Hand Keys Too", description="Change keys that were set by hand, not only generated ones"
    )

    def free(self, keys: Keys) -> np.ndarray:
        """bool [N]: the keys that may be changed."""
        return np.ones(len(keys), bool) if self.hand_keys else keys.generated


def values_at(curve: bpy.types.FCurve, keys: Keys, times: np.ndarray) -> np.ndarray:
    """What the keys of a curve make of these frames of its action; F-modifiers lie above the keys."""
    if (keys.data["interpolation"] == LINEAR).all() or len(curve.modifiers):
        return np.interp(times, keys.times, keys.values)
    return np.array([curve.evaluate(time) for time in times], np.float64)


def register() -> None:
    """Hang the scope on scenes; called after the classes are known."""
    bpy.types.Scene.edtalk_curves = bpy.props.PointerProperty(type=EDTALK_CurveScope)


def unregister() -> None:
    """The reverse of `register`."""
    del bpy.types.Scene.edtalk_curves


CLASSES = (EDTALK_CurveScope,)
