# SPDX-License-Identifier: GPL-3.0-or-later
"""Several faces in a scene: a new one beside those that are there, and which one the panel speaks of.

A face is a rig with settings, a take and pictures of its own, so most of it follows by itself. What needs a
button is to begin another face: while a scene has one face only, the panel speaks of that one, whatever is
selected. And what needs a look is a face that came from another file, appended or as an override: paths that
are relative to a .blend mean the other one's folder, and Blender does not turn those of settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..face import placing, rig, stand_in
from ..pictures import image_sequence
from ..settings import paths
from ..settings.explained import ExplainedOperator
from ..settings.paths import absolute
from ..settings.properties import copy_settings
from ..takes import apply
from ..takes.moved_files import PATHS

MOST = 12
"""Faces that get a button each; more are chosen in the viewport."""
OWN = ("portrait", "audio", "driving")
"""Settings that a new face does not take over from another one."""


def new_face(context: bpy.types.Context) -> bpy.types.Object:
    """A face without a take beside the others, made active. Its settings begin as those on show."""
    scene, before = context.scene, rig.active_face(context)
    face = rig.make_rig(scene, apply.NAMELESS)
    face.location, _ = placing.free_place(scene, face.location)
    others = [one for one in rig.faces_in(scene) if one != face]
    while any((one.location - face.location).length < 2 * placing.REACH.x for one in others):
        face.location.x += 2 * placing.REACH.x + placing.GAP  # a face without a picture is not seen
    source = before if before is not None else scene
    copy_settings(source.edtalk, face.edtalk)
    for name in (*OWN, "face", "use_crop", "crop"):
        face.edtalk.property_unset(name)
    apply.make_active(face, bpy.context.scene)
    return face


# --------------------------------------------------------------------------------- faces of other files

_objects = -1  # how many there were when somebody looked


def bring_paths(face: bpy.types.Object) -> None:
    """Turn relative paths that lead nowhere here to where they led in the file the face came from."""
    settings = face.edtalk
    for field in PATHS:
        path = getattr(settings, field).strip()
        if path.startswith("//") and not Path(absolute(path)).is_file():
            places = (Path(place, path[2:].replace("\\", "/")) for place in _homes(face))
            found = next((place for place in places if place.is_file()), None)
            if found is not None:
                setattr(settings, field, paths.short_path(found.resolve()))


def _homes(face: bpy.types.Object) -> Iterator[Path]:
    """Folders that the file a face came from may be in: that of its library, and those above its pictures,
    whose paths Blender does keep right.
    """
    override = face.override_library
    if override is not None and override.reference is not None and override.reference.library is not None:
        yield Path(bpy.path.abspath(override.reference.library.filepath)).parent
    image = face.edtalk.take.image
    if image is not None and image.filepath:
        yield from list(image_sequence.file_of(image).parents)[1:4]


@persistent
def _something_came(scene: bpy.types.Scene, *_: object) -> None:
    global _objects
    if len(bpy.data.objects) == _objects or scene.name.startswith(stand_in.READING_SCENE):
        return
    _objects = len(bpy.data.objects)
    for ob in bpy.data.objects:
        if ob.library is None and rig.is_face(ob):
            bring_paths(ob)


def register() -> None:
    """Begin to watch."""
    bpy.app.handlers.depsgraph_update_post.append(_something_came)


def unregister() -> None:
    """The reverse of `register`."""
    bpy.app.handlers.depsgraph_update_post.remove(_something_came)


# -------------------------------------------------------------------------------------------------- buttons


class EDTALK_OT_new_face(ExplainedOperator, bpy.types.Operator):
    """Add another face to the scene, with a portrait, a sound and a take of its own"""

    bl_idname = "edtalk.new_face"
    bl_label = "New Face"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Not while something is edited, nor in a scene of another file."""
        reason = ""
        if context.scene.library is not None:
            reason = "This scene is linked from another file"
        elif context.mode not in {"OBJECT", "POSE"}:  # the Expression Library leaves one in Pose Mode
            reason = "Go to Object Mode first"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Beside the others."""
        if context.mode == "POSE":
            bpy.ops.object.mode_set(mode="OBJECT")
        face = new_face(context)
        self.report({"INFO"}, f"{face.name}: pick a portrait and a sound for it, then Generate")
        return {"FINISHED"}


class EDTALK_OT_select_face(ExplainedOperator, bpy.types.Operator):
    """Let the panel speak of this face"""

    bl_idname = "edtalk.select_face"
    bl_label = "Select Face"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Face", description="Name of the face rig")

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Not while something is edited."""
        return "Go to Object Mode first" if context.mode not in {"OBJECT", "POSE"} else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Select it alone and make it active."""
        face = next((one for one in rig.faces_in(context.scene) if one.name == self.name), None)
        if face is None:
            self.report({"ERROR"}, f"There is no face {self.name} in this scene")
            return {"CANCELLED"}
        if context.mode == "POSE":
            bpy.ops.object.mode_set(mode="OBJECT")
        if not apply.make_active(face, bpy.context.scene):
            self.report({"WARNING"}, f"{face.name} is hidden in this view layer")
            return {"CANCELLED"}
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, face: bpy.types.Object | None) -> None:
    """The faces of the scene, a button each, and one for another face."""
    faces = rig.faces_in(context.scene)
    if not faces:
        return
    row = layout.row(align=True)
    for one in faces[:MOST] if len(faces) > 1 else ():
        row.operator("edtalk.select_face", text=one.name, depress=one == face).name = one.name
    if len(faces) == 1:
        row.label(text=faces[0].name, icon="ARMATURE_DATA")
    row.operator("edtalk.new_face", text="" if len(faces) > 1 else "New Face", icon="ADD")


CLASSES = (EDTALK_OT_new_face, EDTALK_OT_select_face)
