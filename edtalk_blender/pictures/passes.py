# SPDX-License-Identifier: GPL-3.0-or-later
"""Passes: what is written beside the pictures for compositors, and which of it is there. No bpy.

    take_face.0101.png     the figure with straight alpha
    take_matte.0101.png    that alpha as grey
    take_mouth.0101.png    the inside of the mouth with straight alpha
    take_plate.png         the portrait without the figure, one file for all frames

A pass is made together with its picture and before it, so the record of the pictures speaks for their passes
too. What it cannot say is that a pass was asked for only later, or that a file was deleted: that is looked up
here. And a take that has files of a pass goes on to make them, asked for or not, since a matte that is older
than its picture would be worse than none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...core.wire.messages import PASSES
from ..settings import files
from ..settings.whole import is_whole
from . import take_folder

PLATE = "plate"
MOVING = tuple(name for name in PASSES if name != PLATE)
_MOVING_FILE = re.compile(rf"{re.escape(take_folder.STEM[:-1])}_({'|'.join(MOVING)})\.\d+\.\w+")


def file_name(name: str, number: int, picture_format: str) -> str:
    """Name of a pass's file: `take_face.0101.png`; a plate has no number."""
    picture = take_folder.file_name(number, picture_format)
    if name == PLATE:
        return f"{take_folder.STEM[:-1]}_{PLATE}{Path(picture).suffix}"
    return stem_of(name) + picture[len(take_folder.STEM) :]


def stem_of(name: str) -> str:
    """What the names of a pass's numbered files begin with: `take_face.`."""
    return f"{take_folder.STEM[:-1]}_{name}."


def beside(picture: str, name: str) -> str:
    """Name of the pass that belongs to a picture's file name: `take.0101.png` -> `take_face.0101.png`."""
    number = re.fullmatch(rf"{re.escape(take_folder.STEM)}(\d+)(\.\w+)", picture)
    if number is None:
        return picture
    middle = "" if name == PLATE else f".{number[1]}"
    return f"{take_folder.STEM[:-1]}_{name}{middle}{number[2]}"


def number_in(picture: str) -> int | None:
    """The number in a picture's file name, None for the name of something else."""
    found = re.fullmatch(rf"{re.escape(take_folder.STEM)}(\d+)\.\w+", picture)
    return int(found[1]) if found else None


def wanted(folder: Path, asked: Iterable[str]) -> tuple[str, ...]:
    """Passes to make: those that are asked for, and those the take has already."""
    names = _names(folder)
    there = {found[1] for file in names if (found := _MOVING_FILE.fullmatch(file))}
    if any(file.startswith(f"{take_folder.STEM[:-1]}_{PLATE}.") for file in names):
        there.add(PLATE)
    return tuple(name for name in PASSES if name in there or name in asked)


def lacking(folder: Path, asked: Iterable[str], numbers: Sequence[int], picture_format: str) -> np.ndarray:
    """bool [N]: which of these file numbers lack a file of a moving pass that is asked for."""
    sizes, lacks = files.sizes_in(folder), np.zeros(len(numbers), bool)
    for name in asked:
        if name != PLATE:
            names = [file_name(name, number, picture_format) for number in numbers]
            lacks |= [not _is_whole(folder / file, sizes.get(file, 0), sizes) for file in names]
    return lacks


def lacks_plate(folder: Path, asked: Iterable[str], picture_format: str) -> bool:
    """Is a plate asked for that is not there?"""
    file, sizes = file_name(PLATE, 0, picture_format), files.sizes_in(folder)
    return PLATE in asked and not (sizes.get(file, 0) and is_whole(folder / file))


def _is_whole(path: Path, size: int, sizes: dict[str, int]) -> bool:
    """Only what is much smaller than the largest file there is opened: a cut file is small."""
    return bool(size) and (2 * size > max(sizes.values()) or is_whole(path))


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()
