# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression library that ships: pose assets with pictures, the same weights on any face."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from core.wire.channels import EMOTIONS, HANDLES
from tests.blender.test_sliders import WEIGHTS, add, close, face, pose_mode, read, suit  # noqa: F401

pytestmark = pytest.mark.blender


@pytest.fixture
def expressions(part) -> dict:
    """Name -> action of everything in the library, appended as Blender appends assets."""
    import bpy

    path = part("ui.expressions").FOLDER / "expressions.blend"
    with bpy.data.libraries.load(str(path), assets_only=True) as (there, here):
        here.actions = list(there.actions)
    return {action.name: action for action in here.actions}


def curves(part, action) -> dict[str, float]:
    animation = part("face.fcurves")
    slot = action.slots[0] if animation.LAYERED else None
    found = animation.curves_in(action, slot).fcurves
    return {curve.data_path: curve.keyframe_points[0].co.y for curve in found}


def test_it_has_every_emotion_and_more_than_a_dozen_expressions(expressions) -> None:
    assert {name.title() for name in EMOTIONS} < set(expressions)
    assert len(expressions) >= 8 + 12


def test_each_is_a_pose_asset_with_words_a_picture_and_a_free_licence(part, expressions) -> None:
    catalogs = (part("ui.expressions").FOLDER / "blender_assets.cats.txt").read_text("utf-8")
    assert re.search(r"^[0-9a-f-]{36}:EDTalk:", catalogs, re.M)  # else Blender calls the catalogs unsaved
    known = set(re.findall(r"^([0-9a-f-]{36}):EDTalk/", catalogs, re.M))
    assert len(known) == 3
    for action in expressions.values():
        about = action.asset_data
        assert about.catalog_id in known and about.license == "CC0-1.0" and about.description
        assert "edtalk" in [tag.name for tag in about.tags] and about["is_single_frame"] == 1
        width, height = action.preview.image_size
        pixels = np.empty(width * height * 4, np.float32)
        action.preview.image_pixels_float.foreach_get(pixels)
        assert width == height >= 128 and np.ptp(pixels.reshape(-1, 4)[:, :3]) > 0.3


def test_pictures_of_different_expressions_differ(expressions) -> None:
    still = {"Neutral", "Look Ahead"}  # the portrait at rest, both of them
    pictures = {
        tuple(action.preview.image_pixels) for name, action in expressions.items() if name not in still
    }
    assert len(pictures) == len(expressions) - len(still)


def test_expressions_set_emotions_and_handles_and_no_raw_weights(part, expressions) -> None:
    allowed = {part("face.sliders").path_of("emotion", name) for name in EMOTIONS}
    allowed |= {part("face.sliders").path_of("handle", name) for name in HANDLES}
    for name, action in expressions.items():
        assert set(curves(part, action)) <= allowed, name


def test_an_expression_replaces_the_one_before(part, face, expressions) -> None:  # noqa: F811
    face.pose.apply_pose_from_action(expressions["Happy"])
    close(read(part, face), WEIGHTS + add("happy", 1.0))
    face.pose.apply_pose_from_action(expressions["Sad"])
    close(read(part, face), WEIGHTS + add("sad", 1.0))


def test_an_emotion_leaves_head_and_eyes_where_they_are(part, face, expressions) -> None:  # noqa: F811
    face.pose.bones["handle"]["yaw"] = 9.0
    face.pose.apply_pose_from_action(expressions["Happy"])
    assert face.pose.bones["handle"]["yaw"] == 9.0


def test_handles_that_a_face_lacks_are_passed_over(part, face, expressions) -> None:  # noqa: F811
    del face.pose.bones["handle"]["smile"]
    face.pose.apply_pose_from_action(expressions["Big Smile"])
    assert "smile" not in face.pose.bones["handle"] and face.pose.bones["handle"]["jaw_open"] == 0.25


def test_half_an_expression_is_blended_in(part, face, expressions) -> None:  # noqa: F811
    face.pose.blend_pose_from_action(expressions["Angry"], blend_factor=0.5)
    close(read(part, face), WEIGHTS + add("angry", 0.5))


