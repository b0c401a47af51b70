# SPDX-License-Identifier: GPL-3.0-or-later
"""One click to where a take is wanted: compositor, camera background, reference; and the colour they need.

All of them show the take's one image datablock with the timing of the picture plane, and go on to show the
next take. Pressing twice makes nothing twice.
"""

from __future__ import annotations

from math import pi

import bpy

from ..face import rig
from ..settings import colour
from ..settings.explained import ExplainedOperator
from . import compositor, image_sequence

# ------------------------------------------------------------------------------------ camera and reference


def add_background(camera: bpy.types.Camera, face: bpy.types.Object) -> bool:
    """Show the take behind the camera's view; False when the camera shows it already."""
    image = image_sequence.shown_image(face)
    background = next((one for one in camera.background_images if one.image == image), None)
    made = background is None
    if made:
        background = camera.background_images.new()
        background.image, background.alpha, background.frame_method = image, 1.0, "FIT"
        camera.show_background_images = True
    image_sequence.set_timing(background.image_user, *image_sequence.timing_of(face))
    return made


def add_reference(scene: bpy.types.Scene, face: bpy.types.Object) -> bool:
    """An image empty to the right of the picture plane, as large as it, seen in viewports and in no render;
    False when there is one already.
    """
    image, aspect = image_sequence.shown_image(face), image_sequence.aspect_of(face)
    found = next((ob for ob in scene.objects if ob.type == "EMPTY" and ob.data == image), None)
    made = found is None
    if made:
        found = bpy.data.objects.new(f"{face.name} Reference", None)
        found.empty_display_type = "IMAGE"  # before `data`, which no other empty takes
        found.data = image
        found.empty_display_size = 2.0 * max(1.0, aspect)
        found.empty_image_offset = -0.5, -0.5
        found.parent = face
        found.location, found.rotation_euler = (2.0 * aspect + 0.2, 0.02, 0.1), (pi / 2, 0.0, 0.0)
        scene.collection.objects.link(found)
    image_sequence.set_timing(found.image_user, *image_sequence.timing_of(face))
    return made


# --------------------------------------------------------------------------------------------------- colour


def colour_changes(scene: bpy.types.Scene) -> list[tuple[object, str, object, str]]:
    """What must change so that pixels pass through unaltered: (owner, attribute, value, in words)."""
    view, render = scene.view_settings, scene.render
    plain = colour.untouched_view(view)
    wanted = (
        (view, "view_transform", plain or "Standard", "View transform"),
        (view, "look", "None", "Look"),
        (view, "exposure", 0.0, "Exposure"),
        (view, "gamma", 1.0, "Gamma"),
        (render, "dither_intensity", 0.0, "Dither"),
    )
    return [row for row in wanted if getattr(row[0], row[1]) != row[2]]


def set_up_colour(scene: bpy.types.Scene) -> str:
    """Make those changes; gives back in words what was changed. Raises TypeError where the colour
    configuration has no view transform that leaves colours alone.
    """
    words = []
    for owner, name, value, label in colour_changes(scene):
        before = getattr(owner, name)
        setattr(owner, name, value)
        old, new = (f"{v:.2g}" if isinstance(v, float) else v for v in (before, value))
        words.append(f"{label} {old} -> {new}")
    return "; ".join(words)


# -------------------------------------------------------------------------------------------------- buttons


class DestinationOperator(ExplainedOperator):
    """What the buttons share: they need a take and somewhere to put it."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Why the button is grey; "" when it is not."""
        face = rig.active_face(context)
        if face is None or face.edtalk.take.image is None:
            return "Generate a take first"
        return "This scene is linked from another file" if context.scene.library is not None else ""


class EDTALK_OT_add_compositor_nodes(DestinationOperator, bpy.types.Operator):
    """Add the take to the compositor as an Image node. A new compositor puts it over the render; one that
    you built is left as it is, and the node waits to be connected"""

    bl_idname = "edtalk.add_compositor_nodes"
    bl_label = "Compositor Node"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """A compositor from another file cannot take a node."""
        reason = super().why_not(context)
        tree = None if reason else compositor.tree_of(context.scene)
        if tree is not None and tree.library is not None:
            reason = "The compositor's node group is linked from another file"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Into the active scene's compositor."""
        scene = context.scene
        said = compositor.add_node(scene, rig.active_face(context))
        if not scene.render.use_compositing:
            said += ". Post Processing > Compositing is off in the output settings"
        elif not hasattr(scene, "compositing_node_group") and not scene.use_nodes:
            said += ". Use Nodes is off in the compositor"
        others = compositor.add_pass_nodes(scene, rig.active_face(context))
        if others:
            said += f". {' and '.join(others)} wait beside it"
        self.report({"INFO"}, said)
        return {"FINISHED"}


class EDTALK_OT_add_camera_background(DestinationOperator, bpy.types.Operator):
    """Show the take behind the scene camera's view, in viewports only; other backgrounds stay"""

    bl_idname = "edtalk.add_camera_background"
    bl_label = "Camera Background"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """It needs a camera of this file."""
        reason = super().why_not(context)
        camera = context.scene.camera
        if not reason and (camera is None or camera.type != "CAMERA"):
            reason = "Add a camera to the scene first"
        if not reason and camera.data.library is not None:
            reason = "The scene's camera is linked from another file"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Behind the active scene's camera."""
        camera = context.scene.camera
        made = add_background(camera.data, rig.active_face(context))
        self.report({"INFO"}, f"{camera.name} shows the take" + ("" if made else " already"))
        return {"FINISHED"}


class EDTALK_OT_add_reference(DestinationOperator, bpy.types.Operator):
    """Add a reference image that plays the take beside the picture plane, seen in viewports only"""

    bl_idname = "edtalk.add_reference"
    bl_label = "Reference"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Beside the active face."""
        made = add_reference(context.scene, rig.active_face(context))
        self.report({"INFO"}, "The reference stands beside the face" + ("" if made else " already"))
        return {"FINISHED"}


class EDTALK_OT_set_up_colour(ExplainedOperator, bpy.types.Operator):
    """Let the pictures pass through Blender's output pixel by pixel: view transform Standard without a look,
    exposure 0, gamma 1, dither 0. It says what it changed, and Undo takes it back"""

    bl_idname = "edtalk.set_up_colour"
    bl_label = "Set Up Colour for Compositing"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Only where something would change."""
        reason = "" if colour_changes(context.scene) else "Colour is set up for compositing already"
        if context.scene.library is not None:
            reason = "This scene is linked from another file"
        return reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """In the active scene."""
        try:
            said = set_up_colour(context.scene)
        except TypeError:
            self.report(
                {"ERROR"}, "This colour configuration has no view transform that leaves colours alone"
            )
            return {"CANCELLED"}
        self.report({"INFO"}, said)
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """The buttons, below those of plane and strips."""
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator("edtalk.add_compositor_nodes")
    row.operator("edtalk.add_camera_background")
    column.operator("edtalk.add_reference")
    column.operator("edtalk.set_up_colour")
    if compositor.strips_compete(scene):  # the tick stays when it is off, else nobody finds it again
        shown = "strips" if scene.render.use_sequencer else "compositor"
        layout.label(text=f"F12 shows the {shown}:", icon="INFO")
        layout.prop(scene.render, "use_sequencer", text="Sequencer")


CLASSES = (
    EDTALK_OT_add_compositor_nodes,
    EDTALK_OT_add_camera_background,
    EDTALK_OT_add_reference,
    EDTALK_OT_set_up_colour,
)
