# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture from Clip and from Photo: what a face does elsewhere becomes keys, and hand keys stay."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.desk import Desk

pytestmark = [pytest.mark.blender, pytest.mark.slow]

PHOTO = Path(__file__).resolve().parents[2] / "demo" / "portrait.png"

CLIP = """
import sys, av, numpy as np
from PIL import Image
face = Image.open(sys.argv[1]).convert("RGB").resize((256, 256))
with av.open(sys.argv[2], "w") as file:
    stream = file.add_stream("mpeg4", rate=25)
    stream.width = stream.height = 256
    for step in range(25):
        turned = face.rotate(4 * np.sin(step / 4), resample=Image.BILINEAR)
        file.mux(stream.encode(av.VideoFrame.from_image(turned)))
    file.mux(stream.encode())
"""


@pytest.fixture(scope="module")
def clip(server_python, tmp_path_factory) -> Path:
    """A second of a face that tilts from side to side."""
    path = tmp_path_factory.mktemp("clip") / "tilt.mp4"
    subprocess.run([server_python, "-c", CLIP, str(PHOTO), str(path)], check=True)
    return path


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    """A face with a take of two seconds from frame 101 on, the playhead at 110."""
    import bpy

    desk = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    desk.generate()
    bpy.context.scene.frame_set(110)
    return desk


def values(desk: Desk, frames=range(101, 151)) -> np.ndarray:
    import bpy

    return desk.part("face.fcurves").read_generated(desk.face, frames, bpy.context.scene)


def press(name: str, path: Path, **properties) -> None:
    import bpy

    assert getattr(bpy.ops.edtalk, name)(filepath=str(path), **properties) == {"FINISHED"}


def curve_of(desk: Desk, name: str):
    path = desk.part("face.rig").path_of(name)
    return desk.part("face.fcurves").curves_of(desk.face).fcurves.find(path, index=0)


def seen(desk: Desk, path: Path) -> np.ndarray:
    """The weights that the server sees in a clip or photo, one take of their own."""
    face, jobs = desk.face, desk.part("server_process.jobs")
    absolute = desk.part("settings.paths").absolute
    out = {}

    def work(job):
        server = yield from desk.part("server_process.supervisor").ready_server(job)
        messages = desk.part("takes.generation").messages
        answer = yield from desk.part("server_process.supervisor").ask(
            job,
            server,
            messages.Analyze(
                portrait=absolute(face.edtalk.portrait),
                driving=str(path),
                checkpoint=absolute(face.edtalk.checkpoint),
                out=str(desk.folder / "seen.npz"),
                crop=tuple(face.edtalk.crop),
                overwrite=True,
            ),
        )
        out["weights"], _ = desk.part("pictures.take_folder").load_motion(Path(answer.motion))
        return jobs.Outcome("INFO", "")

    outcome = jobs.run(jobs.Job("See", work))
    assert outcome.level == "INFO", outcome
    return out["weights"]


def test_a_clip_becomes_generated_keys_of_the_chosen_banks_and_nothing_is_rendered(desk, clip) -> None:
    before, pictures = values(desk), sorted(desk.frames.glob("take.*"))
    press("capture_clip", clip, banks={"pose"}, fade=0.0)
    assert "frame 110 to 134: pose" in desk.jobs.last().text
    after, wanted = values(desk), seen(desk, clip)
    np.testing.assert_allclose(after[9:34, 20:26], wanted[:, 20:26], atol=1e-4)
    np.testing.assert_array_equal(
        np.delete(after, range(20, 26), axis=1), np.delete(before, range(20, 26), axis=1)
    )
    np.testing.assert_allclose(after[:9, 20:26], before[:9, 20:26], atol=1e-5)
    np.testing.assert_allclose(after[34:, 20:26], before[34:, 20:26], atol=1e-5)
    assert {key.type for key in curve_of(desk, "pose_00").keyframe_points} == {"GENERATED"}
    assert sorted(desk.frames.glob("take.*")) == pictures


def test_a_clip_fades_in_and_out(desk, clip) -> None:
    before = values(desk)
    press("capture_clip", clip, banks={"pose"}, fade=0.2, use_current=False, start=115.0)
    after = values(desk)
    for frame in (115, 139):
        np.testing.assert_allclose(after[frame - 101, 20:26], before[frame - 101, 20:26], atol=1e-4)
    np.testing.assert_allclose(after[19:34, 20:26], seen(desk, clip)[5:20, 20:26], atol=1e-4)


def test_hand_keys_stay_unless_they_may_go(desk, clip) -> None:
    key = curve_of(desk, "pose_02").keyframe_points.insert(120, 2.5)
    key.type = "KEYFRAME"
    press("capture_clip", clip, banks={"pose"})
    assert values(desk)[19, 22] == pytest.approx(2.5)
    assert "1 hand keys were in the way and stay" in desk.jobs.last().hint
    press("capture_clip", clip, banks={"pose"}, hand_keys="REPLACE")
    assert values(desk)[19, 22] != pytest.approx(2.5)
    assert desk.jobs.last().hint == ""


