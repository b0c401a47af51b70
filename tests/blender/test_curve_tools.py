# SPDX-License-Identifier: GPL-3.0-or-later
"""The curve tools as they are pressed: what they change, what they leave alone, and how it is undone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.desk import Desk

pytestmark = pytest.mark.blender

STEPS = 150
SHARES = np.linspace(0.002, 0.06, 36)  # of the square's side, for one unit of each weight


@pytest.fixture
def face(part, portrait):
    """A face that was measured, wearing six seconds of waves with a little trembling, 25 frames a second."""
    import bpy

    bpy.context.scene.render.fps = 25
    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    bpy.context.view_layer.objects.active = face
    face.edtalk.portrait, face.edtalk.size = str(portrait), 512
    random, steps = np.random.default_rng(3), np.arange(STEPS)
    weights = np.sin(steps[:, None] * random.uniform(0.02, 0.3, 36) + random.uniform(0, 6, 36))
    weights = (weights + random.normal(scale=0.004, size=weights.shape)).astype(np.float32)
    weights[:, 12:20] = 0  # spare channels
    part("takes.edit_on_top").land(
        face, "anna_001", part("settings.timing").key_frames(STEPS, 101, 25, 25), weights
    )
    face.edtalk.take.name, face.edtalk.take.model = "anna_001", "toy"
    measure = part("curves.measurements")
    face[measure.SHARES], face[measure.MEASURED] = SHARES.tolist(), measure.what_of(face)
    return face


def press(name: str, **properties) -> None:
    import bpy

    assert getattr(bpy.ops.edtalk, name)(**properties) == {"FINISHED"}


def curves(part, face) -> dict:
    """Weight -> its curve, of the rig's own action."""
    fcurves = part("face.fcurves").curves_of(face).fcurves
    return {curve.data_path.split('"')[3]: curve for curve in fcurves}


def values(part, face, frames=range(101, 251)) -> np.ndarray:
    import bpy

    return part("face.fcurves").read_generated(face, frames, bpy.context.scene)


def count(part, face) -> int:
    return sum(len(curve.keyframe_points) for curve in curves(part, face).values())


def everything(part, face) -> list:
    """All there is to know of every key."""
    keys = part("face.keys").Keys
    return [keys.of(curve).data for curve in curves(part, face).values()]


def hand_key(part, face, name: str, frame: float, value: float):
    key = curves(part, face)[name].keyframe_points.insert(frame, value)
    key.type = "KEYFRAME"
    return key


def test_generated_keys_say_so_and_are_not_selected(part, face) -> None:
    for data in everything(part, face):
        assert (data["type"] == 5).all() and not data["select_control_point"].any()
    assert {key.type for key in curves(part, face)["pose_00"].keyframe_points} == {"GENERATED"}


@pytest.mark.parametrize(("tolerance", "share"), [(0.5, 0.8), (2.0, 0.4)])
def test_simplified_curves_move_no_point_by_more_than_the_tolerance(part, face, tolerance, share) -> None:
    before, keys = values(part, face), count(part, face)
    press("simplify_curves", tolerance=tolerance)
    lost = (np.abs(values(part, face) - before) * SHARES * 512).sum(axis=1)
    assert lost.max() <= tolerance + 1e-3
    assert (
        count(part, face) < share * keys
    )  # these tremble on purpose; a take of speech loses most of its keys
    assert all((data["type"] == 5).all() for data in everything(part, face))


def test_the_tolerance_is_in_pixels_of_the_take(part, face) -> None:
    """A larger picture shows more, so it needs more keys; pasted back, the portrait's own pixels count."""
    import bpy

    bpy.ops.ed.undo_push(message="before")
    counts = {}
    for size in (128, 1024):
        face.edtalk.size = size
        bpy.ops.ed.undo_push(message="size")
        press("simplify_curves", tolerance=1.0)
        bpy.ops.ed.undo_push(message="simplified")
        counts[size] = count(part, bpy.data.objects["Anna"])
        bpy.ops.ed.undo()
        face = bpy.data.objects["Anna"]
    assert counts[128] < 0.7 * counts[1024]
    face.edtalk.composite, face.edtalk.take.crop = "paste", (0, 0, 300)
    assert part("curves.measurements").side_of(face) == 300


