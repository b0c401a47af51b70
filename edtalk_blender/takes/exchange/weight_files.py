# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights as files on a timeline of Blender. No bpy.

The formats are `core.wire.formats.weights`; here they meet the disk, and what a scene can hold.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ....core.wire.errors import BadMotion, OutputBlocked
from ....core.wire.formats import weights
from ....core.wire.formats.weights import SUFFIXES, Table
from ...settings import files

FIRST, LAST = -1048573, 1048573  # what Blender's timeline knows
MOST_FRAMES = 250_000  # nearly three hours at 24 a second


def save(path: Path, table: Table) -> None:
    """Write a table in the format its suffix names, whole or not at all. Raises OutputBlocked, BadMotion."""
    _check(path.name, table)
    write(path, weights.written(table, path.suffix.lower()))


def load(path: Path) -> Table:
    """Read a table in the format its suffix names; rows come in the order of their numbers. Raises
    BadMotion.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise BadMotion(f"{path.name} is no weights file: it must end in {', '.join(SUFFIXES)}")
    return table_in(read(path), path.name)


def table_in(data: bytes, name: str) -> Table:
    """The table in the bytes of a file of ours. Raises BadMotion."""
    table = weights.read(data, name, Path(name).suffix.lower())
    _check(name, table)
    order = np.argsort(table.numbers)
    mouths = tuple(table.mouths[row] for row in order) if table.mouths else ()
    return Table(table.weights[order], table.numbers[order], table.rate, table.model, mouths)


def read(path: Path) -> bytes:
    """All bytes of a file that is to be imported. Raises BadMotion."""
    try:
        if not files.is_regular(path):
            raise BadMotion(f"{path} is no file of weights" if path.exists() else f"There is no file {path}")
        if path.stat().st_size > weights.MOST_BYTES:
            raise BadMotion(
                f"{path.name} is larger than {weights.MOST_BYTES >> 20} MB: it holds more than weights"
            )
        return files.read_small(path, weights.MOST_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadMotion(f"{path} cannot be read: {why}") from error


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises OutputBlocked."""
    try:
        files.write_whole(path, data)
    except OSError as error:
        raise OutputBlocked(
            f"{path.name} cannot be written to {path.parent}: {error.strerror or error}",
            hint="Make room on the disk or choose another folder",
        ) from error


def _check(name: str, table: Table) -> None:
    """Raises BadMotion for what does not fit on a timeline."""
    numbers = table.numbers
    if not len(numbers):
        raise BadMotion(f"{name} holds no rows of weights")
    if numbers.min() < FIRST or numbers.max() > LAST or np.ptp(numbers) >= MOST_FRAMES:
        raise BadMotion(f"{name} runs from frame {numbers.min()} to {numbers.max()}: that is too long")
