# SPDX-License-Identifier: GPL-3.0-or-later
"""Show Beside: another take of a face on a plane beside the one that is worn, in viewports only."""

from __future__ import annotations

import bpy
from mathutils import Matrix

from ...pictures import image_sequence
from .. import take_rows

COMPARED = "EDTalk Compared Take"
"""Name of the texture node of a plane that shows a take beside the one that is worn."""


def compared(face: bpy.types.Object) -> bpy.types.Object | None:
    """The plane that shows another take beside the one that is worn."""
    plane = face.edtalk_takes.beside
    return plane if plane is not None and plane.users_scene else None  # else it was deleted by hand


def compare(face: bpy.types.Object, row: take_rows.EDTALK_TakeRow, scene: bpy.types.Scene) -> bool:
    """Show a take on a plane beside the face, or take that plane away when it shows this take already.
    Gives back whether there is one now.
    """
    plane = compared(face)
    if plane is not None and plane.get(COMPARED) == row.key:
        remove_plane(plane)
        return False
    if plane is None:
        plane = image_sequence.make_plane(face, scene)
        plane.hide_render = True  # a tool, not a part of the picture
        plane.parent = None  # Blender would draw a line to its parent across the picture
        face.edtalk_takes.beside = plane
        plane.data.transform(
            Matrix.Translation((0, 0, 1.1))
        )  # its name, which is drawn here, stands below it
        image_sequence.texture_of(plane).name = COMPARED
    take = take_rows.take_in(face, row)
    plane[COMPARED] = plane.name = row.key
    plane.show_name = True
    node = _compared_node(plane)
    _drop_image(node.image)
    # A copy: in one viewport an image shows one frame at a time, and the face may wear this take as well.
    node.image = take.image.copy()
    node.image.use_fake_user = False
    image_sequence.set_timing(
        node.image_user, take.first, take.last - take.first + 1, take.first + take.shift
    )
    kept = take_rows.settings_in(row).get("composite", face.edtalk.composite)
    aspect = take.width / take.height if kept == "paste" and take.height else 1.0
    beside = Matrix.Translation((image_sequence.aspect_of(face) + aspect + 0.1, 0.02, -1.0))
    plane.matrix_world = face.matrix_world @ beside @ Matrix.Diagonal((aspect, 1.0, 1.0, 1.0))
    return True


def _compared_node(plane: bpy.types.Object) -> bpy.types.Node | None:
    trees = [slot.material.node_tree for slot in plane.material_slots if slot.material is not None]
    return next((tree.nodes[COMPARED] for tree in trees if tree is not None and COMPARED in tree.nodes), None)


def _drop_image(image: bpy.types.Image | None) -> None:
    if image is not None and image.users <= 1 and not image.use_fake_user:
        bpy.data.images.remove(image)


def remove_plane(plane: bpy.types.Object) -> None:
    """Take a plane away with all that was made for it."""
    node = _compared_node(plane)
    if node is not None:
        _drop_image(node.image)
    mesh, materials = plane.data, [slot.material for slot in plane.material_slots]
    bpy.data.objects.remove(plane)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
    for material in materials:
        if material is not None and material.users == 0:
            bpy.data.materials.remove(material)
