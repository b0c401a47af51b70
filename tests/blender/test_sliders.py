# SPDX-License-Identifier: GPL-3.0-or-later
"""Emotions and handles are ordinary properties of the face rig: whatever Blender does with properties moves
the face, and everything that makes pictures sees the total.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from core.wire.channels import CHANNELS, EMOTIONS, HANDLES, Handle
from core.wire.mixing import mix
from tests.support.faces import described, direction, handle, preset

pytestmark = pytest.mark.blender

FRAMES = range(1, 41)
WEIGHTS = np.cumsum(np.random.default_rng(0).normal(0, 0.1, (len(FRAMES), 36)), 0).astype(np.float32)


def add(column_of: str, value: float | np.ndarray) -> np.ndarray:
    """What a slider adds to the weights, by the formula."""
    values = np.broadcast_to(np.asarray(value, float), (len(FRAMES),))
    emotions = {column_of: values} if column_of in EMOTIONS else {}
    handles = {column_of: values} if column_of in HANDLES else {}
    presets = {name: preset(i) for i, name in enumerate(EMOTIONS)}
    directions = [Handle.from_dict(handle(i, name)) for i, name in enumerate(HANDLES)]
    return np.stack(mix(WEIGHTS.T, emotions, handles, presets, directions), axis=1) - WEIGHTS


@pytest.fixture
def suit(part):
    """Make a rig fit the checkpoint of the tests."""
    # not by its name in this process: the installed extension has a `messages` of its own
    messages = importlib.import_module(part("face.sliders").messages.__name__)

    def suit_(face) -> None:
        part("face.sliders").fit_to_checkpoint(face, messages.Described.from_dict(described()))

    return suit_


@pytest.fixture
def face(part, suit):
    """A face with a take."""
    import bpy

    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    suit(face)
    part("takes.edit_on_top").land(face, "take_001", np.arange(1.0, 41.0), WEIGHTS)
    bpy.context.view_layer.objects.active = face
    return face


def read(part, face) -> np.ndarray:
    import bpy

    return part("face.fcurves").read_weights(face, FRAMES, bpy.context.scene)


def generated(part, face) -> np.ndarray:
    """The take alone, without what lies on top."""
    import bpy

    return part("face.fcurves").read_generated(face, FRAMES, bpy.context.scene)


def pose_mode(face) -> None:
    """As an animator has it: the face active, in Pose Mode, all its bones selected."""
    import bpy

    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for ob in list(bpy.context.view_layer.objects.selected):
        ob.select_set(False)
    bpy.context.view_layer.objects.active = face
    face.select_set(True)
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pose.select_all(action="SELECT")


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-4)


# ------------------------------------------------------------------------------------------------ the rig


def test_a_face_has_eight_emotions_and_the_checkpoints_handles(part, face) -> None:
    assert list(face.pose.bones["emotion"].keys()) == list(EMOTIONS)
    assert list(face.pose.bones["handle"].keys()) == list(HANDLES)
    assert part("face.sliders").is_complete(face)


def test_ranges_words_and_units_are_the_checkpoints(part, face) -> None:
    ui = face.pose.bones["handle"].id_properties_ui("yaw").as_dict()
    assert (ui["soft_min"], ui["soft_max"], ui["min"], ui["max"]) == (-30, 30, -300, 300)
    assert ui["description"] == "Moves yaw, in degrees" and ui["default"] == 0
    ui = face.pose.bones["handle"].id_properties_ui("smile").as_dict()
    assert (ui["soft_min"], ui["soft_max"]) == (0, 1) and ui["description"] == "Moves smile"
    ui = face.pose.bones["emotion"].id_properties_ui("happy").as_dict()
    assert (ui["min"], ui["max"]) == (0, 1)
    label = part("face.sliders").label_of
    assert label(face, "handle", "yaw") == "Yaw °" and label(face, "handle", "jaw_open") == "Jaw Open"
    assert label(face, "emotion", "happy") == "Happy"


def test_sliders_at_rest_leave_the_take_as_it_was_generated(part, face) -> None:
    np.testing.assert_array_equal(read(part, face), WEIGHTS)


def test_a_posed_slider_moves_the_whole_take(part, face) -> None:
    face.pose.bones["handle"]["yaw"] = 12.5
    close(read(part, face), WEIGHTS + add("yaw", 12.5))
    np.testing.assert_array_equal(generated(part, face), WEIGHTS)


def test_half_of_two_emotions_is_the_mean_of_both(part, face) -> None:
    bone = face.pose.bones["emotion"]
    bone["happy"] = bone["sad"] = 0.5
    close(read(part, face), WEIGHTS + (add("happy", 1) + add("sad", 1)) / 2)


def test_a_take_writes_no_keys_on_emotions_and_handles(part, face) -> None:
    paths = {curve.data_path for curve in part("face.fcurves").curves_of(face).fcurves}
    assert paths == {part("face.rig").path_of(name) for name in CHANNELS}


def test_weights_now_are_those_of_the_frame(part, face) -> None:
    import bpy

    face.pose.bones["emotion"]["angry"] = 0.75
    bpy.context.scene.frame_set(17)
    now = part("face.fcurves").weights_now(face, bpy.context.evaluated_depsgraph_get())
    np.testing.assert_allclose(now, read(part, face)[16], atol=1e-6)


# ------------------------------------------------------------------- what Blender does with properties


def test_keys_move_it(part, face) -> None:
    bone = face.pose.bones["handle"]
    for frame, value in ((10, 0.0), (20, 1.0)):
        bone["smile"] = value
        bone.keyframe_insert('["smile"]', frame=frame)
    curve = part("face.fcurves").curves_of(face).fcurves.find('pose.bones["handle"]["smile"]')
    for point in curve.keyframe_points:
        point.interpolation = "LINEAR"
    close(read(part, face), WEIGHTS + add("smile", np.clip((np.array(FRAMES) - 10) / 10, 0, 1)))


def test_blenders_insert_key_keys_the_sliders_of_selected_bones(part, face) -> None:
    import bpy

    assert "CUSTOM_PROPS" in bpy.context.preferences.edit.key_insert_channels  # as Blender comes
    face.pose.bones["emotion"]["sad"] = 0.5
    pose_mode(face)
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.anim.keyframe_insert()
    bpy.ops.object.mode_set(mode="OBJECT")
    find = part("face.fcurves").curves_of(face).fcurves.find
    assert find('pose.bones["emotion"]["sad"]').keyframe_points[0].co.y == 0.5
    assert all(find(part("face.sliders").path_of(*pair)) for pair in part("face.sliders").names_of(face))


def test_a_driver_moves_it(part, face) -> None:
    import bpy

    hand = bpy.data.objects.new("hand", None)
    bpy.context.scene.collection.objects.link(hand)
    hand["k"] = 0.75
    driver = face.driver_add('pose.bones["emotion"]["fear"]').driver
    driver.type = "SUM"
    variable = driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = hand, '["k"]'
    close(read(part, face), WEIGHTS + add("fear", 0.75))


def test_an_f_modifier_moves_it(part, face) -> None:
    bone = face.pose.bones["handle"]
    bone["pitch"] = 0.0
    bone.keyframe_insert('["pitch"]', frame=1)
    curve = part("face.fcurves").curves_of(face).fcurves.find('pose.bones["handle"]["pitch"]')
    modifier = curve.modifiers.new("GENERATOR")
    modifier.coefficients = (0.0, 0.5)
    close(read(part, face), WEIGHTS + add("pitch", 0.5 * np.array(FRAMES)))


def test_nla_layers_move_it(part, face) -> None:
    import bpy

    bone = face.pose.bones["emotion"]
    bone["happy"] = 0.25
    bone.keyframe_insert('["happy"]', frame=1)  # into the take's own action
    assert bpy.ops.edtalk.edit_on_top() == {"FINISHED"}
    bone["happy"] = 0.75
    bone.keyframe_insert('["happy"]', frame=1)  # half of it comes from the layer
    close(read(part, face), WEIGHTS + add("happy", 0.75))
    face.animation_data.action_influence = 0.5
    close(read(part, face), WEIGHTS + add("happy", 0.5))


def test_a_library_override_can_be_keyed(part, face, tmp_path: Path) -> None:
    import bpy

    library = tmp_path / "anna.blend"
    bpy.data.libraries.write(str(library), {face}, fake_user=True)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, into):
        into.objects = ["Anna"]
    (linked,) = into.objects
    bpy.context.scene.collection.objects.link(linked)
    override = linked.override_create(remap_local_usages=True)
    bone = override.pose.bones["handle"]
    bone["blink"] = 0.5
    override.pose.bones["emotion"]["sad"] = 0.5
    close(read(part, override), WEIGHTS + add("blink", 0.5) + add("sad", 0.5))
    saved = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(saved))
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    (override,) = [ob for ob in bpy.data.objects if ob.override_library is not None]
    assert override.pose.bones["handle"]["blink"] == 0.5
    close(read(part, override), WEIGHTS + add("blink", 0.5) + add("sad", 0.5))
    bone = override.pose.bones["handle"]
    override.animation_data.action = None
    bone["blink"] = 1.0
    assert bone.keyframe_insert('["blink"]', frame=1)
    bone["blink"] = 0.0
    close(read(part, override) - read_at_rest(part, override), add("blink", 1.0))


def read_at_rest(part, face) -> np.ndarray:
    """What it would be without the blink, emotions included."""
    return generated(part, face) + add("sad", 0.5).astype(np.float32)


def test_a_pose_is_copied_to_another_face(part, face, suit) -> None:
    import bpy

    other = part("face.rig").make_rig(bpy.context.scene, "Ben")
    suit(other)
    face.pose.bones["handle"]["gaze_x"] = -7.5
    face.pose.bones["emotion"]["surprised"] = 0.5
    pose_mode(face)
    bpy.ops.pose.copy()
    pose_mode(other)
    bpy.ops.pose.paste()
    assert other.pose.bones["handle"]["gaze_x"] == -7.5
    assert other.pose.bones["emotion"]["surprised"] == 0.5
    bpy.ops.object.mode_set(mode="OBJECT")


# --------------------------------------------------------------------------------------- takes and edits


def test_a_new_take_keeps_what_was_keyed_on_emotions_and_handles(part, face) -> None:
    bone = face.pose.bones["handle"]
    for frame, value in ((5, 0.0), (25, 20.0)):
        bone["yaw"] = value
        bone.keyframe_insert('["yaw"]', frame=frame, group="handle")
    before = read(part, face)
    first = face.animation_data.action
    part("takes.edit_on_top").land(face, "take_002", np.arange(1.0, 41.0), WEIGHTS + 1)
    assert (first.name, face.animation_data.action.name) == ("take_001", "take_002")
    close(read(part, face), before + 1)
    assert first.use_fake_user and not face.animation_data.action.use_fake_user


def test_a_new_take_below_edits_keeps_what_was_keyed_on_its_emotions(part, face) -> None:
    import bpy

    bone = face.pose.bones["emotion"]
    bone["happy"] = 0.5
    bone.keyframe_insert('["happy"]', frame=1)
    bpy.ops.edtalk.edit_on_top()
    part("takes.edit_on_top").land(face, "take_002", np.arange(1.0, 41.0), WEIGHTS + 1)
    close(read(part, face), WEIGHTS + 1 + add("happy", 0.5))


def test_modifiers_of_the_old_weights_stay_with_the_old_take(part, face) -> None:
    face.pose.bones["emotion"].keyframe_insert('["happy"]', frame=1)
    curve = part("face.fcurves").curves_of(face).fcurves.find(part("face.rig").path_of("mouth_00"))
    curve.modifiers.new("GENERATOR").coefficients = (5.0, 1.0)
    part("takes.edit_on_top").land(face, "take_002", np.arange(1.0, 41.0), WEIGHTS)
    close(read(part, face), WEIGHTS)


# ------------------------------------------------------------------------------------------------ older files


@pytest.fixture
def old(part, face):
    """A face as 0.1.0 made it."""
    import bpy

    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("emotion", "handle", "strength", "teeth"):
        face.data.edit_bones.remove(face.data.edit_bones[name])
    bpy.ops.object.mode_set(mode="OBJECT")
    for key in (part("face.sliders").PRESETS, part("face.sliders").HANDLES):
        del face[key]
    assert [bone.name for bone in face.pose.bones] == ["mouth", "pose", "expression"]
    return face


def test_keys_play_without_the_add_on(part, face, tmp_path: Path) -> None:
    import bpy

    bone = face.pose.bones["handle"]
    for frame, value in ((1, 0.0), (21, 10.0)):
        bone["yaw"] = value
        bone.keyframe_insert('["yaw"]', frame=frame)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "anna.blend"))
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.edtalk")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "anna.blend"))
        bpy.context.scene.frame_set(11)
        assert bpy.data.objects["Anna"].pose.bones["handle"]["yaw"] == pytest.approx(5.0)
    finally:
        bpy.ops.preferences.addon_enable(module="bl_ext.user_default.edtalk")


def test_a_linked_face_is_updated_in_its_own_file(part, face, tmp_path: Path) -> None:
    import bpy

    library = tmp_path / "anna.blend"
    bpy.data.libraries.write(str(library), {face}, fake_user=True)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, into):
        into.objects = ["Anna"]
    bpy.context.scene.collection.objects.link(into.objects[0])
    update = part("ui.slider_buttons").EDTALK_OT_update_face
    assert "open the file it belongs to" in update.why_not(bpy.context)
    assert "library override" in part("face.sliders").why_not_pose(into.objects[0])
    into.objects[0].override_create(remap_local_usages=True)
    assert "open the file it belongs to" in update.why_not(bpy.context)
    assert bpy.ops.edtalk.reset_sliders.poll() and bpy.ops.edtalk.key_sliders.poll()


def test_a_face_of_an_older_file_goes_on_working(part, old) -> None:
    np.testing.assert_array_equal(read(part, old), WEIGHTS)
    assert not part("face.sliders").is_complete(old) and part("face.sliders").names_of(old) == []


@pytest.mark.parametrize("mode", ["OBJECT", "POSE", "EDIT"])
def test_an_older_face_gets_its_sliders_whatever_mode_it_is_in(part, old, suit, mode: str) -> None:
    import bpy

    bpy.ops.object.mode_set(mode=mode)
    suit(old)
    assert old.mode == mode and len(bpy.data.scenes) == 1
    bpy.ops.object.mode_set(mode="OBJECT")
    assert part("face.sliders").is_complete(old)
    old.pose.bones["handle"]["yaw"] = 10.0
    close(read(part, old), WEIGHTS + add("yaw", 10.0))


def test_what_somebody_else_put_in_the_place_of_presets_is_left_out(part, face) -> None:
    face.pose.bones["emotion"]["happy"] = 1.0
    face.pose.bones["handle"]["yaw"] = 1.0
    face[part("face.sliders").PRESETS] = {"happy": [1.0] * 3, "sad": "x"}
    face[part("face.sliders").HANDLES] = 5
    np.testing.assert_array_equal(read(part, face), WEIGHTS)


# ------------------------------------------------------------------------------------------------- buttons


def test_reset_sets_all_to_zero(part, face) -> None:
    import bpy

    for bone, name in part("face.sliders").names_of(face):
        face.pose.bones[bone][name] = 0.5
    assert bpy.ops.edtalk.reset_sliders() == {"FINISHED"}
    assert {face.pose.bones[bone][name] for bone, name in part("face.sliders").names_of(face)} == {0.0}
    np.testing.assert_array_equal(read(part, face), WEIGHTS)


def test_reset_keys_the_zeros_where_auto_keying_is_on(part, face) -> None:
    import bpy

    bone = face.pose.bones["handle"]
    bone["yaw"] = 10.0
    bone.keyframe_insert('["yaw"]', frame=1)
    bpy.context.scene.frame_set(20)
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    bpy.ops.edtalk.reset_sliders()
    assert read(part, face)[19:, 20:26] == pytest.approx(WEIGHTS[19:, 20:26], abs=1e-5)


def test_one_press_keys_every_slider(part, face) -> None:
    import bpy

    bpy.context.scene.frame_set(8)
    face.pose.bones["emotion"]["fear"] = 0.5
    assert bpy.ops.edtalk.key_sliders() == {"FINISHED"}
    keyed = {}
    for curve in part("face.fcurves").curves_of(face).fcurves:
        if "emotion" in curve.data_path or "handle" in curve.data_path:
            (point,) = curve.keyframe_points
            keyed[curve.data_path] = tuple(point.co)
            assert point.type == "KEYFRAME"
    assert len(keyed) == len(EMOTIONS) + len(HANDLES)
    assert keyed['pose.bones["emotion"]["fear"]'] == (8.0, 0.5)


def test_grey_buttons_say_why(part, old) -> None:
    import bpy

    why, active = part("face.sliders").why_not_pose, part("face.rig").active_face
    assert "Update Face" in why(active(bpy.context)) and not bpy.ops.edtalk.reset_sliders.poll()
    bpy.data.objects.remove(old)
    assert "Select a face" in why(active(bpy.context)) and not bpy.ops.edtalk.update_face.poll()


def test_the_directions_of_the_tests_reach_every_bank() -> None:
    assert all(any(direction(i)) for i in range(len(HANDLES)))


# ------------------------------------------------------------------------------------------------ strength


def test_strengths_rest_at_one_and_leave_the_take_as_it_is_to_the_bit(part, edtalk) -> None:
    strengths, face, weights = strengths_and_face(part)
    rest = {name: np.ones(3, np.float32) for name in strengths.names_of(face)}
    assert [name for _, name in rest] == ["mouth", "pose", "expression", "blink"]
    assert strengths.applied(face, weights, rest) is weights
    assert strengths.applied(face, weights, {}) is weights  # a rig of an older file
    assert face.pose.bones["strength"]["mouth"] == 1


def test_articulation_weakens_openings_and_no_closure_and_parts_are_apart(part, edtalk) -> None:
    strengths, face, weights = strengths_and_face(part)
    rows = {name: np.array([0.5, 1.0, 2.0], np.float32) for name in strengths.names_of(face)}
    played = strengths.applied(face, weights, rows)
    np.testing.assert_allclose(played[:, 0], [0.2 + 0.5 * 0.7, 0.9, 1.5])  # about the portrait's own, to full
    np.testing.assert_allclose(played[:, 4], 0.9)  # press
    np.testing.assert_allclose(played[:, 20], [0.45, 0.9, 1.8])
    only = {("strength", "blink"): np.zeros(3, np.float32)}
    played = strengths.applied(face, weights, only)
    assert not played[:, 33].any()
    np.testing.assert_array_equal(np.delete(played, 33, 1), np.delete(weights, 33, 1))


def test_keyed_articulation_plays_from_mumbling_to_over_articulated(part, edtalk) -> None:
    import bpy

    _, face, weights = strengths_and_face(part)
    fcurves = part("face.fcurves")
    fcurves.new_action(face, "take")
    frames = np.array([1, 50, 99])
    fcurves.write_weights(face, frames, weights)
    bone = face.pose.bones["strength"]
    for frame, value in ((1, 0.5), (99, 1.2)):
        bone["mouth"] = value
        bone.keyframe_insert('["mouth"]', frame=frame)
    drawn = fcurves.read_weights(face, frames, bpy.context.scene)[:, 0]
    assert drawn[0] == pytest.approx(0.2 + 0.5 * 0.7) and drawn[2] == pytest.approx(0.2 + 1.2 * 0.7)
    assert drawn[0] < drawn[1] < drawn[2]
    raw = fcurves.read_generated(face, frames, bpy.context.scene)
    np.testing.assert_allclose(raw, weights)  # the take's own curves are as they were


def strengths_and_face(part):
    """The module, a rig of a checkpoint whose channels have names, and three rows of weights."""
    import bpy

    from core.wire.channels import CHANNELS

    strengths, rig = part("face.strengths"), part("face.rig")
    face = rig.make_rig(bpy.context.scene, "anna")
    strengths.add_to(face)
    face[rig.LABELS] = {"mouth_00": "Jaw Open", "mouth_04": "Press", "expression_07": "Blink"}
    own = np.zeros(len(CHANNELS))
    own[0] = 0.2
    face[rig.REST] = own.tolist()
    return strengths, face, np.full((3, len(CHANNELS)), 0.9, np.float32)
