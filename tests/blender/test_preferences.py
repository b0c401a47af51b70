# SPDX-License-Identifier: GPL-3.0-or-later
"""Preferences: the server's Python, device and checkpoints as the user sets them, and what buttons say."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def chosen(part, server_python):
    """The preferences with a Python that runs the server; as they were afterwards."""
    import bpy

    chosen = bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences
    if chosen.python != server_python:
        chosen.python = server_python
    yield chosen
    for name in ("device", "checkpoint", "checkpoint_folder", "unload_minutes"):
        chosen.property_unset(name)
    part("server_process.supervisor").stop_server()


def reason(operator) -> str:
    """Why a button is grey."""
    with pytest.raises(RuntimeError) as caught:
        operator()
    return str(caught.value)


def test_device_folder_and_rest_reach_the_server(chosen, part, tmp_path: Path, tiny_checkpoint: Path) -> None:
    import bpy

    shutil.copy(tiny_checkpoint, tmp_path / "mine.safetensors")
    chosen.device, chosen.unload_minutes, chosen.checkpoint_folder = "CPU", 3, str(tmp_path)
    assert bpy.ops.edtalk.check_server() == {"FINISHED"}
    server = part("server_process.supervisor").server_or_none()
    assert server.arguments == ("--device", "cpu", "--rest", "3", "--checkpoints", str(tmp_path))
    assert server.hello.device == "cpu"
    assert str(tmp_path / "mine.safetensors") in [found["path"] for found in server.hello.checkpoints]


def test_another_device_stops_the_server_of_the_old_one(chosen, part) -> None:
    import bpy

    bpy.ops.edtalk.check_server()
    chosen.device = "CPU"
    assert part("server_process.supervisor").server_or_none() is None


def test_a_device_that_is_not_here_is_one_sentence(chosen) -> None:
    import bpy

    chosen.device = "MPS" if sys.platform != "darwin" else "CUDA"
    said = reason(bpy.ops.edtalk.check_server)
    assert "device that PyTorch can use" in said and "Choose auto or cpu" in said


def test_check_server_leaves_a_report_to_read_and_to_copy(chosen, part, monkeypatch) -> None:
    import bpy

    monkeypatch.setattr(part("server_process.setup"), "_trouble", "the last set-up failed")
    bpy.ops.edtalk.check_server()
    assert not part("server_process.setup").set_up_trouble()  # there is a server now
    lines = part("server_process.setup").report()
    names = [line.name for line in lines]
    assert names[:4] == ["Server", "Python", "PyTorch", "Device"] and names[-1] == "Log"
    assert "Checkpoint" in names and all(line.fine is not False for line in lines)
    text = part("server_process.server_report").as_text(lines, "0.1.0", bpy.app.version_string)
    assert text.startswith("EDTalk 0.1.0, Blender") and "PyTorch" in text
    assert bpy.ops.edtalk.copy_report.poll()


def test_a_failed_check_says_what_it_tried(chosen, part, tmp_path: Path) -> None:
    import bpy

    chosen.python = str(tmp_path / "nowhere")
    assert "does not exist" in reason(bpy.ops.edtalk.check_server)
    lines = part("server_process.setup").report()
    assert lines[0].fine is False and "nowhere" in lines[0].value
    assert any(line.name == "To do" for line in lines)


def test_checkpoints_say_what_they_are_without_a_server(part, tmp_path: Path, tiny_checkpoint: Path) -> None:
    shutil.copy(tiny_checkpoint, tmp_path / "mine.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"not a checkpoint")
    (tmp_path / "letters.txt").write_text("mine")
    shipped, broken, mine = part("server_process.checkpoints").in_folder(tmp_path)
    assert shipped.shipped and not shipped.trouble and shipped.licence and shipped.megabytes > 1
    assert mine.id.startswith("tiny-") and mine.side == 64 and mine.label == "tiny"
    assert "is no checkpoint" in broken.trouble
    assert part("server_process.checkpoints").with_id(mine.id, tmp_path) == mine
    assert part("server_process.checkpoints").with_id("other-0123", tmp_path) is None


def test_the_chosen_checkpoint_is_what_new_faces_begin_with(
    chosen, part, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    import bpy

    assert bpy.ops.edtalk.use_checkpoint(path=str(tiny_checkpoint)) == {"FINISHED"}
    order = part("takes.request").order_from(bpy.context, None)
    assert order.checkpoint == str(tiny_checkpoint)
    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    assert part("takes.request").order_from(bpy.context, face).checkpoint == ""  # it has its own field
    chosen.checkpoint = str(tmp_path / "gone.safetensors")
    assert part("takes.request").order_from(bpy.context, None).checkpoint == ""


def test_a_checkpoint_is_chosen_for_a_face_from_the_list(part, tiny_checkpoint: Path) -> None:
    import bpy

    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    bpy.context.view_layer.objects.active = face
    assert bpy.ops.edtalk.choose_checkpoint(path=str(tiny_checkpoint)) == {"FINISHED"}
    assert part("settings.paths").absolute(face.edtalk.checkpoint) == str(tiny_checkpoint)
    assert bpy.ops.edtalk.choose_checkpoint(path="") == {"FINISHED"} and face.edtalk.checkpoint == ""


def test_a_python_is_looked_for_beside_the_interface(chosen, part, server_python) -> None:
    search = part("server_process.python_search")
    search.forget()
    assert not search.answer().known
    end = time.monotonic() + 60
    while not search.answer().known:
        assert time.monotonic() < end
        search.tick()  # a timer does it where there is a window
        time.sleep(0.01)
    assert search.answer().python == server_python and search.tick() is None


def test_nothing_is_downloaded_while_blender_is_offline(part) -> None:
    import bpy

    if bpy.app.online_access:
        pytest.skip("this Blender may go online")
    assert "Allow Online Access" in reason(bpy.ops.edtalk.set_up_server)


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("Collecting torch<3,>=2.4 (from -r requirements.txt)", "Looking up torch<3,>=2.4"),
        ("  Downloading torch-2.13.0-cp311-none-any.whl (202.7 MB)", "Downloading torch (202.7 MB)"),
        ("Downloading https://pypi.org/a/numpy-2.0-cp311.whl (18 MB)", "Downloading numpy (18 MB)"),
        ("Installing collected packages: mpmath, torch", "Installing the packages, some minutes"),
        ("+ python3 -I -m venv there", "Making the environment"),
        ("+ there/bin/python -m pip install -r requirements.txt", "Looking up the packages"),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by x",
            "No answer from the Internet, trying again",
        ),
        ("Requirement already satisfied: pip", ""),
    ],
)
def test_the_bar_says_what_pip_is_doing(part, line: str, stage: str) -> None:
    assert part("server_process.setup").stage_of(line) == stage


NOT_FOUND = "ERROR: Could not find a version that satisfies the requirement torch (from versions: none)"
BROKEN = (
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError()': /simple/torch/"
)
UNTRUSTED = "Could not fetch URL https://pypi.org/simple/torch/: CERTIFICATE_VERIFY_FAILED - skipping"
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
CRASH = ("A package could not be installed", "Fatal Python error: lock", "", "  <no Python frame>")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((BROKEN, NOT_FOUND, *CRASH), "cannot be reached"),
        ((BROKEN, UNTRUSTED, NOT_FOUND, *CRASH), "a certificate that is not trusted"),
        ((BROKEN, FULL, *CRASH), "No space left on device"),
        ((NOT_FOUND,), "Could not find a version"),
        (CRASH, "A package could not be installed"),
        ((), "it said nothing"),
    ],
)
def test_a_failed_set_up_names_the_cause_and_not_what_came_of_it(part, lines, why: str) -> None:
    said, what_next = part("server_process.setup").failure(list(lines))
    assert why in said and "frame" not in said + what_next
    assert "Set Up Server again" in what_next


def without_network(monkeypatch) -> None:
    """pip's own settings are not looked at, so the way out is one that nobody answers on."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_set_up_that_fails_says_why_and_leaves_nothing(part, monkeypatch, tmp_path: Path) -> None:
    home = tmp_path / "edtalk-server"
    environment, jobs = part("server_process.environment"), part("server_process.jobs")
    monkeypatch.setattr(environment, "home_environment", lambda: home)
    without_network(monkeypatch)
    outcome = jobs.run(jobs.Job("Set Up Server", part("server_process.setup").set_up()))
    if "No Python on this computer can make" in outcome.text:
        pytest.skip("no Python here can make environments")
    assert outcome.level == "ERROR" and "could not be made" in outcome.text
    assert not home.exists()


def test_a_cancelled_set_up_leaves_nothing(part, monkeypatch, tmp_path: Path) -> None:
    home = tmp_path / "edtalk-server"
    jobs = part("server_process.jobs")
    monkeypatch.setattr(part("server_process.environment"), "home_environment", lambda: home)
    without_network(monkeypatch)
    job = jobs.Job("Set Up Server", part("server_process.setup").set_up("cpu"))
    outcome = jobs.run(job, lambda job: job.cancel() if job.stage == "Making the environment" else None)
    if "No Python on this computer can make" in outcome.text:
        pytest.skip("no Python here can make environments")
    assert outcome.level == "INFO" and "cancelled" in outcome.text
    assert not home.exists()