def test_on_top_of_the_take_the_difference_is_keyed_and_the_take_is_untouched(desk, clip) -> None:
    import bpy

    assert bpy.ops.edtalk.edit_on_top() == {"FINISHED"}
    face, layer = desk.face, desk.face.animation_data.action
    take = desk.part("takes.edit_on_top").base_strip(face).action
    untouched = [len(curve.keyframe_points) for curve in desk.part("takes.migrate").all_curves(take)]
    before = values(desk)
    press("capture_clip", clip, banks={"pose", "expression"}, fade=0.1)
    assert "on top of the take" in desk.jobs.last().text
    after, wanted = values(desk), seen(desk, clip)
    np.testing.assert_allclose(after[12:31, 20:], wanted[3:22, 20:], atol=1e-4)
    np.testing.assert_array_equal(after[:, :20], before[:, :20])
    np.testing.assert_allclose(after[35:], before[35:], atol=1e-5)
    assert face.animation_data.action == layer
    assert [len(curve.keyframe_points) for curve in desk.part("takes.migrate").all_curves(take)] == untouched


def test_a_photo_keys_the_current_frame(desk) -> None:
    before = values(desk)
    press("capture_photo", PHOTO, banks={"expression"}, fade=0.2)
    after, wanted = values(desk), seen(desk, PHOTO)[-1]
    np.testing.assert_allclose(after[9, 26:], wanted[26:], atol=1e-4)
    np.testing.assert_array_equal(after[:, :26], before[:, :26])
    np.testing.assert_allclose(after[:4], before[:4], atol=1e-5)
    np.testing.assert_allclose(after[15:], before[15:], atol=1e-5)
    curve = curve_of(desk, "expression_00")
    assert [key.co.x for key in curve.keyframe_points if key.type == "KEYFRAME"] == [110]
    press("capture_clip", PHOTO, banks={"expression"})  # goes around what the photo set
    assert "10 hand keys were in the way and stay" in desk.jobs.last().hint
    assert values(desk)[9, 26] == pytest.approx(after[9, 26], abs=1e-6)


def test_a_second_photo_on_the_same_frame_asks(desk) -> None:
    curve = curve_of(desk, "expression_00")
    curve.keyframe_points.insert(110, 7.0).type = "KEYFRAME"
    press("capture_photo", PHOTO, banks={"expression"})
    assert values(desk)[9, 26] == pytest.approx(7.0) and "1 hand keys" in desk.jobs.last().hint
    press("capture_photo", PHOTO, banks={"expression"}, hand_keys="REPLACE")
    assert values(desk)[9, 26] == pytest.approx(seen(desk, PHOTO)[-1, 26], abs=1e-4)


def test_on_a_photo_a_layer_returns_to_the_take(desk) -> None:
    import bpy

    before = values(desk)
    assert bpy.ops.edtalk.edit_on_top() == {"FINISHED"}
    press("capture_photo", PHOTO, banks={"pose"}, fade=0.2)
    after = values(desk)
    np.testing.assert_allclose(after[9, 20:26], seen(desk, PHOTO)[-1, 20:26], atol=1e-4)
    np.testing.assert_allclose(
        np.delete(after, range(4, 15), axis=0), np.delete(before, range(4, 15), axis=0), atol=1e-4
    )


def test_capture_is_one_undo_step(desk, clip) -> None:
    import bpy

    bpy.ops.ed.undo_push(message="before")
    before = values(desk)
    press("capture_clip", clip)
    assert np.abs(values(desk) - before).max() > 0.001
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(values(desk), before)


def test_without_a_take_a_clip_becomes_one(
    part, tmp_path, portrait, voice, tiny_checkpoint, server_python, clip
):
    desk = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    press("capture_clip", clip, banks={"pose"}, use_current=False, start=201.0)
    take = desk.face.edtalk.take
    assert (take.name, take.first, take.last) == ("anna_001", 201, 225)
    found, wanted = values(desk, range(201, 226)), seen(desk, clip)
    np.testing.assert_allclose(found[:, 20:26], wanted[:, 20:26], atol=1e-4)
    assert np.abs(np.diff(found[:, 26:], axis=0)).max() < 1e-6
    assert [row.name for row in desk.face.edtalk_takes.rows] == ["anna_001"]
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: 25 of 25 frames rendered again"


def test_in_the_interface_it_goes_on_in_the_background_and_can_be_cancelled(desk, clip) -> None:
    import bpy

    capture, before = desk.part("ui.capture_buttons"), values(desk)
    order = desk.part("takes.request").order_from(bpy.context, desk.face)
    wish = capture.Wish(
        order=order,
        path=str(clip),
        frame=110.0,
        banks=frozenset({"pose"}),
        is_photo=False,
        replace=False,
        fade=0.0,
    )
    job = desk.jobs.Job("Capture", capture.capture(wish))
    desk.jobs.start(job)
    assert not bpy.ops.edtalk.capture_clip.poll()
    job.cancel()
    desk.until(lambda: job.finished)
    assert job.error is not None and job.error.kind == "cancelled"
    np.testing.assert_array_equal(values(desk), before)


def test_bad_files_are_one_sentence(desk, tmp_path, voice) -> None:
    import bpy

    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.edtalk.capture_clip(filepath=str(tmp_path / "gone.mp4"))
    with pytest.raises(RuntimeError, match=voice.name):
        bpy.ops.edtalk.capture_clip(filepath=str(voice))
    desk.face.edtalk.portrait = ""
    assert not bpy.ops.edtalk.capture_photo.poll()
    assert "portrait" in desk.part("ui.capture_buttons").why_not(bpy.context)
