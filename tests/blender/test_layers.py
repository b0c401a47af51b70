# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit on Top: the sum is what is seen, and hand keys outlive the take they were made on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.desk import Desk

pytestmark = pytest.mark.blender

FRAMES = np.arange(90, 131, 0.5)  # before, within, after, and between


@pytest.fixture
def face(part):
    """A rig with a generated take of twenty steps from frame 101 on, 30 frames a second."""
    import bpy

    bpy.context.scene.render.fps = 30
    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    bpy.context.view_layer.objects.active = face
    take(part, face, "anna_001", 1)
    return face


def take(part, face, name: str, seed: int) -> np.ndarray:
    """A take lands on the rig, as Generate does it."""
    weights = np.random.default_rng(seed).normal(size=(20, 36)).astype(np.float32)
    part("takes.edit_on_top").land(face, name, part("settings.timing").key_frames(20, 101, 30, 25), weights)
    face.edtalk.take.name = name
    return weights


def seen(part, face) -> np.ndarray:
    """The rig's weights as they are evaluated."""
    import bpy

    return part("face.fcurves").read_weights(face, FRAMES, bpy.context.scene)


def press() -> None:
    """The button."""
    import bpy

    assert bpy.ops.edtalk.edit_on_top() == {"FINISHED"}


def key(part, face, name: str, points: dict[float, float]):
    """Keys in the rig's own action."""
    curve = part("face.fcurves").curves_of(face).fcurves.new(part("face.rig").path_of(name), index=0)
    for frame, value in points.items():
        curve.keyframe_points.insert(frame, value).interpolation = "LINEAR"
    curve.update()
    return curve


def test_an_empty_layer_changes_nothing(part, face) -> None:
    before = seen(part, face)
    press()
    np.testing.assert_allclose(seen(part, face), before, atol=1e-6)
    data = face.animation_data
    assert data.action.name == "Anna Edits" and not len(part("face.fcurves").curves_of(face).fcurves)
    assert part("takes.edit_on_top").base_strip(face).action.name == "anna_001"


def test_a_take_that_begins_between_two_frames_stays_in_its_place(part, face) -> None:
    curves = part("face.fcurves").curves_of(face).fcurves
    for curve in curves:
        for point in curve.keyframe_points:
            point.co.x += 0.3
        curve.update()
    before = seen(part, face)
    press()
    np.testing.assert_allclose(seen(part, face), before, atol=1e-5)


def test_keys_on_top_are_added(part, face) -> None:
    before = seen(part, face)
    press()
    key(part, face, "expression_04", {104: 0.0, 106: 1.0, 108: 0.0})
    added = seen(part, face) - before
    wanted = np.interp(FRAMES, [104, 106, 108], [0, 1, 0])
    np.testing.assert_allclose(added[:, 30], wanted, atol=1e-5)
    assert np.abs(np.delete(added, 30, axis=1)).max() < 1e-6


def test_what_is_keyed_by_hand_is_the_difference(part, face) -> None:
    """The slider shows the sum; the key that Blender sets holds what has to be added."""
    import bpy

    press()
    scene = bpy.context.scene
    scene.frame_set(110)
    bone = face.pose.bones["mouth"]
    base = bone["mouth_00"]
    bone["mouth_00"] = base + 0.75
    assert bone.keyframe_insert('["mouth_00"]')
    (point,) = (
        part("face.fcurves")
        .curves_of(face)
        .fcurves.find(part("face.rig").path_of("mouth_00"))
        .keyframe_points
    )
    assert point.co.y == pytest.approx(0.75, abs=1e-5) and point.type == "KEYFRAME"
    scene.frame_set(109)
    scene.frame_set(110)
    assert bone["mouth_00"] == pytest.approx(base + 0.75, abs=1e-5)


def test_a_second_take_keeps_the_edits(part, face) -> None:
    press()
    key(part, face, "mouth_00", {101: 0.5, 111: 1.5})
    layer, first = face.animation_data.action, part("takes.edit_on_top").base_strip(face).action
    weights = take(part, face, "anna_002", 2)
    assert face.animation_data.action == layer and face.animation_data.action_blend_type == "ADD"
    strip = part("takes.edit_on_top").base_strip(face)
    assert strip.action.name == "anna_002" and first.use_fake_user
    assert [len(track.strips) for track in face.animation_data.nla_tracks] == [1]
    frames = part("settings.timing").key_frames(20, 101, 30, 25)
    wanted = np.stack([np.interp(FRAMES, frames, column) for column in weights.T], axis=1)
    wanted[:, 0] += np.interp(FRAMES, [101, 111], [0.5, 1.5])
    np.testing.assert_allclose(seen(part, face), wanted, atol=1e-4)