def test_simplify_can_be_undone_exactly(part, face) -> None:
    import bpy

    hand_key(part, face, "mouth_00", 120.5, 0.7)
    bpy.ops.ed.undo_push(message="before")
    before = everything(part, face)
    press("simplify_curves", tolerance=1.0)
    bpy.ops.ed.undo_push(message="simplified")
    bpy.ops.ed.undo()
    after = everything(part, bpy.data.objects["Anna"])
    for one, other in zip(before, after):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_hand_keys_stay_with_all_they_have(part, face) -> None:
    key = hand_key(part, face, "mouth_00", 130, 0.4)
    key.interpolation, key.handle_left_type, key.handle_right_type = "BEZIER", "FREE", "FREE"
    key.handle_left, key.handle_right = (128.5, 0.1), (132, 0.9)
    press("simplify_curves", tolerance=50.0)
    press("smooth_curves", sigma=0.2)
    (kept,) = (k for k in curves(part, face)["mouth_00"].keyframe_points if k.type == "KEYFRAME")
    assert tuple(kept.co) == (130, pytest.approx(0.4)) and kept.interpolation == "BEZIER"
    assert tuple(kept.handle_right) == (132, pytest.approx(0.9))
    press("simplify_curves", tolerance=500.0, hand_keys=True)
    assert len(curves(part, face)["mouth_01"].keyframe_points) == 2


def test_only_the_chosen_banks_change(part, face) -> None:
    before = everything(part, face)
    press("simplify_curves", tolerance=5.0, banks={"pose"})
    names = list(curves(part, face))
    for name, one, other in zip(names, before, everything(part, face)):
        assert (len(one["co"]) != len(other["co"])) == name.startswith("pose"), name


def test_only_keys_in_the_preview_range_change(part, face) -> None:
    import bpy

    scene = bpy.context.scene
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 150, 200
    before = values(part, face)
    press("gain_curves", range="PREVIEW", gain=(0.0, 1, 1, 1), fade=0.2, around="ZERO")
    after = values(part, face)
    frames = np.arange(101, 251)
    outside = (frames <= 150) | (frames >= 200)
    np.testing.assert_array_equal(after[outside], before[outside])
    assert np.abs(after[(frames >= 156) & (frames <= 194), :20]).max() < 1e-6
    jump = np.abs(np.diff(after[:, :20], axis=0)).max()
    assert jump < np.abs(np.diff(before[:, :20], axis=0)).max() + 0.25  # it fades


def test_selected_curves_and_keys_are_what_the_graph_editor_shows(part, face) -> None:
    for name, curve in curves(part, face).items():
        curve.select = name == "expression_03"
    curve = curves(part, face)["expression_03"]
    for key in curve.keyframe_points[10:13]:
        key.select_control_point = True
    before = values(part, face)
    press(
        "gain_curves",
        curves="SELECTED",
        range="KEYS",
        gain=(1, 1, 1, 2),
        offset=(0, 0, 0, 0.25),
        around="ZERO",
    )
    change = values(part, face) - before
    wanted = before[10:13, 29] + 0.25
    np.testing.assert_allclose(change[10:13, 29], wanted, atol=1e-5)
    change[10:13, 29] = 0
    assert not change.any()


def test_gain_around_the_average_keeps_it_and_each_bank_has_its_own(part, face) -> None:
    before = values(part, face)
    press("gain_curves", gain=(1, 0.5, 2.0, 1), offset=(0.1, 0, 0, 0), around="MEAN")
    after = values(part, face)
    np.testing.assert_allclose(after[:, :20], before[:, :20] + 0.1, atol=1e-5)
    for columns, gain in ((slice(20, 26), 0.5), (slice(26, 36), 2.0)):
        mean = before[:, columns].mean(axis=0)
        np.testing.assert_allclose(after[:, columns], mean + gain * (before[:, columns] - mean), atol=1e-4)


