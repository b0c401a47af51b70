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

import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import bpy

from ...core.wire.errors import Cancelled, EDTalkError
from . import supervisor

Steps = Generator[None, None, Any]
TICK = 0.03

# Which regions of which editors to draw again.
PANELS = frozenset({"VIEW_3D", "SEQUENCE_EDITOR", "IMAGE_EDITOR"}), "UI"
PREFERENCES = frozenset({"PREFERENCES"}), "WINDOW"
KEY_EDITORS = frozenset({"DOPESHEET_EDITOR", "GRAPH_EDITOR"}), "WINDOW"
PICTURES = frozenset({"VIEW_3D", "IMAGE_EDITOR"}), "WINDOW"


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
        self.afterwards: Callable[[], None] | None = None  # in the interface, when it went well
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


_job: Job | None = None
_last: Outcome | None = None


def current() -> Job | None:
    """The job that is under way."""
    return _job


def busy() -> str:
    """Why nothing can be started now."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    if scene is not None and layer not in scene.view_layers.values():
        # inside temp_override(window=None, scene=..., view_layer=...): Blender itself crashes on going on
        return "The view layer belongs to another scene: override the window, or scene and view layer alone"
    job = current()
    return f"Busy: {job.title}. Wait for it or cancel it" if job is not None else ""


def last() -> Outcome | None:
    """How the last job ended."""
    return _last


# ---------------------------------------------------------------------------------------------- drivers


def run(job: Job, tell: Callable[[Job], None] | None = None) -> Outcome:
    """Drive a job to its end in this call. Ctrl+C cancels it."""
    global _job
    _begin(job)
    while not job.finished:
        try:
            supervisor.listen(0.05)
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
    global _job, _last
    _job, _last = None, job.outcome
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
    announce(_end(job))
    if job.error is None and job.afterwards is not None:
        job.afterwards()
    supervisor.leave_when_idle()
    return None


def pump() -> None:
    """One turn of the current job: take in what the server said, go on, draw."""
    supervisor.listen(0.0)
    if _job is not None:
        _job.step()
    redraw()
    redraw(*PREFERENCES)


def announce(outcome: Outcome) -> None:
    """Report an outcome where reports are shown; only an operator with an event of its own can do that."""
    windows = bpy.context.window_manager.windows
    if bpy.app.background or not windows:
        return
    with at_home(windows[0]):
        bpy.ops.edtalk.announce("INVOKE_DEFAULT", level=outcome.level, text=sentence(outcome))


def sentence(outcome: Outcome) -> str:
    """Text and hint in one line."""
    return f"{outcome.text}. {outcome.hint}" if outcome.hint else outcome.text


def redraw(areas: frozenset[str] = PANELS[0], part: str = PANELS[1]) -> None:
    """Draw regions of open editors again: the sidebars where our panels are, or what is named."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in areas:
                for region in area.regions:
                    if region.type == part:
                        region.tag_redraw()


def at_home(window: bpy.types.Window):
    """What a window itself shows, whatever the caller's context is. Trap: inside somebody's
    `temp_override(scene=..., view_layer=...)` naming the window alone leaves the window's scene with the
    other scene's view layer, and Blender crashes.
    """
    active = window.view_layer.objects.active
    return bpy.context.temp_override(
        window=window,
        screen=window.screen,
        scene=window.scene,
        view_layer=window.view_layer,
        active_object=active,
        object=active,
        edit_object=active if active is not None and active.mode == "EDIT" else None,
        selected_objects=list(window.view_layer.objects.selected),
    )


def push_undo(message: str) -> None:
    """One undo step for what a job has changed."""
    windows = bpy.context.window_manager.windows
    if windows:
        with at_home(windows[0]):
            bpy.ops.ed.undo_push(message=message)
    elif bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=message)


def shut_down() -> None:
    """Drop the job where it stands and take the timer away."""
    global _job
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    if _job is not None:
        _job.close()
        _job = None


def unregister() -> None:
    """Called when the add-on is switched off and when Blender quits."""
    shut_down()
