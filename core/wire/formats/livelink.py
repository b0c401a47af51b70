# SPDX-License-Identifier: GPL-3.0-or-later
"""Live Link Face CSV (Epic's app for phones), in and out.

    Timecode,BlendShapeCount,EyeBlinkLeft,...,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,...,RightEyeRoll

Values are 0 to 1, angles radians; for the time codes see `timecode`. Old files have 51 or 52 shapes and no
angles; columns may stand in any order, and what is no name of ARKit is passed over.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ..errors import BadMotion
from . import sheets, timecode
from .arkit import HEAD, NAMES, name_of
from .curves import Curves, check_count, number, resampled

ORDER = (
    "EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft "
    "EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight "
    "EyeWideRight "
    "JawForward JawRight JawLeft JawOpen MouthClose MouthFunnel MouthPucker MouthRight MouthLeft "
    "MouthSmileLeft MouthSmileRight MouthFrownLeft MouthFrownRight MouthDimpleLeft MouthDimpleRight "
    "MouthStretchLeft MouthStretchRight MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper "
    "MouthPressLeft MouthPressRight MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft "
    "MouthUpperUpRight "
    "BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft BrowOuterUpRight CheekPuff CheekSquintLeft "
    "CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut"
).split()
ANGLES = (
    "HeadYaw HeadPitch HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll RightEyeYaw RightEyePitch RightEyeRoll"
).split()
HEADER = ["Timecode", "BlendShapeCount", *ORDER, *ANGLES]
ENOUGH = 10
"""So many names of ARKit make a table one of a face."""
GAZE_YAW, GAZE_PITCH = 0.4, 0.3
"""Radians of an eye that looks as far as its shape goes."""


def looks_like(header: Sequence[str]) -> bool:
    """Is this the first line of such a file?"""
    return len(header) > 2 and header[0].strip().lower() in ("timecode", "time code")


def read(data: bytes, name: str, scene_rate: float = 0.0) -> Curves:
    """The curves of a file at the rate of its time codes; rows that the phone dropped are filled in.
    `scene_rate`: see `timecode.times_of`. Raises BadMotion that names what is missing, and where.
    """
    rows = sheets.rows(data, name)
    if not rows or not looks_like(rows[0]):
        raise BadMotion(f"{name} does not begin with the columns Timecode, BlendShapeCount, ...")
    columns = columns_of(rows[0], name)
    check_count(len(rows) - 1, name)
    last, codes, values = max(columns.values()), [], []
    for line, row in enumerate(rows[1:], 2):
        where = f"{name}, row {line}"
        if len(row) <= last:
            raise BadMotion(f"{where}: {len(row)} cells, the header has {len(rows[0])}")
        codes.append(timecode.parsed(row[0], where))
        values.append(
            tuple(number(row[place].strip() or 0, f"{where}, {column}") for column, place in columns.items())
        )
    times, rate = timecode.times_of(codes, scene_rate)
    return Curves(tuple(columns), resampled(times, values, rate, name), rate)


def columns_of(header: Sequence[str], name: str) -> dict[str, int]:
    """Apple's spelling of each column that has one -> its place. Raises BadMotion for too few to be a face,
    and for a name that stands twice.
    """
    found: dict[str, int] = {}
    for place, cell in enumerate(header):
        known = name_of(cell)
        if known and known in found:
            raise BadMotion(f"{name} has two columns for {known}", "Take one of them out")
        if known:
            found[known] = place
    shapes = [known for known in found if known not in HEAD]
    if len(shapes) < ENOUGH:
        others = ", ".join(repr(cell.strip()[:20]) for cell in header[2:5]) or "none"
        raise BadMotion(
            f"{name} has {len(shapes)} of ARKit's {len(NAMES)} shapes, which is too few to be a face; "
            f"its columns are {others} ...",
            hint="Name the shapes as ARKit does: jawOpen, eyeBlinkLeft, ...",
        )
    return found


def write(curves: Curves, start: float = 0.0) -> str:
    """The text of a file with all 61 columns; what the curves do not have is 0. `start`: seconds that the
    first row's time code says. Raises BadMotion for a rate that no time code counts.
    """
    if not 1 <= curves.rate < timecode.HIGHEST:
        raise BadMotion(
            f"A Live Link file has 1 to {timecode.HIGHEST - 1} frames a second, not {curves.rate:g}"
        )
    places = {name: place for place, name in enumerate(curves.names)}
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    out.writerow(HEADER)
    for step, row in enumerate(curves.rows):
        value = {name: row[place] for name, place in places.items()}
        eyes = []
        for side, outwards in (("Left", 1.0), ("Right", -1.0)):
            yaw = value.get(f"eyeLookOut{side}", 0.0) - value.get(f"eyeLookIn{side}", 0.0)
            pitch = value.get(f"eyeLookUp{side}", 0.0) - value.get(f"eyeLookDown{side}", 0.0)
            eyes += [GAZE_YAW * outwards * yaw, GAZE_PITCH * pitch, 0.0]
        shapes = [value.get(name_of(name), 0.0) for name in ORDER]
        cells = [*shapes, *(value.get(name, 0.0) for name in HEAD), *eyes]
        code = timecode.written(start, step, curves.rate)
        out.writerow([code, len(cells), *(f"{cell:.8f}" for cell in cells)])
    return stream.getvalue()
