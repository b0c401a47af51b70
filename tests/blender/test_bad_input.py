# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on real desks: each time one clear sentence, and nothing that was made is lost."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.desk import Desk, hashes, key_of
from tests.support.makers import sound

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


@pytest.fixture
def long_desk(part, tmp_path, portrait, tiny_checkpoint, server_python) -> Desk:
    """A longer line, so that something can happen while it is rendered."""
    return Desk(
        part, tmp_path, portrait, sound(tmp_path / "speech.wav", 16.0), tiny_checkpoint, server_python
    )


@pytest.fixture
def chosen(part, server_python):
    """The preferences; as they were afterwards."""
    import bpy

    chosen = bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences
    yield chosen
    chosen.property_unset("checkpoint_folder")
    if chosen.python != server_python:
        chosen.python = server_python


def said(operator) -> str:
    """The sentence of a button that is grey or that fails."""
    with pytest.raises(RuntimeError) as caught:
        operator()
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def states(desk: Desk) -> list[int]:
    import bpy

    desk.part("takes.status").count(desk.face, bpy.context)
    return desk.part("takes.status").states(desk.face)[1].tolist()


def set_key(desk: Desk, name: str, frame: int, value: float) -> None:
    key, curve = key_of(desk, name, frame)
    key.co.y = value
    curve.update()


# ---------------------------------------------------------------------------------------------- the rig


def test_a_rig_renamed_while_frames_stream_in_gets_them(long_desk) -> None:
    job = long_desk.begin()
    long_desk.until(long_desk.streams(job))
    long_desk.face.name = "Berta"
    long_desk.until(lambda: job.finished)
    assert job.outcome.level in {"INFO", "WARNING"} and long_desk.face.name == "Berta"
    assert len(hashes(long_desk.frames)) == 401 and set(states(long_desk)) == {0}


def test_a_rig_deleted_while_it_is_analysed_comes_back_with_the_take(desk) -> None:
    import bpy

    face = desk.generate()
    job = desk.begin()
    bpy.data.objects.remove(face)
    desk.until(lambda: job.finished)
    assert job.outcome.level in {"INFO", "WARNING"}, job.outcome
    assert desk.face.edtalk.take.name == "anna_002" and len(hashes(desk.frames)) == 51


def test_weights_deleted_from_the_bones_are_put_back(desk) -> None:
    import bpy

    face = desk.generate()
    before = hashes(desk.frames)
    del face.pose.bones["mouth"]["mouth_00"]
    del face.pose.bones["pose"]["pose_02"]
    assert desk.part("face.rig").is_face(face)
    assert bpy.ops.edtalk.render_changed() == {"FINISHED"}
    last = desk.jobs.last()
    assert last.level == "WARNING" and "mouth_00, pose_02 were missing from the rig and put back" in last.hint
    assert face.pose.bones["mouth"]["mouth_00"] is not None and hashes(desk.frames) == before


def test_a_rig_that_lost_a_bone_says_which(desk) -> None:
    import bpy

    face = desk.generate()
    before, action = hashes(desk.frames), face.animation_data.action
    bpy.context.view_layer.objects.active = face
    bpy.ops.object.mode_set(mode="EDIT")
    face.data.edit_bones.remove(face.data.edit_bones["pose"])
    bpy.ops.object.mode_set(mode="OBJECT")
    sentence = said(bpy.ops.edtalk.render_changed)
    assert "anna has lost the bone pose and is no face rig any more" in sentence
    assert hashes(desk.folder / "edtalk" / "anna_001") == before and len(action.name) > 0


def test_a_linked_face_says_what_to_do_and_stays_as_it_is(desk, tmp_path: Path) -> None:
    import bpy

    desk.generate()
    before = hashes(desk.frames)
    library = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(library), copy=True)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (source, target):
        target.objects = [name for name in source.objects if "Picture" not in name]
    for ob in target.objects:
        if ob.type == "ARMATURE":
            bpy.context.scene.collection.objects.link(ob)
            bpy.context.view_layer.objects.active = ob
    for operator in (bpy.ops.edtalk.render_changed, bpy.ops.edtalk.generate_take):
        assert "This face is linked: make a library override of it first" in said(operator)
    assert hashes(tmp_path / "edtalk" / "anna_001") == before


# ------------------------------------------------------------------------------------------- the curves


