# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face's weights are in controls (`core.wire.controls`), and controls in weights.

A control is a linear function of the 36 total weights: of one channel, where the checkpoint names channels
("Jaw Open"), else of all of them, as the handles' directions say (least squares).
"""

from __future__ import annotations

import bpy
import numpy as np

from ...core.wire.channels import BANK_SLICES, CHANNELS
from ...core.wire.controls import FULL, HANDLES, LABELS
from ...core.wire.errors import InputError
from . import rig, sliders

NAMED_ENOUGH = 5
"""Channels with a known label that a checkpoint needs to be read by its labels."""


def gains_of(face: bpy.types.Object) -> dict[str, np.ndarray]:
    """Control -> the 36 gains that give its value from total weights. Raises InputError when the checkpoint
    says neither of channels nor of handles what they do.
    """
    found = _by_label(face)
    if found:
        return {control: row / FULL[control] for control, row in found.items()}
    by_handle = _by_handle(face)
    if not by_handle:
        raise InputError(
            "The checkpoint of this face does not say what its channels do",
            hint="Use the one that comes with EDTalk, or calibrate handles for yours",
        )
    inverse = np.linalg.pinv(np.array(list(by_handle.values())).T, rcond=1e-6)
    return dict(zip(by_handle, inverse))


def directions_of(face: bpy.types.Object | None) -> dict[str, np.ndarray]:
    """Control -> what it adds to the 36 weights at full strength. A face that was not analysed yet, or none,
    counts as one of the checkpoint that comes with EDTalk.
    """
    found = _by_label(face) if face is not None else {}
    if found:
        return {control: row * FULL[control] for control, row in found.items()}
    return (_by_handle(face) if face is not None else {}) or _shipped()


def _by_label(face: bpy.types.Object) -> dict[str, np.ndarray]:
    """Control -> 1 at its channel; nothing for a checkpoint that does not name its channels."""
    labels = face.get(rig.LABELS)
    labels = dict(labels.items()) if hasattr(labels, "items") else {}
    eye = np.eye(len(CHANNELS))
    known = {name: LABELS[label] for name, label in labels.items() if label in LABELS and name in CHANNELS}
    if len(known) < NAMED_ENOUGH:
        return {}
    return {control: eye[CHANNELS.index(name)] for name, control in known.items()}


def _by_handle(face: bpy.types.Object) -> dict[str, np.ndarray]:
    """Control -> 36 weights at full strength."""
    handles = [handle for handle in sliders.directions_of(face) if handle.name in HANDLES]
    return {
        HANDLES[one.name][0]: np.array(one.direction, np.float64) * HANDLES[one.name][1] for one in handles
    }


def _shipped() -> dict[str, np.ndarray]:
    """As `_by_label` finds them on a face of the shipped checkpoint: twelve channels of the mouth, ten of the
    expression, in the order of `LABELS`.
    """
    first, mouth = BANK_SLICES["expression"].start, 12
    eye = np.eye(len(CHANNELS))
    places = (k if k < mouth else first + k - mouth for k in range(len(LABELS)))
    return {control: eye[place] * FULL[control] for control, place in zip(LABELS.values(), places)}
