# SPDX-License-Identifier: GPL-3.0-or-later
"""The two jobs everything turns around: generate a take, render what changed.

Each is a generator for `jobs`. If the rig it works for is gone, by undo or because another file was opened,
the pictures still come to their end on disk: nothing is lost, and where the rig comes back, Render Changed
finds them.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from ...core.wire import messages
from ...core.wire.errors import Cancelled, Died, EDTalkError, InputError, MissingCheckpoint, OutputBlocked
from ..face import evaluation, in_effect, probe
from ..face.rig import find_object, find_scene
from ..pictures import frame_record, passes, take_folder
from ..portrait import face_marks, found_faces
from ..server_process import checkpoints
from ..server_process.client import Server
from ..server_process.jobs import Job, Outcome, push_undo
from ..server_process.supervisor import ask, ready_server
from ..settings.preferences import checkpoint_folder
from . import apply, display, origin, ready, respoken, undo_steps, work_folder
from .apply import Pictures
from .request import Order, look_of

SAVE_EVERY = 1.0
"""Seconds between two savings of the record while pictures arrive, at least."""
SAVE_SHARE = 50
"""And so many times as long as a saving takes: a take of 100 000 frames must not stutter."""


# ------------------------------------------------------------------------------------------------ jobs


def generate(order: Order):
    """Job: portrait and voice -> a new take on the rig."""
    return lambda job: _generate(job, order)


def render_changed(order: Order):
    """Job: decode the frames of the rig's take whose weights or look changed."""
    return lambda job: _render_changed(job, order)


def _generate(job: Job, order: Order) -> Generator[None, None, Outcome]:
    order = work_folder.claimed(order)
    try:
        server = yield from ready_server(job)
        described = yield from ask(job, server, messages.Describe(checkpoint=order.checkpoint))
        seen = yield from ask(job, server, messages.Inspect(portrait=order.portrait))
        if order.crop is None:
            _one_face(order, seen)
        face_marks.checked(order.marks, seen.width, seen.height)  # before a minute's work
        analyzed = yield from ask(
            job,
            server,
            messages.Analyze(
                portrait=order.portrait,
                audio=order.audio,
                driving=order.driving,
                checkpoint=order.checkpoint,
                out=str(order.folder / "motion.npz"),
                crop=order.crop,
                face=order.face,
                **order.motion,
            ),
        )
        motion, rate = take_folder.load_motion(order.folder / "motion.npz")
    except BaseException:
        _remove_if_empty(order.folder)
        raise
    face = apply.land_motion(order, described, analyzed, (seen.width, seen.height), motion, rate)
    if face is None:
        raise InputError(
            "The scene this take was made for is gone, by undo or because another file was opened",
            hint=f"Its motion is kept in {order.folder}",
        )
    found_faces.keep(face, order.portrait, seen)
    new = face.session_uid != order.rig
    order = replace(order, rig=face.session_uid)
    if order.draw:
        undo_steps.begin(face)
    else:
        push_undo(undo_steps.GENERATE)
    try:
        outcome = yield from _first_pictures(job, server, order, analyzed, motion, rate, new)
    except Exception:
        undo_steps.end(find_object(order.rig), order.take)
        raise
    undo_steps.end(find_object(order.rig), order.take)
    return outcome


def _one_face(order: Order, seen: messages.Inspected) -> None:
    """See to it that one face is meant. Where it is not, what was seen is kept: the panel then has a number
    for each face to choose from. Raises NoFace and SeveralFaces.
    """
    try:
        found_faces.one_face(seen, order.portrait, order.face)
    except InputError:
        owner = find_object(order.rig) if order.rig else find_scene(order.scene)
        if owner is not None and seen.faces:
            found_faces.keep(owner, order.portrait, seen)
            push_undo("EDTalk: Find Face")
        raise


def _first_pictures(
    job: Job,
    server: Server,
    order: Order,
    analyzed: messages.Analyzed,
    motion: np.ndarray,
    rate: float,
    new: bool,
) -> Generator[None, None, Outcome]:
    """The pictures of a take whose curves have just been written; `new` is its face, too."""
    pictures, wrong = yield from _read_curves(job, order, fresh=True)
    warnings = list(analyzed.warnings) + wrong + apply.hidden(pictures, motion, rate, order)
    if not order.draw:
        display.show_take(order, pictures, len(pictures.numbers))
        return _outcome(f"{order.take}: {len(pictures.numbers)} frames to render", warnings)
    made = yield from _make_pictures(job, server, order, pictures, fresh=True)
    if order.temporary:
        warnings.append(f"This file is not saved yet, so the take is in {order.folder}")
    beside = apply.stands_beside(order) if new else ""
    return _outcome(f"{order.take}: {made} frames{beside}", warnings)


