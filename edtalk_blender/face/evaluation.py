# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates a take's curves in chunks and yields between them, so that Blender responds while a take of
100 000 frames is read; and checks the values that they give.

A take of one chunk is read in the state it has now. Between two chunks undo or file load may take the rig or
the scene away, so both are looked up again by session uid.
"""

from __future__ import annotations

from collections.abc import Generator

import bpy
import numpy as np

from ...core.wire.channels import BANKS, CHANNELS, bank_of
from ...core.wire.errors import InputError
from . import fcurves, sliders, teeth
from .rig import find_object, find_scene

CHUNK = 400
"""Frames between two yields, about 50 ms."""
MOST = 1000.0
"""The largest weight the server takes."""
HELD = 100.0
"""Blender holds a weight's property within this on either side, whatever its curve says."""


def in_chunks(
    face: int, scene: int, numbers: np.ndarray
) -> Generator[int, None, tuple[np.ndarray, teeth.Rows] | None]:
    """Yields the number of frames read so far, between chunks. Returns total weights float32 [N, 36] and the
    knobs of the mouth, or None when the rig or the scene is gone.
    """
    parts, mouths = [np.empty((0, len(CHANNELS)), np.float32)], []
    for start in range(0, len(numbers), CHUNK):
        if start:
            yield start
        rig, like = find_object(face), find_scene(scene)
        if rig is None or like is None:
            return None
        weights, knobs = fcurves.read_rows(rig, numbers[start : start + CHUNK], like)
        parts.append(weights)
        mouths += knobs
    return np.concatenate(parts), mouths


def check(
    rig: bpy.types.Object, scene: bpy.types.Scene, numbers: np.ndarray, weights: np.ndarray
) -> list[str]:
    """Warnings about curves that go where no face goes. Raises InputError where they give no number at all,
    or one that nothing can be drawn from.
    """
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(weights) <= MOST)
    if bad.any():
        row = int(np.flatnonzero(bad.any(axis=1))[0])
        name, value = _culprit(rig, scene, int(numbers[row]), weights[row])
        raise InputError(
            f"The curve of {name} gives {value:g} at frame {numbers[row]}, which is no value a face can have",
            hint="Delete or correct that key; all frames and curves stay as they are",
        )
    held = np.abs(weights) >= HELD
    if not held.any():
        return []
    row, column = (int(index) for index in np.argwhere(held)[0])
    return [
        f"The curve of {CHANNELS[column]} reaches {weights[row, column]:g} at frame {numbers[row]}, "
        "far beyond what any face does: is a key wrong?"
    ]


def _culprit(rig: bpy.types.Object, scene: bpy.types.Scene, frame: int, row: np.ndarray) -> tuple[str, float]:
    """Which property gives it: a single bad slider spoils many weights."""
    names, values = fcurves.read_properties(rig, frame, scene)
    pairs = [(name, value) for name, value in zip(names, values) if not abs(value) <= MOST]
    column = int(np.flatnonzero(~(np.abs(row) <= MOST))[0])
    return pairs[0] if pairs else (CHANNELS[column], float(row[column]))


def missing(rig: bpy.types.Object) -> list[str]:
    """The weights that were deleted from the rig's bones; without them their curves move nothing."""
    return [name for name in CHANNELS if name not in rig.pose.bones[bank_of(name)]]


def lost_bones(ob: bpy.types.Object | None) -> list[str]:
    """The bones that keep a rig which has a take from being a face; none for a face, or for anything else."""
    if ob is None or ob.type != "ARMATURE" or ob.pose is None or not ob.edtalk.take.name:
        return []
    return [bank for bank in BANKS if bank not in ob.pose.bones]


def restore(rig: bpy.types.Object, described) -> list[str]:
    """Put deleted weights back, at 0; their curves move them again. Gives back a warning that says so."""
    lacking = missing(rig)
    if not lacking or rig.library is not None:
        return []
    sliders.fit_to_checkpoint(rig, described)
    more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
    verb = "was" if len(lacking) == 1 else "were"
    return [f"{', '.join(lacking[:3])}{more} {verb} missing from the rig and put back"]
