# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of motion among frames of another rate, in one place for Blender and the server.

Row t covers [t / rate, (t + 1) / rate) seconds, frame f covers [f / fps, (f + 1) / fps). We align the
midpoints of these intervals: (t + 1/2) / rate and (f + 1/2) / fps. At equal rates row t is frame t, to the
bit.

If their beginnings were aligned instead, the mouth would be early by half the difference of both intervals:
12 ms at 60 frames a second, and 22 ms late at 12.

A row or frame may be a number or a numpy array: only + - * and / touch it, so the standard library is enough.
"""

from __future__ import annotations

import math
from typing import Any

Place = Any
"""A number, or a numpy array."""

MIDDLE = 0.5
"""Of the time that a row or frame fills."""

_SLACK = 1e-6  # a motion of exactly 2 s has 48 frames at 24 a second, not 49 by the last bit of a division


def carried(row: Place, rate: float, fps: float, begin: float = 0.0) -> Place:
    """Where a row of `rate` rows a second stands among frames of `fps` a second, of which `begin` is seen as
    row 0 begins. Frames are whole numbers, and a row may stand between them.
    """
    return begin + (row + MIDDLE) * (fps / rate) - MIDDLE


def seconds_at(frame: Place, fps: float, begin: float = 0.0) -> Place:
    """The middle of what is heard while a frame is seen, in seconds after frame `begin` begins."""
    return (frame - begin + MIDDLE) / fps


def frame_at(seconds: Place, fps: float, begin: float = 0.0) -> Place:
    """The inverse of `seconds_at`: the frame, whole or not, in the middle of which that is heard."""
    return begin + seconds * fps - MIDDLE


def frames_within(rows: int, rate: float, fps: float) -> int:
    """How many frames of `fps` a second begin while so many rows of `rate` a second last, at least one."""
    return max(1, math.ceil(rows / rate * fps - _SLACK))