def _render_changed(job: Job, order: Order) -> Generator[None, None, Outcome]:
    reason = ready.no_curves(face_or_error(order))
    if reason:
        raise InputError(reason)
    order, moved = yield from work_folder.own(job, order)
    server = yield from ready_server(job)
    order, described = yield from _same_checkpoint(job, server, order)
    seen = None
    if face_or_error(order).edtalk.take.portrait != take_folder.file_digest(order.portrait):
        seen = yield from ask(job, server, messages.Inspect(portrait=order.portrait))
        if order.crop is None:
            seen = replace(seen, crop=_new_crop(seen, order))
    face = face_or_error(order)
    warnings = moved + evaluation.restore(face, described)
    apply.land_changes(order, face, described, seen)
    yield from respoken.follow(job, server, order)
    pictures, wrong = yield from _read_curves(job, order, fresh=False)
    warnings += wrong
    if not len(pictures.numbers):
        take = face.edtalk.take
        return _outcome(f"{order.take}: none of these frames; it has {take.first} to {take.last}", warnings)
    made = yield from _make_pictures(job, server, order, pictures, fresh=False)
    if not made:
        return _outcome(f"{order.take}: all {len(pictures.numbers)} frames are up to date", warnings)
    return _outcome(f"{order.take}: {made} of {len(pictures.numbers)} frames rendered again", warnings)


def _same_checkpoint(
    job: Job, server: Server, order: Order
) -> Generator[None, None, tuple[Order, messages.Described]]:
    """What the take's checkpoint says of itself. A take made with the one that came with an earlier EDTalk
    goes on with that one where it is found. Raises MissingCheckpoint where it is not.
    """
    described = yield from ask(job, server, messages.Describe(checkpoint=order.checkpoint))
    take = face_or_error(order).edtalk.take
    if order.checkpoint or take.checkpoint or take.model in ("", described.id):
        return order, described
    found = checkpoints.with_id(take.model, checkpoint_folder())
    if found is None:
        raise MissingCheckpoint(
            f"{take.name} was made with checkpoint {take.model}, and this EDTalk comes with {described.id}",
            hint="All its frames are kept. Put that checkpoint into the Checkpoint Folder of the preferences "
            "or choose another one under Take, and all frames will be made anew",
        )
    order = replace(order, checkpoint=found.path)
    return order, (yield from ask(job, server, messages.Describe(checkpoint=found.path)))


def _read_curves(job: Job, order: Order, fresh: bool) -> Generator[None, None, tuple[Pictures, list[str]]]:
    """What the take's pictures shall be made from, and warnings about it. Raises InputError for curves that
    nothing can be drawn from.
    """
    numbers = apply.numbers_of(face_or_error(order), order.frames)
    turns = evaluation.in_chunks(order.rig, order.scene, numbers)
    while True:
        try:
            done = next(turns)
        except StopIteration as end:
            weights, mouths = end.value or (np.empty((0, 0)), [])  # a face that is gone is told of below
            break
        if job.cancelled:
            raise Cancelled(f"{job.title}: cancelled")
        job.show("Reading the curves", done, len(numbers))
        yield
    face = face_or_error(order)
    warnings = evaluation.check(face, find_scene(order.scene), numbers, weights) + origin.warnings(face)
    probe.check(face, find_scene(order.scene), numbers, weights)
    if not fresh:  # there are frames that could be lost
        in_effect.check(face, numbers, weights)
    return apply.pictures_of(face, order.fps, numbers, weights, mouths), warnings


def _new_crop(seen: messages.Inspected, order: Order) -> tuple[float, float, float]:
    """The crop in a portrait that was changed since its take was made."""
    try:
        return found_faces.one_face(seen, order.portrait, order.face)
    except InputError as error:
        error.message = f"The portrait was changed. {error.message}"
        raise


def _outcome(text: str, warnings: Sequence[str]) -> Outcome:
    return Outcome("WARNING" if warnings else "INFO", text, ". ".join(warnings))


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # something is in it, so it is worth keeping
        folder.rmdir()


def face_or_error(order: Order) -> bpy.types.Object:
    """The rig that the order is for. Raises InputError when it or its scene is gone."""
    face = find_object(order.rig)
    if face is None or find_scene(order.scene) is None:
        raise InputError("The face rig is gone, by undo or because another file was opened")
    return face


# ---------------------------------------------------------------------------------------------- pictures


