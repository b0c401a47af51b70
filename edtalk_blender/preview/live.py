# SPDX-License-Identifier: GPL-3.0-or-later
"""Live preview: a slider, a key, a mark or the playhead moves, and the face follows.

Handlers only note that something happened. A timer that survives file loads does the work: it compares
the evaluated weights with those last asked for and has one request in flight at most, so that the newest
state wins however slow the server is. Nothing of Blender's data is kept from one tick to the next.
Where the take's own picture is up to date, and while the animation plays, that is what is shown, since it is
sharper, and no server is started for it.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ...core.wire import messages
from ...core.wire.errors import Died, EDTalkError, Stale
from ...core.wire.mouth_knobs import DEFAULTS
from ..face import evaluation, fcurves, rig, stand_in
from ..pictures import take_folder
from ..portrait import face_marks
from ..server_process import jobs, supervisor
from ..server_process.client import Pending
from ..settings import trust
from ..settings.paths import absolute, missing_file
from ..takes import status
from . import live_picture

SIZE = 256  # pixels; larger pictures take longer than an eye notices
SOON = 0.004  # seconds between two looks for an answer that is on its way; a look takes microseconds
NOTICED = ("depsgraph_update_post", "frame_change_post")
REPLACED = ("undo_post", "redo_post", "load_post")


@dataclass
class _State:
    """What is known between two ticks: plain data, never a reference into Blender's."""

    on: bool = False
    changed: bool = False  # something happened since the last request
    pending: Pending | None = None
    asked: messages.Preview | None = None  # the last request, answered or not
    asked_face: int = 0  # session uid
    asleep: bool = False  # the person has not touched the file yet: nothing is read or started
    posed: tuple[int, int, np.ndarray] | None = None  # meanwhile: face, frame and its weights
    waking: jobs.Job | None = None  # starts the server
    trouble: str = ""  # why there is no picture, for the panel


_state = _State()


def is_on() -> bool:
    """Is the live preview switched on?"""
    return _state.on


def trouble() -> str:
    """Why the last picture did not come, "" when it did."""
    return _state.trouble


def why_not(context: bpy.types.Context) -> str:
    """Why it cannot be switched on, "" when it can."""
    face = rig.active_face(context)
    if face is None:
        return rig.NO_FACE
    return missing_file(face.edtalk.portrait, "a portrait")


# ----------------------------------------------------------------------------------------------- switch


def start(asleep: bool = False) -> None:
    """Switch it on; the first picture comes with the next ticks. `asleep`: after a file was opened that
    nobody has touched yet, it comes with the first slider that is moved.
    """
    global _state
    stop()
    _state = _State(on=True, changed=True, asleep=asleep)
    for name in NOTICED:
        getattr(bpy.app.handlers, name).append(_something_changed)
    for name in REPLACED:
        getattr(bpy.app.handlers, name).append(_everything_changed)
    bpy.app.timers.register(tick, first_interval=0.0, persistent=True)
    live_picture.begin()


def stop() -> None:
    """Switch it off and leave nothing behind but what the panel has to say."""
    global _state
    if not _state.on:
        return
    for name in NOTICED:
        getattr(bpy.app.handlers, name).remove(_something_changed)
    for name in REPLACED:
        getattr(bpy.app.handlers, name).remove(_everything_changed)
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    _state = _State(trouble=_state.trouble)
    live_picture.end()
    _answer_file().unlink(missing_ok=True)


@persistent
def _something_changed(scene: bpy.types.Scene, *_: object) -> None:
    if not scene.name.startswith(stand_in.READING_SCENE):
        _state.changed = True


@persistent
def _everything_changed(*_: object) -> None:
    _state.changed, _state.asked, _state.trouble = True, None, ""
    if not trust.may_read():
        _state.asleep, _state.posed = True, None


# ------------------------------------------------------------------------------------------------- ticks


def tick() -> float | None:
    """What the timer calls: one turn. Gives back the seconds until the next, None when it is switched off."""
    if not _state.on:
        return None
    if bpy.app.is_job_running("RENDER"):
        return 0.2
    try:
        _turn()
    except EDTalkError as error:
        _say(error)
    except Exception as error:
        traceback.print_exc()
        _state.trouble = f"Live Preview failed inside EDTalk: {type(error).__name__}: {error}"
        stop()
    if not _state.on:
        return None
    return SOON if _state.pending is not None else jobs.TICK


