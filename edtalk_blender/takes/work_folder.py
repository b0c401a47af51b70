# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder a job writes to: a new one for a new take, and one of its own for a take whose pictures belong
to another .blend (see `owners`). What is there is copied, in turns, so only what changed is made again.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import bpy

from ...core.wire.errors import Cancelled, InputError
from ..face.rig import find_object
from ..pictures import take_folder
from ..server_process.jobs import Job, push_undo
from ..settings import files
from . import display, owners, take_rows
from .request import Order, base_folder

LEFT_OUT = ("decode-", ".", owners.NOTE)
"""Files of a take that are not the take: what a job asked for, parts of files, whose it is."""


def claimed(order: Order) -> Order:
    """The order with a new folder, made now; another name where somebody took this one since the button was
    pressed. Raises OutputBlocked.
    """
    name = owners.claim(order.folder.parent, order.portrait)
    return replace(order, take=name, folder=order.folder.parent / name)


def own(job: Job, order: Order) -> Generator[None, None, tuple[Order, list[str]]]:
    """The order with a folder that this .blend may write to, and a warning where that is another one than
    before. Raises InputError, OutputBlocked.
    """
    face = find_object(order.rig)
    if face is None:
        raise InputError("The face rig is gone, by undo or because another file was opened")
    if face.edtalk.take.name != order.take:
        order = claimed(order)  # a copied rig
        owners.note(order.folder)
        return order, []
    owner = owners.other_owner(order.folder)
    if not owner:
        take_folder.make_folder(order.folder)
        if take_folder.is_ours(order.folder):  # not beside pictures that somebody graded elsewhere
            owners.note(order.folder)
        return order, []
    if not order.fork:
        raise _belongs_to(owner, order)
    base = base_folder(face.edtalk)[0]
    name = owners.claim(base, order.portrait)
    try:
        yield from _copied(job, order.folder, base / name)
    except BaseException:
        shutil.rmtree(base / name, ignore_errors=True)
        raise
    owners.note(base / name)
    face = find_object(order.rig)
    if face is None:
        raise InputError("The face rig is gone, by undo or because another file was opened")
    _wear(face, name, base / name)
    said = f"{order.take} belongs to {owner} and stays as it is; the frames of this file are in {base / name}"
    return replace(order, take=name, folder=base / name), [said]


def check(order: Order) -> None:
    """Raises InputError where the order's folder belongs to another .blend."""
    owner = owners.other_owner(order.folder)
    if owner:
        raise _belongs_to(owner, order)


def _belongs_to(owner: str, order: Order) -> InputError:
    return InputError(
        f"The frames of {order.take} belong to {owner} and stay as they are",
        hint="Open this file, press Render Changed once and save it: it then has a take of its own. "
        "Or add --save, without --frames, --part and --all",
    )


def _copied(job: Job, source: Path, target: Path) -> Generator[None, None, None]:
    names = [p for p in sorted(source.iterdir()) if not p.name.startswith(LEFT_OUT) and files.is_regular(p)]
    for done, path in enumerate(names):
        if job.cancelled:
            raise Cancelled(f"{job.title}: cancelled")
        job.show("Copying the frames", done, len(names))
        try:
            shutil.copyfile(path, target / path.name)
        except OSError as error:
            raise take_folder.blocked(target, error) from error
        yield


def _wear(face: bpy.types.Object, name: str, folder: Path) -> None:
    """The take goes on under another name, with its pictures in another folder."""
    take = face.edtalk.take
    if take.image is None or take.image.library is not None:
        return  # the job makes an image
    take_rows.note(face)
    take_rows.worn_row(face).name = name
    display.move_take(face, folder)
    take_rows.copy_take(take, take_rows.worn_row(face).take)
    push_undo("EDTalk: Take of Its Own")
