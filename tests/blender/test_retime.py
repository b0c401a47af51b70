# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame rates: a take is made at any of them, and fitted to another one it keeps its time, its edits and its
sound.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.desk import Desk, hashes

pytestmark = [pytest.mark.blender, pytest.mark.slow]

RATES = [(12, 1.0), (24, 1.001), (24, 1.0), (25, 1.0), (30, 1.001), (30, 1.0), (50, 1.0), (60, 1.0)]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


def run_at(fps: int, base: float = 1.0) -> float:
    """The scene's rate from now on."""
    import bpy

    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = fps, base
    return fps / base


def weights_at(desk: Desk, seconds: np.ndarray, rate: float) -> np.ndarray:
    """What is seen of the face so many seconds after scene frame 101 began: frames are seen about their
    middles.
    """
    import bpy

    return desk.part("face.fcurves").read_weights(desk.face, 100.5 + seconds * rate, bpy.context.scene)


TIMES = np.array([0.02, 0.36, 0.77, 1.234, 1.9])


@pytest.mark.parametrize(("fps", "base"), RATES)
def test_a_take_fitted_to_a_rate_is_where_it_was_in_time(desk, fps: int, base: float) -> None:
    import bpy

    old = run_at(24)
    desk.generate()
    before, take = weights_at(desk, TIMES, old), desk.face.edtalk.take
    assert (take.first, take.last, take.rate) == (101, 148, 24)
    new = run_at(fps, base)
    expected = {"FINISHED"} if new != old else {"CANCELLED"}
    assert bpy.ops.edtalk.fit_take() == expected
    np.testing.assert_allclose(weights_at(desk, TIMES, new), before, atol=2e-4)
    assert take.first == 101 and take.last == 100 + int(np.ceil(2 * new - 1e-4))
    assert take.rate == pytest.approx(new)


def as_older_versions_made_it(desk: Desk, rate: float) -> None:
    """Lay the take out as before there were `moments`: a key on the frame that it begins with."""
    face = desk.face
    motion, steps = desk.part("pictures.take_folder").load_motion(desk.frames / "motion.npz")
    keys = 101 + np.arange(len(motion)) * (rate / steps)
    desk.part("face.fcurves").write_weights(face, keys, motion)
    del face.animation_data.action["edtalk_begin"]


@pytest.mark.parametrize("old", [12.0, 25.0, 60.0])
@pytest.mark.parametrize(("fps", "base"), [(24, 1.001), (60, 1.0), (12, 1.0)])
def test_a_take_of_an_older_version_plays_as_it_did_and_fits_to_any_rate(desk, old, fps, base) -> None:
    import bpy

    run_at(int(old))
    take = desk.generate().edtalk.take
    as_older_versions_made_it(desk, old)
    before, ended = weights_at(desk, TIMES, old), take.last
    new = run_at(fps, base)
    if new != old:
        assert bpy.ops.edtalk.fit_take() == {"FINISHED"}
    np.testing.assert_allclose(weights_at(desk, TIMES, new), before, atol=2e-4)
    assert (take.first, take.last) == (101, 100 + int(np.ceil(2 * new - 1e-4)))
    run_at(int(old))
    if new != old:
        assert bpy.ops.edtalk.fit_take() == {"FINISHED"}
    assert take.last == ended


def test_there_and_back_again_is_the_take_as_it_was(desk) -> None:
    import bpy

    run_at(24)
    desk.generate()
    desk.render_changed()
    for fps, base in ((60, 1.0), (30, 1.001), (24, 1.0)):
        run_at(fps, base)
        assert bpy.ops.edtalk.fit_take() == {"FINISHED"}
    take = desk.face.edtalk.take
    assert (take.first, take.last) == (101, 148)
    assert desk.part("takes.status").count(desk.face, bpy.context) == 0


def test_pictures_are_made_again_and_everything_shows_the_new_range(desk) -> None:
    import bpy

    run_at(24)
    face = desk.generate()
    bpy.ops.edtalk.add_compositor_nodes()
    run_at(60)
    assert bpy.ops.edtalk.fit_take() == {"FINISHED"}
    assert desk.part("takes.status").count(face, bpy.context) > 100
    desk.render_changed()
    assert sorted(hashes(desk.frames)) == list(range(100, 221))
    sequence = desk.part("pictures.image_sequence")
    node = desk.part("pictures.compositor").tree_of(bpy.context.scene).nodes["EDTalk Frames"]
    plane = sequence.texture_of(sequence.plane_of(face)).image_user
    for user in (node, plane):
        assert (user.frame_start, user.frame_duration, user.frame_offset) == (101, 120, 100)
    strips = desk.part("pictures.sequencer").find_strips(bpy.context.scene, "anna_001")
    (strip,) = [strip for strip in strips if strip.type == "IMAGE"]
    assert (strip.frame_final_start, strip.frame_final_end) == (101, 221)
    assert [element.filename for element in strip.elements][::119] == ["take.0101.png", "take.0220.png"]
    assert bpy.context.scene.frame_end >= 220


def test_sound_and_take_end_together(desk) -> None:
    import bpy

    run_at(24)
    desk.generate()
    run_at(30, 1.001)
    bpy.ops.edtalk.fit_take()
    strips = desk.part("pictures.sequencer").find_strips(bpy.context.scene, "anna_001")
    kinds = {strip.type: strip for strip in strips}
    if "SOUND" not in kinds:
        pytest.skip("this Blender has no sound")
    sound, picture = kinds["SOUND"], kinds["IMAGE"]
    assert sound.frame_final_start == picture.frame_final_start == 101
    assert abs(sound.frame_final_end - picture.frame_final_end) <= 1