def _turn() -> None:
    if _state.pending is not None:
        supervisor.listen(0.0)
        if not _state.pending.done:
            quiet = supervisor.silence()
            if quiet > supervisor.SILENT:
                _say(EDTalkError(supervisor.no_sign_of_life(quiet), "Stop the server in the preferences"))
            return
        _take_answer()
    if _state.waking is not None and _state.waking.finished:
        job, _state.waking = _state.waking, None
        if job.error is not None:
            _state.trouble = jobs.sentence(job.outcome)
            stop()
            return
    face = rig.active_face(bpy.context)
    if not _state.changed or face is None or not face.edtalk.portrait or live_picture.is_playing():
        return
    if _state.asleep and not _is_touched(face):
        _state.changed = False
        return
    wanted = request(face)
    server = supervisor.server_or_none()
    if wanted == _state.asked and face.session_uid == _state.asked_face:
        _state.changed = False
    elif server is None and _is_on_disk(face, wanted):
        _state.changed = False  # nothing to see that would be worth starting a server
    elif server is None or not server.ready:
        _wake()
    else:
        _state.changed, _state.asked, _state.asked_face = False, wanted, face.session_uid
        _state.pending = server.ask(wanted)


def _is_on_disk(face: bpy.types.Object, wanted: messages.Preview) -> bool:
    return status.is_on_disk(face, bpy.context.scene.frame_current, wanted.weights, wanted.mouth)


def _is_touched(face: bpy.types.Object) -> bool:
    """Has the face moved while the frame stood still? Then somebody moved it; playing a file is no touch."""
    graph = bpy.context.evaluated_depsgraph_get()
    weights = np.append(fcurves.weights_now(face, graph), fcurves.mouth_now(face, graph))
    before, place = _state.posed, (face.session_uid, bpy.context.scene.frame_current)
    _state.posed = *place, weights
    if not trust.may_read() and (before is None or before[:2] != place or np.array_equal(before[2], weights)):
        return False
    _state.asleep, _state.posed = False, None
    trust.act()
    return True


def _wake() -> None:
    """Start the server by a job, so that the panel shows it; a job that runs is starting one already."""
    if jobs.current() is None:
        _state.waking = jobs.Job("Live Preview", _start_server)
        jobs.start(_state.waking)


def _start_server(job: jobs.Job) -> Generator[None, None, jobs.Outcome]:
    yield from supervisor.ready_server(job)
    return jobs.Outcome("INFO", "Live preview is on")


def request(face: bpy.types.Object) -> messages.Preview:
    """What to ask for, to see this face as it is posed now: its evaluated weights, emotions, handles, drivers
    and NLA included. Raises EDTalkError for what cannot be asked.
    """
    settings, take = face.edtalk, face.edtalk.take
    portrait, crop = absolute(settings.portrait), None
    if settings.use_crop:
        crop = tuple(settings.crop)
    elif take.name and take.portrait == take_folder.file_digest(portrait):
        crop = tuple(take.crop)
    graph, scene = bpy.context.evaluated_depsgraph_get(), bpy.context.scene
    weights, mouth = fcurves.weights_now(face, graph), fcurves.mouth_now(face, graph)
    evaluation.check(face, scene, np.array([scene.frame_current]), weights[None])
    return messages.Preview(
        portrait=portrait,
        weights=tuple(weights.tolist()),
        checkpoint=absolute(settings.checkpoint),
        crop=crop,
        face=settings.face - 1 if settings.face else None,
        size=min(SIZE, settings.size),
        detail=settings.detail,
        mouth=None if mouth == DEFAULTS else mouth,
        marks=face_marks.checked_for(settings),
        out=str(_answer_file()),
    )


def _take_answer() -> None:
    pending, _state.pending = _state.pending, None
    try:
        answer = pending.result()
        picture = np.load(answer.out, allow_pickle=False)
    except Stale:
        _state.changed, _state.asked = True, None
        return
    except Died as error:
        _state.asked = None  # the next edit starts another server
        _say(error)
        return
    except EDTalkError as error:
        _say(error)
        return
    face = rig.active_face(bpy.context)
    if face is None or face.session_uid != _state.asked_face:
        _state.changed = True  # of a face that is not looked at any more
        return
    _state.trouble = ""
    live_picture.show(_state.asked_face, _state.asked, picture)


def _say(error: EDTalkError) -> None:
    _state.changed = False
    text = jobs.sentence(jobs.Outcome("ERROR", error.message, error.hint))
    if text != _state.trouble:
        _state.trouble = text
        jobs.redraw()


def _answer_file() -> Path:
    return Path(bpy.app.tempdir or take_folder.private_folder()) / f"edtalk_preview_{os.getpid()}.npy"
