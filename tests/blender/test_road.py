# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole road inside Blender with a real server process: a portrait and a voice become a take, the take is
edited, only what changed is made again, and nothing that happens on the way loses anything.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.desk import Desk, gone, hashes, key_of
from tests.support.makers import png

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


# ------------------------------------------------------------------------------------------- a new take


def test_generate_makes_rig_curves_pictures_plane_and_strips(desk) -> None:
    import bpy

    face = desk.generate()
    take = face.edtalk.take
    assert take.name == "anna_001" and desk.frames == desk.folder / "edtalk" / "anna_001"
    assert (take.first, take.last) == (101, 150)
    assert sorted(hashes(desk.frames)) == list(range(100, 151))
    assert face.animation_data.action.name == "anna_001"
    assert len(desk.part("face.fcurves").curves_of(face).fcurves) == 36
    plane = desk.part("pictures.image_sequence").plane_of(face)
    user = desk.part("pictures.image_sequence").texture_of(plane).image_user
    assert (user.frame_start, user.frame_duration, user.frame_offset) == (101, 50, 100)
    strips = desk.part("pictures.sequencer").find_strips(bpy.context.scene, "anna_001")
    assert {strip.type for strip in strips} <= {"IMAGE", "SOUND"} and "IMAGE" in {s.type for s in strips}
    assert all(strip.frame_final_start == 101 for strip in strips)
    assert desk.jobs.last().level == "INFO"
    assert not list(desk.frames.glob("*.part")) and not (desk.frames / "decode.npz").exists()


def test_the_curves_are_the_analysed_motion(desk) -> None:
    import bpy

    face = desk.generate()
    motion, rate = desk.part("pictures.take_folder").load_motion(desk.frames / "motion.npz")
    assert rate == 25.0 and len(motion) == 50
    read = desk.part("face.fcurves").read_weights(face, range(101, 151), bpy.context.scene)
    np.testing.assert_allclose(read, motion, atol=1e-6)
    assert np.abs(motion).max() > 0


@pytest.mark.parametrize(("fps", "base", "count"), [(24, 1.0, 48), (30, 1.001, 60), (60, 1.0, 120)])
def test_the_scenes_frame_rate_is_honoured(desk, fps: int, base: float, count: int) -> None:
    import bpy

    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = fps, base
    face = desk.generate()
    assert sorted(hashes(desk.frames)) == list(range(100, 101 + count))
    last_key = max(
        key.co.x
        for curve in desk.part("face.fcurves").curves_of(face).fcurves
        for key in curve.keyframe_points
    )
    assert (last_key - 101 + 0.5) / (fps / base) == pytest.approx(49.5 / 25, abs=1e-3)


def test_a_take_may_begin_before_frame_1(desk) -> None:
    import bpy

    bpy.context.scene.edtalk.start = -10
    face = desk.generate()
    assert sorted(hashes(desk.frames)) == list(range(51))
    plane = desk.part("pictures.image_sequence").plane_of(face)
    user = desk.part("pictures.image_sequence").texture_of(plane).image_user
    assert (user.frame_start, user.frame_offset) == (-10, 0)


def test_a_second_take_overwrites_nothing(desk) -> None:
    import bpy

    first = desk.generate().animation_data.action
    before = hashes(desk.frames)
    desk.face.edtalk.seed = 7
    face = desk.generate()
    assert face.edtalk.take.name == "anna_002" and face.animation_data.action != first
    assert hashes(desk.folder / "edtalk" / "anna_001") == before
    assert first.name == "anna_001" and first.use_fake_user
    sequence, scene = desk.part("pictures.image_sequence"), bpy.context.scene
    assert all(strip.mute for strip in desk.part("pictures.sequencer").find_strips(scene, "anna_001"))
    assert not any(strip.mute for strip in desk.part("pictures.sequencer").find_strips(scene, "anna_002"))
    assert len([child for child in face.children if sequence.texture_of(child)]) == 1


def test_the_whole_portrait_keeps_its_shape(desk) -> None:
    import bpy

    bpy.context.scene.edtalk.composite = "paste"
    plane = desk.part("pictures.image_sequence").plane_of(desk.generate())
    bpy.context.view_layer.update()
    assert plane.dimensions.x / plane.dimensions.z == pytest.approx(96 / 64, rel=1e-5)


# ------------------------------------------------------------------------------------------ what changed


