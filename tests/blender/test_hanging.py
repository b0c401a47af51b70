# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that hangs: Blender goes on, says so, and Cancel ends it. Writing to it never waits."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.support.desk import Desk, gone, hashes

pytestmark = [
    pytest.mark.blender,
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a process that can be stopped"),
]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


@pytest.fixture
def stopped(desk, part):
    """A server that was stopped in the middle of a take, and the job that waits for it."""
    import bpy

    bpy.ops.edtalk.check_server()
    job = desk.begin()
    service = part("server_process.supervisor")
    desk.until(lambda: job.stage != "Generate" and service.server_or_none()._open != {})
    pid = service.server_or_none().pid
    os.kill(pid, signal.SIGSTOP)
    yield job, pid
    part("server_process.supervisor").stop_server()


def test_silence_is_noticed_and_cancel_ends_the_job_and_the_server(desk, part, stopped, monkeypatch) -> None:
    job, pid = stopped
    service = part("server_process.supervisor")
    monkeypatch.setattr(service, "SILENT", 3.0)
    desk.until(lambda: service.silence() > service.SILENT)
    assert "no sign of life for 3 s" in service.no_sign_of_life(service.silence()) and not job.finished
    job.cancel()
    began = time.monotonic()
    desk.until(lambda: job.finished)
    assert time.monotonic() - began < 30 and gone(pid)
    assert desk.jobs.last().level == "INFO" and "no sign of life" in desk.jobs.last().text


def test_end_server_now_ends_job_and_server_and_the_next_take_works(desk, part, stopped) -> None:
    import bpy

    job, pid = stopped
    assert bpy.ops.edtalk.end_server() == {"FINISHED"}
    desk.until(lambda: job.finished)
    assert gone(pid) and desk.jobs.last().level == "ERROR" and "went away" in desk.jobs.last().text
    desk.generate()
    assert len(hashes(desk.frames)) == 51


def test_a_long_message_to_a_stopped_server_does_not_hold_blender_up(desk, part, stopped) -> None:
    _, pid = stopped
    server = part("server_process.supervisor").server_or_none()
    import importlib

    messages = importlib.import_module("bl_ext.user_default.edtalk.core.wire.messages")
    path = str(desk.folder / "x")
    asked = [
        server.ask(messages.Analyze(portrait=path, audio=path, out=path, text="la " * 60_000))
        for _ in range(3)
    ]
    server.listen(0.0)
    assert server._inlet._held and not any(one.done for one in asked)
    os.kill(pid, signal.SIGCONT)
    end = time.monotonic() + 60
    while not all(one.done for one in asked) and time.monotonic() < end:
        server.listen(0.05)
    assert all(one.done for one in asked) and not server._inlet._held and server.alive


def test_a_server_that_works_is_not_silent(desk, part) -> None:
    """It answers while it loads and draws, however long one step takes."""
    job, service, longest = desk.begin(), part("server_process.supervisor"), 0.0
    end = time.monotonic() + 120
    while not job.finished and time.monotonic() < end:
        desk.jobs.tick()
        longest = max(longest, service.silence())
    assert job.error is None and longest < 60
