# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights <-> f-curves.

Writing: one f-curve a weight, filled by `foreach_set` (36 curves of 3000 keys in about 25 ms; inserting
keys one by one takes half a second and more). Machine keys are of type Generated and not selected, so
that hand keys stand out.

Reading: what the animator sees, with NLA and drivers, taken from a temporary scene that holds nothing
but a copy of the rig. The user's scene may take a third of a second a frame; this one takes 0.05 ms.
Traps:

- from 4.4 an action keeps its curves in a channelbag behind layer, strip and slot; from 5.0 only there;
- evaluating the rig itself would write the last frame's values into it and wipe what was posed but not
  keyed, hence the copy;
- frame-change handlers of other add-ons do run for the temporary scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import floor

import bpy
import numpy as np

from ..core.wire.channels import BANKS, CHANNELS, bank_of
from .rig import path_of

LAYERED = bpy.app.version >= (4, 4, 0)
LINEAR, GENERATED = 1, 5  # of Keyframe.interpolation and Keyframe.type, the same in 4.2 to 5.x

COLOURS = {"mouth": (0.92, 0.38, 0.42), "pose": (0.35, 0.62, 0.95), "expression": (0.95, 0.75, 0.25)}
THEMES = {"mouth": "THEME01", "pose": "THEME04", "expression": "THEME09"}

# A scene named like this is ours; handlers that watch for edits must not look at it.
READING_SCENE = ".edtalk_reading"


def new_action(rig: bpy.types.Object, name: str) -> bpy.types.Action:
    """Give the rig a fresh action; the one before gets a fake user, so that saving does not drop it."""
    data = rig.animation_data or rig.animation_data_create()
    if data.action is not None:
        data.action.use_fake_user = True
    action = bpy.data.actions.new(name)
    data.action = action
    return action


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


def _write_curve(curves, name: str, frames: np.ndarray, values: np.ndarray) -> None:
    path, bank = path_of(name), bank_of(name)
    curve = curves.fcurves.find(path, index=0)
    if curve is None:
        curve = curves.fcurves.new(path, index=0)
        curve.group = curves.groups.get(bank) or curves.groups.new(bank)
        curve.color_mode, curve.color = "CUSTOM", COLOURS[bank]
    count, keys = len(frames), curve.keyframe_points
    keys.clear()
    keys.add(count)
    points = np.empty((count, 2), np.float32)
    points[:, 0], points[:, 1] = frames, values
    keys.foreach_set("co", points.ravel())
    keys.foreach_set("interpolation", np.full(count, LINEAR, np.int32))
    keys.foreach_set("type", np.full(count, GENERATED, np.int32))
    off = np.zeros(count, bool)
    for part in ("select_control_point", "select_left_handle", "select_right_handle"):
        keys.foreach_set(part, off)  # add() leaves every key selected
    curve.update()


@contextmanager
def _alone(
    rig: bpy.types.Object, like: bpy.types.Scene
) -> Iterator[tuple[bpy.types.Scene, bpy.types.Object]]:
    """A scene that holds only a copy of `rig`, at the frame rate of `like`; gone afterwards."""
    scene = bpy.data.scenes.new(READING_SCENE)
    double = rig.copy()
    try:
        scene.render.fps, scene.render.fps_base = like.render.fps, like.render.fps_base
        scene.collection.objects.link(double)
        scene.view_layers[0].update()
        yield scene, double
    finally:
        bpy.data.objects.remove(double)
        bpy.data.scenes.remove(scene)


def read_weights(rig: bpy.types.Object, frames: Sequence[float], like: bpy.types.Scene) -> np.ndarray:
    """The rig's evaluated weights, float32 [N, 36], at these scene frames (whole or between)."""
    result = np.empty((len(frames), len(CHANNELS)), np.float32)
    with _alone(rig, like) as (scene, double):
        graph = scene.view_layers[0].depsgraph
        for row, frame in enumerate(frames):
            whole = floor(frame)
            scene.frame_set(whole, subframe=float(frame) - whole)
            bones = double.evaluated_get(graph).pose.bones
            banks = {bank: bones[bank] for bank in BANKS}
            result[row] = [banks[bank_of(name)][name] for name in CHANNELS]
    return result
