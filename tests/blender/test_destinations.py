# SPDX-License-Identifier: GPL-3.0-or-later
"""Compositor, camera background and reference show the file of the frame, once, and touch nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.makers import png

pytestmark = pytest.mark.blender

FIRST, COUNT = 101, 12


@pytest.fixture
def face(part, tmp_path: Path):
    """A face with a take of grey pictures whose level is their number; 100 is the picture at rest."""
    import bpy

    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    bpy.context.view_layer.objects.active = face
    put_on(part, face, "anna_001", tmp_path / "anna_001")
    return face


def put_on(part, face, name: str, folder: Path) -> None:
    """What a job does when a take is ready."""
    folder.mkdir()
    for number in range(FIRST - 1, FIRST + COUNT):
        rows = (b"\0" + bytes((number,)) * 8) * 8
        (folder / f"take.{number:04d}.png").write_bytes(png(8, 8, 0, rows))
    take = face.edtalk.take
    if take.image is not None:
        take.before = take.image
    take.image = part("pictures.image_sequence").make_image(name, folder / f"take.{FIRST:04d}.png")
    take.name, take.last, take.first = name, FIRST + COUNT - 1, FIRST


@pytest.fixture
def camera():
    import bpy

    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    return camera


def timing(user) -> tuple[int, int, int]:
    return user.frame_start, user.frame_duration, user.frame_offset


def existing_tree(part):
    """A compositor as an artist has it: a render layer through a blur to the output."""
    import bpy

    tree, target = part("pictures.compositor")._new_tree(bpy.context.scene)
    layers, blur = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeBlur")
    tree.links.new(layers.outputs["Image"], blur.inputs["Image"])
    tree.links.new(blur.outputs["Image"], target)
    return tree


def wires(tree) -> set[tuple[str, str]]:
    return {(link.from_node.name, link.to_node.name) for link in tree.links}


def test_a_new_compositor_puts_the_file_of_the_frame_over_the_render(part, face, camera, tmp_path) -> None:
    import bpy
    import numpy as np

    scene = bpy.context.scene
    assert bpy.ops.edtalk.add_compositor_nodes() == {"FINISHED"}
    assert bpy.ops.edtalk.set_up_colour() == {"FINISHED"}
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x = scene.render.resolution_y = 8
    levels = []
    for frame in (90, 101, 106, 112, 120):
        scene.frame_set(frame)
        scene.render.filepath = str(tmp_path / "shown.png")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(tmp_path / "shown.png"))
        pixels = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
        levels.append(round(float(pixels.reshape(8, 8, 4)[4, 4, 0]) * 255))
    assert levels == [100, 101, 106, 112, 112]


def test_a_compositor_that_exists_keeps_its_wires_and_gets_one_node(part, face) -> None:
    import bpy

    tree = existing_tree(part)
    before, count = wires(tree), len(tree.nodes)
    assert bpy.ops.edtalk.add_compositor_nodes() == {"FINISHED"}
    assert bpy.ops.edtalk.add_compositor_nodes() == {"FINISHED"}
    assert wires(tree) == before and len(tree.nodes) == count + 1
    node = tree.nodes["EDTalk Frames"]
    assert node.image == face.edtalk.take.image and timing(node) == (101, 12, 100)
    assert part("pictures.compositor").tree_of(bpy.context.scene) == tree


def test_a_node_that_the_artist_moved_into_a_group_is_found_there(part, face) -> None:
    import bpy

    tree = existing_tree(part)
    group = bpy.data.node_groups.new("Mine", "CompositorNodeTree")
    tree.nodes.new("CompositorNodeGroup").node_tree = group
    node = group.nodes.new("CompositorNodeImage")
    node.name, node.image = "EDTalk Frames", face.edtalk.take.image
    count = len(tree.nodes)
    assert bpy.ops.edtalk.add_compositor_nodes() == {"FINISHED"}
    assert len(tree.nodes) == count and timing(node) == (101, 12, 100)


def test_the_camera_background_comes_once_and_beside_others(face, camera) -> None:
    import bpy

    other = camera.data.background_images.new()
    for _ in range(2):
        assert bpy.ops.edtalk.add_camera_background() == {"FINISHED"}
    assert camera.data.show_background_images and len(camera.data.background_images) == 2
    background = camera.data.background_images[1]
    assert background.image == face.edtalk.take.image and other.image is None
    assert timing(background.image_user) == (101, 12, 100)


def test_without_a_camera_the_button_is_grey(face) -> None:
    import bpy

    assert not bpy.ops.edtalk.add_camera_background.poll()
    with pytest.raises(RuntimeError, match="Add a camera to the scene first"):
        bpy.ops.edtalk.add_camera_background()


def test_without_a_take_all_buttons_are_grey(part) -> None:
    import bpy

    part("face.rig").make_rig(bpy.context.scene, "Anna")
    for button in ("add_compositor_nodes", "add_camera_background", "add_reference"):
        assert not getattr(bpy.ops.edtalk, button).poll()


def test_the_reference_comes_once_and_has_the_size_of_the_plane(part, face) -> None:
    import bpy

    face.edtalk.composite, face.edtalk.take.width, face.edtalk.take.height = "paste", 1600, 900
    for _ in range(2):
        assert bpy.ops.edtalk.add_reference() == {"FINISHED"}
    (empty,) = [ob for ob in bpy.context.scene.objects if ob.type == "EMPTY"]
    assert empty.data == face.edtalk.take.image and empty.parent == face
    assert empty.empty_display_size == pytest.approx(2 * 1600 / 900)
    assert timing(empty.image_user) == (101, 12, 100)


def test_a_new_face_does_not_stand_on_a_reference(part, face) -> None:
    import bpy

    bpy.ops.edtalk.add_reference()
    (empty,) = [ob for ob in bpy.context.scene.objects if ob.type == "EMPTY"]
    bpy.context.view_layer.update()
    place, in_the_way = part("face.placing").free_place(bpy.context.scene, empty.matrix_world.translation)
    assert in_the_way == empty.name and place.x - 1 > empty.location.x + empty.empty_display_size / 2


def test_all_destinations_follow_the_next_take(part, face, camera, tmp_path: Path) -> None:
    import bpy

    for button in ("add_compositor_nodes", "add_camera_background", "add_reference"):
        getattr(bpy.ops.edtalk, button)()
    mine = camera.data.background_images.new()
    mine.image = bpy.data.images.new("mine", 1, 1)
    first, sequence = face.edtalk.take.image, part("pictures.image_sequence")
    put_on(part, face, "anna_002", tmp_path / "anna_002")
    second = face.edtalk.take.image
    sequence.follow(face.edtalk.take.before, second)
    sequence.set_timing_everywhere(second, *sequence.timing_of(face, 5))
    assert not list(sequence.users_of(first)) and mine.image.name == "mine"
    assert [timing(user) for _, _, user in sequence.users_of(second)] == [(101, 5, 100)] * 3


@pytest.mark.slow
def test_a_generated_second_take_is_shown_everywhere(
    part, camera, tmp_path, portrait, voice, tiny_checkpoint, server_python
) -> None:
    import bpy

    desk = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    desk.generate()
    for button in ("add_compositor_nodes", "add_camera_background", "add_reference"):
        assert getattr(bpy.ops.edtalk, button)() == {"FINISHED"}
    take = desk.generate().edtalk.take
    assert take.name == "anna_002"
    shown = list(part("pictures.image_sequence").users_of(take.image))
    assert [timing(user) for _, _, user in shown] == [(101, 50, 100)] * 3


def test_a_node_that_the_artist_timed_by_hand_is_left_alone(part, face) -> None:
    import bpy

    node = existing_tree(part).nodes.new("CompositorNodeImage")
    node.image, node.frame_start = face.edtalk.take.image, 7
    bpy.ops.edtalk.add_compositor_nodes()
    sequence = part("pictures.image_sequence")
    sequence.set_timing_everywhere(face.edtalk.take.image, *sequence.timing_of(face))
    assert node.frame_start == 7


def test_colour_is_set_up_on_request_and_said_in_words(part, face) -> None:
    import bpy

    scene = bpy.context.scene
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 0.5
    for button in ("add_compositor_nodes", "add_reference"):
        getattr(bpy.ops.edtalk, button)()
    assert scene.view_settings.view_transform == "AgX" and scene.render.dither_intensity == 1.0
    said = part("pictures.destinations").set_up_colour(scene)
    assert said == "View transform AgX -> Standard; Exposure 0.5 -> 0; Dither 1 -> 0"
    assert (scene.view_settings.view_transform, scene.render.dither_intensity) == ("Standard", 0.0)
    assert not bpy.ops.edtalk.set_up_colour.poll()


@pytest.mark.parametrize(
    "button", ["add_compositor_nodes", "add_camera_background", "add_reference", "set_up_colour"]
)
def test_every_button_is_an_undo_step(face, camera, button: str) -> None:
    import bpy

    bpy.ops.ed.undo_push(message="before")
    assert getattr(bpy.ops.edtalk, button)("EXEC_DEFAULT", True) == {"FINISHED"}
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert scene.view_settings.view_transform != "Standard"
    assert not scene.camera.data.background_images
    assert not [ob for ob in scene.objects if ob.type == "EMPTY"]
    assert not bpy.data.node_groups and getattr(scene, "node_tree", None) is None


def test_whether_f12_gives_strips_or_compositor_can_be_chosen_either_way(part, face, tmp_path: Path) -> None:
    import bpy

    compositor, scene = part("pictures.compositor"), bpy.context.scene
    part("takes.display").add_strips(face, scene)
    assert not compositor.strips_compete(scene)  # no compositor
    compositor.add_node(scene, face)
    for ticked in (True, False):
        scene.render.use_sequencer = ticked
        assert compositor.strips_compete(scene)


def test_the_camera_for_a_face_sees_its_picture_and_nothing_beside_it(part, face) -> None:
    import bpy
    from bpy_extras.object_utils import world_to_camera_view

    sequence, scene = part("pictures.image_sequence"), bpy.context.scene
    face.location, face.rotation_euler = (3, 1, 2), (0, 0, 0.4)
    plane = sequence.make_plane(face, scene)
    sequence.show_take_on_plane(face, plane)
    for _ in range(2):
        assert bpy.ops.edtalk.camera_for_face() == {"FINISHED"}
        assert len([one for one in face.children if one.type == "CAMERA"]) == 1
        plane.scale.x = 1.5  # a portrait that is wider than it is high
    assert bpy.ops.edtalk.camera_for_face() == {"FINISHED"}
    bpy.context.view_layer.update()
    scene.render.resolution_x, scene.render.resolution_y = 300, 200
    seen = [world_to_camera_view(scene, scene.camera, plane.matrix_world @ v.co) for v in plane.data.vertices]
    assert [round(one.x, 3) for one in seen] == [0, 1, 1, 0]
    assert [round(one.y, 3) for one in seen] == [0, 0, 1, 1]
    scene.render.resolution_percentage = 40
    bpy.ops.edtalk.camera_for_face()
    size = scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage
    assert size == (face.edtalk.size, face.edtalk.size, 100)
