# SPDX-License-Identifier: GPL-3.0-or-later
"""The face rig: an armature whose pose bones `mouth`, `pose` and `expression` carry the 36 weights, and
`emotion` and `handle` what lies on top of them (see `sliders`).

All of it is plain custom properties, one slider each. Bones bring Blender's pose tools for nothing
(pose assets, copy and paste, breakdown, NLA, overrides), and plain properties stay in the .blend,
animate, drive and render where the add-on is missing, which a PropertyGroup would not.

Trap: bones can only be made in Edit Mode, and a job lands while the animator may be editing something
else. So the armature is built in a scene of its own and then linked into the user's; the user's mode is
left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np

from ...core.wire.channels import BANKS, CHANNELS, DEFAULT_CHANNELS, Channel, bank_of

LABELS = "edtalk_labels"
"""Custom property of the rig: channel name -> label, for the channels its checkpoint uses."""

REST = "edtalk_rest"
"""Custom property of the rig: the portrait's own 36 weights."""

NAMES = {bank: [name for name in CHANNELS if bank_of(name) == bank] for bank in BANKS}
"""Bank -> the names of its weights."""

NO_FACE = "Select a face rig first, or generate a take"
LINKED = "This face is linked: make a library override of it first"
"""Why a button is grey that changes the active face."""

SPARE = "Spare: the checkpoint of this rig does nothing with it"

BONES = {
    "emotion": -0.6,
    "mouth": -0.3,
    "pose": 0.0,
    "expression": 0.3,
    "handle": 0.6,
    "strength": 0.9,
    "teeth": 1.2,
}
"""Bone -> where it stands, below the picture."""


def path_of(name: str) -> str:
    """Data path of a weight from its rig: `pose.bones["mouth"]["mouth_00"]`."""
    return f'pose.bones["{bank_of(name)}"]["{name}"]'


def is_face(ob: bpy.types.Object | None) -> bool:
    """Is this object a face rig? Looks at what it has, so it also knows rigs made elsewhere or overridden."""
    if ob is None or ob.type != "ARMATURE" or ob.pose is None:
        return False
    bones = ob.pose.bones
    return all(bank in bones and any(name in bones[bank] for name in NAMES[bank]) for bank in BANKS)


def faces_in(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """All face rigs of a scene."""
    return [ob for ob in scene.objects if is_face(ob)]


def active_face(context: bpy.types.Context) -> bpy.types.Object | None:
    """The face rig the panels speak of: the active object, its parent (for the picture plane), or the
    only one.
    """
    active = getattr(context, "active_object", None) or context.view_layer.objects.active
    for ob in (active, active.parent if active is not None else None):
        if is_face(ob):
            return ob
    faces = faces_in(context.scene)
    return faces[0] if len(faces) == 1 else None


def settings_of(context: bpy.types.Context) -> bpy.types.PropertyGroup:
    """The active face's settings, or the scene's while there is no face."""
    face = active_face(context)
    return (face if face is not None else context.scene).edtalk


def find_object(uid: int) -> bpy.types.Object | None:
    """The object with this session uid, None after undo or file load took it away."""
    return next((ob for ob in bpy.data.objects if ob.session_uid == uid), None)


def find_scene(uid: int) -> bpy.types.Scene | None:
    """The scene with this session uid, None when it is gone."""
    return next((scene for scene in bpy.data.scenes if scene.session_uid == uid), None)


def why_not_ours(face: bpy.types.Object | None) -> str:
    """Why nothing can be changed about what is active, "" when it is a face of this file."""
    if face is None:
        return NO_FACE
    return LINKED if face.library is not None else ""


def make_rig(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    """A new face rig in `scene`, all sliders 0, with generic labels until `sliders.fit_to_checkpoint`."""
    armature = bpy.data.armatures.new(name)
    armature.display_type = "STICK"
    rig = bpy.data.objects.new(name, armature)
    add_bones(rig, [*BANKS, "emotion", "handle", "strength", "teeth"])
    scene.collection.objects.link(rig)
    rig.location = scene.cursor.location  # where Blender adds everything
    label_channels(rig, DEFAULT_CHANNELS)
    return rig


def add_bones(rig: bpy.types.Object, names: Iterable[str]) -> None:
    """Give a rig the bones of these names that it lacks, whatever is edited in the user's scene."""
    names = [name for name in names if name not in rig.data.bones]
    if not names:
        return
    if rig.data.is_editmode:
        for name in names:
            _new_bone(rig.data, name)
        rig.update_from_editmode()
        return
    mode = rig.mode
    workshop = bpy.data.scenes.new(".edtalk_workshop")
    try:
        workshop.collection.objects.link(rig)
        layer = workshop.view_layers[0]
        layer.objects.active = rig
        with bpy.context.temp_override(
            scene=workshop,
            view_layer=layer,
            active_object=rig,
            object=rig,
            edit_object=None,
            selected_objects=[rig],
        ):
            bpy.ops.object.mode_set(mode="EDIT")
            for name in names:
                _new_bone(rig.data, name)
            bpy.ops.object.mode_set(mode=mode)
    finally:
        bpy.data.batch_remove([workshop])  # `scenes.remove` crashes where there is no window


def _new_bone(armature: bpy.types.Armature, name: str) -> None:
    bone = armature.edit_bones.new(name)
    x = BONES[name]
    bone.head, bone.tail = (x, 0.0, -1.25), (x, 0.0, -1.05)  # below the picture, not in the face
    bone.select = bone.select_head = bone.select_tail = True  # the timeline shows selected bones


def add_slider(bone: bpy.types.PoseBone, name: str) -> None:
    """A custom property that can be changed where the rig is a library override, too."""
    if name not in bone:
        bone[name] = 0.0
        bone.property_overridable_library_set(f'["{name}"]', True)


def label_channels(rig: bpy.types.Object, channels: Iterable[Channel]) -> None:
    """Give the sliders the labels, tooltips and soft ranges of a checkpoint; their values stay."""
    labels = {}
    for channel in channels:
        bone = rig.pose.bones[bank_of(channel.name)]
        add_slider(bone, channel.name)
        text = f"{channel.label}. {channel.description}" if channel.description else channel.label
        bone.id_properties_ui(channel.name).update(
            min=-100.0,
            max=100.0,
            soft_min=channel.soft_min,
            soft_max=channel.soft_max,
            default=channel.default,
            precision=3,
            step=1.0,
            description=text if channel.used else SPARE,
        )
        if channel.used:
            labels[channel.name] = channel.label
    rig[LABELS] = labels


def labels_of(rig: bpy.types.Object, bank: str) -> list[tuple[str, str]]:
    """Name and label of the weights of a bank that the rig's checkpoint uses."""
    labels = rig.get(LABELS)
    names = [name for name in CHANNELS if bank_of(name) == bank and name in rig.pose.bones[bank]]
    if labels is None:
        return [(name, name) for name in names]
    return [(name, labels[name]) for name in names if name in labels]


def rest_of(face: bpy.types.Object) -> np.ndarray:
    """The portrait's own weights, float32 [36]; zero, which is close, for rigs that were not told."""
    known = face.get(REST)
    if known is None or len(known) != len(CHANNELS):
        return np.zeros(len(CHANNELS), np.float32)
    return np.array(known, np.float32)
