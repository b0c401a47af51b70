# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages belong to what caused them and move no button; a pose that nobody keyed is said, and keyed."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.faces import described

pytestmark = pytest.mark.blender


@pytest.fixture
def face(part, tmp_path: Path):
    """A saved file with a face that has emotions and a take of twenty steps."""
    import bpy
    import numpy as np

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 25, 1.0
    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    bpy.context.view_layer.objects.active = face
    messages = importlib.import_module(part("face.sliders").messages.__name__)
    part("face.sliders").fit_to_checkpoint(face, messages.Described.from_dict(described()))
    part("takes.edit_on_top").land(face, "anna_001", np.arange(1.0, 21.0), np.zeros((20, 36), np.float32))
    face.edtalk.take.name, face.edtalk.take.last = "anna_001", 20
    return face


@pytest.fixture
def line(part):
    return part("ui.desk.message_line")


def end(part, level: str = "WARNING", text: str = "anna_001: 20 frames", hint: str = "Something to know"):
    jobs = part("server_process.jobs")

    def work(_job):
        yield
        return jobs.Outcome(level, text, hint)

    jobs.run(jobs.Job("Generate", work))


def rename(face, bpy) -> None:
    face.edtalk.take.name = "anna_002"


def another_portrait(face, bpy) -> None:
    face.edtalk.portrait = "/somewhere/bo.png"


def another_person(face, bpy) -> None:
    face.edtalk.face = 2


def save(face, bpy) -> None:
    bpy.ops.wm.save_mainfile()


def load(face, bpy) -> None:
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)


def click_on_x(face, bpy) -> None:
    bpy.ops.edtalk.dismiss_message()


@pytest.mark.parametrize("act", [rename, another_portrait, another_person, save, load, click_on_x])
def test_a_message_goes_when_what_caused_it_is_gone(part, line, face, act) -> None:
    import bpy

    end(part)
    assert line.outcome(bpy.context).text == "anna_001: 20 frames"
    assert line.outcome(bpy.context) is not None  # and stays while nothing happens
    act(face, bpy)
    assert line.outcome(bpy.context) is None
    end(part, text="the next one")
    assert line.outcome(bpy.context).text == "the next one"


@pytest.mark.parametrize("name", ["undo_post", "redo_post"])
def test_undo_and_redo_take_it_away(part, line, face, name: str) -> None:
    import bpy

    end(part)
    assert line.outcome(bpy.context) is not None
    ours = [one for one in getattr(bpy.app.handlers, name) if one.__module__ == line.__name__]
    assert len(ours) == 1  # the bpy module has no undo of its own to press
    ours[0](bpy.context.scene)
    assert line.outcome(bpy.context) is None


@pytest.mark.parametrize("level", [None, "INFO", "WARNING", "ERROR"])
@pytest.mark.parametrize("text", ["short", "a sentence without end " * 40])
def test_whatever_it_says_it_is_one_row(part, line, face, level, text: str) -> None:
    import bpy

    rows = []

    class Row:
        alert = False

        def label(self, **_):
            pass

        def operator(self, name, text="", **_):
            assert len(text) <= 30

    def row(**_):
        rows.append(Row())
        return rows[-1]

    if level is None:
        line.dismiss()
    else:
        end(part, level, text)
    line.draw(SimpleNamespace(row=row), bpy.context, 30)
    assert len(rows) == 1


def test_the_pop_up_of_a_python_that_fails_has_the_buttons_that_help(part, line, face) -> None:
    seen: list[str] = []
    sheet = SimpleNamespace(
        label=lambda text="", **_: seen.append(text),
        operator=lambda name, **_: seen.append(name),
        separator=lambda: None,
    )
    jobs = part("server_process.jobs")
    line.body(sheet, jobs.Outcome("ERROR", "No Python on this computer can run the server", "Set it up"))
    assert "edtalk.set_up_server" in seen and "edtalk.open_preferences" in seen
    seen.clear()
    line.body(sheet, jobs.Outcome("ERROR", "There is no portrait", "Choose it again"))
    assert seen == ["There is no portrait", "Choose it again"]


@pytest.mark.parametrize("name", ["anna", "a_very_long_name_of_a_portrait_that_nobody_can_read_001"])
@pytest.mark.parametrize("state", [": up to date", ": 160 not rendered yet"])
def test_of_a_long_name_the_end_is_shown_and_the_state_is_whole(part, name: str, state: str) -> None:
    text = part("ui.panel")._both_ends(name, state, 36)
    assert text.endswith(state) and len(text) <= 36 and text[: -len(state)].endswith(name[-4:])