def test_a_curve_that_gives_no_number_is_named_with_its_frame(desk) -> None:
    import bpy

    desk.generate()
    before = hashes(desk.frames)
    set_key(desk, "mouth_03", 120, float("nan"))
    sentence = said(bpy.ops.edtalk.render_changed)
    assert "The curve of mouth_03 gives nan at frame 120" in sentence and "Delete or correct" in sentence
    assert hashes(desk.frames) == before
    set_key(desk, "mouth_03", 120, 0.5)
    desk.render_changed()
    assert desk.jobs.last().level == "INFO"


def test_a_key_of_a_thousand_million_is_held_drawn_and_mentioned(desk) -> None:
    desk.generate()
    set_key(desk, "mouth_03", 120, 1e9)
    desk.render_changed()
    last = desk.jobs.last()
    assert last.level == "WARNING" and "mouth_03 reaches 100 at frame 120" in last.hint
    assert len(hashes(desk.frames)) == 51


def test_the_live_preview_says_so_too(desk) -> None:
    import bpy

    desk.generate()
    set_key(desk, "mouth_03", 120, float("nan"))
    bpy.context.scene.frame_set(120)
    errors = importlib.import_module("bl_ext.user_default.edtalk.core.wire.errors")
    with pytest.raises(errors.InputError, match="mouth_03 gives nan at frame 120"):
        desk.part("preview.live").request(desk.face)


def test_cycles_repeat_the_curve_and_only_changed_frames_are_made(desk) -> None:
    face = desk.generate()
    desk.face.edtalk.take.last = 170  # 20 frames beyond the last key
    desk.render_changed()
    before = hashes(desk.frames)
    for curve in desk.part("face.fcurves").curves_of(face).fcurves:
        curve.modifiers.new("CYCLES")
    desk.render_changed()
    after = hashes(desk.frames)
    assert {n: after[n] for n in range(100, 151)} == {n: before[n] for n in range(100, 151)}
    assert after[151] == after[102] and after[170] == after[121]  # a period is 49 frames


def test_a_range_without_frames_becomes_one_frame(desk) -> None:
    take = desk.generate().edtalk.take
    take.last = 90
    assert (take.first, take.last) == (101, 101)
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: all 1 frames are up to date"


def test_a_hundred_thousand_frames_are_read_in_turns_and_can_be_cancelled(desk) -> None:
    import bpy

    face = desk.generate()
    before = hashes(desk.frames)
    face.edtalk.take.last = 100_100
    order = desk.part("takes.request").order_for_changes(bpy.context, face)
    job = desk.jobs.Job("Render Changed", desk.part("takes.generation").render_changed(order))
    desk.jobs.start(job)
    desk.until(lambda: job.stage == "Reading the curves")
    assert job.total == 100_000 and 0 < job.done <= 2 * desk.part("face.evaluation").CHUNK
    job.cancel()
    desk.until(lambda: job.finished)
    assert "cancelled" in job.outcome.text and hashes(desk.frames) == before


# -------------------------------------------------------------------------------------------- the files


def test_a_portrait_that_was_moved_leaves_its_frames_up_to_date(desk, portrait: Path) -> None:
    import bpy

    face = desk.generate()
    before = hashes(desk.frames)
    moved = portrait.rename(portrait.with_name("elsewhere.png"))
    assert f"There is no file {portrait}: pick a portrait again" in said(bpy.ops.edtalk.render_changed)
    assert set(states(desk)) == {0}
    face.edtalk.portrait = str(moved)
    desk.render_changed()
    assert desk.jobs.last().text == "anna_001: all 50 frames are up to date" and hashes(desk.frames) == before


def test_a_project_on_another_machine_finds_its_files(desk, tmp_path: Path, portrait: Path) -> None:
    import bpy

    desk.generate()
    assert desk.face.edtalk.portrait == "//anna.png" and desk.face.edtalk.audio == "//line.wav"
    bpy.ops.wm.save_mainfile()
    there = tmp_path / "other machine"
    there.mkdir()
    for name in ("scene.blend", "anna.png", "line.wav", "edtalk"):
        shutil.move(desk.folder / name, there / name)
    bpy.ops.wm.open_mainfile(filepath=str(there / "scene.blend"))
    assert bpy.ops.edtalk.render_changed() == {"FINISHED"}
    assert "all 50 frames are up to date" in desk.jobs.last().text
    assert bpy.ops.edtalk.generate_take.poll()


def test_a_whole_path_of_another_machine_is_looked_for_beside_the_file(desk, portrait: Path) -> None:
    import bpy

    face = desk.generate()
    face.edtalk.portrait = "Z:\\shots\\anna.png"
    assert f"it may be {portrait}" in said(bpy.ops.edtalk.render_changed)
    assert set(states(desk)) == {0}


