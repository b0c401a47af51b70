# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves of ARKit's 52 names as a face's weights, and weights as a Live Link Face file.

Expression and head count from the portrait's own pose, since a phone's face at rest is to be this face at
rest; the mouth is what the file says, since a closed mouth is to be closed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import bpy
import numpy as np

from ....core.wire.channels import BANK_SLICES, CHANNELS
from ....core.wire.controls import STAND_INS
from ....core.wire.formats import a2f, arkit, kinds, livelink
from ....core.wire.formats.curves import Curves
from ....core.wire.formats.weights import Table
from ...face import controls, rig, sliders

HEAD_SCALE = 0.25
"""Radians that one unit of the first three weights of the pose bank turns the head, where no handle says."""
SMALLEST_TURN = 1e-6


def read(data: bytes, name: str, kind: str, scene_rate: float) -> Curves:
    """The curves of a file of one of ARKit's kinds (`kinds`). Raises BadMotion."""
    if kind == kinds.LIVELINK:
        return livelink.read(data, name, scene_rate)
    return a2f.read_csv(data, name) if kind == kinds.A2F_CSV else a2f.read_json(data, name)


def table_of(face: bpy.types.Object | None, curves: Curves) -> tuple[Table, str]:
    """Weights whose rows are counted from 0, and what is to be said about them, "" for nothing."""
    weights = base_of(face) + weights_of(face, arkit.controls_in(curves))
    turns = _turns(face)
    for name, direction in zip(arkit.HEAD, turns, strict=True):
        if name in curves.names:
            place = curves.names.index(name)
            weights += np.outer([row[place] for row in curves.rows], direction)
    missing = [name for name in arkit.NAMES if name not in curves.names]
    said = ""
    if missing:
        which = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        said = f"{len(missing)} of ARKit's 52 shapes are not in the file and stay at rest: {which}"
    return Table(weights.astype(np.float32), np.arange(len(weights)), curves.rate), said


def livelink_text(face: bpy.types.Object, table: Table) -> str:
    """Evaluated weights as the text of a Live Link Face CSV. The first time code is the first scene frame's.
    Raises BadMotion.
    """
    known = controls.directions_of(face)
    offsets = table.weights.astype(np.float64) - base_of(face)
    values = offsets @ np.linalg.pinv(np.array(list(known.values())), rcond=1e-6)  # [T, controls]
    emotions = {stand_in: emotion for emotion, stand_in in STAND_INS.items() if emotion not in known}
    named = [emotions.get(name, name) for name in known]
    angles = offsets @ np.linalg.pinv(np.array(_turns(face)), rcond=1e-6)
    rows = []
    for value, head in zip(values.tolist(), angles.tolist(), strict=True):
        shapes = arkit.from_controls(dict(zip(named, value, strict=True)))
        rows.append((*(shapes[name] for name in arkit.NAMES), *head))
    start = max(0.0, float(table.numbers[0]) / table.rate)
    return livelink.write(Curves((*arkit.NAMES, *arkit.HEAD), tuple(rows), table.rate), start)


def weights_of(face: bpy.types.Object | None, rows: Sequence[Mapping[str, float]]) -> np.ndarray:
    """float64 [T, 36] of rows of controls, which all have the same names."""
    known = controls.directions_of(face)
    names = list(rows[0]) if rows else []
    found = [known.get(name, known.get(STAND_INS.get(name, ""))) for name in names]
    used = [(name, direction) for name, direction in zip(names, found) if direction is not None]
    values = np.array([[row[name] for name, _ in used] for row in rows]).reshape(len(rows), len(used))
    return values @ np.array([direction for _, direction in used]).reshape(len(used), len(CHANNELS))


def base_of(face: bpy.types.Object | None) -> np.ndarray:
    """[36] the portrait's own weights without those of the mouth; zeros where they are not known yet."""
    base = np.zeros(len(CHANNELS))
    if face is not None:
        base += rig.rest_of(face)
    base[BANK_SLICES["mouth"]] = 0.0
    return base


def _turns(face: bpy.types.Object | None) -> list[np.ndarray]:
    """What a radian of yaw, pitch and roll adds to the 36 weights."""
    handles = {one.name: one.direction for one in sliders.directions_of(face)} if face is not None else {}
    found = []
    for column, name in enumerate(("yaw", "pitch", "roll"), BANK_SLICES["pose"].start):
        direction = np.array(handles.get(name, ()), np.float64) * math.degrees(1)
        if not direction.size or np.abs(direction).max() < SMALLEST_TURN:
            direction = np.eye(len(CHANNELS))[column] / HEAD_SCALE
        found.append(direction)
    return found