# ---------------------------------------------------------------------------------------- Key This Pose


def values(face, part, frames) -> list[float]:
    path = part("face.sliders").path_of("emotion", "happy")
    curve = part("face.unkeyed").curves_of(face)[path]
    return [round(curve.evaluate(frame), 3) for frame in frames]


def test_a_pose_without_a_key_is_seen_keyed_here_and_fades(part, face) -> None:
    import bpy

    poses, scene = part("face.unkeyed"), bpy.context.scene
    scene.frame_set(10)
    assert poses.unkeyed(face, 10) == []
    face.pose.bones["emotion"]["happy"] = 0.8
    assert poses.unkeyed(face, 10) == [("emotion", "happy")]
    assert bpy.ops.edtalk.key_pose(fade=0.2) == {"FINISHED"}
    assert values(face, part, [1, 5, 10, 15, 20]) == [0, 0, 0.8, 0, 0]
    assert poses.unkeyed(face, 10) == [] and face.pose.bones["emotion"]["happy"] == pytest.approx(0.8)
    assert bpy.ops.edtalk.key_pose() == {"CANCELLED"}


def test_keys_that_are_there_stay_and_the_curve_goes_on_around_the_pose(part, face) -> None:
    import bpy

    bone = face.pose.bones["emotion"]
    for frame, value in ((1, 0.5), (15, 0.5), (20, 0.1)):
        bone["happy"] = value
        bone.keyframe_insert('["happy"]', frame=frame)
    bpy.context.scene.frame_set(10)
    bone["happy"] = 1.0
    bpy.ops.edtalk.key_pose(fade=0.2)
    assert values(face, part, [1, 5, 10, 15, 20]) == [0.5, 0.5, 1.0, 0.5, 0.1]


def test_without_fade_only_the_key_is_set(part, face) -> None:
    import bpy

    bpy.context.scene.frame_set(10)
    face.pose.bones["emotion"]["happy"] = 1.0
    bpy.ops.edtalk.key_pose(fade=0.0)
    curve = part("face.unkeyed").curves_of(face)[part("face.sliders").path_of("emotion", "happy")]
    assert [point.co.x for point in curve.keyframe_points] == [10]


def test_a_driven_slider_is_not_called_unkeyed(part, face) -> None:
    import bpy

    driver = face.driver_add(part("face.sliders").path_of("emotion", "happy")).driver
    driver.expression = "0.7"
    bpy.context.view_layer.update()
    assert part("face.unkeyed").unkeyed(face, 10) == []


def test_a_new_face_can_be_made_from_pose_mode(part, face) -> None:
    import bpy

    bpy.ops.object.mode_set(mode="POSE")
    assert bpy.ops.edtalk.new_face() == {"FINISHED"}
    assert len(part("face.rig").faces_in(bpy.context.scene)) == 2 and bpy.context.mode == "OBJECT"


def test_under_a_layer_of_edits_the_takes_own_keys_count_and_the_fade_goes_into_the_layer(part, face) -> None:
    import bpy

    bone, poses = face.pose.bones["emotion"], part("face.unkeyed")
    bone["happy"] = 0.5
    bone.keyframe_insert('["happy"]', frame=1)
    part("takes.edit_on_top").edit_on_top(face)
    bpy.context.scene.frame_set(10)
    assert bone["happy"] == pytest.approx(0.5) and poses.unkeyed(face, 10) == []
    bone["happy"] = 0.9
    assert poses.unkeyed(face, 10) == [("emotion", "happy")]
    assert bpy.ops.edtalk.key_pose(fade=0.2) == {"FINISHED"}
    assert poses.unkeyed(face, 10) == []
    assert values(face, part, [5, 10, 15]) == [0, 0.4, 0]


def test_mirrored_twice_a_pose_is_as_it_was_and_once_it_looks_the_other_way(part, face) -> None:
    import bpy

    handles = face.pose.bones["handle"]
    assert bpy.ops.edtalk.mirror_pose() == {"CANCELLED"}  # nothing goes to one side
    handles["yaw"], handles["gaze_x"], handles["smile"] = 12.0, -0.4, 0.7
    bpy.ops.edtalk.mirror_pose()
    assert [round(handles[name], 3) for name in ("yaw", "gaze_x", "smile")] == [-12, 0.4, 0.7]
    bpy.ops.edtalk.mirror_pose()
    assert [round(handles[name], 3) for name in ("yaw", "gaze_x", "smile")] == [12, -0.4, 0.7]
