# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's pictures in Blender: image datablock, picture plane, and what else shows the image.

Pictures are named by scene frame and Blender is told so: `frame_offset` is the first file number less
one, hence scene frame f shows file f. The picture before the first is the portrait at rest, since
Blender shows that one until the take begins and would paint a missing file magenta.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import bpy

from ...core.wire.messages import PASSES
from ..settings import colour
from ..settings.paths import absolute, short_path
from . import passes

TEXTURE = "EDTalk Frames"
"""Name of the node that shows the take, in a material or a compositor: it is found again whatever was built
around it."""


ASPECT = "edtalk_aspect"
"""Custom property of a picture plane: width / height of the pictures it was scaled for."""


def make_image(name: str, first_file: Path) -> bpy.types.Image:
    """An image sequence that begins with `first_file`, which need not exist yet."""
    image = bpy.data.images.new(name, 1, 1)
    image.source = "SEQUENCE"
    image.filepath = short_path(first_file)
    know_colour(image, first_file)
    image.use_fake_user = True  # the pictures stay known when an older take is shown nowhere
    return image


def know_colour(reader, file: Path, before: str = "") -> None:
    """Tell an image or a strip what the numbers in its files mean; Blender asks the file itself only when it
    opens it itself. `before` is the suffix of the files it read until now: only EXR differs from what is
    so anyway, and what the artist chose stays while the kind of file does.
    """
    if colour.is_data(reader) or file.suffix == before:
        return
    if file.suffix == ".exr":
        colour.read_as_linear(reader)
        reader.alpha_mode = "PREMUL"
    elif before == ".exr":
        colour.read_as_picture(reader)
        reader.alpha_mode = "STRAIGHT"


def pass_of(image: bpy.types.Image, name: str) -> bpy.types.Image | None:
    """The image that shows a pass of the take that `image` shows, None while nothing wanted it yet."""
    path = file_of(image)
    wanted = path.with_name(passes.beside(path.name, name))
    # The name alone first: this is asked at every tick while pictures arrive.
    alike = (one for one in bpy.data.images if one.filepath.endswith(wanted.name))
    return next((one for one in alike if file_of(one) == wanted), None)


def make_pass(image: bpy.types.Image, name: str) -> bpy.types.Image:
    """The image that shows a pass of a take, made when there is none."""
    made = pass_of(image, name)
    if made is None:
        path = file_of(image)
        made = make_image(f"{image.name} {name.title()}", path.with_name(passes.beside(path.name, name)))
        if name == passes.PLATE:
            made.source = "FILE"
        elif name == "matte":
            colour.read_as_data(made)
    return made


def move_image(image: bpy.types.Image, path: Path) -> None:
    """Let a take's image, and those of its passes, read the files at another place; `path` is its first."""
    found = [(pass_of(image, name), path.with_name(passes.beside(path.name, name))) for name in PASSES]
    for one, file in [(image, path), *found]:
        if one is not None:
            know_colour(one, file, file_of(one).suffix)
            one.filepath = short_path(file)


def shown_image(face: bpy.types.Object) -> bpy.types.Image:
    """What plane and destinations show of the face's take: the picture, or its pass Face."""
    settings, image = face.edtalk, face.edtalk.take.image
    return make_pass(image, "face") if settings.shows == "face" and "face" in settings.passes else image


def with_passes(image: bpy.types.Image) -> list[bpy.types.Image]:
    """A take's image and those of its passes."""
    return [image, *(one for name in PASSES if (one := pass_of(image, name)) is not None)]


def folder_of(image: bpy.types.Image) -> Path:
    """The folder its files are in. Blender keeps an image's path right when the .blend is saved elsewhere."""
    return file_of(image).parent


def file_of(image: bpy.types.Image) -> Path:
    """The whole path of its first file, without the ".." that relative paths bring."""
    return Path(os.path.normpath(absolute(image.filepath, image.library)))


def set_timing(user, start: int, count: int, first_number: int) -> None:
    """Show file `first_number` at scene frame `start`, and the last of `count` files after the end. Trap:
    Blender 5.2 forgets at each change which file is due until the scene's frame changes, and shows the one
    before the first; and an undo brings that state back in any version.
    """
    user.frame_start, user.frame_duration = start, max(1, count)
    user.frame_offset = first_number - 1
    user.use_cyclic, user.use_auto_refresh = False, True
    if hasattr(user, "frame_current"):  # a compositor's node has none
        passed = bpy.context.scene.frame_current - start + 1
        user.frame_current = first_number - 1 + min(max(passed, 0), max(1, count))


def timing_of(face: bpy.types.Object, arrived: int | None = None) -> tuple[int, int, int]:
    """Arguments of `set_timing` for the face's take: start, frames (as far as they have arrived), file."""
    take = face.edtalk.take
    count = take.last - take.first + 1 if arrived is None else arrived
    return take.first, count, take.first + take.shift


def aspect_of(face: bpy.types.Object) -> float:
    """Width / height of the pictures of the face's take."""
    take = face.edtalk.take
    return take.width / take.height if face.edtalk.composite == "paste" and take.height else 1.0


# ------------------------------------------------------------------------------------------------ plane


def plane_of(rig: bpy.types.Object) -> bpy.types.Object | None:
    """The rig's picture plane, the child that shows a take."""
    return next((child for child in rig.children if texture_of(child) is not None), None)


def texture_of(plane: bpy.types.Object):
    """The texture node of a picture plane, None for any other object."""
    for slot in plane.material_slots:
        tree = slot.material.node_tree if slot.material is not None else None
        node = tree.nodes.get(TEXTURE) if tree is not None else None
        if node is not None:
            return node
    return None


