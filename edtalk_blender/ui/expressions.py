# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression library: pose assets on emotions and handles, with pictures, in Blender's own asset shelf.

The library is a folder of the extension (`tools/make_expressions.py` makes it) that becomes an asset library
in the preferences. From there on it is all Blender: a click applies an expression, a drag blends it.

One's own is saved by Blender's Create Pose Asset, too. But that takes only such custom properties as have a
key at the frame, and its picture is one of the viewport; hence Save Expression.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path

import bpy

from ..face import fcurves, rig, sliders
from ..preview import live_picture
from ..settings.explained import ExplainedOperator

NAME = "EDTalk Expressions"
FOLDER = Path(__file__).resolve().parents[1] / "assets"


def library() -> bpy.types.UserAssetLibrary | None:
    """The entry in the preferences, None while there is none."""
    libraries = bpy.context.preferences.filepaths.asset_libraries
    found = (entry for entry in libraries if entry.name == NAME or Path(entry.path) == FOLDER)
    return next(found, None)


def add() -> bool:
    """Make the folder an asset library, or let the entry of an older installation point to it; False if it
    does so already.
    """
    entry = library()
    if entry is not None and Path(entry.path) == FOLDER:
        return False
    preferences = bpy.context.preferences
    if entry is None:
        preferences.filepaths.asset_libraries.new(name=NAME, directory=str(FOLDER))
    else:
        entry.path = str(FOLDER)
    preferences.is_dirty = True  # so that Blender saves them when it is left
    return True


def show(context: bpy.types.Context, face: bpy.types.Object) -> bool:
    """Open the asset shelf for a face in this 3D View: Pose Mode, all bones selected, since an expression
    goes to the selected ones. False where there is no 3D View or something else is edited.
    """
    space, layer = context.space_data, context.view_layer
    if space is None or space.type != "VIEW_3D" or face.name not in layer.objects:
        return False
    active = layer.objects.active
    if active != face and active is not None and active.mode != "OBJECT":
        return False
    if active != face:
        for ob in list(layer.objects.selected):
            ob.select_set(False, view_layer=layer)
        layer.objects.active = face
    face.select_set(True, view_layer=layer)
    if face.mode != "POSE":
        bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pose.select_all(action="SELECT")
    bpy.app.timers.register(partial(_open_shelf, context.area.as_pointer(), list(range(50))))
    return True


def _open_shelf(area: int, tries: list[int]) -> float | None:
    """Open the asset shelf of an area and see to it that it stays open: Blender makes it some redraws after
    Pose Mode begins, may not let it be opened before, and closes it once when it has made it.
    """
    for window in bpy.context.window_manager.windows:
        for found in window.screen.areas:
            if found.as_pointer() == area and found.type == "VIEW_3D":
                space = found.spaces.active
                with suppress(AttributeError):  # which means that it has none yet
                    space.show_region_asset_shelf = True
                height = sum(region.height for region in found.regions if region.type == "ASSET_SHELF")
                if not (space.show_region_asset_shelf and height > 1) and tries:
                    tries.pop()
                    return 0.1
    return None


class EDTALK_OT_expression_library(bpy.types.Operator):
    """Show expressions to pick in the asset shelf of the 3D View: a click applies one to the selected bones
    of the face, a drag blends it in. Adds the asset library EDTalk Expressions to the preferences"""

    bl_idname = "edtalk.expression_library"
    bl_label = "Expression Library"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it once, show it each time."""
        added, face = add(), rig.active_face(context)
        shown = face is not None and show(context, face)
        if added:
            self.report({"INFO"}, f"The asset library {NAME} is in the preferences now")
        elif not shown:
            self.report({"INFO"}, "Open the asset shelf of a 3D View in Pose Mode to see the expressions")
        return {"FINISHED"}


def save(face: bpy.types.Object, name: str) -> bpy.types.Action:
    """A pose asset of this file from the sliders as they stand, with the live preview as its picture. As in
    the library, it sets the whole face, and turns head and eyes only if they are turned.
    """
    action = bpy.data.actions.new(name)
    curves = fcurves.curves_in(action, fcurves.new_slot(face, action))
    for bone, slider in sliders.names_of(face):
        value = face.pose.bones[bone][slider]
        if value or not sliders.is_in_degrees(face, bone, slider):
            curve = curves.fcurves.new(sliders.path_of(bone, slider), index=0)
            curve.group = curves.groups.get(bone) or curves.groups.new(bone)
            curve.keyframe_points.insert(1.0, value)
    action.asset_mark()
    action.asset_data.tags.new("edtalk")
    pixels = live_picture.pixels_of(face)
    if pixels is not None:
        height, width = pixels.shape[:2]
        preview = action.preview_ensure()
        preview.image_size = (width, height)
        preview.image_pixels_float.foreach_set(pixels.ravel())
    return action


class EDTALK_OT_save_expression(ExplainedOperator, bpy.types.Operator):
    """Save the emotions and handles of this face as a pose asset of this file. With Live Preview on, the
    asset's picture is what the preview shows"""

    bl_idname = "edtalk.save_expression"
    bl_label = "Save Expression"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Name", description="Name of the pose asset", default="Expression")

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only with sliders to save."""
        return why_not_save(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for a name."""
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, _context: bpy.types.Context) -> None:
        """The name, ready to be typed."""
        self.layout.activate_init = True
        self.layout.prop(self, "name")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Save it."""
        action = save(rig.active_face(context), self.name.strip() or "Expression")
        hint = "" if action.preview else "; switch Live Preview on first for one with a picture"
        self.report({"INFO"}, f"{action.name} is a pose asset of this file now{hint}")
        return {"FINISHED"}


def why_not_save(context: bpy.types.Context) -> str:
    """Why there is no expression to save, "" when there is."""
    face = rig.active_face(context)
    if face is None:
        return rig.NO_FACE
    if not sliders.names_of(face):
        return "This face has no emotions and handles yet: press Update Face first"
    return ""


def draw(layout: bpy.types.UILayout) -> None:
    """The two buttons."""
    row = layout.row(align=True)
    row.operator("edtalk.expression_library", icon="ASSET_MANAGER")
    row.operator("edtalk.save_expression", text="", icon="ADD")


_WAS_THERE = "EDTALK_EXPRESSION_LIBRARY"
"""Kept in the environment while this Blender runs: switched off and on again, EDTalk has its library again.
Trap: with anything in `bpy.app.driver_namespace`, the bpy module hangs on leaving."""


def register() -> None:
    """The library comes back with the add-on that was switched off."""
    if os.environ.pop(_WAS_THERE, ""):
        add()


def unregister() -> None:
    """Take the library out of the preferences, lest they point at nothing once the add-on is uninstalled.
    Blender saves its preferences before it switches add-ons off on leaving, so they keep it then.
    """
    entry = library()
    if entry is not None and Path(entry.path) == FOLDER:
        bpy.context.preferences.filepaths.asset_libraries.remove(entry)
        bpy.context.preferences.is_dirty = True
        os.environ[_WAS_THERE] = "1"


CLASSES = (EDTALK_OT_expression_library, EDTALK_OT_save_expression)
