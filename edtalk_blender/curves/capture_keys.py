# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen in a clip or a photo, as keys: in the take itself, or in the layer of Edit on Top as what has
to be added to the take. Hand keys stay unless it is said that they may go. What a clip gives are generated
keys; what a photo gives is a pose that somebody chose, so it counts as keyed by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...core.wire.channels import CHANNELS, bank_of
from ..face import fcurves, take_action
from ..face.keys import KEYFRAME, Keys, Place
from ..settings import timing
from .tool_base import values_at

NEAR = 0.5
"""Keys that are closer than this many frames to a hand key that stays are not set."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How it is to be keyed."""

    banks: frozenset[str]
    is_photo: bool
    replace: bool  # hand keys may go
    fade: float  # seconds


def write(
    face: bpy.types.Object,
    scene: bpy.types.Scene,
    place: Place,
    frames: np.ndarray,
    weights: np.ndarray,
    wanted: Wanted,
) -> int:
    """Key weights [T, 36] at scene frames [T], in the wanted banks. Gives back how many hand keys were in the
    way and stayed.
    """
    fade = wanted.fade * timing.rate_in(scene)
    below = None
    if place.action != take_action.worn(face):
        below = fcurves.read_generated(face, frames, scene, own=False)
    kept = 0
    for column, name in enumerate(CHANNELS):
        if bank_of(name) not in wanted.banks:
            continue
        goal = weights[:, column].astype(np.float64)
        if below is not None:
            goal = goal - below[:, column]
        curve = place.curve(name)
        if curve is None:
            if below is not None and np.abs(goal).max() < 1e-6:
                continue  # nothing is added to a channel that does nothing
            curve = fcurves.new_curve(place.curves, name)
        key = key_photo if wanted.is_photo else key_clip
        times, is_top = place.to_action(frames), below is not None
        kept += key(curve, times, goal, fade / place.scale, is_top, wanted.replace)
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
    """Insert one key of type Keyframe, value `goal` [1] at scene frame `times` [1], and generated keys with
    the curve's present value `ease` frames before and after it, so that the pose fades in and out. Returns 1
    when a key set by hand is there already and stays, else 0.
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