def test_one_moved_key_makes_exactly_the_frames_its_curve_touches(desk) -> None:
    """Show 5. A linear curve with a key on every frame: one key touches one frame."""
    desk.generate()
    before = hashes(desk.frames)
    times = {path: path.stat().st_mtime_ns for path in desk.frames.glob("take.*.png")}
    key, curve = key_of(desk, "mouth_00", 120)
    key.co.y += 2.5
    curve.update()
    desk.render_changed()
    after = hashes(desk.frames)
    assert {number for number in after if after[number] != before[number]} == {120}
    written = {path for path, time_ in times.items() if path.stat().st_mtime_ns != time_}
    assert {path.name for path in written} == {"take.0120.png"}
    assert desk.jobs.last().text == "anna_001: 1 of 50 frames rendered again"


def test_a_key_between_the_frames_touches_both_neighbours(desk) -> None:
    import bpy

    bpy.context.scene.render.fps = 60
    desk.generate()
    before = hashes(desk.frames)
    key, curve = key_of(desk, "pose_00", 100.5 + 60 / 25 * 20.5)  # 149.7
    key.co.y += 2.5
    curve.update()
    desk.render_changed()
    after = hashes(desk.frames)
    changed = {number for number in after if after[number] != before[number]}
    assert changed == {148, 149, 150, 151, 152}  # from the key before (147.3) to the key after (152.1)


def test_nothing_changed_makes_nothing(desk) -> None:
    desk.generate()
    times = {path: path.stat().st_mtime_ns for path in desk.frames.glob("take.*.png")}
    desk.render_changed()
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert desk.jobs.last().text == "anna_001: all 50 frames are up to date"


def test_an_nla_layer_is_rendered(desk) -> None:
    face = desk.generate()
    before = hashes(desk.frames)
    data = face.animation_data
    data.nla_tracks.new().strips.new("base", 101, data.action)
    data.action = None
    desk.part("face.fcurves").new_action(face, "smile")
    layer = np.zeros((3, 36), np.float32)
    layer[1, 30] = 2.0
    desk.part("face.fcurves").write_weights(face, np.array([109.0, 110.0, 111.0]), layer)
    data.action_blend_type = "ADD"
    desk.render_changed()
    after = hashes(desk.frames)
    assert {number for number in after if after[number] != before[number]} == {110}


def test_another_portrait_makes_every_frame(desk, portrait: Path) -> None:
    desk.generate()
    data = portrait.read_bytes()
    portrait.write_bytes(png(96, 64, 2, (b"\0" + bytes((200, 90, 60)) * 96) * 64))
    assert portrait.read_bytes() != data
    before = hashes(desk.frames)
    desk.render_changed()
    after = hashes(desk.frames)
    assert sorted(after) == sorted(before) and all(after[n] != before[n] for n in after)


def test_another_portrait_without_a_face_is_refused(desk, portrait: Path) -> None:
    import bpy

    desk.generate()
    before = hashes(desk.frames)
    portrait.write_bytes(png(96, 64, 2, (b"\0" + bytes((200, 90, 60)) * 96) * 64))
    desk.face.edtalk.use_crop = False
    with pytest.raises(RuntimeError, match=r"The portrait was changed\. No face was found"):
        bpy.ops.edtalk.render_changed()
    assert hashes(desk.frames) == before


def test_a_deleted_picture_comes_back(desk) -> None:
    desk.generate()
    before = hashes(desk.frames)
    (desk.frames / "take.0133.png").unlink()
    (desk.frames / "take.0100.png").unlink()
    desk.render_changed()
    assert hashes(desk.frames) == before


def test_the_lamp_counts_what_is_out_of_date(desk) -> None:
    import bpy

    face, status = desk.generate(), desk.part("takes.status")
    assert status.count(face, bpy.context) == 0
    key, curve = key_of(desk, "expression_04", 140)
    key.co.y += 1.0
    curve.update()
    assert status.count(face, bpy.context) == 1 and status.stale_frames(face) == 1


def test_a_reopened_file_knows_its_frames(desk) -> None:
    import bpy

    desk.generate()
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    assert desk.part("takes.status").count(desk.face, bpy.context) == 0


def test_a_project_can_be_moved_as_a_whole(desk, tmp_path: Path) -> None:
    import shutil

    import bpy

    desk.generate()
    bpy.ops.wm.save_mainfile()
    moved = tmp_path / "elsewhere"
    shutil.copytree(desk.folder / "edtalk", moved / "edtalk")
    shutil.copy(desk.folder / "scene.blend", moved)
    shutil.rmtree(desk.folder / "edtalk")
    bpy.ops.wm.open_mainfile(filepath=str(moved / "scene.blend"))
    assert desk.frames == moved / "edtalk" / "anna_001"
    assert desk.part("takes.status").count(desk.face, bpy.context) == 0


