# SPDX-License-Identifier: GPL-3.0-or-later
"""F-curves as arrays and back, whole: with handles, interpolation, easing, types and selection.

Removing keys one by one takes seconds on a take; here a curve is read into arrays, changed, and written back
in one go. Which curves a tool is to act on is found here too: those of the take, wherever it plays, or those
of the layer on top of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from ...core.wire.channels import bank_of
from . import fcurves, take_action

PATH = re.compile(r'pose\.bones\["(\w+)"\]\["(\w+)"\]')
LINEAR = 1  # of Keyframe.interpolation, the same in 4.2 to 5.x
KEYFRAME, GENERATED = 0, fcurves.GENERATED

POINTS = ("co", "handle_left", "handle_right")
NUMBERS = ("amplitude", "back", "period")
ENUMS = ("interpolation", "easing", "type", "handle_left_type", "handle_right_type")
FLAGS = ("select_control_point", "select_left_handle", "select_right_handle")


class Keys:
    """All keys of an f-curve: `data` holds an array for each property, [N, 2] for the points, else [N]."""

    def __init__(self, data: dict[str, np.ndarray]) -> None:
        self.data = data

    @classmethod
    def of(cls, curve: bpy.types.FCurve) -> Keys:
        """Read a curve."""
        points, data = curve.keyframe_points, {}
        count = len(points)
        for names, kind, width in ((POINTS, np.float32, 2), (NUMBERS, np.float32, 1), (ENUMS, np.int32, 1)):
            for name in names:
                data[name] = np.empty(count * width, kind)
                points.foreach_get(name, data[name])
        for name in FLAGS:
            data[name] = np.empty(count, bool)
            points.foreach_get(name, data[name])
        for name in POINTS:
            data[name] = data[name].reshape(-1, 2)
        return cls(data)

    def __len__(self) -> int:
        return len(self.data["co"])

    @property
    def times(self) -> np.ndarray:
        """float64 [N] frames of the action."""
        return self.data["co"][:, 0].astype(np.float64)

    @property
    def values(self) -> np.ndarray:
        """float64 [N]."""
        return self.data["co"][:, 1].astype(np.float64)

    @property
    def generated(self) -> np.ndarray:
        """bool [N]: keys that EDTalk made."""
        return self.data["type"] == GENERATED

    @property
    def selected(self) -> np.ndarray:
        """bool [N]."""
        return self.data["select_control_point"]

    @property
    def straight(self) -> np.ndarray:
        """bool [N]: keys between two straight pieces, or at an end beside one."""
        linear = self.data["interpolation"] == LINEAR
        before = np.concatenate([[True], linear[:-1]])
        after = np.concatenate([linear[:-1], [True]]) if len(linear) else linear
        return before & after

    def move(self, times: np.ndarray | None = None, values: np.ndarray | None = None) -> None:
        """Set times or values [N]; handles go along."""
        for column, wanted in ((0, times), (1, values)):
            if wanted is not None:
                change = np.asarray(wanted, np.float32) - self.data["co"][:, column]
                for name in POINTS:
                    self.data[name][:, column] += change
                self.data["co"][:, column] = wanted

    def take(self, which: np.ndarray) -> Keys:
        """Some of the keys, by mask or by index."""
        return Keys({name: array[which] for name, array in self.data.items()})

    def with_generated(self, times: np.ndarray, values: np.ndarray) -> Keys:
        """These keys and generated ones beside them, in order of time."""
        count = len(times)
        fresh = {name: np.zeros((count, *array.shape[1:]), array.dtype) for name, array in self.data.items()}
        for name in POINTS:
            fresh[name][:, 0], fresh[name][:, 1] = times, values
        fresh["interpolation"][:] = LINEAR
        fresh["type"][:] = GENERATED
        joined = Keys({name: np.concatenate([array, fresh[name]]) for name, array in self.data.items()})
        return joined.take(np.argsort(joined.data["co"][:, 0], kind="stable"))

    def write(self, curve: bpy.types.FCurve) -> None:
        """Make these the curve's keys."""
        points = curve.keyframe_points
        if len(points) != len(self):
            points.clear()
            points.add(len(self))
        for name in (*ENUMS, *NUMBERS, *POINTS, *FLAGS):
            points.foreach_set(name, np.ascontiguousarray(self.data[name]).ravel())
        curve.update()


@dataclass(frozen=True)
class Place:
    """Where curves play: an action's curves, and how its frames become scene frames: scale and shift."""

    action: bpy.types.Action
    curves: object  # holds .fcurves and .groups
    scale: float = 1.0
    shift: float = 0.0

    def to_scene(self, frames: np.ndarray | float):
        """Frames of the action -> scene frames."""
        return frames * self.scale + self.shift

    def to_action(self, frames: np.ndarray | float):
        """Scene frames -> frames of the action."""
        return (frames - self.shift) / self.scale

    def curve(self, name: str) -> bpy.types.FCurve | None:
        """The curve of a weight."""
        return self.curves.fcurves.find(f'pose.bones["{bank_of(name)}"]["{name}"]', index=0)


def take_place(face: bpy.types.Object) -> Place | None:
    """Where the face's take plays; None while it wears none, or is muted."""
    action, strip = take_action.worn(face), take_action.base_strip(face)
    if action is None or take_action.is_at_rest(face):
        return None
    curves = fcurves.curves_in(action, take_action.slot_of(action, face))
    if strip is None:
        return Place(action, curves)
    scale = strip.scale or 1.0
    return Place(action, curves, scale, strip.frame_start_raw - strip.action_frame_start * scale)


def top_place(face: bpy.types.Object) -> Place | None:
    """Where keys that the animator sets now go, when that is not the take itself: Edit on Top."""
    data = face.animation_data
    if data is None or data.action is None or data.action == take_action.worn(face):
        return None
    return Place(data.action, fcurves.curves_of(face))


def weights_in(place: Place) -> Iterator[tuple[str, str, bpy.types.FCurve]]:
    """Bone, property and curve of everything that moves a face."""
    for curve in place.curves.fcurves:
        found = PATH.fullmatch(curve.data_path)
        if found is not None:
            yield found[1], found[2], curve


def refit(face: bpy.types.Object, place: Place) -> None:
    """Keys were moved or added: a strip that plays their action reaches as far as they do."""
    strip = take_action.base_strip(face)
    if strip is None or strip.action != place.action or place.scale != 1.0 or strip.repeat != 1.0:
        return
    begin, end = place.action.frame_range
    if begin < strip.action_frame_start - 1e-4 or end > strip.action_frame_end + 1e-4:
        take_action.replace_strip(face, strip, place.action, take_action.slot_of(place.action, face))
        moved = take_action.base_strip(face)
        start = place.to_scene(begin)
        if moved is not None and abs(moved.frame_start_raw - start) > 1e-4:
            moved.frame_end_raw = start + max(end - begin, 1)
            moved.frame_start_raw = start