def test_smoothing_takes_trembling_away_and_the_lips_still_close(part, face) -> None:
    import bpy

    face[part("face.rig").LABELS] = {"mouth_00": "Jaw Open", "mouth_01": "Wide"}
    curve = curves(part, face)["mouth_00"]
    steps = np.arange(STEPS)
    jaw = 1.0 + 0.3 * np.sin(steps * 0.5)
    for middle in (40, 90):
        jaw[middle - 2 : middle + 3] = [0.5, 0.1, 0.0, 0.1, 0.5]
    curve.keyframe_points.foreach_set("co", np.stack([101 + steps, jaw], 1).astype(np.float32).ravel())
    curve.update()
    before = values(part, face)
    bpy.ops.ed.undo_push(message="before")
    press("smooth_curves", sigma=0.15)
    after = values(part, face)
    rough = np.abs(np.diff(before, 3, axis=0)).mean(axis=0)
    assert (np.abs(np.diff(after, 3, axis=0)).mean(axis=0)[20:] < 0.7 * rough[20:]).all()
    assert after[[40, 90], 0].max() < 0.02
    bpy.ops.ed.undo_push(message="smoothed")
    bpy.ops.ed.undo()
    press("smooth_curves", sigma=0.15, keep_closures=False)
    assert values(part, bpy.data.objects["Anna"])[[40, 90], 0].min() > 0.2


def test_shift_moves_keys_by_less_than_a_frame_and_keeps_their_values(part, face) -> None:
    before = values(part, face, np.arange(110, 240))
    press("shift_curves", frames=-1.0, seconds=0.01)  # -0.75 frames
    np.testing.assert_allclose(values(part, face, np.arange(110, 240) - 0.75), before, atol=2e-3)


def test_shifted_keys_push_generated_ones_aside_and_never_hand_keys(part, face) -> None:
    hand_key(part, face, "mouth_00", 121.5, 3.0)
    curve = curves(part, face)["mouth_00"]
    for key in curve.keyframe_points:
        key.select_control_point = 111 <= key.co.x <= 120
    curve.select = True
    for name, other in curves(part, face).items():
        other.select = name == "mouth_00"
    press("shift_curves", curves="SELECTED", range="KEYS", frames=3.0)
    times = [key.co.x for key in curve.keyframe_points]
    assert times == sorted(times) and len(set(times)) == len(times)
    assert [key.co.x for key in curve.keyframe_points if key.type == "KEYFRAME"] == [121.5]
    assert 124 in times and 114 in times and 112 not in times


def test_the_tools_work_on_the_take_below_and_on_the_layer_on_top(part, face) -> None:
    import bpy

    press("edit_on_top")
    layer = face.animation_data.action
    before = values(part, face)
    press("gain_curves", gain=(1, 1, 1, 1), offset=(0.5, 0, 0, 0))
    np.testing.assert_allclose(values(part, face)[:, :20] - before[:, :20], 0.5, atol=1e-5)
    curve = part("face.fcurves").curves_of(face).fcurves.new(part("face.rig").path_of("pose_01"), index=0)
    curve.keyframe_points.insert(101, 1.0)
    before = values(part, face)
    press("gain_curves", where="TOP", gain=(1, 3, 1, 1))
    change = values(part, face) - before
    np.testing.assert_allclose(change[:, 21], 2.0, atol=1e-5)
    press("shift_curves", frames=12.0)
    strip = part("takes.edit_on_top").base_strip(face)
    assert strip.frame_end == pytest.approx(262) and strip.frame_start == pytest.approx(113)
    np.testing.assert_allclose(values(part, face, np.arange(120, 260))[:, 0], before[7:147, 0], atol=1e-4)
    assert face.animation_data.action == layer
    assert part("curves.tools").why_not(bpy.context) == ""


