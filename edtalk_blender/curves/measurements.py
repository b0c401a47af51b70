# SPDX-License-Identifier: GPL-3.0-or-later
"""What the curve tools have to know of a face and its sound, asked of the server once and then kept.

How far one unit of each weight moves a point of this face is kept on the rig, as custom properties in shares
of the face's square, so that a file knows it again; another portrait, crop or checkpoint is measured anew.
How loud a recording is stays in memory.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import bpy
import numpy as np

from ...core.wire import messages
from ...core.wire.channels import CHANNELS
from ..face import sliders
from ..face.rig import find_object
from ..pictures import take_folder
from ..server_process.jobs import Job, Outcome
from ..server_process.supervisor import ask, ready_server
from ..settings.paths import absolute

SHARES = "edtalk_shares"
"""Custom property of the rig: 36 numbers, how far one unit of each weight moves any point of the face at
most, in shares of the square's side."""
MEASURED = "edtalk_measured"
"""Custom property of the rig: what the shares were measured for."""

_levels: dict[str, tuple[np.ndarray, float]] = {}  # digest of a sound -> decibels, how many a second


# ------------------------------------------------------------------------------------------------ pixels


def what_of(face: bpy.types.Object) -> str:
    """What a measurement depends on, as text: portrait, crop and checkpoint."""
    settings, take = face.edtalk, face.edtalk.take
    model = take_folder.file_digest(absolute(settings.checkpoint)) if settings.checkpoint else take.model
    crop = " ".join(f"{value:.3f}" for value in take.crop)
    return f"{take_folder.file_digest(absolute(settings.portrait))} {model} {crop}"


def shares_of(face: bpy.types.Object) -> np.ndarray | None:
    """float64 [36] as they were measured; None when they were not, or for another portrait."""
    known = face.get(SHARES)
    if known is None or len(known) != len(CHANNELS) or face.get(MEASURED) != what_of(face):
        return None
    return np.array(known, np.float64)


def side_of(face: bpy.types.Object) -> float:
    """Side of the face's square in the take's pictures, in pixels."""
    settings = face.edtalk
    if settings.composite == "paste" and settings.take.crop[2] > 0:
        return float(settings.take.crop[2])
    return float(settings.size)


def pixels_of(face: bpy.types.Object) -> dict[tuple[str, str], float] | None:
    """Bone and property -> the pixels of face motion that one unit of it is at most, at the take's size: the
    36 weights, and the emotions and handles that are made of them. None when it was not measured yet.
    """
    shares = shares_of(face)
    if shares is None:
        return None
    pixels = shares * side_of(face)
    found = {(name.rsplit("_", 1)[0], name): float(value) for name, value in zip(CHANNELS, pixels)}
    expression = pixels[[index for index, name in enumerate(CHANNELS) if name.startswith("expression")]]
    presets = sliders.presets_of(face)
    neutral = np.array(presets.get(sliders.NEUTRAL, np.zeros(len(expression))))
    for name, preset in presets.items():
        away = np.abs(np.array(preset) - neutral)
        if name == sliders.NEUTRAL:  # takes the take's own expression away, whatever that is: about a unit
            away = np.abs(neutral) + 1.0
        found["emotion", name] = float((away * expression).sum())
    for handle in sliders.directions_of(face):
        found["handle", handle.name] = float((np.abs(handle.direction) * pixels).sum())
    return found


def measure(face: bpy.types.Object):
    """Job: measure a face and write it onto its rig."""
    settings, take = face.edtalk, face.edtalk.take
    portrait, uid, what = absolute(settings.portrait), face.session_uid, what_of(face)
    crop = tuple(settings.crop) if settings.use_crop else None
    if crop is None and take.portrait == take_folder.file_digest(portrait) and take.crop[2] > 0:
        crop = tuple(take.crop)
    message = messages.Measure(
        portrait=portrait,
        checkpoint=absolute(settings.checkpoint),
        crop=crop,
        face=settings.face - 1 if settings.face else None,
    )

    def work(job: Job) -> Generator[None, None, Outcome]:
        server = yield from ready_server(job)
        measured = yield from ask(job, server, message)
        here = find_object(uid)
        if here is not None:
            here[SHARES] = list(measured.shares)
            here[MEASURED] = what
        return Outcome("INFO", "The face was measured")

    return work


# ------------------------------------------------------------------------------------------------- sound


def levels_of(path: str) -> tuple[np.ndarray, float] | None:
    """Decibels of a sound and how many there are a second; None when it was not listened to yet."""
    return _levels.get(take_folder.file_digest(path))


def listen(path: str):
    """Job: find out how loud a sound is, moment by moment."""

    def work(job: Job) -> Generator[None, None, Outcome]:
        out = Path(bpy.app.tempdir or take_folder.private_folder()) / f"edtalk_levels_{os.getpid()}.npy"
        server = yield from ready_server(job)
        try:
            heard = yield from ask(job, server, messages.Hear(audio=path, out=str(out)))
            _levels[take_folder.file_digest(path)] = np.load(heard.out, allow_pickle=False), float(heard.rate)
        finally:
            out.unlink(missing_ok=True)
        return Outcome("INFO", "The sound was listened to")

    return work