def test_an_expression_gives_another_face_the_same_weights(part, face, suit, expressions) -> None:  # noqa: F811
    import bpy

    other = part("face.rig").make_rig(bpy.context.scene, "Ben")
    suit(other)
    part("takes.edit_on_top").land(other, "ben_001", np.arange(1.0, 41.0), WEIGHTS)
    for action in expressions.values():
        face.pose.apply_pose_from_action(action)
        other.pose.apply_pose_from_action(action)
        np.testing.assert_array_equal(read(part, face), read(part, other), err_msg=action.name)


def test_ones_own_expression_is_saved_with_create_pose_asset(part, face, suit) -> None:  # noqa: F811
    """Blender takes custom properties that are keyed at this frame: Key keys them all."""
    import bpy

    face.pose.bones["emotion"]["fear"] = 0.25
    face.pose.bones["handle"]["smile"] = 0.5
    pose_mode(face)
    bpy.ops.pose.select_all(action="DESELECT")
    for name in ("emotion", "handle"):
        select(face, name)
    assert bpy.ops.edtalk.key_sliders() == {"FINISHED"}
    before = set(bpy.data.actions)
    if bpy.app.version < (4, 5, 0):
        bpy.ops.poselib.create_pose_asset(pose_name="Mine", activate_new_action=False)
    else:
        bpy.ops.poselib.create_pose_asset(pose_name="Mine", asset_library_reference="LOCAL")
    (mine,) = set(bpy.data.actions) - before
    bpy.ops.object.mode_set(mode="OBJECT")
    assert mine.asset_data is not None
    other = part("face.rig").make_rig(bpy.context.scene, "Ben")
    suit(other)
    part("takes.edit_on_top").land(other, "ben_001", np.arange(1.0, 41.0), WEIGHTS)
    other.pose.apply_pose_from_action(mine)
    close(read(part, other), WEIGHTS + add("fear", 0.25) + add("smile", 0.5))
    np.testing.assert_array_equal(read(part, other), read(part, face))


def test_save_expression_sets_the_whole_face_and_turns_only_what_is_turned(part, face, suit) -> None:  # noqa: F811
    import bpy

    face.pose.bones["emotion"]["fear"] = 0.25
    face.pose.bones["handle"]["gaze_x"] = 10.0
    before = set(bpy.data.actions)
    assert bpy.ops.edtalk.save_expression(name="Peek") == {"FINISHED"}
    (mine,) = set(bpy.data.actions) - before
    assert mine.name == "Peek" and mine.asset_data is not None
    other = part("face.rig").make_rig(bpy.context.scene, "Ben")
    suit(other)
    part("takes.edit_on_top").land(other, "ben_001", np.arange(1.0, 41.0), WEIGHTS)
    bones = other.pose.bones
    bones["emotion"]["happy"], bones["handle"]["smile"], bones["handle"]["yaw"] = 1.0, 1.0, 5.0
    other.pose.apply_pose_from_action(mine)
    assert bones["handle"]["yaw"] == 5.0
    close(read(part, other), WEIGHTS + add("fear", 0.25) + add("gaze_x", 10.0) + add("yaw", 5.0))


def select(face, name: str) -> None:  # noqa: F811
    bone = face.pose.bones[name]
    if hasattr(bone, "select"):  # from 5.0 on
        bone.select = True
    else:
        bone.bone.select = True


def test_the_button_adds_the_library_once(part) -> None:
    import bpy

    libraries = bpy.context.preferences.filepaths.asset_libraries
    expressions = part("ui.expressions")
    assert expressions.library() is None
    count = len(libraries)
    try:
        for _ in range(2):
            assert bpy.ops.edtalk.expression_library() == {"FINISHED"}
            assert len(libraries) == count + 1
            assert Path(expressions.library().path) == expressions.FOLDER
        expressions.library().path = "/gone"  # of an installation that is no more
        bpy.ops.edtalk.expression_library()
        assert len(libraries) == count + 1 and Path(expressions.library().path) == expressions.FOLDER
    finally:
        libraries.remove(expressions.library())


def test_switched_off_it_leaves_no_library_behind_and_switched_on_again_it_is_there(part) -> None:
    import bpy

    expressions = part("ui.expressions")
    was_there = expressions.library() is not None
    expressions.add()
    expressions.unregister()
    assert expressions.library() is None
    expressions.register()
    assert expressions.library() is not None
    if not was_there:
        bpy.context.preferences.filepaths.asset_libraries.remove(expressions.library())
    expressions.register()  # a Blender that never had it gets none
    assert (expressions.library() is not None) == was_there
