# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit Take to Frame Rate: the scene runs at another rate than when the take was made, and the take shall last
as long as it did.

Keys lie on frames, sound lies on seconds. When an animator changes the scene's rate, Blender leaves the keys
at their frames and the sound in real time, so lips and voice part. Here all keys of the face move so that
each comes back to its moment: those of the take, those of the layers above it, NLA strips and the frame
ranges of F-modifiers with them. What stays is where the sound begins. A frame shows what is heard in the
middle of its time (see `core.wire.moments`), so that is half a frame before the frame it begins with.
Pictures are then asked for at other moments, so Render Changed makes them again; none is touched before.

Each action remembers the rate it is laid out for, so that fitting one take, then another one under the same
hand edits, moves those edits once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import ceil

import bpy
import numpy as np

from ...core.wire.channels import CHANNELS, STEPS_PER_SECOND
from ...core.wire.moments import MIDDLE
from ..face import fcurves, rig, take_action, word_marks
from ..pictures import image_sequence, sequencer, take_folder
from ..settings import timing
from . import take_rows

RATE = word_marks.RATE
SAME = 1e-3
_SLACK = 1e-4  # of a frame: key positions are 32-bit floats
COORDINATES = ("co", "handle_left", "handle_right")


def rate_of(face: bpy.types.Object) -> float:
    """The rate that the face's take was made at, frames a second; 0 when nobody knows."""
    take = face.edtalk.take
    if take.rate:
        return take.rate
    action = take_action.take_of(face)
    if action is None:
        return 0.0
    curves = fcurves.curves_in(action, take_action.slot_of(action, face)).fcurves
    curve = curves.find(rig.path_of(CHANNELS[0]), index=0)
    if curve is None or len(curve.keyframe_points) < 3:
        return 0.0
    places = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", places)
    return float(np.median(np.diff(places[::2]))) * STEPS_PER_SECOND  # older takes: one key a step


def odd_rate(face: bpy.types.Object, scene: bpy.types.Scene) -> float:
    """A rate other than the scene's that the take, or else something above it, is laid out for; 0 when there
    is none.
    """
    data, take, now = face.animation_data, face.edtalk.take, timing.rate_in(scene)
    rates = [rate_of(face)] if take.name else []
    rates += [holder.action.get(RATE, 0.0) for holder in holders_of(data)] if data is not None else []
    return next((rate for rate in rates if rate and abs(rate - now) > SAME), 0.0)


def note(face: bpy.types.Object, start: float, rate: float) -> None:
    """A take was just made for `rate`, from scene frame `start` on: it and all above it remember what they
    are laid out for. What a new take took over from the one before, such as keyed emotions, comes along in
    time.
    """
    before = face.edtalk.take.rate or rate
    action = take_action.take_of(face)
    for holder in holders_of(face.animation_data):
        if holder.action != action:
            holder.action[RATE] = holder.action.get(RATE, before)
        elif abs((factor := rate / holder.action.get(RATE, rate)) - 1) > SAME:
            slot = holder.action_slot if fcurves.LAYERED else None
            _stretch_action(action, slot, start - MIDDLE, factor, {rig.path_of(name) for name in CHANNELS})
    if action is not None:
        action[RATE], action[take_action.BEGIN] = rate, start
    face.edtalk.take.rate = rate


def begin_of(face: bpy.types.Object, scene: bpy.types.Scene) -> float:
    """The frame that stays: the one that the take's sound begins with, else the take."""
    name = face.edtalk.take.name
    if scene.sequence_editor is not None:
        sounds = [strip for strip in sequencer.find_strips(scene, name) if strip.type == "SOUND"]
        if sounds:
            return float(sounds[0].frame_start)
    action = take_action.take_of(face)
    return take_action.begin_of(action, face) if action is not None else float(face.edtalk.take.first)


def fit(face: bpy.types.Object, scene: bpy.types.Scene, strips: bpy.types.Scene, made_at: float) -> None:
    """Move everything of the face to the scene's rate, the take from `made_at`, or from what it remembers."""
    new, begin, worn_take = timing.rate_in(scene), begin_of(face, strips), take_action.take_of(face)
    rate, pivot = made_at or rate_of(face) or new, begin - MIDDLE
    if worn_take is not None:
        worn_take[take_action.BEGIN] = take_action.begin_of(worn_take, face)
        if made_at:
            worn_take[RATE] = made_at
    is_whole = face.edtalk.take.last == _end_of(face, rate)
    seen: dict[tuple[str, int], float] = {}
    data = face.animation_data
    data.use_tweak_mode = False
    for holder in list(holders_of(data)):
        action = _own_action(face, holder)
        slot = holder.action_slot if fcurves.LAYERED else None
        key = (action.name, slot.handle if slot is not None else 0)
        if key not in seen:
            seen[key] = new / action.get(RATE, rate)
            _stretch_action(action, slot, pivot, seen[key])
        if isinstance(holder, bpy.types.NlaStrip):
            _stretch_strip(holder, pivot, seen[key])
    for action in {holder.action for holder in holders_of(data)}:
        action[RATE] = new
    take, factor = face.edtalk.take, new / rate
    if worn_take is not None:
        worn_take = take_action.take_of(face)  # a copy by now, if another rig plays it, too
        worn_take[take_action.BEGIN] = begin + (worn_take[take_action.BEGIN] - begin) * factor
    first = max(ceil(begin + (take.first - begin) * factor - _SLACK), 1 - take.shift)
    last = ceil(begin + (take.last + 1 - begin) * factor - _SLACK) - 1
    _move_pictures(face, strips, first, max(first, _end_of(face, new) if is_whole else last))
    face.edtalk.take.rate = new


