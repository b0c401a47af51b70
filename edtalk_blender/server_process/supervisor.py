# SPDX-License-Identifier: GPL-3.0-or-later
"""The one server of this Blender: started when a job needs it, spoken to, let go when nobody has used it
for a while.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Protocol

import bpy

from ...core.wire import messages
from ...core.wire.errors import Cancelled
from ..settings.preferences import EXTENSION, checkpoint_folder, preferences
from . import environment
from .client import Server

IDLE_TICK = 20.0
"""Seconds between two looks at whether the server is still needed."""

SILENT = 5.0
"""Seconds without a sign of life that are worth a word."""
GRACE = 5.0
"""Seconds that a silent server gets to end a job that was cancelled."""
LONG_GRACE = 60.0
"""And one that does answer, and is in the middle of something."""


class Waiting(Protocol):
    """Who waits for the server, as a job does."""

    title: str
    stage: str
    cancelled: bool

    def show(self, stage: str, done: int = 0, total: int = 0, fps: float = 0.0, eta: float = 0.0) -> None:
        """Say how far it is: frames done, in all, and a second, and seconds left; 0 for what is not known."""


_server: Server | None = None
_last_use = 0.0


def server_or_none() -> Server | None:
    """The server process, if one was started."""
    return _server


def log_path() -> Path:
    """The server's log of this Blender; a folder of its own, so that the server can work in it."""
    folder = Path(bpy.utils.extension_path_user(EXTENSION, path="server", create=True))
    return folder / f"server-{os.getpid()}.log"


def arguments() -> list[str]:
    """What the server is told when it starts, from the preferences."""
    chosen = preferences()
    if chosen is None:
        return []
    found = ["--device", chosen.device.lower(), "--rest", str(chosen.unload_minutes)]
    folder = checkpoint_folder()
    return [*found, "--checkpoints", str(folder)] if folder is not None else found


def listen(seconds: float) -> None:
    """Take in what the server said, waiting at most this long for it; called while a job is under way."""
    global _last_use
    _last_use = time.monotonic()
    if _server is not None and _server.pid:
        _server.listen(seconds)
    else:
        time.sleep(min(seconds, 0.01))


def ready_server(job: Waiting) -> Generator[None, None, Server]:
    """Waits until a server has said hello, starting one when there is none."""
    global _server
    if _server is None or not _server.ready:
        job.show("Starting the server")
        stop_server()
        chosen = preferences()
        python = yield from found(job, environment.find_python(chosen.python if chosen else ""))
        _server = Server(python, environment.ROOT, _fresh_log(), arguments())
        _server.start()
    server = _server
    while not server.greeted():
        if job.cancelled:
            server.kill()
            raise Cancelled(f"{job.title}: cancelled")
        yield
    return server


def ask(
    job: Waiting,
    server: Server,
    message: messages.Message,
    heard: Callable[[messages.Message], None] | None = None,
) -> Generator[None, None, Any]:
    """Sends a request and waits for its answer. Progress goes to the job, other notices to `heard`."""
    pending = server.ask(message)
    told = 0.0
    while True:
        over = pending.done
        while pending.notices:
            notice = pending.notices.popleft()
            if isinstance(notice, messages.Progress):
                job.show(notice.stage, notice.done, notice.total, notice.fps, notice.eta)
            elif heard is not None:
                heard(notice)
        if over:
            return pending.result()
        if job.cancelled and not told:
            told = time.monotonic()
            job.stage = "Cancelling"
            server.ask(messages.Cancel(request=pending.number))
        if told and time.monotonic() - told > (GRACE if server.silence > GRACE - 1 else LONG_GRACE):
            server.kill()
            raise Cancelled(f"{job.title}: cancelled. The server gave no sign of life and was ended")
        yield


def silence() -> float:
    """Seconds for which the server has owed a sign of life."""
    return _server.silence if _server is not None and _server.alive else 0.0


def no_sign_of_life(seconds: float) -> str:
    """That in words."""
    return f"The server has given no sign of life for {seconds:.0f} s"


def found(job: Waiting, search: Generator[None, None, Any]) -> Generator[None, None, Any]:
    """Goes on with a search of `environment` while the job lasts."""
    try:
        while True:
            if job.cancelled:
                raise Cancelled(f"{job.title}: cancelled")
            try:
                next(search)
            except StopIteration as end:
                return end.value
            yield
    finally:
        search.close()


def _fresh_log() -> Path:
    """This Blender's log; those of earlier ones are cleared away after a week."""
    log = log_path()
    for old in log.parent.glob("server-*.log"):
        try:
            if time.time() - old.stat().st_mtime > 7 * 86400:
                old.unlink()
        except OSError:
            pass  # another Blender holds it
    return log


def stop_server() -> None:
    """Let the server go; the next job starts a new one."""
    global _server
    if _server is not None:
        _server.stop()
        _server = None


def leave_when_idle() -> None:
    """Let the server go after the minutes without work that the preferences name."""
    if not bpy.app.timers.is_registered(_idle):
        bpy.app.timers.register(_idle, first_interval=IDLE_TICK, persistent=True)


def _idle() -> float | None:
    if _server is None or not _server.alive:
        return None
    chosen = preferences()
    minutes = chosen.idle_minutes if chosen is not None else 0
    if minutes and time.monotonic() - _last_use > minutes * 60:
        stop_server()
        return None
    return IDLE_TICK


def register() -> None:
    """Make sure that no server stays behind when Python ends without unregistering."""
    atexit.register(stop_server)


def unregister() -> None:
    """Stop the server and everything that watches it."""
    if bpy.app.timers.is_registered(_idle):
        bpy.app.timers.unregister(_idle)
    stop_server()
    atexit.unregister(stop_server)
