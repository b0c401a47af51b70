# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames in words, as Blender and farms write them: `1-100,120`, and how several workers share them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LAST = 1048574
"""Blender's timeline reaches from -LAST to LAST."""

_ONE = re.compile(r"(-?\d{1,7})(?:(?:-|\.\.)(-?\d{1,7}))?")
_PART = re.compile(r"(\d{1,6})/(\d{1,6})")


def parse(text: str) -> tuple[int, ...]:
    """Frames from "90", "1-100,120", "1..100, 120" or "-10--5", rising, each once.

    Both ends of a range belong to it. Raises ValueError with what is wrong.
    """
    found: set[int] = set()
    for piece in text.split(","):
        match = _ONE.fullmatch(piece.strip())
        if match is None:
            raise ValueError(f"wants frames such as 1-100,120, not {text[:60]!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"wants the lower frame first, not {piece.strip()!r}")
        if max(abs(first), abs(last)) > LAST:
            raise ValueError(f"wants frames from {-LAST} to {LAST}, not {piece.strip()!r}")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def parse_part(text: str) -> tuple[int, int]:
    """ "3/8", the third of eight workers, as (3, 8). Raises ValueError with what is wrong."""
    match = _PART.fullmatch(text.strip())
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise ValueError(f"wants a part such as 3/8, the third of eight, not {text[:60]!r}")
    return part, parts


def share(frames: Sequence[int], part: int, parts: int) -> tuple[int, ...]:
    """What the worker `part` of `parts` makes: neighbours, and as many as the others, give or take one. All
    parts together are all frames, each once.
    """
    count = len(frames)
    return tuple(frames[count * (part - 1) // parts : count * part // parts])


def runs(frames: Iterable[int]) -> list[tuple[int, int]]:
    """[1, 2, 3, 7] -> [(1, 3), (7, 7)]."""
    found: list[tuple[int, int]] = []
    for frame in sorted(set(frames)):
        if found and frame == found[-1][1] + 1:
            found[-1] = (found[-1][0], frame)
        else:
            found.append((frame, frame))
    return found


def say(frames: Iterable[int]) -> str:
    """The inverse of `parse`: "1-100,120"."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs(frames))