def _end_of(face: bpy.types.Object, rate: float) -> int:
    """The last frame of a take as long as its motion: the last that begins within its last step."""
    action = take_action.take_of(face)
    if action is None:
        return -1
    (first, last), begin = take_action.span_of(action, face), take_action.begin_of(action, face)
    return ceil(last + rate / STEPS_PER_SECOND - (first - begin) - _SLACK) - 1


def holders_of(data: bpy.types.AnimData) -> Iterator[bpy.types.AnimData | bpy.types.NlaStrip]:
    """What plays an action on the face: its own, and the strips of its NLA tracks."""
    if data.action is not None:
        yield data
    for track in data.nla_tracks:
        yield from (strip for strip in track.strips if strip.action is not None)


def _own_action(face: bpy.types.Object, holder) -> bpy.types.Action:
    """The holder's action; a copy when another object plays it too, which must not be moved."""
    action = holder.action
    others = (ob.animation_data for ob in bpy.data.objects if ob != face and ob.animation_data is not None)
    if not any(other.action == action for data in others for other in holders_of(data)):
        return action
    slot = holder.action_slot.identifier if fcurves.LAYERED and holder.action_slot is not None else ""
    copy = action.copy()
    for row in take_rows.rows_of(face):
        if row.action == action:
            row.action = copy
    for other in list(holders_of(face.animation_data)):
        if other.action == action:
            other.action = copy
            if slot:
                other.action_slot = copy.slots[slot]
    return copy


def _stretch_action(
    action: bpy.types.Action, slot, pivot: float, factor: float, without: Collection[str] = ()
) -> None:
    """Move the keys of an action's curves, but for those of some paths."""
    if abs(factor - 1) < 1e-9:
        return
    for curve in fcurves.curves_in(action, slot).fcurves:
        if curve.data_path in without:
            continue
        keys = curve.keyframe_points
        points = np.empty(2 * len(keys), np.float32)
        for name in COORDINATES:
            keys.foreach_get(name, points)
            points[::2] = pivot + (points[::2] - pivot) * factor
            keys.foreach_set(name, points)
        for modifier in curve.modifiers:
            _stretch_modifier(modifier, pivot, factor)
        curve.update()
    word_marks.stretch(action, pivot, factor)
    if action.use_frame_range:
        first, last = action.frame_start, action.frame_end
        action.frame_start = pivot + (first - pivot) * factor
        action.frame_end = pivot + (last - pivot) * factor


def _stretch_modifier(modifier: bpy.types.FModifier, pivot: float, factor: float) -> None:
    """An F-modifier's own times: its range, and what its kind has besides."""
    first, last = modifier.frame_start, modifier.frame_end
    modifier.frame_start, modifier.frame_end = (pivot + (at - pivot) * factor for at in (first, last))
    modifier.blend_in *= factor
    modifier.blend_out *= factor
    if modifier.type == "NOISE":
        modifier.scale *= factor
        modifier.offset = pivot + (modifier.offset - pivot) * factor
    elif modifier.type == "STEPPED":
        modifier.frame_step *= factor
        modifier.frame_offset = pivot + (modifier.frame_offset - pivot) * factor


def _stretch_strip(strip: bpy.types.NlaStrip, pivot: float, factor: float) -> None:
    """A strip and the part of its action that it plays; how fast it plays stays as it is."""
    ends = [strip.frame_start, strip.frame_end]
    part = [strip.action_frame_start, strip.action_frame_end]
    blend = strip.blend_in, strip.blend_out
    ends, part = ([pivot + (at - pivot) * factor for at in pair] for pair in (ends, part))
    if factor > 1:  # an end must never come to lie before its beginning, meanwhile neither
        strip.action_frame_end, strip.action_frame_start = part[1], part[0]
        strip.frame_end_raw, strip.frame_start_raw = ends[1], ends[0]
    else:
        strip.action_frame_start, strip.action_frame_end = part
        strip.frame_start_raw, strip.frame_end_raw = ends
    strip.blend_in, strip.blend_out = (length * factor for length in blend)


def _move_pictures(face: bpy.types.Object, strips: bpy.types.Scene, first: int, last: int) -> None:
    """Give the take its range at the new rate, and tell all that shows it."""
    take = face.edtalk.take
    take_rows.set_range(take, first, last)
    if take.image is None:
        return
    numbers = range(first + take.shift, last + take.shift + 1)
    folder = image_sequence.folder_of(take.image)
    image_sequence.move_image(take.image, folder / take_folder.file_name(numbers[0], face.edtalk.format))
    plane = image_sequence.plane_of(face)
    if plane is not None:
        image_sequence.show_take_on_plane(face, plane)
    image_sequence.set_timing_everywhere(take.image, *image_sequence.timing_of(face))
    if strips.sequence_editor is not None:
        for strip in sequencer.find_strips(strips, take.name):
            if strip.type == "IMAGE":
                sequencer.fit_strip(strip, folder, numbers, face.edtalk.format)
