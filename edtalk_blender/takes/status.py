# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames of each face's take are out of date, counted again after each edit, for panel and cache bar.

An edit is noticed by a handler that only writes down that something happened; counting waits until half
a second has passed without another edit, since it evaluates the whole take (about 0.1 s for two minutes
of speech). In background mode nothing is watched: whoever wants to know asks `count`.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ...core.wire.mouth_knobs import DEFAULTS
from ..face import evaluation, fcurves, rig, stand_in, take_action, teeth, word_marks
from ..pictures import frame_record, take_folder
from ..pictures.image_sequence import folder_of
from ..pictures.passes import lacking
from ..server_process import jobs
from ..settings import trust
from ..settings.paths import absolute
from ..settings.properties import ACTS
from . import apply, request, take_rows

QUIET = 0.5
TURN = 0.05
"""Seconds left to the interface between two turns of counting a long take."""

_states: dict[int, tuple[str, int, np.ndarray, np.ndarray, teeth.Rows]] = {}
"""Session uid -> take, its first frame, state of each frame, weights [N, 36] and knobs of the mouth that they
were counted with."""
_last_edit = 0.0
_turns: Generator[int, None, None] | None = None


def states(face: bpy.types.Object) -> tuple[int, np.ndarray] | None:
    """The take's first scene frame and how each frame stands (`frame_record.CURRENT` ...) as far as is known;
    None when it has not been looked at yet.
    """
    known = _states.get(face.session_uid)
    return None if known is None or known[0] != face.edtalk.take.name else known[1:3]


def stale_frames(face: bpy.types.Object) -> int | None:
    """Frames out of date as far as is known, None when it has not been counted yet."""
    known = states(face)
    return None if known is None else int(np.count_nonzero(known[1] != frame_record.CURRENT))


def missing_frames(face: bpy.types.Object) -> int:
    """Frames that were never made, or whose pictures are gone, as far as is known."""
    known = states(face)
    return 0 if known is None else int(np.count_nonzero(known[1] == frame_record.MISSING))


def is_counted(face: bpy.types.Object) -> bool:
    """Are its frames looked at? Those of a take with pictures that is not muted are."""
    return face.edtalk.take.image is not None and not take_rows.is_muted(face)


def is_on_disk(
    face: bpy.types.Object, number: int, weights: Sequence[float], mouth: Sequence[float] | None = None
) -> bool:
    """Is there a picture of scene frame `number` that was made from these weights and knobs of the mouth
    (None: at rest), as far as is known?
    """
    take, first, known, counted, mouths = _states.get(face.session_uid, ("", 0, (), (), []))
    row = number - first
    if take != face.edtalk.take.name:
        return False
    if not 0 <= row < len(known) or known[row] != frame_record.CURRENT:
        return False
    if tuple(mouth or DEFAULTS) != mouths[row]:
        return False
    return bool(np.abs(counted[row] - np.asarray(weights, np.float32)).max() <= frame_record.TOLERANCE)


def count(face: bpy.types.Object, context: bpy.types.Context) -> int:
    """Count now which frames of the face's take Render Changed would make."""
    for _ in _counting(face.session_uid, context):
        pass
    return stale_frames(face) or 0


def _counting(uid: int, context: bpy.types.Context) -> Generator[int, None, None]:
    """Counts in turns, see `evaluation`; a face that goes meanwhile is not counted."""
    face = rig.find_object(uid)
    if face is None or not is_counted(face):
        _states.pop(uid, None)
        return
    for _ in take_folder.digesting(absolute(face.edtalk.portrait)):
        yield 0
    face = rig.find_object(uid)
    if face is None or not is_counted(face):
        return
    numbers = apply.numbers_of(face)
    rows = yield from evaluation.in_chunks(uid, context.scene.session_uid, numbers)
    face = rig.find_object(uid)
    if rows is None or face is None or face.edtalk.take.image is None:
        return
    take = face.edtalk.take
    order = request.order_for_changes(context, face)
    pictures = apply.pictures_of(face, order.fps, numbers, *rows)
    look = request.look_of(order, order.crop or tuple(take.crop), take.model)
    record = frame_record.Rendered(folder_of(take.image))
    looks = take_folder.looks_of(look, pictures.mouths)
    now = record.states(pictures.numbers, pictures.weights, looks, pictures.files(order.format))
    without_pass = lacking(record.folder, order.passes, pictures.numbers + pictures.shift, order.format)
    now[without_pass & (now == frame_record.CURRENT)] = frame_record.STALE
    action = take_action.take_of(face)
    moved = word_marks.span(action) if action is not None else None
    if moved is not None:  # the mouth will follow its marks
        begin, end = np.array(moved) + pictures.first - take_action.begin_of(action, face)
        now[(numbers >= begin) & (numbers <= end) & (now == frame_record.CURRENT)] = frame_record.STALE
    _states[uid] = take.name, int(pictures.numbers[0]), now, pictures.weights, pictures.mouths


def forget() -> None:
    """Something happened that may have changed every count."""
    global _last_edit, _turns
    _last_edit, _turns = time.monotonic(), None
    if not bpy.app.background and not bpy.app.timers.is_registered(_count_when_quiet):
        bpy.app.timers.register(_count_when_quiet, first_interval=QUIET, persistent=True)


def _counting_all() -> Generator[int, None, None]:
    uids = [face.session_uid for face in rig.faces_in(bpy.context.scene)]
    for uid in set(_states) - set(uids):
        del _states[uid]
    for uid in uids:
        yield from _counting(uid, bpy.context)


def _count_when_quiet() -> float | None:
    global _turns
    if time.monotonic() - _last_edit < QUIET:
        return QUIET
    screen = bpy.context.screen
    playing = screen is not None and screen.is_animation_playing
    if playing or jobs.current() is not None or bpy.app.is_job_running("RENDER"):
        return 1.0
    if _turns is None:
        _turns = _counting_all()
    if next(_turns, None) is not None:
        return TURN
    _turns = None
    jobs.redraw()
    jobs.redraw(*jobs.KEY_EDITORS)
    jobs.redraw(*jobs.PICTURES)  # the live preview makes way for pictures that are up to date
    return None


@persistent
def _edited(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    if scene.name.startswith(stand_in.READING_SCENE) or fcurves.is_echo(depsgraph):
        return
    for update in depsgraph.updates:
        if isinstance(update.id, bpy.types.Action) or rig.is_face(_object_or_none(update.id)):
            forget()
            return


@persistent
def _loaded(_path: str) -> None:
    _states.clear()
    forget()


def _object_or_none(id_: bpy.types.ID) -> bpy.types.Object | None:
    return id_ if isinstance(id_, bpy.types.Object) else None


ACTS["count"] = stale_frames


def register() -> None:
    """Begin to watch, with the file that is open when the add-on is installed."""
    bpy.app.handlers.depsgraph_update_post.append(_edited)
    for handlers in (bpy.app.handlers.load_post, bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.append(_loaded)
    trust.WHEN_ACTED.append(forget)
    forget()


def unregister() -> None:
    """The reverse of `register`."""
    trust.WHEN_ACTED.clear()
    for handlers in (bpy.app.handlers.redo_post, bpy.app.handlers.undo_post, bpy.app.handlers.load_post):
        handlers.remove(_loaded)
    bpy.app.handlers.depsgraph_update_post.remove(_edited)
    if bpy.app.timers.is_registered(_count_when_quiet):
        bpy.app.timers.unregister(_count_when_quiet)
    _states.clear()
