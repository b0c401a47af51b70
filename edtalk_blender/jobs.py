# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that takes a while, as generators with two drivers.

A job is a generator that yields whenever it waits for the server. In background mode `run` drives it to
its end; in the interface `start` leaves it to one timer, so that Blender stays alive. Traps that are
avoided here:

- loading a file cancels modal operators and ordinary timers, so the timer is a persistent one and no
  operator stays modal while the server works;
- undo and file load invalidate every reference to data, so a job keeps names and session uids and looks
  up again at each step (`find_object`, `find_scene`);
- timers tick slowly when drawing is slow, so each tick takes in all that has arrived, within a time budget;
- data must not change while Blender renders in its own thread, so a job pauses meanwhile; the server goes on;
- 4.2 crashes and 4.5 hangs at exit when a timer is left behind, so `shut_down` takes it away.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .. import __package__ as EXTENSION
from ..core.wire import messages
from ..core.wire.errors import Cancelled, EDTalkError
from . import environment
from .client import Server
from .preferences import preferences

Steps = Generator[None, None, Any]
TICK = 0.03
IDLE_TICK = 20.0


@dataclass(frozen=True)
class Outcome:
    """How the last job ended, for the panel: `level` is INFO, WARNING or ERROR."""

    level: str
    text: str
    hint: str = ""


class Job:
    """One piece of work. `work` is called with the job and gives its generator, which returns an Outcome."""

    def __init__(self, title: str, work: Callable[[Job], Steps]) -> None:
        self.title = title
        self.stage = title
        self.done = 0
        self.total = 0
        self.fps = 0.0
        self.eta = 0.0
        self.cancelled = False
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self._steps = work(self)

    @property
    def finished(self) -> bool:
        """Has it ended, one way or the other?"""
        return self.outcome is not None

    def show(self, stage: str, done: int = 0, total: int = 0, fps: float = 0.0, eta: float = 0.0) -> None:
        """What the progress bar says."""
        self.stage, self.done, self.total, self.fps, self.eta = stage, done, total, fps, eta

    def cancel(self) -> None:
        """Ask it to stop; it does so between two batches of pictures."""
        self.cancelled = True

    def step(self) -> None:
        """Go on until the next wait. Never raises: an error becomes the outcome."""
        try:
            next(self._steps)
        except StopIteration as end:
            self.outcome = end.value
        except Cancelled as error:
            self.error, self.outcome = error, Outcome("INFO", error.message or f"{self.title}: cancelled")
        except EDTalkError as error:
            self.error, self.outcome = error, Outcome("ERROR", error.message, error.hint)
        except Exception as error:
            traceback.print_exc()
            text = f"{self.title} failed inside EDTalk: {type(error).__name__}: {error}"
            self.error, self.outcome = error, Outcome("ERROR", text, "The system console has the details")

    def close(self) -> None:
        """Drop it where it stands; what it has written is kept in order by its `finally` blocks."""
        self._steps.close()
        if self.outcome is None:
            self.outcome = Outcome("INFO", f"{self.title}: stopped")


_server: Server | None = None
_job: Job | None = None
_last: Outcome | None = None
_last_use = 0.0


def current() -> Job | None:
    """The job that is under way."""
    return _job


def last() -> Outcome | None:
    """How the last job ended."""
    return _last


def server_or_none() -> Server | None:
    """The server process, if one was started."""
    return _server


def log_path() -> Path:
    """The server's log of this Blender; a folder of its own, so that the server can work in it."""
    folder = Path(bpy.utils.extension_path_user(EXTENSION, path="server", create=True))
    return folder / f"server-{os.getpid()}.log"


# ---------------------------------------------------------------------------------------------- drivers


def run(job: Job, tell: Callable[[Job], None] | None = None) -> Outcome:
    """Drive a job to its end in this call. Ctrl+C cancels it."""
    global _job
    _begin(job)
    while not job.finished:
        try:
            _listen(0.05)
            job.step()
            if tell is not None:
                tell(job)
        except KeyboardInterrupt:
            job.cancel()
    return _end(job)


def start(job: Job) -> None:
    """Leave a job to the timer and return."""
    _begin(job)
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=0.0, persistent=True)


def _begin(job: Job) -> None:
    global _job, _last
    assert _job is None, "one job at a time; the operators' poll sees to it"
    _job, _last = job, None


def _end(job: Job) -> Outcome:
    global _job, _last, _last_use
    _job, _last, _last_use = None, job.outcome, time.monotonic()
    assert job.outcome is not None
    return job.outcome


