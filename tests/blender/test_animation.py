# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig wears the weights: sliders with ranges and labels, curves in seconds, and what is read is what
shows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.motion.motion import Motion
from core.wire.channels import CHANNELS, DEFAULT_CHANNELS, Channel

pytestmark = pytest.mark.blender


@pytest.fixture
def rig(part):
    return part("face.rig")


@pytest.fixture
def animation(part):
    return part("face.fcurves")


@pytest.fixture
def face(rig):
    import bpy

    return rig.make_rig(bpy.context.scene, "Anna")


@pytest.fixture
def weights() -> np.ndarray:
    return np.cumsum(np.random.default_rng(0).normal(0, 0.1, (60, 36)), 0).astype(np.float32)


def curves(animation, face) -> dict:
    return {curve.data_path: curve for curve in animation.curves_of(face).fcurves}


# ------------------------------------------------------------------------------------------------- rig


def test_the_rig_has_three_bones_with_36_sliders_and_two_for_what_lies_on_top(rig, face) -> None:
    assert [bone.name for bone in face.pose.bones] == [
        "mouth",
        "pose",
        "expression",
        "emotion",
        "handle",
        "strength",
        "teeth",
    ]
    assert [name for bone in face.pose.bones for name in list(bone.keys())] == list(CHANNELS)
    assert rig.is_face(face) and not rig.is_face(None)


def test_sliders_have_the_checkpoints_ranges_and_words(rig, face) -> None:
    channels = list(DEFAULT_CHANNELS)
    channels[0] = Channel("mouth_00", "Jaw Open", "Opens the jaw", -0.5, 1.5, 0.0, True)
    channels[1] = Channel("mouth_01", "Spare", "", -1.0, 1.0, 0.0, False)
    rig.label_channels(face, channels)
    found = face.pose.bones["mouth"].id_properties_ui("mouth_00").as_dict()
    assert (found["soft_min"], found["soft_max"]) == (-0.5, 1.5)
    assert found["description"] == "Jaw Open. Opens the jaw"
    labels = rig.labels_of(face, "mouth")
    assert labels[0] == ("mouth_00", "Jaw Open") and len(labels) == 19  # the spare one is not shown


def test_a_rig_is_made_while_something_else_is_edited(rig) -> None:
    import bpy

    mesh = bpy.data.objects.new("edited", bpy.data.meshes.new("edited"))
    bpy.context.scene.collection.objects.link(mesh)
    bpy.context.view_layer.objects.active = mesh
    bpy.ops.object.mode_set(mode="EDIT")
    face = rig.make_rig(bpy.context.scene, "Anna")
    assert mesh.mode == "EDIT" and bpy.context.view_layer.objects.active == mesh
    assert rig.is_face(face) and face.name in bpy.context.scene.objects
    assert len(bpy.data.scenes) == 1
    bpy.ops.object.mode_set(mode="OBJECT")


def test_the_rig_is_found_from_its_picture_plane(rig, face, part) -> None:
    import bpy

    rig.make_rig(bpy.context.scene, "Ben")
    plane = part("pictures.image_sequence").make_plane(face, bpy.context.scene)
    bpy.context.view_layer.objects.active = plane
    assert rig.active_face(bpy.context) == face


# ---------------------------------------------------------------------------------------------- curves


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (25, 1.0), (30, 1.001), (60, 1.0)])
def test_what_is_read_at_key_times_is_what_was_written(animation, face, weights, part, fps, base) -> None:
    import bpy

    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = fps, base
    frames = part("settings.timing").key_frames(len(weights), 101, fps / base, 25.0)
    animation.new_action(face, "take")
    animation.write_weights(face, frames, weights)
    read = animation.read_weights(face, frames, scene)
    np.testing.assert_allclose(read, weights, atol=2e-3)  # a sub-frame is a float32 of the frame number
    if fps == 25:
        np.testing.assert_array_equal(read, weights)


@pytest.mark.parametrize(("fps", "base"), [(12, 1.0), (24, 1.001), (25, 1.0), (30, 1.001), (60, 1.0)])
def test_blender_and_the_command_line_show_the_same_at_every_frame(animation, face, weights, part, fps, base):
    """`edtalk decode --fps` resamples the motion; a scene of that rate reads it off the curves."""
    import bpy

    scene, timing = bpy.context.scene, part("settings.timing")
    scene.render.fps, scene.render.fps_base = fps, base
    animation.new_action(face, "take")
    animation.write_weights(face, timing.key_frames(len(weights), 101, fps / base, 25.0), weights)
    count = timing.frame_count(len(weights), fps / base, 25.0)
    read = animation.read_weights(face, range(101, 101 + count), scene)
    wanted = Motion(weights).resample(fps / base).weights
    assert len(wanted) == count
    np.testing.assert_allclose(read, wanted, atol=1e-4)


