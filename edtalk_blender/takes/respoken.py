# SPDX-License-Identifier: GPL-3.0-or-later
"""The mouth follows marks that were moved: part of Render Changed.

The sound is analysed twice, with the marks that the mouth was made with and as they stand now; the difference
is added to the generated keys of the mouth. Whatever was changed about the curves stays, and so do hand keys.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...core.wire import messages, moments
from ...core.wire.channels import BANKS, CHANNELS, PARTS, bank_of
from ..face import fcurves, rig, take_action, word_marks
from ..face.keys import Keys
from ..pictures import take_folder
from ..server_process.client import Server
from ..server_process.jobs import Job, push_undo
from ..server_process.supervisor import ask
from ..settings.paths import absolute
from . import take_rows
from .request import Order

STILL = 1e-6


def follow(job: Job, server: Server, order: Order) -> Generator[None, None, None]:
    """Job: where marks of the order's take were moved, move its mouth."""
    face = rig.find_object(order.rig)
    action = take_action.take_of(face) if face is not None else None
    if action is None or action.library is not None or not word_marks.are_moved(action):
        return
    rows, name = word_marks.now(action), action.name
    before, _ = yield from _mouth(job, server, order, word_marks.kept(action))
    after, rate = yield from _mouth(job, server, order, rows)
    face = rig.find_object(order.rig)
    action = take_action.take_of(face) if face is not None else None
    if action is None or action.name != name:
        return  # undo or another file took it away meanwhile
    _add(action, face, after - before, rate)
    word_marks.keep(action, rows)
    push_undo("EDTalk: Follow Marks")


def _mouth(
    job: Job, server: Server, order: Order, rows: list[word_marks.Row]
) -> Generator[None, None, tuple[np.ndarray, float]]:
    """Mouth weights [T, 20] of the take's sound, spoken as marks say, and rows a second."""
    out = order.folder / take_folder.request_name()
    made_of = _made_of(order)
    try:
        yield from ask(
            job,
            server,
            messages.Analyze(
                portrait=order.portrait,
                checkpoint=order.checkpoint,
                crop=order.crop,
                face=order.face,
                out=str(out),
                phones=word_marks.phones_of(rows),
                overwrite=True,
                **made_of,
            ),
        )
        motion, rate = take_folder.load_motion(out)
    finally:
        with suppress(OSError):
            Path(out).unlink(missing_ok=True)
    return motion[:, : BANKS["mouth"]], rate


def _made_of(order: Order) -> dict[str, Any]:
    """What the take was made of, as far as it moves the mouth."""
    face = rig.find_object(order.rig)
    row = take_rows.worn_row(face) if face is not None else None
    known = take_rows.settings_in(row) if row is not None else {}
    audio = absolute(str(known.get("audio") or "")) or order.audio
    strength = known.get("strength", order.motion["strength"])
    return {
        "audio": audio,
        "driving": order.driving if order.driving == audio else "",
        "articulation": float(known.get("articulation", order.motion["articulation"])),
        "strength": tuple(float(value) for value in strength)[: len(PARTS)],
    }


def _add(action: bpy.types.Action, face: bpy.types.Object, change: np.ndarray, rate: float) -> None:
    """Add a change of the mouth [T, 20] to the generated keys of a take."""
    begin, fps = word_marks.timing(action)
    curves = fcurves.curves_in(action, take_action.slot_of(action, face)).fcurves
    seconds = (np.arange(len(change)) + moments.MIDDLE) / rate
    names = [name for name in CHANNELS if bank_of(name) == "mouth"]
    for name, column in zip(names, change.T):
        curve = curves.find(rig.path_of(name), index=0)
        if curve is None or np.abs(column).max() < STILL:
            continue
        keys = Keys.of(curve)
        added = np.interp(moments.seconds_at(keys.times, fps, begin), seconds, column)
        keys.move(values=keys.values + added * keys.generated)
        keys.write(curve)
