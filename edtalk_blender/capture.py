# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture from Clip, Capture from Photo: a driving clip becomes curves of the chosen banks, a photo becomes
keys at the current frame; nothing is rendered.

They go where the animator's own keys go: into the layer of Edit on Top, as what has to be added to the take,
or into the take itself. Hand keys stay unless it is said that they may go. What a clip gives are generated
keys; what a photo gives is a pose that somebody chose, so it counts as keyed by hand.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.io_utils import ImportHelper

from ..core.wire import messages
from ..core.wire.channels import BANK_SLICES, BANKS, CHANNELS, bank_of
from ..core.wire.errors import InputError
from . import animation, jobs, landing, layers, orders, rig, sliders, take_rows, takes, timing, worn
from .curve_keys import KEYFRAME, Keys, Place, refit, take_place, top_place
from .curve_scope import BANK_ITEMS, LINKED, values_at
from .jobs import Job, Outcome, push_undo
from .orders import Order, find_object, find_scene
from .properties import absolute, copy_settings, settings_of
from .reasons import busy, missing_file
from .service import ask, ready_server

CLIPS = "*.mp4;*.mov;*.mkv;*.avi;*.webm;*.m4v;*.gif"
PHOTOS = "*.png;*.jpg;*.jpeg;*.webp;*.bmp;*.tif;*.tiff"
NEAR = 0.5
"""Keys that are closer than this many frames to a hand key that stays are not set."""


@dataclass(frozen=True)
class Wish:
    """What is to be captured, as plain data."""

    order: Order
    path: str
    banks: frozenset[str]
    frame: float  # where it begins, or the photo's frame
    is_photo: bool
    replace: bool  # hand keys may go
    fade: float  # seconds


# ------------------------------------------------------------------------------------------------- work


def capture(wish: Wish):
    """Job: a clip or photo -> keys."""

    def work(job: Job) -> Generator[None, None, Outcome]:
        order = wish.order
        out = Path(bpy.app.tempdir or tempfile.gettempdir()) / f"edtalk_capture_{os.getpid()}.npz"
        server = yield from ready_server(job)
        described = yield from ask(job, server, messages.Describe(checkpoint=order.checkpoint))
        try:
            analyzed = yield from ask(
                job,
                server,
                messages.Analyze(
                    portrait=order.portrait,
                    driving=wish.path,
                    checkpoint=order.checkpoint,
                    out=str(out),
                    crop=order.crop,
                    face=order.face,
                    overwrite=True,
                ),
            )
            motion, rate = takes.load_motion(out)
        finally:
            out.unlink(missing_ok=True)
        said, hints = _land(wish, described, analyzed, motion, rate)
        push_undo("EDTalk: Capture")
        hints += analyzed.warnings
        return Outcome("WARNING" if hints else "INFO", said, ". ".join(hints))

    return work


def _land(
    wish: Wish, described: messages.Described, analyzed: messages.Analyzed, motion: np.ndarray, rate: float
) -> tuple[str, list[str]]:
    """Put what was seen onto the face; what was done, in words, and what else to know."""
    order = wish.order
    scene = find_scene(order.scene)
    face = find_object(order.rig) if order.rig else None
    if scene is None or (order.rig and face is None):
        raise InputError("The face rig is gone, by undo or because another file was opened")
    if wish.is_photo:
        frames, motion = np.array([wish.frame]), motion[-1:]  # a still is reached at the end
    else:
        frames = timing.key_frames(len(motion), wish.frame, order.fps, rate)
    place = (top_place(face) or take_place(face)) if face is not None else None
    if place is None:
        _begin(wish, face, scene, described, analyzed, frames, motion, rate)
        return f"{order.take}: {_kind(wish)} became a new take", ["Render Changed makes its pictures"]
    if place.action.library is not None:
        raise InputError(LINKED)
    kept = write(face, scene, place, frames, motion, wish)
    refit(face, place)
    place.action.update_tag()
    face.update_tag()
    where = "on top of the take" if place.action != worn.worn(face) else f"in {place.action.name}"
    banks = ", ".join(bank for bank in BANKS if bank in wish.banks)
    hints = [f"{kept} hand keys were in the way and stay"] if kept else []
    take = face.edtalk.take
    if take.name and frames[-1] > take.last + 1:
        hints.append(f"The take ends at frame {take.last}: raise Frames under Output to render the rest")
    if take.model and analyzed.model != take.model:
        hints.append(f"The take belongs to checkpoint {take.model}, this was seen by {analyzed.model}")
    span = f"at frame {frames[0]:g}" if wish.is_photo else f"from frame {wish.frame:g} to {frames[-1]:.0f}"
    return f"{_kind(wish).capitalize()} is keyed {where} {span}: {banks}", hints


def _kind(wish: Wish) -> str:
    return "the photo" if wish.is_photo else "the clip"


