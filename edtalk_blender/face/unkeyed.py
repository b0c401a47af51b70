# SPDX-License-Identifier: GPL-3.0-or-later
"""An expression that was applied, or a slider that was moved, without a key changes the whole take, since
nothing else is keyed: which emotions and handles these are, and a key for them that fades in and out.

What is unkeyed is seen by comparing each emotion and handle with what its curves give at this frame: those
of the NLA strips and of the action above them. Where a slider has no curve at all, anything but 0 counts.
Manners of blending that are not a sum are not followed: such a slider is never called unkeyed.
"""

from __future__ import annotations

import bpy

from . import fcurves, sliders
from .take_action import slot_of

SAME = 1e-4
SIGNS = {"ADD": 1.0, "COMBINE": 1.0, "SUBTRACT": -1.0}

Curves = dict[str, bpy.types.FCurve]


def curves_of(face: bpy.types.Object) -> Curves:
    """Data path -> curve, in the action that new keys go into."""
    data = face.animation_data
    if data is None or data.action is None:
        return {}
    return {curve.data_path: curve for curve in fcurves.curves_of(face).fcurves}


def animated(face: bpy.types.Object, frame: float, curves: Curves | None = None) -> dict[str, float | None]:
    """Data path of each emotion and handle -> what its curves give at `frame`, None where that is not
    known. `curves` is `curves_of` the face when it is at hand.
    """
    curves, data = curves_of(face) if curves is None else curves, face.animation_data
    layers = [(row, at, blend, share) for row, at, blend, share in _strips(face, frame)]
    if data is not None and data.action is not None:
        layers.append((curves, frame, data.action_blend_type, data.action_influence))
    found: dict[str, float | None] = {}
    for bone, name in sliders.names_of(face):
        path = sliders.path_of(bone, name)
        value: float | None = 0.0
        for row, at, blend, share in layers:
            curve = row.get(path)
            if curve is None or not len(curve.keyframe_points) or curve.mute:
                continue
            given = curve.evaluate(at)
            if blend == "REPLACE":
                value = given if share >= 1.0 else None if value is None else value + share * (given - value)
            else:
                value = value + SIGNS[blend] * share * given if blend in SIGNS and value is not None else None
        found[path] = value
    return found


def _strips(face: bpy.types.Object, frame: float) -> list[tuple[Curves, float, str, float]]:
    """The curves of each NLA strip that acts at `frame`, the frame in its action, its blending, its share."""
    data, found = face.animation_data, []
    if data is None or not data.use_nla or data.use_tweak_mode:
        return found
    for track in data.nla_tracks:
        for strip in track.strips if not track.mute else ():
            if strip.mute or strip.action is None or strip.type != "CLIP":
                continue
            at = min(max(frame, strip.frame_start_raw), strip.frame_end_raw)
            if strip.extrapolation == "NOTHING" and at != frame:
                continue
            curves = fcurves.curves_in(strip.action, slot_of(strip.action, face)).fcurves
            at = strip.action_frame_start + (at - strip.frame_start_raw) / (strip.scale or 1.0)
            row = {curve.data_path: curve for curve in curves}
            found.append((row, at, strip.blend_type, strip.influence))
    return found


def unkeyed(face: bpy.types.Object, frame: float) -> list[tuple[str, str]]:
    """Bone and name of each emotion and handle whose value is in no key."""
    wanted, found = animated(face, frame), []
    for bone, name in sliders.names_of(face):
        path = sliders.path_of(bone, name)
        given = wanted[path]
        if given is not None and abs(float(face.pose.bones[bone].get(name, 0.0)) - given) > SAME:
            if not _is_driven(face, path):
                found.append((bone, name))
    return found


def _is_driven(face: bpy.types.Object, path: str) -> bool:
    data = face.animation_data
    return data is not None and any(driver.data_path == path for driver in data.drivers)


def key(face: bpy.types.Object, frame: float, fade: float) -> int:
    """Key what is unkeyed at `frame`, and where it was before `fade` frames earlier and later, unless a key
    is there already. Gives back how many sliders were keyed. Raises RuntimeError where Blender can set no
    key.
    """
    names, curves = unkeyed(face, frame), curves_of(face)
    ends = {end: animated(face, end, curves) for end in (frame - fade, frame + fade)} if fade > 0 else {}
    for bone, name in names:
        path, pose = sliders.path_of(bone, name), face.pose.bones[bone]
        here, curve = float(pose[name]), curves.get(path)
        taken = {round(point.co.x, 3) for point in curve.keyframe_points} if curve is not None else set()
        for when, values in ends.items():
            if round(when, 3) not in taken and values[path] is not None:
                pose[name] = values[path]
                pose.keyframe_insert(f'["{name}"]', frame=when, group=bone)
        pose[name] = here
        pose.keyframe_insert(f'["{name}"]', frame=frame, group=bone)
    face.update_tag()
    return len(names)


TURNS = ("yaw", "roll", "gaze_x")
"""Handles that go to one side: mirrored, they change their sign."""
SIDES = (("_left", "_right"), ("_l", "_r"))


def mirror(face: bpy.types.Object) -> int:
    """Exchange left and right of the emotions and handles as they stand: what turns goes the other way, and
    sliders of the two sides change places. Gives back how many changed.
    """
    names = sliders.names_of(face)
    before = {(bone, name): float(face.pose.bones[bone][name]) for bone, name in names}
    changed = 0
    for bone, name in names:
        value = before[bone, name]
        if bone == "handle" and name in TURNS:
            value = -value
        value = before.get((bone, _other_side(name)), value)
        if value != before[bone, name]:
            face.pose.bones[bone][name] = value
            changed += 1
    face.update_tag()
    return changed


def _other_side(name: str) -> str:
    for left, right in SIDES:
        for end, other in ((left, right), (right, left)):
            if name.endswith(end):
                return name.removesuffix(end) + other
    return ""
