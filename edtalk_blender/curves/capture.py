# SPDX-License-Identifier: GPL-3.0-or-later
"""The work behind Capture from Clip and Capture from Photo: the server looks at the file, and what it saw
goes onto the face where the animator's own keys go; nothing is rendered.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import bpy
import numpy as np

from ...core.wire import messages
from ...core.wire.channels import BANK_SLICES, BANKS
from ...core.wire.errors import InputError, SeveralFaces
from ..face import rig, sliders, take_action
from ..face.keys import refit, take_place, top_place
from ..face.rig import find_object, find_scene
from ..pictures import take_folder
from ..server_process.jobs import Job, Outcome, push_undo
from ..server_process.supervisor import ask, ready_server
from ..settings import timing
from ..settings.properties import copy_settings
from ..takes import apply, edit_on_top, take_rows, work_folder
from ..takes.request import Order
from .capture_keys import Wanted, write
from .tool_base import LINKED


@dataclass(frozen=True, kw_only=True)
class Wish(Wanted):
    """What is to be captured, as plain data."""

    order: Order
    path: str
    frame: float  # where it begins, or the photo's frame


def capture(wish: Wish):
    """Job: a clip or photo -> keys."""

    def work(job: Job) -> Generator[None, None, Outcome]:
        order = wish.order
        out = Path(bpy.app.tempdir or take_folder.private_folder()) / f"edtalk_capture_{os.getpid()}.npz"
        server = yield from ready_server(job)
        described = yield from ask(job, server, messages.Describe(checkpoint=order.checkpoint))
        try:
            analyzed = yield from ask(
                job,
                server,
                messages.Analyze(
                    portrait=order.portrait,
                    driving=wish.path,
                    checkpoint=order.checkpoint,
                    out=str(out),
                    crop=order.crop,
                    face=order.face,
                    overwrite=True,
                ),
            )
            motion, rate = take_folder.load_motion(out)
        except SeveralFaces as error:
            if Path(wish.path).name in error.message:  # not the portrait, for which there are fields
                error.hint = "Crop it to the one person in an image or video editor, and capture that file"
            raise
        finally:
            out.unlink(missing_ok=True)
        said, hints = _land(wish, described, analyzed, motion, rate)
        push_undo("EDTalk: Capture")
        hints += analyzed.warnings
        return Outcome("WARNING" if hints else "INFO", said, ". ".join(hints))

    return work


def _land(
    wish: Wish, described: messages.Described, analyzed: messages.Analyzed, motion: np.ndarray, rate: float
) -> tuple[str, list[str]]:
    """Put what was seen onto the face; what was done, in words, and what else to know."""
    order = wish.order
    scene = find_scene(order.scene)
    face = find_object(order.rig) if order.rig else None
    if scene is None or (order.rig and face is None):
        raise InputError("The face rig is gone, by undo or because another file was opened")
    if wish.is_photo:
        frames, motion = np.array([wish.frame]), motion[-1:]  # a still is reached at the end
    else:
        frames = timing.key_frames(len(motion), wish.frame, order.fps, rate)
    place = (top_place(face) or take_place(face)) if face is not None else None
    if place is None:
        _begin(wish, face, scene, described, analyzed, frames, motion, rate)
        return f"{order.take}: {_kind(wish)} became a new take", ["Render Changed makes its pictures"]
    if place.action.library is not None:
        raise InputError(LINKED)
    kept = write(face, scene, place, frames, motion, wish)
    refit(face, place)
    place.action.update_tag()
    face.update_tag()
    where = "on top of the take" if place.action != take_action.worn(face) else f"in {place.action.name}"
    banks = ", ".join(bank for bank in BANKS if bank in wish.banks)
    hints = [f"{kept} hand keys were in the way and stay"] if kept else []
    take = face.edtalk.take
    if take.name and frames[-1] > take.last + 1:
        hints.append(f"The take ends at frame {take.last}: raise Frames under Output to render the rest")
    if take.model and analyzed.model != take.model:
        hints.append(f"The take belongs to checkpoint {take.model}, this was seen by {analyzed.model}")
    span = f"at frame {frames[0]:g}" if wish.is_photo else f"from frame {wish.frame:g} to {frames[-1]:.0f}"
    return f"{_kind(wish).capitalize()} is keyed {where} {span}: {banks}", hints


def _kind(wish: Wish) -> str:
    return "the photo" if wish.is_photo else "the clip"


def _begin(
    wish: Wish, face, scene, described, analyzed, frames: np.ndarray, motion: np.ndarray, rate: float
) -> None:
    """There is no take yet: what was seen becomes one, the banks that are not wanted at rest."""
    order = work_folder.claimed(wish.order)
    if face is None:
        face = rig.make_rig(scene, Path(order.portrait).stem)
        copy_settings(scene.edtalk, face.edtalk)
    sliders.fit_to_checkpoint(face, described)
    face[rig.REST] = list(analyzed.source_weights)
    weights = motion.copy()
    for bank, part in BANK_SLICES.items():
        if bank not in wish.banks:
            weights[:, part] = np.array(analyzed.source_weights, np.float32)[part]
    edit_on_top.land(face, order.take, frames, weights)
    first, last = scene.frame_start, scene.frame_end
    if not wish.is_photo:
        first = ceil(wish.frame)
        last = first + timing.frame_count(len(motion), order.fps, rate) - 1
    apply.begin_take(order, face, first, last)
    take = face.edtalk.take
    take.crop, take.model = analyzed.crop, analyzed.model
    take.portrait = take_folder.file_digest(order.portrait)
    take_rows.note(face, order)