def make_plane(rig: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Object:
    """A plane standing behind the rig's bones and facing -Y (front view), 2 units high, unlit."""
    mesh = bpy.data.meshes.new(f"{rig.name} Picture")
    corners = [(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    uv = mesh.uv_layers.new(name="UVMap").data
    for loop, (x, _, z) in zip(uv, corners):
        loop.uv = ((x + 1) / 2, (z + 1) / 2)
    plane = bpy.data.objects.new(f"{rig.name} Picture", mesh)
    plane.parent = rig
    plane.location = (0.0, 0.02, 0.1)
    mesh.materials.append(_make_material(f"{rig.name} Picture"))
    scene.collection.objects.link(plane)
    return plane


def _make_material(name: str) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # from 5.0 the tree is always there and `use_nodes` warns
        material.use_nodes = True
    material.surface_render_method = "BLENDED"
    tree = material.node_tree
    tree.nodes.clear()
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.name, texture.label = TEXTURE, TEXTURE
    texture.extension = "CLIP"
    emission = tree.nodes.new("ShaderNodeEmission")
    clear = tree.nodes.new("ShaderNodeBsdfTransparent")
    mix = tree.nodes.new("ShaderNodeMixShader")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    for node, x, y in (
        (texture, -600, 0),
        (emission, -250, -80),
        (clear, -250, 80),
        (mix, 0, 0),
        (output, 220, 0),
    ):
        node.location = x, y
    link = tree.links.new
    link(texture.outputs["Color"], emission.inputs["Color"])
    link(texture.outputs["Alpha"], mix.inputs[0])
    link(clear.outputs[0], mix.inputs[1])
    link(emission.outputs[0], mix.inputs[2])
    link(mix.outputs[0], output.inputs["Surface"])
    tree.nodes.active = texture  # what Solid shading shows in its Texture colour
    return material


def _own_texture(plane: bpy.types.Object):
    """The texture node of a plane; a plane that was duplicated with its face gets a material of its own
    first, since Blender lets both share the one.
    """
    shared = {slot.material for slot in plane.material_slots}
    others = [ob for ob in bpy.data.objects if ob.parent != plane.parent and texture_of(ob) is not None]
    if any(slot.material in shared for other in others for slot in other.material_slots):
        if plane.data.users > 1:
            plane.data = plane.data.copy()
        for slot in plane.material_slots:
            if slot.material is not None:
                slot.material = slot.material.copy()
    return texture_of(plane)


def show_on_plane(
    plane: bpy.types.Object, image: bpy.types.Image, aspect: float, start: int, count: int, first_number: int
) -> None:
    """Let the plane show a take, at the aspect (width / height) of its pictures."""
    node = texture_of(plane)
    if node.image != image:
        node = _own_texture(plane)
        node.image = image
        plane.scale = (aspect, 1.0, 1.0)
    elif abs(aspect - (known := plane.get(ASPECT, plane.scale.x / (plane.scale.z or 1.0)))) > 1e-4:
        plane.scale.x *= aspect / (known or 1.0)  # the face alone by now, or the whole portrait
    plane[ASPECT] = aspect
    set_timing(node.image_user, start, count, first_number)


def show_take_on_plane(face: bpy.types.Object, plane: bpy.types.Object, arrived: int | None = None) -> None:
    """Let a plane show the face's take, as far as it has arrived."""
    show_on_plane(plane, shown_image(face), aspect_of(face), *timing_of(face, arrived))


# ---------------------------------------------------------------- compositor, camera background, reference


def compositor_trees() -> list[bpy.types.NodeTree]:
    """Every compositor tree of the file: those of scenes before 5.0, and node groups."""
    trees = [tree for tree in bpy.data.node_groups if tree.type == "COMPOSITING"]
    own = (getattr(scene, "node_tree", None) for scene in bpy.data.scenes)
    return trees + [tree for tree in own if tree is not None]


def shows(node: bpy.types.Node, image: bpy.types.Image) -> bool:
    """Is this our compositor node for the image? A node that the artist made and timed by hand is not."""
    return node.bl_idname == "CompositorNodeImage" and node.image == image and node.name.startswith(TEXTURE)


def users_of(image: bpy.types.Image) -> Iterator[tuple]:
    """What shows this image besides planes and strips: (holder, name of its image attribute, its timing)."""
    for tree in compositor_trees():
        for node in tree.nodes:
            if shows(node, image):
                yield node, "image", node
    for camera in bpy.data.cameras:
        for background in camera.background_images:
            if background.image == image:
                yield background, "image", background.image_user
    for ob in bpy.data.objects:
        if ob.type == "EMPTY" and ob.data == image:
            yield ob, "data", ob.image_user


def follow(old: bpy.types.Image | None, new: bpy.types.Image) -> None:
    """Let what showed a face's take before show its new one."""
    if old is None or old == new:
        return
    pairs = [(old, new)]
    pairs += [(one, make_pass(new, name)) for name in PASSES if (one := pass_of(old, name)) is not None]
    for before, after in pairs:
        for holder, attribute, _ in list(users_of(before)):
            setattr(holder, attribute, after)


def set_timing_everywhere(image: bpy.types.Image, start: int, count: int, first_number: int) -> None:
    """`set_timing` for all `users_of` the image."""
    for one in with_passes(image):
        for _, _, user in users_of(one):
            set_timing(user, start, count, first_number)
