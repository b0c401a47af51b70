# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read is what the animator sees: whatever hides the rig, whatever its drivers read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.blender

FRAMES = range(101, 131)


@pytest.fixture
def animation(part):
    return part("face.fcurves")


@pytest.fixture
def face(part, animation):
    """A face whose first two weights rise over thirty frames."""
    import bpy

    made = part("face.rig").make_rig(bpy.context.scene, "Anna")
    weights = np.zeros((30, 36), np.float32)
    weights[:, 0] = np.linspace(0, 1, 30)
    weights[:, 1] = np.linspace(1, 0, 30)
    animation.new_action(made, "take")
    animation.write_weights(made, np.array(FRAMES), weights)
    return made


def driver(owner, path: str, expression: str, *variables: tuple):
    """A driver with variables (kind, data-block or None, path)."""
    made = owner.driver_add(path).driver
    made.expression = expression
    for kind, block, read in variables:
        variable = made.variables.new()
        variable.name, variable.type = "v", kind
        if kind == "SINGLE_PROP":
            variable.targets[0].id_type = block.id_type
            variable.targets[0].id = block
        variable.targets[0].data_path = read
    return made


def bone(face):
    return face.pose.bones["mouth"]


def played(face, frames=FRAMES) -> np.ndarray:
    """Mouth_02 as the user's own scene shows it."""
    import bpy

    rows = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        seen = face.evaluated_get(bpy.context.evaluated_depsgraph_get())
        rows.append(seen.pose.bones["mouth"]["mouth_02"])
    bpy.context.scene.frame_set(101)
    return np.array(rows, np.float32)


def read(animation, face, frames=FRAMES) -> np.ndarray:
    import bpy

    return animation.read_weights(face, frames, bpy.context.scene)


# --------------------------------------------------------------------------------------------- hidden


def monitor(face) -> None:
    face.hide_viewport = True


def eye(face) -> None:
    face.hide_set(True)


def keyed(face) -> None:
    face.hide_viewport = True
    face.keyframe_insert("hide_viewport", frame=101)


def driven(face) -> None:
    driver(face, "hide_viewport", "1")


def not_selectable_nor_rendered(face) -> None:
    face.hide_select = face.hide_render = face.hide_viewport = True


def in_a_hidden_collection(face) -> None:
    import bpy

    collection = bpy.data.collections.new("Controls")
    bpy.context.scene.collection.children.link(collection)
    bpy.context.scene.collection.objects.unlink(face)
    collection.objects.link(face)
    collection.hide_viewport = True


def in_an_excluded_collection(face) -> None:
    import bpy

    in_a_hidden_collection(face)
    bpy.context.view_layer.layer_collection.children["Controls"].exclude = True


def below_a_hidden_parent(face) -> None:
    import bpy

    parent = bpy.data.objects.new("Body", None)
    bpy.context.scene.collection.objects.link(parent)
    face.parent = parent
    parent.hide_viewport = True


HIDDEN = [
    monitor,
    eye,
    keyed,
    driven,
    not_selectable_nor_rendered,
    in_a_hidden_collection,
    in_an_excluded_collection,
    below_a_hidden_parent,
]


@pytest.mark.parametrize("hide", HIDDEN)
def test_a_hidden_rig_is_read_like_a_visible_one(animation, face, hide) -> None:
    import bpy

    driver(bone(face), '["mouth_02"]', "v / 64", ("SINGLE_PROP", bpy.context.scene, "frame_current"))
    before = read(animation, face)
    assert np.ptp(before[:, 0]) == 1 and (before[:, 2] * 64).tolist() == list(FRAMES)
    hide(face)
    bpy.context.view_layer.update()
    np.testing.assert_array_equal(read(animation, face), before)


# ---------------------------------------------------------------------------------------------- drivers


def scene_frame(face, scene):
    driver(bone(face), '["mouth_02"]', "v / 100", ("SINGLE_PROP", scene, "frame_current"))


def scene_property(face, scene):
    for frame, value in ((101, 0.0), (130, 1.0)):
        scene["jaw"] = value
        scene.keyframe_insert('["jaw"]', frame=frame)
    driver(bone(face), '["mouth_02"]', "v", ("SINGLE_PROP", scene, '["jaw"]'))


def property_of_whatever_scene_it_is(face, scene):
    scene_property(face, scene)
    bone(face).driver_remove('["mouth_02"]')
    driver(bone(face), '["mouth_02"]', "v", ("CONTEXT_PROP", None, '["jaw"]'))


def the_frame_by_its_name(face, scene):
    driver(bone(face), '["mouth_02"]', "sin(frame)")


def an_object_that_reads_the_scene(face, scene):
    import bpy

    control = bpy.data.objects.new("Control", None)
    scene.collection.objects.link(control)
    made = control.driver_add("location", 2).driver
    made.expression = "v"
    variable = made.variables.new()
    variable.name = "v"
    variable.targets[0].id_type, variable.targets[0].id = "SCENE", scene
    variable.targets[0].data_path = "frame_current"
    driver(bone(face), '["mouth_02"]', "v / 100", ("SINGLE_PROP", control, "location.z"))
    control.hide_viewport = True


