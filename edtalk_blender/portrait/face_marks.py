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
from ..settings.properties import OVERRIDABLE, overridable
from . import found_faces, mark_shape, mark_template
from .mark_shape import Marks

AGAIN = "Press Show Marks and drag them, or take them back with the X beside it"
LONGEST = 100_000
"""Characters; marks have about four thousand."""


@overridable
class EDTALK_Marks(bpy.types.PropertyGroup):
    """The marks of a face as an animator has set them"""

    shown: bpy.props.BoolProperty(
        name="Show Marks",
        description="Show the marks of lips, lids, irises, brows and chin over the portrait in the Image "
        "Editor, to be dragged, in place of the crop",
    )
    points: bpy.props.StringProperty(description="The points by name, as JSON; empty: as they are read")
    portrait: bpy.props.StringProperty(description="Digest of the portrait they belong to")
    placed: bpy.props.BoolProperty(description="Placed by hand from the start, so the skull follows them")
    own: bpy.props.StringProperty(description="Names of the lines that were dragged themselves")


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
    own = settings.id_data.edtalk_marks
    digest = take_folder.file_digest(absolute(settings.portrait)) if own.points else ""
    if digest not in ("", own.portrait):  # a file that is gone counts as unchanged
        return ""
    marks, crop = read(own.points), found_faces.crop_of(settings)
    if marks is not None and crop is not None and not _lies_in(marks, crop):
        return ""  # of another face of the same portrait
    return own.points


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
    own = settings.id_data.edtalk_marks
    if not text_by_hand(settings):
        own.placed, own.own = False, ""
    names = set(own.own.split())
    names |= {name for name, what in (("chin", "chin"), ("brows", "brow")) if handle.startswith(what)}
    own.own = " ".join(sorted(names))
    own.points = written(mark_template.completed(marks, names) if own.placed else marks)
    own.portrait = take_folder.file_digest(absolute(settings.portrait))
    settings.id_data.update_tag()


def place(settings: bpy.types.PropertyGroup, crop: tuple[float, float, float]) -> None:
    """Begin with an oval for each eye and a line for the mouth, in the usual place of the crop."""
    own = settings.id_data.edtalk_marks
    own.points, own.own = written(mark_template.begun(crop)), ""
    own.portrait = take_folder.file_digest(absolute(settings.portrait))
    own.placed, own.shown = True, True
    settings.id_data.update_tag()


def are_shown(settings: bpy.types.PropertyGroup) -> bool:
    """Do the marks lie over the portrait, in place of the crop?"""
    return settings.id_data.edtalk_marks.shown and current(settings) is not None


def kept(settings: bpy.types.PropertyGroup) -> dict[str, object]:
    """All that is kept, for `put_back`."""
    marks = settings.id_data.edtalk_marks
    return {name: getattr(marks, name) for name in EDTALK_Marks.__annotations__}


def put_back(settings: bpy.types.PropertyGroup, before: Mapping[str, object]) -> None:
    """What was kept before."""
    for name, value in before.items():
        setattr(settings.id_data.edtalk_marks, name, value)
    settings.id_data.update_tag()


def take_back(settings: bpy.types.PropertyGroup) -> None:
    """Let the marks be those that are read."""
    settings.id_data.edtalk_marks.points = ""
    settings.id_data.update_tag()


def carry(source: bpy.types.ID, target: bpy.types.ID) -> None:
    """A new face begins with the scene's marks."""
    put_back(target.edtalk, kept(source.edtalk))


def register() -> None:
    """Hang the marks on scenes and objects."""
    bpy.types.Scene.edtalk_marks = bpy.props.PointerProperty(type=EDTALK_Marks)
    bpy.types.Object.edtalk_marks = bpy.props.PointerProperty(type=EDTALK_Marks, override=OVERRIDABLE)


def unregister() -> None:
    """The reverse of `register`."""
    del bpy.types.Object.edtalk_marks
    del bpy.types.Scene.edtalk_marks


CLASSES = (EDTALK_Marks,)
