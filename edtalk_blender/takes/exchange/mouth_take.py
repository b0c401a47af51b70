# SPDX-License-Identifier: GPL-3.0-or-later
"""Timed mouth shapes of another program onto a face: another mouth for the take that it wears.

The new take is a copy of the action, in which the mouth has new keys from the first shape to the last; all
other curves, and the mouth before and after, keep the keys they had. Edits on top stay on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import bpy
import numpy as np

from ....core.wire import moments
from ....core.wire.channels import BANK_SLICES, CHANNELS
from ....core.wire.errors import BadMotion, InputError
from ....core.wire.formats import visemes
from ....core.wire.formats.curves import Cue
from ....core.wire.formats.weights import Table
from ...face import fcurves, take_action
from ...settings import timing
from .. import retime, take_rows
from .arkit_take import base_of, weights_of

MOUTH = BANK_SLICES["mouth"]


def worn(face: bpy.types.Object | None) -> bpy.types.Action | None:
    """The take whose mouth is replaced; None where there is none to replace."""
    if face is None or not face.edtalk.take.name:
        return None
    return take_action.take_of(face)


def frames_and_mouth(
    face: bpy.types.Object, scene: bpy.types.Scene, cues: Sequence[Cue]
) -> tuple[np.ndarray, np.ndarray, str]:
    """Scene frames [N] within the take, its mouth weights [N, 20] there, and what is to be said. Time 0 of
    the file is where the take's sound begins. Raises InputError, BadMotion.
    """
    if made_at := retime.odd_rate(face, scene):
        raise InputError(
            f"The take is laid out for {made_at:g} frames a second, the scene has {timing.rate_in(scene):g}",
            hint="Press Fit to Frame Rate first, then import the mouth",
        )
    rate, begin, take = timing.rate_in(scene), retime.begin_of(face, scene), face.edtalk.take
    first = max(take.first, ceil(moments.frame_at(cues[0].start, rate, begin)))
    last = min(take.last, floor(moments.frame_at(max(cue.end for cue in cues), rate, begin)))
    if last < first:
        raise BadMotion(
            f"The mouth shapes end {cues[-1].end:.1f} s after the sound begins; the take has no frame there",
            hint="Wear the take that the shapes belong to",
        )
    frames = np.arange(first, last + 1)
    looks, said = _looks(cues)
    made = visemes.track(looks, moments.seconds_at(frames, rate, begin).tolist())
    outside = sum(cue.start > moments.seconds_at(take.last, rate, begin) for cue in cues)
    if outside:
        said = "; ".join(
            filter(None, (said, f"{outside} shapes begin after the take's end and are left out"))
        )
    return frames, weights_of(face, made)[:, MOUTH].astype(np.float32), said


def table_of(face: bpy.types.Object | None, scene: bpy.types.Scene, cues: Sequence[Cue]) -> tuple[Table, str]:
    """A take of a mouth alone, for a face that wears none: it begins where the sound will."""
    rate = timing.rate_in(scene)
    start = (face if face is not None else scene).edtalk.start
    count = max(1, ceil(max(cue.end for cue in cues) * rate))
    frames = np.arange(start, start + count)
    looks, said = _looks(cues)
    made = visemes.track(looks, moments.seconds_at(frames, rate, start).tolist())
    weights = base_of(face) + weights_of(face, made)
    return Table(weights.astype(np.float32), frames, rate), said


def land(face: bpy.types.Object, name: str, frames: np.ndarray, mouth: np.ndarray) -> None:
    """Let the face wear a copy of its take with mouth weights [N, 20] at scene frames [N], which rise by 1;
    the take before is kept.
    """
    take_action.wake(face)
    take_rows.save_to_row(face)
    before = take_action.take_of(face)
    before.use_fake_user = True
    action = before.copy()
    action.name = name
    if action.asset_data is not None:
        action.asset_clear()
    curves = fcurves.curves_in(action, take_action.slot_of(action, face))
    for column, channel in enumerate(CHANNELS[MOUTH]):
        fcurves.replace_keys(curves, channel, frames, mouth[:, column])
    take_action.wear(face, action)


def _looks(cues: Sequence[Cue]) -> tuple[list[tuple[str, float, float]], str]:
    looks, unknown = visemes.looks_of(cues)
    said = f"unknown shapes open the mouth a little: {', '.join(unknown)[:80]}" if unknown else ""
    return looks, said