def _make_pictures(
    job: Job, server: Server, order: Order, pictures: Pictures, fresh: bool
) -> Generator[None, None, int]:
    """Decode what is out of date, keep the record true, and show the result; gives back how many were
    made.
    """
    face = find_object(order.rig)
    size = (face.edtalk.take.width, face.edtalk.take.height) if face is not None else (np.inf, np.inf)
    marks = face_marks.checked(order.marks, *size)
    look = look_of(order, pictures.crop, pictures.model)
    looks = take_folder.looks_of(look, pictures.mouths)
    record = frame_record.Rendered(order.folder, order.worker)
    wanted = passes.wanted(order.folder, order.passes)
    need = record.changed(pictures.numbers, pictures.weights, looks, pictures.files(order.format))
    need |= passes.lacking(order.folder, order.passes, pictures.numbers + pictures.shift, order.format)
    rest = pictures.first - 1  # the frame before the first is the portrait at rest
    rest_look, at_rest = take_folder.at_rest(look), np.zeros(pictures.weights.shape[1], np.float32)
    rest_file = take_folder.file_name(rest + pictures.shift, order.format)
    hold = bool(record.changed([rest], at_rest[None], rest_look, [rest_file])[0])
    hold = hold or bool(passes.lacking(order.folder, order.passes, [rest + pictures.shift], order.format)[0])
    hold = hold or passes.lacks_plate(order.folder, order.passes, order.format)
    hold = hold and pictures.first in pictures.numbers  # one worker makes it: who has the first frame
    total = len(pictures.numbers)
    if not need.any() and not hold:
        record.close()
        display.show_take(order, pictures, total)
        display.refresh_take(order)  # a farm may have made what this Blender still shows as missing
        return 0
    if not need.any():  # only the portrait at rest: one frame must be asked for, too
        need[0] = True
    numbers, weights = pictures.numbers[need], pictures.weights[need]
    mouths = [row for row, wanted_too in zip(pictures.mouths, need) if wanted_too]
    rows = {int(number): row for number, row in zip(numbers, weights)}
    frame_looks = dict(zip(rows, take_folder.looks_of(look, mouths)))
    if not fresh and not take_folder.is_ours(order.folder):
        take_folder.leave_alone(order.folder, pictures.files(order.format))
    record.forget([*rows, rest] if hold else rows)
    record.save()
    take_folder.clear_requests(order.folder)
    asked = order.folder / take_folder.request_name()
    take_folder.save_motion(asked, weights, pictures.fps, numbers + pictures.shift, pictures.model, mouths)
    arrived: set[int] = set()
    next_saving = time.monotonic() + SAVE_EVERY

    def heard(notice: messages.Message) -> None:
        nonlocal next_saving
        number = notice.number - pictures.shift
        if number in rows:
            file = take_folder.file_name(notice.number, order.format)
            record.note(number, rows[number], frame_looks[number], file)
            arrived.add(number)
        elif number == rest:
            record.note(rest, at_rest, rest_look, rest_file)
        if (began := time.monotonic()) > next_saving:
            with suppress(OutputBlocked):  # a full disk stops the pictures, too, which says it better
                record.save()
            ended = time.monotonic()
            next_saving = ended + max(SAVE_EVERY, SAVE_SHARE * (ended - began))

    waiting = ask(
        job,
        server,
        messages.Decode(
            portrait=order.portrait,
            motion=str(asked),
            out=str(order.folder),
            name=take_folder.STEM,
            digits=take_folder.DIGITS,
            checkpoint=order.checkpoint,
            crop=pictures.crop,
            size=order.size,
            composite=order.composite,
            detail=order.detail,
            format=order.format,
            passes=wanted,
            **pictures.origin,
            marks=marks,
            hold=rest + pictures.shift if hold else None,
            overwrite=not fresh,
        ),
        heard,
    )
    failed = False
    try:
        shown = lead = 0
        for _ in waiting:
            if len(arrived) > shown:
                shown = len(arrived)
                while lead < total and int(pictures.numbers[lead]) in arrived:
                    lead += 1  # they are written by several threads, and must be shown without a gap
                if there := lead if fresh else total:
                    display.show_take(order, pictures, there)
            yield
        if hold and (order.folder / rest_file).exists():
            record.note(rest, at_rest, rest_look, rest_file)
    except EDTalkError as error:
        failed = True
        left = len(rows) - len(arrived)
        error.message += f"; {len(arrived)} frames were made, {left} are left"
        if isinstance(error, Died):
            error.hint = "Render Changed starts a new server and makes the rest"
        raise
    finally:
        with suppress(OSError):  # first, since it makes room on a full disk
            asked.unlink(missing_ok=True)
        try:
            record.close()
        except OutputBlocked:
            if not failed:
                raise
        display.refresh_take(order)
    display.show_take(order, pictures, total)
    return len(arrived)
