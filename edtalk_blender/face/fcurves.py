# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights <-> f-curves.

Writing: one f-curve a weight, filled by `foreach_set` (36 curves of 3000 keys in about 25 ms; inserting
keys one by one takes half a second and more). Machine keys are of type Generated and not selected, so
that hand keys stand out.

Reading: what the animator sees, with NLA, drivers, emotions and handles, taken from a `stand_in`. The user's
scene may take a third of a second a frame; this one takes 0.05 ms.
Traps:

- from 4.4 an action keeps its curves in a channelbag behind layer, strip and slot; from 5.0 only there;
- evaluating the rig itself would write the last frame's values into it and wipe what was posed but not
  keyed, hence the copy;
- frame-change handlers of other add-ons do run for the temporary scene;
- a new frame of any scene moves what open Image Editors show, so the temporary one ends where the artist is;
- removing the scene makes Blender look at everything again, see `is_echo`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby
from math import floor
from operator import itemgetter

import bpy
import numpy as np

from ...core.wire.channels import BANKS, CHANNELS, bank_of
from . import sliders, stand_in, strengths, teeth
from .rig import path_of

LAYERED = bpy.app.version >= (4, 4, 0)
LINEAR, GENERATED = 1, 5  # of Keyframe.interpolation and Keyframe.type, the same in 4.2 to 5.x

COLOURS = {"mouth": (0.92, 0.38, 0.42), "pose": (0.35, 0.62, 0.95), "expression": (0.95, 0.75, 0.25)}
THEMES = {"mouth": "THEME01", "pose": "THEME04", "expression": "THEME09"}

WEIGHTS = [(bank_of(name), name) for name in CHANNELS]
"""Bone and property of each weight, in channel order."""

ECHO = 2.0
"""Seconds within which a reading echoes."""
_read_at = -ECHO


def new_action(rig: bpy.types.Object, name: str) -> bpy.types.Action:
    """Give the rig a fresh action for a take; the one before gets a fake user, so that saving does not drop
    it. Curves of its own that are no weights, such as emotions and handles, are in the new one too.
    """
    data = rig.animation_data or rig.animation_data_create()
    slot = data.action_slot if LAYERED else None
    action, slot = next_action(rig, data.action, slot, name)
    data.action = action
    if LAYERED and slot is not None:
        data.action_slot = slot
    return action


def next_action(rig: bpy.types.Object, before: bpy.types.Action | None, slot, name: str):
    """An action for a new take and the rig's slot in it (None before 4.4). It has no weights yet, but all
    else that the animator keyed in the action and slot `before` it: emotions, handles, the rig's own
    transforms, with F-modifiers and groups. `before` gets a fake user.
    """
    if before is not None:
        before.use_fake_user = True
        fcurves = curves_in(before, slot).fcurves if slot is not None or not LAYERED else ()
        weights = {path_of(channel) for channel in CHANNELS}
        if any(curve.data_path not in weights for curve in fcurves):
            action = before.copy()  # nothing else copies a curve whole in every version
            action.name = name
            if action.asset_data is not None:
                action.asset_clear()
            if LAYERED:
                slot = next(copy for copy in action.slots if copy.identifier == slot.identifier)
            curves = curves_in(action, slot)
            for path in weights:
                curve = curves.fcurves.find(path, index=0)
                if curve is not None:
                    curves.fcurves.remove(curve)
            return action, slot
    action = bpy.data.actions.new(name)
    return action, new_slot(rig, action)


def curves_of(rig: bpy.types.Object):
    """What holds `.fcurves` and `.groups` of the rig's own action, see `curves_in`."""
    data = rig.animation_data
    if LAYERED and data.action_slot is None:
        data.action_slot = new_slot(rig, data.action)
    return curves_in(data.action, data.action_slot if LAYERED else None)


def new_slot(rig: bpy.types.Object, action: bpy.types.Action):
    """A slot for the rig in an action; before 4.4 there are none and none is needed."""
    return action.slots.new(id_type=rig.id_type, name=rig.name) if LAYERED else None