def a_material_that_is_keyed(face, scene):
    import bpy

    material = bpy.data.materials.new("Skin")
    for frame, value in ((101, 0.0), (130, 1.0)):
        material.roughness = value
        material.keyframe_insert("roughness", frame=frame)
    driver(bone(face), '["mouth_02"]', "v", ("SINGLE_PROP", material, "roughness"))


def an_object_through_two_others(face, scene):
    an_object_that_reads_the_scene(face, scene)
    import bpy

    first, second = bpy.data.objects["Control"], bpy.data.objects.new("Second", None)
    scene.collection.objects.link(second)
    second.parent = first
    bone(face).driver_remove('["mouth_02"]')
    made = driver(bone(face), '["mouth_02"]', "v / 100")
    variable = made.variables.new()
    variable.name, variable.type = "v", "TRANSFORMS"
    variable.targets[0].id, variable.targets[0].transform_type = second, "LOC_Z"


def another_weight_of_its_own(face, scene):
    driver(bone(face), '["mouth_02"]', "v", ("SINGLE_PROP", face, 'pose.bones["mouth"]["mouth_00"]'))


DRIVERS = [
    scene_frame,
    scene_property,
    property_of_whatever_scene_it_is,
    the_frame_by_its_name,
    an_object_that_reads_the_scene,
    an_object_through_two_others,
    a_material_that_is_keyed,
    another_weight_of_its_own,
]


@pytest.mark.parametrize("drive", DRIVERS)
def test_a_driver_gives_what_the_scene_shows(animation, face, drive) -> None:
    import bpy

    drive(face, bpy.context.scene)
    wanted = played(face)
    assert np.ptp(wanted) > 0.1
    blocks = {name: len(getattr(bpy.data, name)) for name in ("scenes", "objects", "materials", "armatures")}
    np.testing.assert_allclose(read(animation, face)[:, 2], wanted, atol=1e-5)
    assert blocks == {name: len(getattr(bpy.data, name)) for name in blocks}


@pytest.mark.parametrize("remap", [(100, 200), (200, 100), (100, 130)])
def test_time_remapping_is_read_as_it_plays(animation, face, remap) -> None:
    import bpy

    bpy.context.scene.render.frame_map_old, bpy.context.scene.render.frame_map_new = remap
    driver(bone(face), '["mouth_02"]', "v", ("SINGLE_PROP", face, 'pose.bones["mouth"]["mouth_00"]'))
    frames = range(60, 240, 7)
    np.testing.assert_allclose(read(animation, face, frames)[:, 2], played(face, frames), atol=1e-5)


def test_what_is_posed_and_not_keyed_stays_on_what_the_rig_reads(animation, face) -> None:
    import bpy

    control = bpy.data.objects.new("Control", None)
    bpy.context.scene.collection.objects.link(control)
    for frame, x in ((101, 0.0), (130, 1.0)):
        control.location.x = x
        control.keyframe_insert("location", frame=frame)
    driver(bone(face), '["mouth_02"]', "v", ("SINGLE_PROP", control, "location.x"))
    bpy.context.scene.frame_set(101)
    control.location.x = bone(face)["mouth_00"] = 7.0
    assert read(animation, face)[-1, 2] == 1.0
    assert control.location.x == bone(face)["mouth_00"] == 7.0


# ------------------------------------------------------------------------- what cannot be followed is said


def test_a_handler_that_moves_the_rig_is_found_out(part, animation, face, tmp_path: Path) -> None:
    import bpy

    def move(scene, *_: object) -> None:
        bone(face)["mouth_03"] = scene.frame_current / 100 if scene == bpy.context.scene else 0.0
        face.update_tag()

    curves = animation.curves_of(face).fcurves
    curves.remove(curves.find(part("face.rig").path_of("mouth_03")))
    probe = part("face.probe")
    bpy.app.handlers.frame_change_pre.append(move)
    try:
        weights = read(animation, face)
        bone(face)["mouth_00"] = 7.0
        with pytest.raises(Exception, match="each change of the frame, and EDTalk reads another mouth_03"):
            probe.check(face, bpy.context.scene, np.array(FRAMES), weights)
        assert bone(face)["mouth_00"] == 7.0 and bpy.context.scene.frame_current == 1
    finally:
        bpy.app.handlers.frame_change_pre.remove(move)


def test_a_handler_that_leaves_the_rig_alone_is_no_trouble(part, animation, face) -> None:
    import bpy

    def look(*_: object) -> None:
        pass

    bpy.app.handlers.frame_change_post.append(look)
    try:
        part("face.probe").check(face, bpy.context.scene, np.array(FRAMES), read(animation, face))
    finally:
        bpy.app.handlers.frame_change_post.remove(look)


def test_python_in_a_driver_is_named(part, face) -> None:
    """It is not evaluated here: Blender as a module then hangs at its end."""
    import bpy

    doubtful = part("face.stand_in").doubtful
    for expression, named in (
        ("bpy.context.scene.frame_current", True),
        ("max(v, frame) + self.length", False),
    ):
        driver(bone(face), '["mouth_02"]', expression, ("SINGLE_PROP", face, "location.x"))
        why = doubtful(face, bpy.context.scene)
        bone(face).driver_remove('["mouth_02"]')
        assert (f"in Anna uses Python ({expression})" in why) == named, why