def test_saving_elsewhere_keeps_the_paths_and_a_copy_changes_nothing(desk, tmp_path: Path) -> None:
    import bpy

    desk.generate()
    (tmp_path / "v2").mkdir()
    absolute = desk.part("settings.paths").absolute
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "v2" / "copy.blend"), copy=True)
    assert desk.face.edtalk.portrait == "//anna.png"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "v2" / "scene.blend"))
    for path in ("copy.blend", "scene.blend"):
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "v2" / path))
        assert Path(absolute(desk.face.edtalk.portrait)).samefile(tmp_path / "anna.png")
        assert desk.face.edtalk.portrait.startswith("//..")
    assert set(states(desk)) == {0}


def test_a_missing_checkpoint_is_named_and_found_and_the_frames_stay(
    desk, chosen, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    import bpy

    mine = tmp_path / "mine.safetensors"
    shutil.copy(tiny_checkpoint, mine)
    bpy.context.scene.edtalk.checkpoint = str(mine)
    face = desk.generate()
    before, model = hashes(desk.frames), face.edtalk.take.model
    (tmp_path / "models").mkdir()
    mine.rename(tmp_path / "models" / "other name.safetensors")
    sentence = said(bpy.ops.edtalk.render_changed)
    assert f"anna_001 wants checkpoint {model}" in sentence and "choose it again under Take" in sentence
    assert f"It is not at {mine}" in sentence
    assert set(states(desk)) == {0} and hashes(desk.frames) == before
    chosen.checkpoint_folder = str(tmp_path / "models")
    assert "choose other name.safetensors again under Take" in said(bpy.ops.edtalk.render_changed)
    assert bpy.ops.edtalk.choose_checkpoint(path=str(tmp_path / "models" / "other name.safetensors"))
    desk.render_changed()
    assert "all 50 frames are up to date" in desk.jobs.last().text


def test_a_take_of_an_earlier_edtalk_keeps_its_frames_and_goes_on_with_its_checkpoint(
    desk, chosen, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    """As if the tiny checkpoint had come with EDTalk once: the field is empty, the take knows its id."""
    import bpy

    face = desk.generate()
    before = hashes(desk.frames)
    face.edtalk.checkpoint, face.edtalk.take.checkpoint = "", ""
    sentence = said(bpy.ops.edtalk.render_changed)
    assert f"was made with checkpoint {face.edtalk.take.model}" in sentence and "frames are kept" in sentence
    assert hashes(desk.frames) == before and set(states(desk)) == {0}
    chosen.checkpoint_folder = str(tiny_checkpoint.parent)
    desk.render_changed()
    assert "all 50 frames are up to date" in desk.jobs.last().text and hashes(desk.frames) == before


# ------------------------------------------------------------------------------------- server and disk


def a_python(path: Path, body: str) -> Path:
    """A program that says it is a Python with all packages, and does `body` for a server."""
    if os.name != "posix":
        pytest.skip("needs a shell script in place of a Python")
    path.write_text(f'#!/bin/sh\nif [ "$1" = "-I" ]; then echo ready; exit 0; fi\n{body}\n')
    path.chmod(0o755)
    return path


OTHER = """
import json, sys
from core.wire import framing
reader, writer = framing.Reader(sys.stdin.buffer), framing.Writer(sys.stdout.buffer)
asked = reader.read()
hello = dict(protocol=asked["params"]["protocol"] + (SHIFT), server="9.9.9", python="3", torch="2",
    device="cpu", memory_mb=0, pid=1, checkpoints=[], warnings=[], **MORE)
writer.write({"jsonrpc": "2.0", "id": asked["id"], "result": hello})
reader.read()
"""


@pytest.mark.parametrize(
    ("shift", "more", "words"),
    [
        (-1, {}, "is older than this extension"),
        (1, {}, "is newer than this extension"),
        (0, {"a": 1}, "another"),
    ],
)
def test_a_server_of_another_version_is_told_apart(desk, chosen, tmp_path, shift, more, words) -> None:
    import bpy

    code = OTHER.replace("SHIFT", str(shift)).replace("MORE", repr(more))
    (tmp_path / "other.py").write_text(code)
    chosen.python = str(a_python(tmp_path / "python", f'exec "{sys.executable}" "{tmp_path / "other.py"}"'))
    sentence = said(bpy.ops.edtalk.generate_take)
    assert words in sentence and "Install EDTalk again" in sentence
    assert not list((desk.folder / "edtalk").iterdir())


def test_a_disk_that_takes_no_frames_is_one_sentence(desk, chosen, server_python, tmp_path: Path) -> None:
    """No file of the server may grow beyond 16 kB: motion fits, a larger picture does not."""
    import bpy

    bpy.context.scene.edtalk.size = 512
    command = f'ulimit -f 32; exec "{server_python}" "$@"'
    chosen.python = str(a_python(tmp_path / "python", command))
    sentence = said(bpy.ops.edtalk.generate_take)
    assert "could not be written" in sentence and "0 frames were made, 50 are left" in sentence
    chosen.python = server_python
    desk.render_changed()
    assert len(hashes(desk.frames)) == 51 and not list(desk.frames.glob("*.part"))


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of 1 MB; needs Linux and the right to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only where a small disk can be mounted")
    yield disk
    subprocess.run(["umount", "-l", str(disk)])


def test_a_disk_that_fills_up_keeps_what_is_made_and_the_rest_comes_later(
    long_desk, small_disk: Path
) -> None:
    import bpy

    bpy.context.scene.edtalk.folder = str(small_disk / "takes")
    (small_disk / "in the way").write_bytes(bytes(300_000))
    sentence = said(bpy.ops.edtalk.generate_take)
    assert "frames were made" in sentence and "are left" in sentence and "disk" in sentence.lower()
    made = hashes(long_desk.frames)
    assert 0 < len(made) < 401 and not list(long_desk.frames.glob("*.part"))
    (small_disk / "in the way").unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    long_desk.render_changed()
    after = hashes(long_desk.frames)
    assert len(after) == 401 and {n: after[n] for n in made} == made


# ------------------------------------------------------------------------------------------- small things


def test_a_take_cancelled_before_its_first_frame_is_missing_not_out_of_date(long_desk) -> None:
    import bpy

    job = long_desk.begin()
    long_desk.until(lambda: bool(long_desk.part("face.rig").faces_in(bpy.context.scene)))
    job.cancel()
    long_desk.until(lambda: job.finished)
    status = long_desk.part("takes.status")
    gone = [state for state in states(long_desk) if state == long_desk.part("pictures.frame_record").MISSING]
    assert len(gone) == status.missing_frames(long_desk.face) == status.stale_frames(long_desk.face) > 300
    text, icon = long_desk.part("ui.panel")._stale_words(len(gone), len(gone))
    assert "not rendered yet" in text and icon == long_desk.part("ui.panel").GREY


def test_a_new_face_stands_beside_what_is_at_the_cursor_and_says_so(desk) -> None:
    import bpy

    bpy.ops.mesh.primitive_cube_add(size=2)
    cube = bpy.context.active_object
    face = desk.generate()
    assert f"the face stands beside {cube.name}" in desk.jobs.last().text
    plane = desk.part("pictures.image_sequence").plane_of(face)
    bpy.context.view_layer.update()
    left = min((plane.matrix_world @ vertex.co).x for vertex in plane.data.vertices)
    assert left > 1.0 and face.location.y == 0


def test_where_there_is_room_a_face_stands_at_the_cursor(desk) -> None:
    import bpy

    bpy.context.scene.cursor.location = (0, 0, 5)
    bpy.ops.mesh.primitive_cube_add(size=2, location=(0, 0, 0))
    face = desk.generate()
    assert tuple(face.location) == (0, 0, 5) and "beside" not in desk.jobs.last().text


def test_plane_and_strips_are_not_added_twice(desk) -> None:
    import bpy

    face, sequence = desk.generate(), desk.part("pictures.image_sequence")
    strips = len(desk.part("pictures.sequencer").find_strips(bpy.context.scene, "anna_001"))
    assert bpy.ops.edtalk.add_plane() == {"FINISHED"} and bpy.ops.edtalk.add_strips() == {"FINISHED"}
    assert len([child for child in face.children if sequence.texture_of(child)]) == 1
    assert len(desk.part("pictures.sequencer").find_strips(bpy.context.scene, "anna_001")) == strips > 0


def test_a_wild_slider_is_named_itself_and_not_the_weights_it_spoils(desk) -> None:
    """An emotion moves ten weights at once; the sentence must lead to the key that is wrong."""
    import bpy

    face = desk.generate()
    face[desk.part("face.sliders").PRESETS] = {"neutral": [0.0] * 10, "happy": [1.0] * 10}
    face.pose.bones["emotion"]["happy"] = float("nan")
    assert "The curve of happy gives nan at frame 101" in said(bpy.ops.edtalk.render_changed)