def curves_in(action: bpy.types.Action, slot):
    """What holds `.fcurves` and `.groups`: the action before 4.4, then the channelbag of a slot."""
    if not LAYERED:
        return action
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def curves_seen(action: bpy.types.Action, slot) -> list[bpy.types.FCurve]:
    """All curves of a slot, of its first layer and any other one; unlike `curves_in` it makes nothing."""
    if not LAYERED:
        return list(action.fcurves)
    bags = (strip.channelbag(slot) for layer in action.layers for strip in layer.strips)
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def write_weights(rig: bpy.types.Object, frames: np.ndarray, weights: np.ndarray) -> None:
    """Key weights [T, 36] at scene frames [T] in the rig's action, instead of the keys it had."""
    write_curves(curves_of(rig), frames, weights)


def write_curves(curves, frames: np.ndarray, weights: np.ndarray) -> None:
    """Key weights [T, 36] at scene frames [T], instead of the keys that were there."""
    for column, name in enumerate(CHANNELS):
        _write_curve(curves, name, frames, weights[:, column])
    for bank in BANKS:
        group = curves.groups.get(bank)
        if group is not None:
            group.color_set = THEMES[bank]


def new_curve(curves, name: str) -> bpy.types.FCurve:
    """An empty curve for a weight, in the group and colour of its bank."""
    bank = bank_of(name)
    curve = curves.fcurves.new(path_of(name), index=0)
    curve.group = curves.groups.get(bank) or curves.groups.new(bank)
    curve.color_mode, curve.color = "CUSTOM", COLOURS[bank]
    return curve


def key_property(curves, bone: str, name: str, frames: np.ndarray, values: np.ndarray) -> None:
    """Key a property of a bone that is no weight at scene frames [T], instead of the keys that were there."""
    path = sliders.path_of(bone, name)
    curve = curves.fcurves.find(path, index=0) or curves.fcurves.new(path, index=0)
    curve.group = curves.groups.get(bone) or curves.groups.new(bone)
    curve.keyframe_points.clear()
    _add_keys(curve, frames, values)


def replace_keys(curves, name: str, frames: np.ndarray, values: np.ndarray) -> None:
    """Key a weight at rising scene frames [N]; keys before the first and after the last stay as they are."""
    curve = curves.fcurves.find(path_of(name), index=0)
    if curve is None:
        curve = new_curve(curves, name)
    keys = curve.keyframe_points
    for place in reversed(range(len(keys))):
        if frames[0] - 0.5 < keys[place].co.x < frames[-1] + 0.5:
            keys.remove(keys[place], fast=True)
    _add_keys(curve, frames, values)


def _write_curve(curves, name: str, frames: np.ndarray, values: np.ndarray) -> None:
    curve = curves.fcurves.find(path_of(name), index=0) or new_curve(curves, name)
    curve.keyframe_points.clear()
    _add_keys(curve, frames, values)