def _begin(
    wish: Wish, face, scene, described, analyzed, frames: np.ndarray, motion: np.ndarray, rate: float
) -> None:
    """There is no take yet: what was seen becomes one, the banks that are not wanted at rest."""
    order = wish.order
    if face is None:
        face = rig.make_rig(scene, Path(order.portrait).stem)
        copy_settings(scene.edtalk, face.edtalk)
    sliders.suit(face, described)
    face[worn.REST] = list(analyzed.source_weights)
    weights = motion.copy()
    for bank, part in BANK_SLICES.items():
        if bank not in wish.banks:
            weights[:, part] = np.array(analyzed.source_weights, np.float32)[part]
    layers.land(face, order.take, frames, weights)
    first, last = scene.frame_start, scene.frame_end
    if not wish.is_photo:
        first = ceil(wish.frame)
        last = first + timing.frame_count(len(motion), order.fps, rate) - 1
    landing.begin_take(order, face, first, last)
    take = face.edtalk.take
    take.crop, take.model = analyzed.crop, analyzed.model
    take.portrait = takes.file_digest(order.portrait)
    take_rows.note(face, order)


def write(
    face: bpy.types.Object,
    scene: bpy.types.Scene,
    place: Place,
    frames: np.ndarray,
    weights: np.ndarray,
    wish: Wish,
) -> int:
    """Key weights [T, 36] at scene frames [T], in the wanted banks. Gives back how many hand keys were in the
    way and stayed.
    """
    fade = wish.fade * timing.scene_rate(scene.render.fps, scene.render.fps_base)
    below = None
    if place.action != worn.worn(face):
        below = animation.read_generated(face, frames, scene, own=False)
    kept = 0
    for column, name in enumerate(CHANNELS):
        if bank_of(name) not in wish.banks:
            continue
        goal = weights[:, column].astype(np.float64)
        if below is not None:
            goal = goal - below[:, column]
        curve = place.curve(name)
        if curve is None:
            if below is not None and np.abs(goal).max() < 1e-6:
                continue  # nothing is added to a channel that does nothing
            curve = animation.new_curve(place.curves, name)
        key = key_photo if wish.is_photo else key_clip
        kept += key(curve, place.to_action(frames), goal, fade / place.scale, below is not None, wish.replace)
    return kept


def key_clip(
    curve: bpy.types.FCurve, times: np.ndarray, goal: np.ndarray, fade: float, is_top: bool, replace: bool
) -> int:
    """Key values [T] at frames [T] of an action, instead of the generated keys there; they fade in and out
    where the curve goes on (or, on top, where nothing is added). Gives back how many hand keys stay.
    """
    keys, first, last = Keys.of(curve), times[0], times[-1]
    before = values_at(curve, keys, times) if len(keys) else np.zeros(len(times))
    share = np.ones(len(times))
    if fade > 0 and (is_top or (len(keys) and keys.times[0] < first)):
        share = np.minimum(share, (times - first) / fade)
    if fade > 0 and (is_top or (len(keys) and keys.times[-1] > last)):
        share = np.minimum(share, (last - times) / fade)
    goal = before + np.clip(share, 0, 1) * (goal - before)
    inside = (keys.times >= first - 1e-4) & (keys.times <= last + 1e-4)
    stay = inside & ~keys.generated & (not replace)
    clear = _clear_of(times, keys.times[stay])
    keys.take(~inside | stay).with_generated(times[clear], goal[clear]).write(curve)
    return int(stay.sum())


def key_photo(
    curve: bpy.types.FCurve, times: np.ndarray, goal: np.ndarray, ease: float, is_top: bool, replace: bool
) -> int:
    """Key one value [1] at one frame [1], by hand as it were, with the curve as it is `ease` before and after
    it. Gives back 1 when a hand key is there already and stays.
    """
    keys = Keys.of(curve)
    here = np.abs(keys.times - times[0]) < NEAR
    if not replace and (here & ~keys.generated).any():
        return 1
    ends = times[0] + np.array([-ease, ease]) if ease > 0 and (len(keys) or is_top) else np.empty(0)
    around = values_at(curve, keys, ends) if len(keys) else np.zeros(len(ends))
    gone = here.copy()
    if len(ends):
        gone |= keys.generated & (keys.times > ends[0] - 1e-4) & (keys.times < ends[1] + 1e-4)
    keys = keys.take(~gone)
    clear = _clear_of(ends, keys.times)
    keys = keys.with_generated(ends[clear], around[clear]).with_generated(times, goal)
    keys.data["type"][np.abs(keys.times - times[0]) < 1e-3] = KEYFRAME
    keys.write(curve)
    return 0


def _clear_of(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """bool [N]: which of these times have no other one near."""
    return np.abs(times[:, None] - others[None]).min(axis=1, initial=np.inf) >= NEAR


# --------------------------------------------------------------------------------------------- operators


def why_not(context: bpy.types.Context) -> str:
    """Why nothing can be captured, "" when it can."""
    face = rig.active_face(context)
    if face is not None and face.library is not None:
        return "This face is linked: make a library override of it first"
    if face is not None and worn.is_at_rest(face):
        return "The take is muted: open its eye in the list of takes first"
    return busy() or missing_file((face or context.scene).edtalk.portrait, "a portrait")


class CaptureOperator(ImportHelper):
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
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a portrait, while nothing runs."""
        reason = why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

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
        order = orders.order_from(context, face)
        if face is not None and order.crop is None and face.edtalk.take.crop[2] > 0:
            if face.edtalk.take.portrait == takes.file_digest(order.portrait):
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
