# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a .blend counts and draws, and no more: no process, none of the files it names, and no hang."""

from __future__ import annotations

import builtins
import os
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.desk import Desk

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    made = Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)
    made.generate()
    import bpy

    bpy.context.view_layer.objects.active = made.face
    bpy.ops.wm.save_mainfile()
    part("server_process.supervisor").stop_server()
    return made


@pytest.fixture
def window(part, monkeypatch):
    """As in a window in which Blender does not trust the file."""
    monkeypatch.setattr(part("settings.trust"), "_watched_by_nobody", lambda: False)
    monkeypatch.setattr(part("settings.trust"), "_trusted", lambda: False)
    yield
    part("preview.live").stop()


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The paths of files that are opened from now on."""
    paths, real_open, real_os_open = [], builtins.open, os.open

    def noted(path, *rest, **named):
        paths.append(str(path))
        return real_open(path, *rest, **named)

    def noted_os(path, *rest, **named):
        paths.append(str(path))
        return real_os_open(path, *rest, **named)

    monkeypatch.setattr(builtins, "open", noted)
    monkeypatch.setattr(os, "open", noted_os)
    return paths


def look(desk, part, seconds: float = 1.0) -> None:
    """What the timers do after a file was opened."""
    import bpy

    part("takes.status").count(desk.face, bpy.context)
    part("preview.live_switch").resume()
    for _ in range(20):
        part("preview.live").tick()
        part("server_process.jobs").tick()


def test_an_opened_file_starts_no_server_and_reads_none_of_its_files(
    desk, part, window, opened, tmp_path
) -> None:
    import bpy

    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    (desk.frames / "take.0110.png").unlink()
    part("pictures.take_folder")._digests.clear()
    opened.clear()
    look(desk, part)
    bpy.context.scene.frame_set(120)  # playing is no act
    look(desk, part)
    assert part("takes.status").missing_frames(desk.face) == 1
    assert part("preview.live").is_on() and part("server_process.supervisor").server_or_none() is None
    named = {
        Path(bpy.path.abspath(getattr(desk.face.edtalk, name))).name
        for name in ("portrait", "checkpoint", "audio")
    }
    assert not [path for path in opened if Path(path).name in named], opened


def test_the_first_slider_that_is_moved_wakes_the_preview(desk, part, window, tmp_path) -> None:
    import bpy

    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    look(desk, part)
    assert not part("settings.trust").may_read()
    desk.face.pose.bones["pose"]["pose_00"] = 0.7
    desk.face.update_tag()
    bpy.context.view_layer.update()
    part("preview.live")._state.changed = True
    desk.until(
        lambda: part("preview.live").tick() is not None and part("preview.live_picture").shown() is not None
    )
    assert part("settings.trust").may_read() and part("server_process.supervisor").server_or_none().alive


@pytest.mark.parametrize("act", ["live_preview", "render_changed"])
def test_a_button_is_an_act_and_the_next_file_begins_anew(desk, part, window, tmp_path, act) -> None:
    import bpy

    blend = str(tmp_path / "scene.blend")
    bpy.ops.wm.open_mainfile(filepath=blend)
    assert not part("settings.trust").may_read()
    assert getattr(bpy.ops.edtalk, act)() == {"FINISHED"}
    assert part("settings.trust").may_read()
    bpy.ops.wm.open_mainfile(filepath=blend)
    assert not part("settings.trust").may_read()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert part("settings.trust").may_read()  # nobody else's file


def test_it_can_be_enabled_where_blender_hides_the_open_file(part, window, tmp_path, monkeypatch) -> None:
    """Blender 4.3 puts an object without attributes in the place of `bpy.data` while it enables an extension;
    the bpy module does not.
    """
    import bpy

    trust = part("settings.trust")
    for saved in (False, True):
        if saved:
            bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
        trust.unregister()
        with monkeypatch.context() as enabling:
            enabling.setattr(trust.bpy, "data", object())
            trust.register()
        assert trust.may_read() == (not saved)


def test_a_retouched_portrait_is_noticed_once_files_may_be_read(
    desk, part, window, tmp_path, portrait
) -> None:
    import bpy

    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    portrait.write_bytes(portrait.read_bytes() + b"\0")
    assert part("takes.status").count(desk.face, bpy.context) == 0
    part("settings.trust").act()
    assert part("takes.status").count(desk.face, bpy.context) == 50


# -------------------------------------------------------------------------------- devices, pipes, numbers


def device(_folder: Path) -> str:
    return "/dev/zero"


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe.png")
    return str(folder / "pipe.png")


def link_to_a_device(folder: Path) -> str:
    (folder / "link.png").symlink_to("/dev/zero")
    return str(folder / "link.png")


def folder(folder: Path) -> str:
    return str(folder)


def sparse(folder: Path) -> str:
    """Eight TB that take no room."""
    with open(folder / "sparse.png", "wb") as file:
        file.truncate(1 << 43)
    return str(folder / "sparse.png")


def zero_in_its_name(_folder: Path) -> str:
    return "/tmp/anna\udcff.png"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes that have names")
@pytest.mark.parametrize("field", ["portrait", "checkpoint"])
@pytest.mark.parametrize("path", [device, pipe, link_to_a_device, folder, sparse, zero_in_its_name])
def test_what_is_no_file_is_not_read(part, tmp_path, path, field) -> None:
    takes, named = part("pictures.take_folder"), path(tmp_path)
    began = time.process_time()
    if field == "portrait":
        assert takes.file_digest(named) == ""
    else:
        assert part("server_process.checkpoints").look(Path(named)).trouble
    assert time.process_time() - began < 2  # seconds; reading them has no end


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [(1, 2**31 - 1, 250_000), (-(2**31), 2**31 - 1, 250_000), (2**31 - 1, 5, 1), (5, -9, 1), (101, 150, 50)],
)
def test_frame_numbers_of_a_file_are_held_within_the_timeline(part, first, last, count) -> None:
    import bpy

    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    face.edtalk.take.name = "anna_001"
    face.edtalk.take["first"], face.edtalk.take["last"] = first, last
    numbers = part("takes.apply").numbers_of(face)
    assert len(numbers) == count and numbers.min() >= -1048573 and numbers.max() <= 1048573
    shots = part("batch.run")
    assert len(shots.frames_for(face, None, (1, 1))) == count


def test_a_large_portrait_is_read_in_turns(part, tmp_path) -> None:
    takes = part("pictures.take_folder")
    path = tmp_path / "large.png"
    path.write_bytes(np.random.default_rng(0).bytes(3 * takes.DIGEST_TURN + 1))
    assert len(list(takes.digesting(str(path)))) == 3
    assert list(takes.digesting(str(path))) == [] and len(takes.file_digest(str(path))) == 32


# -------------------------------------------------------------------------------------- planted programs


def test_no_python_is_taken_from_the_current_folder_or_a_relative_one(part, tmp_path, monkeypatch) -> None:
    environment = part("server_process.environment")
    for name in ("py", "python3", "python3.13", "python"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in (".", "", str(tmp_path), f"{tmp_path}/../{tmp_path.name}", "bin:."):
        monkeypatch.setenv("PATH", path)
        assert environment.on_path("python3") is None and environment.on_path("py") is None
    monkeypatch.setenv("EDTALK_PYTHON", "python3")
    found = [str(path) for path in environment.candidates("")]
    assert all(os.path.isabs(path) and not path.startswith(str(tmp_path)) for path in found)
    monkeypatch.chdir("/")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.on_path("python3") == str(tmp_path / "python3")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes that have names")
@pytest.mark.parametrize("note", ["pipe", "device", "deep", "large"])
def test_a_hostile_note_beside_older_frames_is_none(part, tmp_path, note: str) -> None:
    path = tmp_path / "edtalk-take.json"
    if note == "pipe":
        os.mkfifo(path)
    elif note == "device":
        path.symlink_to("/dev/zero")
    elif note == "deep":
        path.write_text("[" * 100_000)
    else:
        with open(path, "wb") as file:
            file.truncate(1 << 40)
    assert part("takes.migrate")._identity(tmp_path) == {}
    assert part("takes.owners").other_owner(tmp_path) == ""