def test_a_grey_tool_says_why(part, face) -> None:
    import bpy

    assert bpy.ops.edtalk.simplify_curves.poll() and not bpy.ops.edtalk.close_mouth.poll()
    assert "sound" in part("curves.close_mouth").EDTALK_OT_close_mouth.why_not(bpy.context)
    face.edtalk.portrait = "gone.png"
    assert not bpy.ops.edtalk.simplify_curves.poll() and bpy.ops.edtalk.smooth_curves.poll()
    face.animation_data_clear()
    assert "no curves yet" in part("curves.tools").why_not(bpy.context)


def test_curves_with_strange_keys_are_no_reason_to_fail(part, face) -> None:
    """One key, no key, locked, modifiers, and values nobody would set."""
    found = curves(part, face)
    for name, keep in (("mouth_00", 1), ("mouth_01", 0)):
        part("face.keys").Keys.of(found[name]).take(np.arange(keep)).write(found[name])
    found["mouth_02"].lock = True
    found["mouth_03"].modifiers.new("CYCLES")
    found["mouth_04"].keyframe_points[3].co.y = 1e9
    found["mouth_05"].keyframe_points[3].interpolation = "BEZIER"
    for name, properties in (
        ("simplify_curves", {}),
        ("smooth_curves", {}),
        ("gain_curves", {"gain": (2, 2, 2, 1)}),
        ("shift_curves", {"frames": 2}),
    ):
        press(name, **properties)
    assert len(found["mouth_02"].keyframe_points) == STEPS
    assert found["mouth_02"].keyframe_points[0].co.x == 101


# ------------------------------------------------------------------------------------- with the server


@pytest.mark.slow
def test_the_face_is_measured_once_and_known_again(
    part, tmp_path, portrait, voice, tiny_checkpoint, server_python
) -> None:
    import bpy

    desk = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    desk.generate()
    measure = part("curves.measurements")
    assert measure.shares_of(desk.face) is None
    press("simplify_curves", tolerance=0.5)
    shares = measure.shares_of(desk.face)
    assert shares is not None and shares.max() > 0
    desk.render_changed()  # fewer keys, and pictures to be made where they differ
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    np.testing.assert_array_equal(measure.shares_of(desk.face), shares)
    desk.face.edtalk.take.crop = (0, 0, 64)
    assert measure.shares_of(desk.face) is None


@pytest.mark.slow
def test_the_mouth_closes_where_the_sound_is_silent(
    part, tmp_path, portrait, tiny_checkpoint, server_python
) -> None:
    import wave

    path = tmp_path / "pause.wav"  # a second of sound, a second of silence, a second of sound
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        time = np.arange(48000) / 16000
        loud = 9000 * np.sin(2 * np.pi * 200 * time) * ((time < 1) | (time >= 2))
        file.writeframes(loud.astype("<i2").tobytes())
    desk = Desk(part, tmp_path, portrait, path, tiny_checkpoint, server_python)
    desk.generate()
    face = desk.face
    press("gain_curves", offset=(1.0, 0, 0, 0))
    hand_key(part, face, "mouth_03", 140, 0.77)
    frames = np.arange(101, 176)
    before = values(part, face, frames)
    press("close_mouth", shortest=0.5, fade=0.2)
    after = values(part, face, frames)
    seconds = (frames - 101) / 25
    silent, loud = (seconds > 1.25) & (seconds < 1.75), (seconds < 0.97) | (seconds > 2.03)
    mouth = [column for column in range(20) if column != 3]
    assert np.abs(after[silent][:, mouth]).max() < 1e-3
    np.testing.assert_allclose(after[loud], before[loud], atol=1e-4)
    np.testing.assert_array_equal(after[:, 20:], before[:, 20:])
    assert after[39, 3] == pytest.approx(0.77)
    row = part("takes.take_rows").worn_row(face)
    assert part("takes.take_rows").settings_in(row)["audio"].endswith("pause.wav")
