# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons of a 3D character that follows the face."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ...core.wire.errors import EDTalkError
from ..character import shape_keys
from ..face import rig
from ..server_process.jobs import busy
from ..settings.explained import ExplainedOperator
from ..settings.properties import OVERRIDABLE

WAY_ITEMS = [
    ("DRIVERS", "Drivers", "The character follows the face, whatever happens to its curves"),
    ("BAKE", "Bake", "Keys at every frame of the take, in an action of their own"),
]
KIND_ITEMS = [
    ("AUTO", "Auto", "ARKit where the character has its names, else visemes"),
    ("ARKIT", "ARKit", "The 52 shapes of ARKit"),
    ("VISEMES", "Visemes", "Mouth shapes of speech, and blinks"),
]


def _is_character(_self: object, ob: bpy.types.Object) -> bool:
    return bool(shape_keys.meshes_of(ob))


def why_not(context: bpy.types.Context) -> str:
    """Why no character can follow, "" when one can."""
    face = rig.active_face(context)
    if face is None:
        return rig.NO_FACE
    target = face.edtalk_character
    if target is None:
        return "Pick a character first: an object with shape keys, or the parent of such objects"
    meshes = shape_keys.meshes_of(target)
    if not meshes:
        return f"{target.name} has no shape keys"
    if any(mesh.data.library is not None for mesh in meshes):
        return f"The meshes of {target.name} are linked: make a library override of them first"
    return busy()


class EDTALK_OT_copy_to_shape_keys(ExplainedOperator, bpy.types.Operator):
    """Let the shape keys of a 3D character follow the face: by drivers, or by keys that are baked once"""

    bl_idname = "edtalk.copy_to_shape_keys"
    bl_label = "Copy to Shape Keys"
    bl_options = {"REGISTER", "UNDO"}

    way: bpy.props.EnumProperty(name="By", description="How the character follows", items=WAY_ITEMS)
    kind: bpy.props.EnumProperty(name="Names", description="Which names to look for", items=KIND_ITEMS)
    strength: bpy.props.FloatProperty(
        name="Strength", description="How far the shape keys go", default=1.0, min=0.0, max=4.0, soft_max=2.0
    )
    replace: bpy.props.BoolProperty(
        name="Replace Others", description="Also take over shape keys that have drivers or keys of their own"
    )

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """With a face and a character."""
        return why_not(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Connect, report, and list it in a text."""
        face = rig.active_face(context)
        target = face.edtalk_character
        try:
            tally = shape_keys.copy(
                face, target, context.scene, self.way, self.kind, self.strength, self.replace
            )
        except EDTalkError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        text = bpy.data.texts.get(shape_keys.REPORT) or bpy.data.texts.new(shape_keys.REPORT)
        text.from_string(tally.text(face, target))
        if not tally.moved:
            self.report(
                {"WARNING"},
                f"No shape key of {target.name} was connected. The text {shape_keys.REPORT} says why",
            )
            return {"FINISHED"}
        self.report({"INFO"}, tally.sentence(target))
        return {"FINISHED"}


class EDTALK_OT_release_shape_keys(ExplainedOperator, bpy.types.Operator):
    """Take the drivers away that make the character follow a face; other drivers and all keys stay"""

    bl_idname = "edtalk.release_shape_keys"
    bl_label = "Remove Drivers"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """With a face, a character, and something to remove."""
        reason = why_not(context)
        if not reason and not any(_ours(rig.active_face(context).edtalk_character)):
            reason = "No shape key of this character follows a face"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From every mesh of the character."""
        target = rig.active_face(context).edtalk_character
        ours = list(_ours(target))
        for keys, name in ours:
            keys.key_blocks[name].driver_remove("value")
            keys.key_blocks[name].value = 0.0
        self.report({"INFO"}, f"{len(ours)} shape keys of {target.name} are free again")
        return {"FINISHED"}


def _ours(target: bpy.types.Object) -> Iterator[tuple[bpy.types.Key, str]]:
    """The shape keys of a character that follow a face."""
    return shape_keys.all_drivers(shape_keys.meshes_of(target))


def draw(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    """The character and the buttons."""
    header, body = layout.panel("EDTALK_character", default_closed=True)
    header.label(text="3D Character")
    if body is None:
        return
    if face.edtalk_character is None:
        body.label(text="A mesh with shape keys follows this face", icon="INFO")
    body.prop(face, "edtalk_character", text="Character")
    row = body.row(align=True)
    row.operator("edtalk.copy_to_shape_keys", text="Drive", icon="DRIVER").way = "DRIVERS"
    row.operator("edtalk.copy_to_shape_keys", text="Bake", icon="REC").way = "BAKE"
    body.operator("edtalk.release_shape_keys", icon="X")


def register() -> None:
    """The character that follows a face, on the face."""
    bpy.types.Object.edtalk_character = bpy.props.PointerProperty(
        name="Character",
        description="An object with shape keys, or the parent of such objects",
        type=bpy.types.Object,
        poll=_is_character,
        override=OVERRIDABLE,
    )


def unregister() -> None:
    """The reverse of `register`."""
    del bpy.types.Object.edtalk_character


CLASSES = (EDTALK_OT_copy_to_shape_keys, EDTALK_OT_release_shape_keys)
