# SPDX-License-Identifier: GPL-3.0-or-later
"""Emotions and handles on the face rig: what an animator plays the face with, above the raw weights.

The pose bones `emotion` and `handle` carry one plain custom property a slider, so that all that Blender does
with properties works on them: keys, drivers, F-modifiers, NLA, pose assets, copied poses, library overrides.
What a slider does to the 36 weights is the checkpoint's to say; it is kept on the rig as custom
properties of the object, so that it can be evaluated without a server and without a checkpoint at hand. The
formula is that of `core.wire.mixing`.

Rigs of files from before there were emotions and handles have neither bones nor properties, and a slider that
is not there counts as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bpy
import numpy as np

from ...core.wire import messages
from ...core.wire.channels import BANK_SLICES, CHANNELS, EMOTIONS, UNITS, Channel, Handle
from ...core.wire.mixing import NEUTRAL, mix
from . import rig, strengths, teeth

BONES = ("emotion", "handle")
PRESETS = "edtalk_emotions"
"""Custom property of the rig: emotion -> 10 expression weights."""
HANDLES = "edtalk_handles"
"""Custom property of the rig: handle -> label, unit and direction, in the order they are shown."""

REACH = 10.0
"""How many times its soft range a handle may be typed to."""


def fit_to_checkpoint(face: bpy.types.Object, described: messages.Described) -> None:
    """Make a rig fit a checkpoint: labels and ranges, what its emotions and handles do, and the bones for
    them if it is an older rig. Slider values stay. A rig whose bones belong to another file keeps its
    bones.
    """
    rig.label_channels(face, [Channel.from_dict(channel) for channel in described.channels])
    if face.data.library is None:
        rig.add_bones(face, (*BONES, teeth.BONE))
    teeth.fit(face)
    face[PRESETS] = {name: list(weights) for name, weights in described.emotions.items()}
    handles = [Handle.from_dict(handle) for handle in described.handles]
    face[HANDLES] = {
        handle.name: {"label": handle.label, "unit": handle.unit, "direction": list(handle.direction)}
        for handle in handles
    }
    strengths.add_to(face)
    bone = face.pose.bones.get("emotion")
    if bone is not None:
        for name in EMOTIONS:
            _add_emotion(bone, name, name in described.emotions)
    bone = face.pose.bones.get("handle")
    if bone is not None:
        for handle in handles:
            _add_handle(bone, handle)


def _add_emotion(bone: bpy.types.PoseBone, name: str, used: bool) -> None:
    rig.add_slider(bone, name)
    text = f"How {name} the face is; emotions mix"
    if name == NEUTRAL:
        text = "Takes the expression of the take away, so that other emotions count from a neutral face"
    bone.id_properties_ui(name).update(
        min=0.0,
        max=1.0,
        soft_min=0.0,
        soft_max=1.0,
        default=0.0,
        precision=3,
        step=1.0,
        description=text if used else rig.SPARE,
    )


def _add_handle(bone: bpy.types.PoseBone, handle: Handle) -> None:
    rig.add_slider(bone, handle.name)
    reach = REACH * max(-handle.soft_min, handle.soft_max)
    unit = f", in {UNITS[handle.unit]}" if handle.unit else ""
    bone.id_properties_ui(handle.name).update(
        min=-reach,
        max=reach,
        soft_min=handle.soft_min,
        soft_max=handle.soft_max,
        default=0.0,
        precision=1 if handle.unit else 3,
        step=10.0 if handle.unit else 1.0,
        description=(handle.description.rstrip(". ") or handle.label) + unit,
    )


def path_of(bone: str, name: str) -> str:
    """Data path of a slider from its rig: `pose.bones["handle"]["yaw"]`."""
    return f'pose.bones["{bone}"]["{name}"]'


def names_of(face: bpy.types.Object) -> list[tuple[str, str]]:
    """Bone and name of every slider the rig has and its checkpoint knows, in the order they are shown."""
    bones = face.pose.bones
    emotions, handles = _kept(face, PRESETS), _kept(face, HANDLES)
    wanted = [("emotion", name) for name in EMOTIONS if name in emotions]
    wanted += [("handle", name) for name in handles]
    return [(bone, name) for bone, name in wanted if bone in bones and name in bones[bone]]


def why_not_pose(face: bpy.types.Object | None) -> str:
    """Why the sliders of what is active cannot be set, "" when they can."""
    if reason := rig.why_not_ours(face):
        return reason
    if not names_of(face):
        return "This face has no emotions and handles yet: press Update Face first"
    return ""


def label_of(face: bpy.types.Object, bone: str, name: str) -> str:
    """What stands beside a slider; a handle in degrees says so."""
    if bone == "emotion":
        return name.title()
    label = face[HANDLES][name]["label"]
    return f"{label} °" if is_in_degrees(face, bone, name) else label


def is_in_degrees(face: bpy.types.Object, bone: str, name: str) -> bool:
    """Does this slider turn something, the head or the eyes?"""
    return bone == "handle" and face[HANDLES][name]["unit"] == "deg"


def presets_of(face: bpy.types.Object) -> dict[str, list[float]]:
    """Emotion -> 10 expression weights, as the rig keeps them; what is no such thing is left out."""
    size = BANK_SLICES["expression"].stop - BANK_SLICES["expression"].start
    return {name: weights for name, row in _kept(face, PRESETS).items() if (weights := _row(row, size))}


def directions_of(face: bpy.types.Object) -> list[Handle]:
    """The handles as the rig keeps them, as far as mixing wants them."""
    found = []
    for name, handle in _kept(face, HANDLES).items():
        direction = _row(handle.get("direction"), len(CHANNELS)) if hasattr(handle, "get") else None
        if direction:
            found.append(Handle(name, name, "", "", tuple(direction), 0.0, 0.0))
    return found


def total(face: bpy.types.Object, generated: np.ndarray, values: Mapping[tuple[str, str], np.ndarray]):
    """The weights a face is drawn from: float32 [T, 36] from generated weights [T, 36] and the values [T] of
    its sliders. Sliders that rest cost nothing.
    """
    moved = {key: row for key, row in values.items() if row.any()}
    if not moved:
        return generated
    columns = mix(
        generated.T,
        {name: row for (bone, name), row in moved.items() if bone == "emotion"},
        {name: row for (bone, name), row in moved.items() if bone == "handle"},
        presets_of(face),
        directions_of(face),
    )
    return np.stack(columns, axis=1).astype(np.float32)


def is_complete(face: bpy.types.Object) -> bool:
    """Has the rig all there is to play it with? Rigs of older files have not."""
    return all(bone in face.pose.bones for bone in BONES) and PRESETS in face and HANDLES in face


def _kept(face: bpy.types.Object, key: str) -> Mapping:
    """A group of custom properties of the rig; empty when somebody put something else there."""
    group = face.get(key)
    return group if hasattr(group, "items") else {}


def _row(values: Sequence[float] | None, count: int) -> list[float] | None:
    """`count` finite numbers, else None."""
    try:
        row = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return row if len(row) == count and np.isfinite(row).all() else None