def test_the_sound_is_what_stays_when_it_was_moved(desk) -> None:
    import bpy

    run_at(24)
    desk.generate()
    scene = bpy.context.scene
    sounds = [s for s in desk.part("pictures.sequencer").find_strips(scene, "anna_001") if s.type == "SOUND"]
    if not sounds:
        pytest.skip("this Blender has no sound")
    sounds[0].frame_start = 89  # half a second before the lips
    run_at(48)
    bpy.ops.edtalk.fit_take()
    assert desk.face.edtalk.take.first == 89 + 24


def test_hand_edits_emotions_and_modifiers_come_along_once(desk) -> None:
    import bpy

    run_at(24)
    face = desk.generate()
    curve = desk.part("face.fcurves").curves_of(face).fcurves.find('pose.bones["pose"]["pose_00"]')
    modifier = curve.modifiers.new("STEPPED")
    modifier.use_restricted_range, modifier.frame_start, modifier.frame_end = True, 110, 122
    modifier.frame_step, modifier.blend_in = 4.0, 2.0
    assert bpy.ops.edtalk.edit_on_top() == {"FINISHED"}
    bone = face.pose.bones["mouth"]
    for frame, value in ((113, 0.0), (125, 2.0), (137, 0.0)):
        bone["mouth_03"] = value
        bone.keyframe_insert('["mouth_03"]', frame=frame)
    before = weights_at(desk, TIMES, 24)
    run_at(60)
    assert bpy.ops.edtalk.fit_take() == {"FINISHED"}
    np.testing.assert_allclose(weights_at(desk, TIMES, 60), before, atol=2e-3)
    edits = desk.part("face.fcurves").curves_of(face).fcurves.find('pose.bones["mouth"]["mouth_03"]')
    moved = [100.5 + 2.5 * (frame - 100.5) for frame in (113, 125, 137)]
    assert [k.co.x for k in edits.keyframe_points] == moved
    assert bpy.ops.edtalk.fit_take() == {"CANCELLED"}
    desk.generate()  # at 60: the edits above it are laid out for 60 as well
    assert [k.co.x for k in edits.keyframe_points] == moved
    assert desk.part("takes.retime").odd_rate(face, bpy.context.scene) == 0


def test_edits_above_a_take_made_at_a_new_rate_are_found_out(desk) -> None:
    import bpy

    run_at(24)
    face = desk.generate()
    bpy.ops.edtalk.edit_on_top()
    bone = face.pose.bones["mouth"]
    bone["mouth_03"] = 1.0
    bone.keyframe_insert('["mouth_03"]', frame=125)
    run_at(48)
    desk.generate()
    assert desk.part("takes.retime").odd_rate(face, bpy.context.scene) == 24
    take = (face.edtalk.take.first, face.edtalk.take.last)
    assert bpy.ops.edtalk.fit_take() == {"FINISHED"}
    edits = desk.part("face.fcurves").curves_of(face).fcurves.find('pose.bones["mouth"]["mouth_03"]')
    assert edits.keyframe_points[0].co.x == pytest.approx(100.5 + 2 * (125 - 100.5))
    assert (face.edtalk.take.first, face.edtalk.take.last) == take


def test_an_action_that_another_rig_plays_is_not_moved(desk) -> None:
    import bpy

    run_at(24)
    face = desk.generate()
    other = face.copy()
    bpy.context.scene.collection.objects.link(other)
    action = face.animation_data.action
    ends = tuple(action.frame_range)
    bpy.context.view_layer.objects.active = face
    run_at(48)
    assert bpy.ops.edtalk.fit_take() == {"FINISHED"}
    assert face.animation_data.action != action and other.animation_data.action == action
    assert tuple(action.frame_range) == ends
    end = 100.5 + 2 * (ends[1] - 100.5)
    assert face.animation_data.action.frame_range[1] == pytest.approx(end, abs=1e-2)


def test_fitting_is_one_undo_step_and_keeping_frames_is_an_answer_too(desk) -> None:
    import bpy

    run_at(24)
    desk.generate()
    bpy.ops.ed.undo_push(message="before")
    run_at(60)
    assert bpy.ops.edtalk.fit_take("EXEC_DEFAULT", True) == {"FINISHED"}
    bpy.ops.ed.undo()
    assert desk.face.edtalk.take.last == 148
    run_at(60)
    retime, scene = desk.part("takes.retime"), bpy.context.scene
    assert retime.odd_rate(desk.face, scene) == 24
    assert bpy.ops.edtalk.keep_frames() == {"FINISHED"}
    assert retime.odd_rate(desk.face, scene) == 0 and desk.face.edtalk.take.last == 148


def test_an_older_take_that_remembers_no_rate_is_read_off_its_keys(desk) -> None:
    import bpy

    run_at(30, 1.001)
    face = desk.generate()
    face.edtalk.take.rate = 0
    assert desk.part("takes.retime").rate_of(face) == pytest.approx(30 / 1.001, rel=1e-4)
    bpy.context.scene.edtalk.start = 1
    run_at(24)
    assert bpy.ops.edtalk.fit_take() == {"FINISHED"} and face.edtalk.take.last == 148