def tick() -> float | None:
    """What the timer calls: one turn of the job, and its end. Gives back the seconds until the next."""
    job = _job
    if job is None:
        return None
    if bpy.app.is_job_running("RENDER"):
        return 0.2
    pump()
    if not job.finished:
        return TICK
    outcome = _end(job)
    announce(outcome)
    if not bpy.app.timers.is_registered(_idle):
        bpy.app.timers.register(_idle, first_interval=IDLE_TICK, persistent=True)
    return None


def pump() -> None:
    """One turn of the current job: take in what the server said, go on, draw."""
    _listen(0.0)
    if _job is not None:
        _job.step()
    redraw()


def _listen(seconds: float) -> None:
    if _server is not None and _server.pid:
        _server.listen(seconds)
    else:
        time.sleep(min(seconds, 0.01))


def _idle() -> float | None:
    """Let an unused server go, so that its memory is free for rendering."""
    if _server is None or not _server.alive:
        return None
    chosen = preferences()
    minutes = chosen.idle_minutes if chosen is not None else 0
    if _job is None and minutes and time.monotonic() - _last_use > minutes * 60:
        stop_server()
        redraw()
        return None
    return IDLE_TICK


def announce(outcome: Outcome) -> None:
    """Report an outcome where reports are shown; only an operator with an event of its own can do that."""
    windows = bpy.context.window_manager.windows
    if bpy.app.background or not windows:
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.edtalk.announce("INVOKE_DEFAULT", level=outcome.level, text=sentence(outcome))


def sentence(outcome: Outcome) -> str:
    """Text and hint in one line."""
    return f"{outcome.text}. {outcome.hint}" if outcome.hint else outcome.text


def redraw() -> None:
    """Draw the sidebars again, where our panels are."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "SEQUENCE_EDITOR"}:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def push_undo(message: str) -> None:
    """One undo step for what a job has changed."""
    windows = bpy.context.window_manager.windows
    if windows:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.ed.undo_push(message=message)
    elif bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=message)


# --------------------------------------------------------------------------------- parts of every job


def ready_server(job: Job) -> Generator[None, None, Server]:
    """Waits until a server has said hello, starting one when there is none."""
    global _server
    job.show("Starting the server")
    if _server is None or not _server.ready:
        stop_server()
        chosen = preferences()
        python = yield from _in_thread(
            job, lambda p=chosen.python if chosen else "": environment.find_python(p)
        )
        _server = Server(python, environment.ROOT, _fresh_log())
        _server.start()
    server = _server
    while not server.greeted():
        if job.cancelled:
            server.kill()
            raise Cancelled(f"{job.title}: cancelled")
        yield
    return server


def ask(
    job: Job,
    server: Server,
    message: messages.Message,
    heard: Callable[[messages.Message], None] | None = None,
) -> Generator[None, None, Any]:
    """Sends a request and waits for its answer. Progress goes to the job, other notices to `heard`."""
    pending = server.ask(message)
    told = False
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
            told = True
            job.stage = "Cancelling"
            server.ask(messages.Cancel(request=pending.number))
        yield


def find_object(uid: int) -> bpy.types.Object | None:
    """The object with this session uid, None after undo or file load took it away."""
    return next((ob for ob in bpy.data.objects if ob.session_uid == uid), None)


def find_scene(uid: int) -> bpy.types.Scene | None:
    """The scene with this session uid, None when it is gone."""
    return next((scene for scene in bpy.data.scenes if scene.session_uid == uid), None)


def _in_thread(job: Job, function: Callable[[], Any]) -> Generator[None, None, Any]:
    """Waits for a function that must not block the interface and does not touch bpy."""
    box: list[Any] = []

    def call() -> None:
        try:
            box.append((function(), None))
        except BaseException as error:
            box.append((None, error))

    threading.Thread(target=call, name="EDTalk helper", daemon=True).start()
    while not box:
        if job.cancelled:
            raise Cancelled(f"{job.title}: cancelled")
        yield
    value, error = box[0]
    if error is not None:
        raise error
    return value


# ------------------------------------------------------------------------------------ beginning and end


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


def shut_down() -> None:
    """Stop everything: called when the add-on is switched off and when Blender quits."""
    global _job
    for timer in (tick, _idle):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    if _job is not None:
        _job.close()
        _job = None
    stop_server()


def register() -> None:
    """Make sure that no server stays behind when Python ends without unregistering."""
    atexit.register(stop_server)


def unregister() -> None:
    """The reverse of `register`."""
    shut_down()
    atexit.unregister(stop_server)