def _add_keys(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> None:
    """Generated keys beside those that the curve has."""
    keys = curve.keyframe_points
    before = len(keys)
    keys.add(len(frames))

    def set_last(part: str, width: int, kind: type, value: object) -> None:
        whole = np.empty(len(keys) * width, kind)
        keys.foreach_get(part, whole)
        whole[before * width :] = value
        keys.foreach_set(part, whole)

    set_last("co", 2, np.float32, np.stack([frames, values], axis=1).astype(np.float32).ravel())
    set_last("interpolation", 1, np.int32, LINEAR)
    set_last("type", 1, np.int32, GENERATED)
    for part in ("select_control_point", "select_left_handle", "select_right_handle"):
        set_last(part, 1, bool, False)  # add() leaves every key selected
    curve.update()


def is_echo(depsgraph: bpy.types.Depsgraph) -> bool:
    """Is this update only the echo of a reading? Blender looks at everything again when the reading scene is
    gone; whoever counts at each update would then count for ever. An edit at the same moment is told by what
    it touches: an action, or where an object stands.
    """
    global _read_at
    expected, _read_at = time.monotonic() - _read_at < ECHO, -ECHO
    return expected and not any(
        isinstance(update.id, bpy.types.Action)
        or (isinstance(update.id, bpy.types.Object) and update.is_updated_transform)
        for update in depsgraph.updates
    )


def read_weights(rig: bpy.types.Object, frames: Sequence[float], like: bpy.types.Scene) -> np.ndarray:
    """The rig's total weights, float32 [N, 36], at these scene frames (whole or between): what pictures,
    preview and files are made from.
    """
    names = _sliders_of(rig)
    return _total(rig, names, _read(rig, frames, like, WEIGHTS + names))


def read_rows(
    rig: bpy.types.Object, frames: Sequence[float], like: bpy.types.Scene
) -> tuple[np.ndarray, teeth.Rows]:
    """The same, with the knobs of the mouth at each of these frames."""
    names, knobs = sliders.names_of(rig), teeth.names_of(rig)
    rows, count = _read(rig, frames, like, WEIGHTS + names + knobs), len(WEIGHTS) + len(names)
    return _total(rig, names, rows[:, :count]), teeth.rows_of(knobs, rows[:, count:])


def read_generated(
    rig: bpy.types.Object, frames: Sequence[float], like: bpy.types.Scene, own: bool = True
) -> np.ndarray:
    """The rig's evaluated weights without emotions and handles, float32 [N, 36], at these scene frames; and
    without its own action, if `own` is false: what a layer on top of the take is added to.
    """
    return _read(rig, frames, like, WEIGHTS, own)


def read_properties(
    rig: bpy.types.Object, frame: int, like: bpy.types.Scene
) -> tuple[list[str], list[float]]:
    """Names and evaluated values of all that moves the face at a scene frame: weights, emotions, handles."""
    names = WEIGHTS + _sliders_of(rig)
    row = _read(rig, [frame], like, names)[0]
    return [name for _, name in names], [float(value) for value in row]


def weights_now(rig: bpy.types.Object, graph: bpy.types.Depsgraph) -> np.ndarray:
    """The rig's total weights, float32 [36], as it is posed in an evaluated scene."""
    names = _sliders_of(rig)
    row = _values(rig.evaluated_get(graph), _by_bone(WEIGHTS + names))
    return _total(rig, names, np.array([row], np.float32))[0]


def mouth_now(rig: bpy.types.Object, graph: bpy.types.Depsgraph) -> tuple[float, ...]:
    """The knobs of the rig's mouth, as it is posed in an evaluated scene."""
    knobs = teeth.names_of(rig)
    row = _values(rig.evaluated_get(graph), _by_bone(knobs))
    return teeth.rows_of(knobs, np.array([row], np.float32).reshape(1, -1))[0]


def _total(rig: bpy.types.Object, names: Sequence[tuple[str, str]], rows: np.ndarray) -> np.ndarray:
    """Weights and sliders [N, 36 + len(names)] -> total weights [N, 36]."""
    count = len(WEIGHTS)
    values = {key: rows[:, count + column] for column, key in enumerate(names)}
    played = strengths.applied(rig, np.ascontiguousarray(rows[:, :count]), values)
    return sliders.total(rig, played, values)


def _sliders_of(rig: bpy.types.Object) -> list[tuple[str, str]]:
    """Bone and name of all that lies above the weights: strengths, emotions and handles."""
    return strengths.names_of(rig) + sliders.names_of(rig)


def _read(
    rig: bpy.types.Object,
    frames: Sequence[float],
    like: bpy.types.Scene,
    names: Sequence[tuple[str, str]],
    own: bool = True,
) -> np.ndarray:
    """Evaluated properties of bones, float32 [N, len(names)], at scene frames."""
    global _read_at
    result, bones = np.empty((len(frames), len(names)), np.float32), _by_bone(names)
    try:
        with stand_in.alone(rig, like) as (scene, double, graph):
            if not own and double.animation_data is not None:
                double.animation_data.action = None
            for row, frame in enumerate(frames):
                whole = floor(frame)
                scene.frame_set(whole, subframe=float(frame) - whole)
                result[row] = _values(double.evaluated_get(graph), bones)
    finally:
        _read_at = time.monotonic()
    return result


def _by_bone(names: Sequence[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Bone and property pairs as bones with their properties, in the same order."""
    return [(bone, [name for _, name in pairs]) for bone, pairs in groupby(names, itemgetter(0))]


def _values(rig: bpy.types.Object, names: Sequence[tuple[str, list[str]]]) -> list[float]:
    """Properties of an evaluated rig's bones; one that is not there is 0."""
    bones, row = rig.pose.bones, []
    for bone, properties in names:
        get = bones[bone].get if bone in bones else {}.get
        row += [get(name, 0.0) for name in properties]
    return row
