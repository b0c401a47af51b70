# SPDX-License-Identifier: GPL-3.0-or-later
"""What can get between while frames stream in: a cancel, an undo, another file, the end of server or
Blender. Nothing that is made is lost.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.support.desk import Desk, gone, hashes
from tests.support.makers import sound

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def long_desk(part, tmp_path, portrait, tiny_checkpoint, server_python) -> Desk:
    """A longer line, so that something can happen while it is rendered."""
    voice = sound(tmp_path / "speech.wav", 16.0)
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


def test_cancel_keeps_what_is_made_and_render_changed_makes_the_rest(long_desk) -> None:
    job = long_desk.begin()
    long_desk.until(long_desk.streams(job))
    job.cancel()
    long_desk.until(lambda: job.finished)
    assert job.outcome.level == "INFO" and "frames were made" in job.outcome.text
    made = hashes(long_desk.frames)
    assert 5 <= len(made) < 400
    long_desk.render_changed()
    after = hashes(long_desk.frames)
    assert len(after) == 401 and {n: after[n] for n in made} == made


def test_the_workspace_asks_for_no_picture_before_it_is_there(long_desk) -> None:
    import bpy

    bpy.ops.edtalk.add_workspace()
    screens = long_desk.part("pictures.workspace").find().screens
    editor = next(area for one in screens for area in one.areas if area.type == "IMAGE_EDITOR").spaces.active
    job = long_desk.begin()
    long_desk.until(long_desk.streams(job))
    assert editor.image.name == "anna_001" and 1 <= editor.image_user.frame_duration < 400
    long_desk.until(lambda: job.finished)
    assert editor.image_user.frame_duration == 400


def test_a_killed_server_is_reported_and_the_next_press_starts_another(long_desk) -> None:
    job = long_desk.begin()
    long_desk.until(long_desk.streams(job))
    first = long_desk.part("server_process.supervisor").server_or_none().pid
    os.kill(first, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    long_desk.until(lambda: job.finished)
    assert job.outcome.level == "ERROR"
    assert "went away" in job.outcome.text and "Render Changed" in job.outcome.hint
    made = hashes(long_desk.frames)
    long_desk.render_changed()
    assert long_desk.part("server_process.supervisor").server_or_none().pid != first
    after = hashes(long_desk.frames)
    kept = [n for n in made if after[n] == made[n]]
    assert len(after) == 401 and len(kept) == len(made)


def test_undo_while_frames_stream_in_loses_nothing(long_desk) -> None:
    import bpy

    bpy.ops.ed.undo_push(message="before")
    job = long_desk.begin()
    long_desk.until(long_desk.streams(job))
    assert long_desk.part("face.rig").faces_in(bpy.context.scene)
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert not long_desk.part("face.rig").faces_in(bpy.context.scene)
    long_desk.until(lambda: job.finished)
    assert job.outcome.level in {"INFO", "WARNING"}, job.outcome
    assert len(hashes(long_desk.folder / "edtalk" / "anna_001")) == 401


def test_undo_of_a_second_take_gives_the_first_one_back(long_desk) -> None:
    """The plane must not go on pointing at the picture sequence that the undo took away."""
    import bpy

    long_desk.generate()
    job = long_desk.begin()
    take = long_desk.face.edtalk.take
    long_desk.until(lambda: job.finished or (take.name == "anna_002" and take.shown))
    texture = long_desk.part("pictures.image_sequence").texture_of
    assert not job.finished
    assert (
        texture(long_desk.part("pictures.image_sequence").plane_of(long_desk.face)).image.name == "anna_002"
    )
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert long_desk.face.edtalk.take.name == "anna_001" and "anna_002" not in bpy.data.images
    plane = long_desk.part("pictures.image_sequence").plane_of(long_desk.face)
    assert texture(plane).image == bpy.data.images["anna_001"]
    long_desk.until(lambda: job.finished)
    assert texture(plane).image_user.frame_duration == 400
    assert len(hashes(long_desk.folder / "edtalk" / "anna_002")) == 401


def test_undone_and_redone_the_rig_finds_its_frames(long_desk) -> None:
    import bpy

    bpy.ops.ed.undo_push(message="before")
    job = long_desk.begin()
    long_desk.until(long_desk.streams(job))
    for _ in range(2):
        bpy.ops.ed.undo()
    for _ in range(2):
        bpy.ops.ed.redo()
    long_desk.until(lambda: job.finished)
    assert long_desk.part("takes.status").count(long_desk.face, bpy.context) == 0
    assert long_desk.part("pictures.image_sequence").plane_of(long_desk.face) is not None


def test_opening_another_file_while_frames_stream_in_loses_nothing(long_desk) -> None:
    import bpy

    job = long_desk.begin()
    long_desk.until(long_desk.streams(job))
    bpy.ops.wm.save_mainfile()
    path = bpy.data.filepath
    bpy.ops.wm.read_homefile(use_empty=True)
    long_desk.until(lambda: job.finished)
    assert job.outcome.level in {"INFO", "WARNING"}, job.outcome
    assert not bpy.data.objects and len(hashes(long_desk.folder / "edtalk" / "anna_001")) == 401
    bpy.ops.wm.open_mainfile(filepath=path)
    assert long_desk.part("takes.status").count(long_desk.face, bpy.context) == 0


def test_switching_the_add_on_off_while_frames_stream_in_stops_the_server(long_desk) -> None:
    import bpy

    job = long_desk.begin()
    long_desk.until(long_desk.streams(job))
    pid = long_desk.part("server_process.supervisor").server_or_none().pid
    folder = long_desk.frames
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.edtalk")
    try:
        assert job.finished and gone(pid)
        assert 5 <= len(hashes(folder)) <= 401
    finally:
        bpy.ops.preferences.addon_enable(module="bl_ext.user_default.edtalk")


def test_a_rig_deleted_while_frames_stream_in_does_not_stop_them(long_desk) -> None:
    import bpy

    job = long_desk.begin()
    long_desk.until(long_desk.streams(job))
    bpy.data.objects.remove(long_desk.face)
    long_desk.until(lambda: job.finished)
    assert job.outcome.level in {"INFO", "WARNING"}
    assert len(hashes(long_desk.folder / "edtalk" / "anna_001")) == 401


HOST = """
import importlib, sys, time
import bpy, addon_utils
addon_utils.enable("bl_ext.user_default.edtalk", default_set=True)
scene, path, python, portrait, voice, checkpoint = bpy.context.scene, *sys.argv[1:]
bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences.python = python
bpy.ops.wm.save_as_mainfile(filepath=path)
settings = scene.edtalk
settings.portrait, settings.audio, settings.checkpoint = portrait, voice, checkpoint
settings.use_crop, settings.crop, settings.size, settings.detail = True, (16, 0, 64), 64, False
part = lambda name: importlib.import_module("bl_ext.user_default.edtalk.edtalk_blender." + name)
jobs = part("server_process.jobs")
order = part("takes.request").order_from(bpy.context, None)
jobs.start(jobs.Job("Generate", part("takes.generation").generate(order)))
while jobs.current().done < 5:
    jobs.tick()
    time.sleep(0.002)
print("pid", part("server_process.supervisor").server_or_none().pid, flush=True)
time.sleep(600)
"""


def test_blender_killed_while_frames_stream_in_leaves_no_server(
    edtalk, tmp_path, portrait, tiny_checkpoint, server_python
) -> None:
    voice = sound(tmp_path / "speech.wav", 16.0)
    arguments = (tmp_path / "scene.blend", server_python, portrait, voice, tiny_checkpoint)
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    pid = next((int(line.split()[1]) for line in host.stdout if line.startswith("pid ")), 0)
    host.kill()
    host.wait()
    host.stdout.close()
    assert pid and gone(pid)
    assert not list(tmp_path.glob("edtalk/*/*.part"))