def test_machine_keys_are_generated_linear_and_not_selected(animation, face, weights) -> None:
    animation.new_action(face, "take")
    animation.write_weights(face, np.arange(60.0), weights)
    assert len(curves(animation, face)) == 36
    for curve in curves(animation, face).values():
        assert curve.group.name in ("mouth", "pose", "expression")
        assert not any(key.select_control_point for key in curve.keyframe_points)
        assert {key.type for key in curve.keyframe_points} == {"GENERATED"}
        assert {key.interpolation for key in curve.keyframe_points} == {"LINEAR"}


def test_a_shorter_take_leaves_no_old_keys(animation, face, weights) -> None:
    animation.new_action(face, "take")
    animation.write_weights(face, np.arange(60.0), weights)
    animation.write_weights(face, np.arange(20.0), weights[:20])
    assert {len(curve.keyframe_points) for curve in curves(animation, face).values()} == {20}


def test_a_new_take_keeps_the_old_action(animation, face, weights) -> None:
    first = animation.new_action(face, "take_001")
    animation.write_weights(face, np.arange(60.0), weights)
    second = animation.new_action(face, "take_002")
    animation.write_weights(face, np.arange(10.0), weights[:10] + 1)
    assert face.animation_data.action == second and first.use_fake_user
    face.animation_data.action = first
    if animation.LAYERED:
        face.animation_data.action_slot = first.slots[0]
    assert {len(curve.keyframe_points) for curve in curves(animation, face).values()} == {60}


def test_drivers_and_nla_are_read(animation, rig, face, weights) -> None:
    import bpy

    scene = bpy.context.scene
    animation.new_action(face, "base")
    animation.write_weights(face, np.arange(1.0, 61.0), weights)
    data = face.animation_data
    data.nla_tracks.new().strips.new("base", 1, data.action)
    data.action = None
    animation.new_action(face, "layer")
    animation.write_weights(face, np.arange(1.0, 61.0), np.full((60, 36), 0.25, np.float32))
    data.action_blend_type = "ADD"
    path = rig.path_of("mouth_05")
    animation.curves_of(face).fcurves.remove(animation.curves_of(face).fcurves.find(path))
    hand = bpy.data.objects.new("hand", None)
    scene.collection.objects.link(hand)
    hand["k"] = 0.75
    driver = face.driver_add(path).driver
    driver.type = "SUM"
    variable = driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = hand, '["k"]'
    read = animation.read_weights(face, range(1, 61), scene)
    others = [name != "mouth_05" for name in CHANNELS]
    np.testing.assert_allclose(read[:, others], (weights + 0.25)[:, others], atol=1e-5)
    np.testing.assert_allclose(read[:, 5], 0.75)


def test_reading_changes_nothing_in_the_file(animation, rig, face, weights) -> None:
    """Not the frame, not a slider that was posed but not keyed, not a data-block."""
    import bpy

    scene = bpy.context.scene
    animation.new_action(face, "take")
    animation.write_weights(face, np.arange(60.0), weights)
    scene.frame_set(7)
    face.pose.bones["mouth"]["mouth_00"] = -1.25
    face.location.x = 3.0
    before = [len(kind) for kind in (bpy.data.scenes, bpy.data.objects, bpy.data.actions, bpy.data.armatures)]
    animation.read_weights(face, range(60), scene)
    after = [len(kind) for kind in (bpy.data.scenes, bpy.data.objects, bpy.data.actions, bpy.data.armatures)]
    assert before == after and scene.frame_current == 7
    assert face.pose.bones["mouth"]["mouth_00"] == -1.25 and face.location.x == 3.0


def test_the_file_keeps_its_weights_without_the_add_on(animation, face, weights, tmp_path: Path) -> None:
    import bpy

    animation.new_action(face, "take")
    animation.write_weights(face, np.arange(60.0), weights)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "anna.blend"))
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.edtalk")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "anna.blend"))
        bpy.context.scene.frame_set(31)
        bone = bpy.data.objects["Anna"].pose.bones["pose"]
        assert bone["pose_00"] == pytest.approx(weights[31, 20], abs=1e-6)
    finally:
        bpy.ops.preferences.addon_enable(module="bl_ext.user_default.edtalk")


def test_reading_leaves_open_image_editors_at_the_frame_of_the_scene(part, tmp_path: Path) -> None:
    import bpy

    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    area = bpy.context.window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image = part("pictures.image_sequence").make_image("take", tmp_path / "take.0001.png")
    user = area.spaces.active.image_user
    part("pictures.image_sequence").set_timing(user, 1, 100, 1)
    bpy.context.scene.frame_set(7)
    part("face.fcurves").read_weights(face, range(1, 61), bpy.context.scene)
    assert user.frame_current == 7