def test_a_plane_the_animator_deleted_stays_deleted(desk) -> None:
    import bpy

    face = desk.generate()
    bpy.data.objects.remove(desk.part("pictures.image_sequence").plane_of(face))
    key, curve = key_of(desk, "mouth_00", 120)
    key.co.y += 1.0
    curve.update()
    desk.render_changed()
    assert desk.part("pictures.image_sequence").plane_of(face) is None
    assert bpy.ops.edtalk.add_plane() == {"FINISHED"}
    assert desk.part("pictures.image_sequence").plane_of(face) is not None


def test_the_range_of_a_take_can_be_changed(desk) -> None:
    take = desk.generate().edtalk.take
    take.last = 160
    take.first = 96
    desk.render_changed()
    assert sorted(hashes(desk.frames)) == list(range(95, 161))
    assert desk.jobs.last().text == "anna_001: 15 of 65 frames rendered again"
    take.first = -5
    assert take.first == 1


def test_a_copied_rig_gets_a_take_of_its_own(desk) -> None:
    import bpy

    face = desk.generate()
    before = hashes(desk.frames)
    copy = face.copy()
    bpy.context.scene.collection.objects.link(copy)
    bpy.context.view_layer.objects.active = copy
    desk.render_changed()
    assert copy.edtalk.take.name == "anna_002" and face.edtalk.take.name == "anna_001"
    assert hashes(desk.folder / "edtalk" / "anna_001") == before
    assert hashes(desk.folder / "edtalk" / "anna_002") == before


# ------------------------------------------------------------------------------------------ in one sentence


def failing(desk: Desk) -> str:
    """The sentence of a Generate that must not work, and nothing is left behind."""
    import bpy

    objects, actions = len(bpy.data.objects), len(bpy.data.actions)
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.edtalk.generate_take()
    assert (len(bpy.data.objects), len(bpy.data.actions)) == (objects, actions)
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def test_a_portrait_without_a_face(desk) -> None:
    import bpy

    bpy.context.scene.edtalk.use_crop = False
    assert "face" in failing(desk).lower()
    assert not list((desk.folder / "edtalk").iterdir())


def test_a_portrait_that_is_no_picture(desk, portrait: Path) -> None:
    portrait.write_bytes(b"not a picture")
    assert "anna.png" in failing(desk)


def test_a_sound_that_is_none(desk, voice: Path) -> None:
    voice.write_bytes(b"RIFF")
    assert "line.wav" in failing(desk)


def test_a_checkpoint_that_is_none(desk, tmp_path: Path) -> None:
    import bpy

    (tmp_path / "bad.safetensors").write_bytes(b"not a checkpoint")
    bpy.context.scene.edtalk.checkpoint = str(tmp_path / "bad.safetensors")
    assert "bad.safetensors" in failing(desk)


def test_a_folder_nobody_can_write_to(desk, tmp_path: Path) -> None:
    import bpy

    (tmp_path / "file").write_text("in the way")
    bpy.context.scene.edtalk.folder = str(tmp_path / "file")
    assert "Choose another output folder" in failing(desk)


def test_a_python_that_cannot_run_the_server(desk, tmp_path: Path) -> None:
    import bpy

    preferences = bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences
    preferences.python = str(tmp_path / "nowhere" / "python")
    assert "does not exist" in failing(desk)


def test_an_unsaved_file_puts_its_take_where_quitting_does_not_delete_it(
    desk, part, monkeypatch, tmp_path
) -> None:
    import bpy

    monkeypatch.setattr(part("pictures.take_folder").tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "saved").mkdir()
    values = {
        name: getattr(bpy.context.scene.edtalk, name) for name in ("portrait", "audio", "checkpoint", "size")
    }
    bpy.ops.wm.read_homefile(use_empty=True)
    settings = bpy.context.scene.edtalk
    for name, value in values.items():
        setattr(settings, name, value)
    settings.use_crop, settings.crop = True, (16, 0, 64)
    desk.generate()
    assert desk.frames == part("pictures.take_folder").private_folder() / "anna_001"
    assert desk.jobs.last().level == "WARNING" and "not saved" in desk.jobs.last().hint
    assert not bpy.ops.edtalk.bring_take.poll()
    before = hashes(desk.frames)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved" / "anna.blend"))
    assert bpy.ops.edtalk.bring_take() == {"FINISHED"}
    assert desk.frames == tmp_path / "saved" / "edtalk" / "anna_001" and hashes(desk.frames) == before
    assert part("takes.status").count(desk.face, bpy.context) == 0


def test_check_server_says_what_it_runs_on(desk) -> None:
    import bpy

    assert bpy.ops.edtalk.check_server() == {"FINISHED"}
    assert "torch" in desk.jobs.last().text
    pid = desk.part("server_process.supervisor").server_or_none().pid
    assert bpy.ops.edtalk.stop_server() == {"FINISHED"} and gone(pid)
