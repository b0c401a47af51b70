# SPDX-License-Identifier: GPL-3.0-or-later
"""The knobs of the inside of the mouth on the face rig: the bone `teeth` carries one plain custom property
for each of `core.wire.mouth_knobs`, to be keyed and driven as any other.

They are no weights: each frame has a row of them beside its weights, and a rig without the bone, as those of
older files, has them all at rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ...core.wire.mouth_knobs import DEFAULTS, KNOBS, TEETH, tidy

BONE = "teeth"
Rows = list[tuple[float, ...]]
"""Tidy rows of knobs, one a frame."""


def fit(face: bpy.types.Object) -> None:
    """Give the bone the properties it lacks, with ranges and tooltips; values stay."""
    bone = face.pose.bones.get(BONE)
    if bone is None:
        return
    for knob in KNOBS:
        kind = int if knob.name == BONE else float
        if knob.name not in bone:
            bone[knob.name] = kind(knob.default)
            bone.property_overridable_library_set(f'["{knob.name}"]', True)
        how = {"min": kind(knob.low), "max": kind(knob.high), "default": kind(knob.default)}
        if kind is int:
            how["items"] = [
                (name.upper(), *words, "NONE", number) for number, (name, words) in enumerate(TEETH.items())
            ]
        else:
            how |= {"soft_min": knob.low, "soft_max": knob.high, "precision": 2, "step": 1.0}
        bone.id_properties_ui(knob.name).update(description=knob.description, **how)


def names_of(face: bpy.types.Object) -> list[tuple[str, str]]:
    """Bone and name of every knob the rig has."""
    bone = face.pose.bones.get(BONE)
    return [(BONE, knob.name) for knob in KNOBS if bone is not None and knob.name in bone]


def rows_of(names: Sequence[tuple[str, str]], values: np.ndarray) -> Rows:
    """Tidy rows from evaluated values [N, len(names)]; a knob that is not there rests."""
    rows = np.tile(np.array(DEFAULTS, np.float32), (len(values), 1))
    order = [knob.name for knob in KNOBS]
    for column, (_, name) in enumerate(names):
        rows[:, order.index(name)] = values[:, column]
    found: Rows = [DEFAULTS] * len(rows)
    for row in np.flatnonzero((rows != np.array(DEFAULTS, np.float32)).any(axis=1)):
        found[row] = tidy(rows[row].tolist())
    return found


def draw(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    """The knobs, each with its key diamond."""
    names = names_of(face)
    header, body = layout.panel("EDTALK_teeth", default_closed=True)
    header.label(text="Teeth")
    if body is None:
        return
    if not names:
        body.operator("edtalk.update_face", icon="FILE_REFRESH")
        return
    column = body.column(align=True)
    column.use_property_decorate = True
    labels = {knob.name: knob.label for knob in KNOBS}
    for bone, name in names:
        column.prop(face.pose.bones[bone], f'["{name}"]', text=labels[name])
