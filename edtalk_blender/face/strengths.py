# SPDX-License-Identifier: GPL-3.0-or-later
"""How strongly a take is played, afterwards: four sliders of the rig's bone `strength`, which rest at 1.

    drawn = own + strength * (take - own)        own: the portrait's weights

Mouth is *articulation*, from mumbling to over-articulated: lips that shut or meet the teeth do so at any. The
take's curves stay as they are, and the sliders can be keyed, driven and laid in NLA tracks as all others.
Emotions and handles come on top, whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np

from ...core.wire.channels import CHANNELS, PARTS, bank_of
from . import rig

BONE = "strength"
LABELS = {"mouth": "Articulation", "pose": "Head Motion", "expression": "Expression", "blink": "Blinks"}
TEXTS = {
    "mouth": "How far the lips of the take move: 0.5 mumbles, 1.5 over-articulates; closed lips stay closed",
    "pose": "How far the head of the take moves away from the portrait's own pose",
    "expression": "How far the take leaves the portrait's own expression",
    "blink": "How far the lids of the take close",
}
FIRM = frozenset({"press", "lip to teeth"})
"""Labels of mouth weights that no strength weakens."""
MOST = 2.0
FULL = 1.5
"""A mouth weight or a lid at full strength."""


def add_to(face: bpy.types.Object) -> None:
    """Give a rig the sliders that it lacks, at 1."""
    if face.data.library is None:
        rig.add_bones(face, [BONE])
    bone = face.pose.bones.get(BONE)
    for part in PARTS if bone is not None else ():
        if part in bone:
            continue
        rig.add_slider(bone, part)
        bone[part] = 1.0
        bone.id_properties_ui(part).update(
            min=0.0,
            max=MOST,
            soft_min=0.0,
            soft_max=1.5,
            default=1.0,
            precision=2,
            step=1.0,
            description=TEXTS[part],
        )


def names_of(face: bpy.types.Object) -> list[tuple[str, str]]:
    """Bone and name of every strength that the rig has; rigs of older files have none: they play at 1."""
    bone = face.pose.bones.get(BONE)
    return [(BONE, part) for part in PARTS if bone is not None and part in bone]


def applied(
    face: bpy.types.Object, weights: np.ndarray, values: Mapping[tuple[str, str], np.ndarray]
) -> np.ndarray:
    """Weights float32 [T, 36] as strongly as the sliders' values [T] say; at 1 the same, to the bit."""
    turned = {part: values[BONE, part] for part in PARTS if (BONE, part) in values}
    if all((row == 1).all() for row in turned.values()):
        return weights
    own, labels = rig.rest_of(face), face.get(rig.LABELS)
    out = np.array(weights, np.float32)
    for column, name in enumerate(CHANNELS):
        label = str(labels.get(name, "")).lower() if hasattr(labels, "get") else ""
        part = "blink" if label == "blink" else bank_of(name)
        if part not in turned or label in FIRM:
            continue
        strength = np.maximum(turned[part], 0)
        out[:, column] = own[column] + strength * (weights[:, column] - own[column])
        if part in ("mouth", "blink"):  # a jaw or a lid goes no further than it can
            out[:, column] = np.clip(
                out[:, column], np.minimum(weights[:, column], 0), np.maximum(weights[:, column], FULL)
            )
    return out


def draw(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    """The sliders, each with its key diamond."""
    names = names_of(face)
    if not names:
        return
    header, body = layout.panel("EDTALK_strengths", default_closed=True)
    header.label(text="Strength of the Take")
    if body is None:
        return
    column = body.column(align=True)
    column.use_property_decorate = True
    for bone, part in names:
        column.prop(face.pose.bones[bone], f'["{part}"]', text=LABELS[part], slider=True)
