# SPDX-License-Identifier: GPL-3.0-or-later
"""Audio2Face: the JSON of blend shape solves, and the CSV of Audio2Face-3D.

    {"exportFps": 30.0, "numPoses": 52, "numFrames": 300, "facsNames": ["browDownLeft", ...],
     "weightMat": [[0.0, ...], ...]}                                    one row a frame

    timeCode,blendShapes.JawOpen,...                                    seconds in the first column

Old solves have 46 poses (no tongue, no look), new ones 52; other names, as those of a custom solve, are
passed over, and where hardly any is ARKit's, the file is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..errors import BadMotion
from . import sheets, text
from .curves import Curves, check_count, number, resampled
from .livelink import columns_of

UNEVEN_RATE = 60.0
"""Rows a second into which a CSV of uneven times is laid; a constant rate of its own is kept."""
USUAL = 30.0
"""Rows a second of a file that does not say."""
_PREFIX = "blendshapes."


def is_json(data: object) -> bool:
    """Is this object one of Audio2Face?"""
    return isinstance(data, dict) and "weightMat" in data and ("facsNames" in data or "poseNames" in data)


def looks_like(header: Sequence[str]) -> bool:
    """Is this the first line of such a CSV?"""
    return any(cell.strip().lower().startswith(_PREFIX) for cell in header)


def read_json(data: bytes, name: str) -> Curves:
    """The curves of a JSON file. Raises BadMotion."""
    held = text.object_of(data, name)
    if not is_json(held):
        raise BadMotion(f"{name} must be an object with exportFps, facsNames and weightMat")
    names, matrix = held.get("facsNames", held.get("poseNames")), held["weightMat"]
    if not isinstance(names, list) or not all(isinstance(pose, str) for pose in names):
        raise BadMotion(f"{name}: facsNames is no list of names")
    if not isinstance(matrix, list):
        raise BadMotion(f"{name}: weightMat is no list of rows")
    check_count(len(matrix), name, "rows in weightMat")
    rate = number(held.get("exportFps", USUAL), f"{name}, exportFps", 1, 1000)
    columns = columns_of(names, name)
    rows = []
    for frame, row in enumerate(matrix):
        if not isinstance(row, list) or len(row) != len(names):
            count = len(row) if isinstance(row, list) else "no"
            raise BadMotion(f"{name}: frame {frame} of weightMat has {count} weights, not {len(names)}")
        where = f"{name}, frame {frame}"
        rows.append(tuple(number(row[place], f"{where}, {pose}") for pose, place in columns.items()))
    return Curves(tuple(columns), tuple(rows), rate)


def read_csv(data: bytes, name: str) -> Curves:
    """The curves of a CSV file. Raises BadMotion."""
    lines = sheets.rows(data, name)
    if not lines or not looks_like(lines[0]):
        raise BadMotion(f"{name} has no columns blendShapes.*")
    header = [cell.strip() for cell in lines[0]]
    check_count(len(lines) - 1, name)
    columns = columns_of([h[len(_PREFIX) :] if h.lower().startswith(_PREFIX) else "" for h in header], name)
    clock = next((place for place, cell in enumerate(header) if "time" in cell.lower()), None)
    last = max([*columns.values(), clock or 0])
    rows, times = [], []
    for line, row in enumerate(lines[1:], 2):
        where = f"{name}, row {line}"
        if len(row) <= last:
            raise BadMotion(f"{where}: {len(row)} cells, the header has {len(header)}")
        rows.append(tuple(number(row[place], f"{where}, {pose}") for pose, place in columns.items()))
        times.append(number(row[clock], f"{where}, {header[clock]}", 0, 1e6) if clock is not None else 0.0)
    if clock is None or len(rows) < 2:
        return Curves(tuple(columns), tuple(rows), USUAL)
    if any(later <= time for time, later in itertools.pairwise(times)):
        raise BadMotion(f"{name}: the times in {header[clock]} do not rise")
    rate = (len(times) - 1) / (times[-1] - times[0])
    even = all(abs(time - times[0] - k / rate) < 0.2 / rate for k, time in enumerate(times))
    if even and 1 <= rate <= 1000:
        return Curves(tuple(columns), tuple(rows), round(rate, 3))
    return Curves(tuple(columns), resampled(times, rows, UNEVEN_RATE, name), UNEVEN_RATE)
