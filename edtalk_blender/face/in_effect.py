# SPDX-License-Identifier: GPL-3.0-or-later
"""Does anything move the face? Curves may be there and move nothing: an action whose slot is not assigned
(from 4.4 on), curves, groups, tracks or strips that are muted, an influence of 0, drivers that are broken.

Pictures made then would be one still, over frames that cannot be had back.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from ...core.wire.errors import InputError
from . import fcurves, rig, take_action, teeth

PATHS = tuple(f'pose.bones["{bone}"]["' for bone in rig.BONES if bone != teeth.BONE)
"""How the data paths of weights, emotions and handles begin."""
STILL = 1e-6


def is_moved(face: bpy.types.Object) -> bool:
    """Is there a curve or a driver in effect on any weight, emotion or handle?"""
    data = face.animation_data
    if data is None:
        return False
    if any(_is_ours(curve) and not curve.mute and curve.driver.is_valid for curve in data.drivers):
        return True
    return any(_is_ours(curve) and _counts(curve) for curve in _curves(data))


def check(face: bpy.types.Object, numbers: np.ndarray, weights: np.ndarray) -> None:
    """For weights [N, 36] that were read at scene frames [N]. Raises InputError where they stand still and
    the curves of the take do not, for whatever cause.
    """
    if len(numbers) < 2 or np.ptp(weights, axis=0).max() > STILL:
        return
    action = take_action.take_of(face)
    if action is None or take_action.is_at_rest(face):
        return
    some = numbers[:: max(1, len(numbers) // 16)]
    for slot in action.slots if fcurves.LAYERED else (None,):
        for curve in fcurves.curves_seen(action, slot):
            if _is_ours(curve) and _counts(curve) and np.ptp([curve.evaluate(float(n)) for n in some]) > 1e-3:
                raise InputError(
                    f"Nothing moves {face.name} from frame {numbers[0]} to {numbers[-1]}, though the curves "
                    f"of {action.name} do",
                    hint="Look at the NLA tracks, influences and drivers of the rig. All frames are kept",
                )


def _curves(data: bpy.types.AnimData) -> Iterator[bpy.types.FCurve]:
    """All curves of actions and strips that are in effect."""
    strips = list(_strips(data)) if data.use_nla else []
    slot = data.action_slot if fcurves.LAYERED else None
    if data.action is not None and (slot is not None or not fcurves.LAYERED):
        if data.action_influence > 0 or not strips:
            yield from fcurves.curves_seen(data.action, slot)
    for strip in strips:
        slot = strip.action_slot if fcurves.LAYERED else None
        if slot is not None or not fcurves.LAYERED:
            yield from fcurves.curves_seen(strip.action, slot)


def _strips(data: bpy.types.AnimData) -> Iterator[bpy.types.NlaStrip]:
    solo = any(track.is_solo for track in data.nla_tracks)
    for track in data.nla_tracks:
        if track.is_solo if solo else not track.mute:
            for strip in track.strips:
                keyed = strip.use_animated_influence
                if not strip.mute and strip.action is not None and (keyed or strip.influence > 0):
                    yield strip


def _is_ours(curve: bpy.types.FCurve) -> bool:
    return curve.data_path.startswith(PATHS)


def _counts(curve: bpy.types.FCurve) -> bool:
    return not (curve.mute or curve.is_empty or (curve.group is not None and curve.group.mute))
