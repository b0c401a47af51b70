# SPDX-License-Identifier: GPL-3.0-or-later
"""Where lips, lids, irises, brows and chin of the portrait are, as the .blend keeps it.

What the server read lies with the faces that were found. What an animator has dragged or placed lies apart,
is sent with every take, and is part of its look; a button takes it back. Kept is text (JSON of the points of
`core.wire.marks`, in pixels of the portrait), with a digest of the portrait, so that another portrait does
not get the marks of the one before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import bpy
import numpy as np

from ...core.wire.errors import InputError
from ...core.wire.marks import COUNTS, Points, problem
from ..pictures import take_folder
from ..settings.paths import absolute
from . import found_faces, mark_shape, mark_template
from .mark_shape import Marks

AGAIN = "Press Show Marks and drag them, or take them back with the X beside it"
KEPT = ("marks", "marks_portrait", "marks_placed", "marks_own")
"""Settings that hold what an animator has set."""
LONGEST = 100_000
"""Characters; marks have about four thousand."""


def written(points: Mapping[str, object]) -> str:
    """Points as text, to a hundredth of a pixel."""
    rows = {name: np.round(np.asarray(points[name], np.float64), 2).tolist() for name in COUNTS}
    return json.dumps(rows, separators=(",", ":"))


def read(text: str) -> Marks | None:
    """The inverse of `written`; None for anything else."""
    try:
        return mark_shape.arrays(json.loads(text)) if 0 < len(text) < LONGEST else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def text_by_hand(settings: bpy.types.PropertyGroup) -> str:
    """What the animator has set, as text; "" where nothing is, or it belongs to another portrait or face."""
    digest = take_folder.file_digest(absolute(settings.portrait)) if settings.marks else ""
    if digest not in ("", settings.marks_portrait):  # a file that is gone counts as unchanged
        return ""
    marks, crop = read(settings.marks), found_faces.crop_of(settings)
    if marks is not None and crop is not None and not _lies_in(marks, crop):
        return ""  # of another face of the same portrait
    return settings.marks


def _lies_in(marks: Marks, crop: tuple[float, float, float]) -> bool:
    x, y = marks["upper_lids"].mean(0)
    left, top, side = crop
    return not (np.isfinite(x) and np.isfinite(y)) or (left <= x <= left + side and top <= y <= top + side)


def checked(text: str, width: float, height: float) -> Points | None:
    """What goes to the server for such text; None for "". Raises InputError for marks that make no face in a
    portrait of this size.
    """
    if not text:
        return None
    marks = read(text)
    if marks is None:
        raise InputError("The face marks in this file are damaged", hint=AGAIN)
    points: Points = {name: tuple(tuple(row) for row in marks[name].tolist()) for name in COUNTS}
    if said := problem(points, width, height):
        raise InputError(said, hint=AGAIN)
    return points


def checked_for(settings: bpy.types.PropertyGroup) -> Points | None:
    """What goes to the server for these settings; None for marks that it reads itself. Raises InputError."""
    seen, take = found_faces.sighting_of(settings), settings.take
    size = math.inf, math.inf  # not known before anybody has looked
    if seen is not None:
        size = seen.width, seen.height
    elif take.name:
        size = take.width, take.height
    return checked(text_by_hand(settings), *size)


def current(settings: bpy.types.PropertyGroup) -> Marks | None:
    """The marks to show: set by hand, or read in the chosen face; None where there are none."""
    by_hand = read(text_by_hand(settings))
    return by_hand if by_hand is not None else read(found_faces.marks_read(settings))


def said(settings: bpy.types.PropertyGroup) -> str:
    """What is wrong with the marks that were set by hand, "" for nothing."""
    try:
        checked_for(settings)
    except InputError as error:
        return error.message
    return ""


def set_by_hand(settings: bpy.types.PropertyGroup, marks: Marks, handle: str = "") -> None:
    """Keep marks of which this handle was dragged; of placed ones, what nobody sets follows the rest."""
    if not text_by_hand(settings):
        settings.marks_placed, settings.marks_own = False, ""
    names = set(settings.marks_own.split())
    names |= {name for name, what in (("chin", "chin"), ("brows", "brow")) if handle.startswith(what)}
    settings.marks_own = " ".join(sorted(names))
    settings.marks = written(mark_template.completed(marks, names) if settings.marks_placed else marks)
    settings.marks_portrait = take_folder.file_digest(absolute(settings.portrait))
    settings.id_data.update_tag()


def place(settings: bpy.types.PropertyGroup, crop: tuple[float, float, float]) -> None:
    """Begin with an oval for each eye and a line for the mouth, in the usual place of the crop."""
    settings.marks, settings.marks_own = written(mark_template.begun(crop)), ""
    settings.marks_portrait = take_folder.file_digest(absolute(settings.portrait))
    settings.marks_placed = settings.show_marks = True
    settings.id_data.update_tag()


def are_shown(settings: bpy.types.PropertyGroup) -> bool:
    """Do the marks lie over the portrait, in place of the crop?"""
    return settings.show_marks and current(settings) is not None


def kept(settings: bpy.types.PropertyGroup) -> dict[str, object]:
    """All that is kept, for `put_back`."""
    return {name: getattr(settings, name) for name in KEPT}


def put_back(settings: bpy.types.PropertyGroup, before: Mapping[str, object]) -> None:
    """What was kept before."""
    for name, value in before.items():
        setattr(settings, name, value)
    settings.id_data.update_tag()


def take_back(settings: bpy.types.PropertyGroup) -> None:
    """Let the marks be those that are read."""
    settings.marks = ""
    settings.id_data.update_tag()