def test_a_take_pushed_down_by_hand_is_exchanged_too(part, face) -> None:
    data = face.animation_data
    data.nla_tracks.new().strips.new("mine", 101, data.action)
    data.action = None
    take(part, face, "anna_002", 2)
    assert part("takes.edit_on_top").base_strip(face).action.name == "anna_002" and data.action is None
    press()
    assert len(data.nla_tracks) == 1 and data.action.name == "Anna Edits"


def test_imported_weights_go_below_the_edits(part, face, tmp_path) -> None:
    import bpy

    face.edtalk.take.first, face.edtalk.take.last = 101, 124
    path = str(tmp_path / "a.npz")
    assert bpy.ops.edtalk.export_weights(filepath=path) == {"FINISHED"}
    before = seen(part, face)
    press()
    key(part, face, "pose_00", {101: 1.0})
    layer = face.animation_data.action
    assert bpy.ops.edtalk.import_weights(filepath=path) == {"FINISHED"}
    assert face.animation_data.action == layer
    within = (FRAMES >= 101) & (FRAMES <= 124) & (FRAMES % 1 == 0)
    added = (seen(part, face) - before)[within]
    assert np.allclose(added[:, 20], 1.0, atol=1e-4)
    assert np.abs(np.delete(added, 20, axis=1)).max() < 1e-4


def test_a_muted_track_is_left_alone(part, face) -> None:
    """Blender's Stash leaves the take in a muted track."""
    data = face.animation_data
    track = data.nla_tracks.new()
    track.strips.new("stash", 101, data.action)
    track.mute = True
    take(part, face, "anna_002", 2)
    assert data.action.name == "anna_002" and track.strips[0].action.name == "anna_001"


def test_it_can_be_undone(part, face) -> None:
    import bpy

    before = seen(part, face)
    bpy.ops.ed.undo_push(message="take")
    press()
    bpy.ops.ed.undo_push(message="on top")
    bpy.ops.ed.undo()
    face = bpy.data.objects["Anna"]
    assert face.animation_data.action.name == "anna_001" and not face.animation_data.nla_tracks
    np.testing.assert_allclose(seen(part, face), before, atol=1e-6)


def test_a_grey_button_says_why(part, face) -> None:
    import bpy

    layers = part("takes.edit_on_top")
    assert layers.why_not(bpy.context) == ""
    press()
    assert "on top already" in layers.why_not(bpy.context)
    assert not bpy.ops.edtalk.edit_on_top.poll()
    face.animation_data_clear()
    assert "generate a take first" in layers.why_not(bpy.context)
    bpy.data.objects.remove(face)
    assert "Select a face rig" in layers.why_not(bpy.context)


@pytest.mark.slow
def test_the_whole_road_with_edits_on_top(
    part, tmp_path, portrait, voice, tiny_checkpoint, server_python
) -> None:
    """Generate, edit on top, render what changed, generate again: the edit is in the new take's pictures."""
    desk = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    desk.generate()
    press()
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: all 50 frames are up to date"
    key(part, desk.face, "mouth_00", {119: 0.0, 120: 2.0, 121: 0.0})
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: 1 of 50 frames rendered again"
    desk.face.edtalk.seed = 5
    desk.generate()
    assert desk.jobs.last().level == "INFO" and desk.face.edtalk.take.name == "anna_002"
    record = part("pictures.frame_record").Rendered(desk.frames)
    motion, _ = part("pictures.take_folder").load_motion(desk.frames / "motion.npz")
    made = np.stack([record.entry(number).weights for number in range(101, 151)])
    motion[120 - 101, 0] += 2.0
    np.testing.assert_allclose(made, motion, atol=1e-4)


def test_back_to_the_take_lays_the_edits_aside_and_edit_on_top_brings_them_back(part, face) -> None:
    import bpy

    before, own = seen(part, face), face.animation_data.action
    press()
    key(part, face, "pose_00", {100: 0.7})
    edited = seen(part, face)
    assert bpy.ops.edtalk.back_to_take() == {"FINISHED"}
    data = face.animation_data
    assert data.action == own and data.action_blend_type == "REPLACE" and not len(data.nla_tracks)
    np.testing.assert_allclose(seen(part, face), before, atol=1e-6)
    assert not bpy.ops.edtalk.back_to_take.poll()
    press()
    np.testing.assert_allclose(seen(part, face), edited, atol=1e-6)


def test_there_is_no_way_back_through_tracks_of_ones_own(part, face) -> None:
    import bpy

    press()
    track = face.animation_data.nla_tracks.new()
    track.strips.new("mine", 1, bpy.data.actions.new("Mine"))
    with pytest.raises(RuntimeError, match="NLA tracks of your own"):
        bpy.ops.edtalk.back_to_take()
