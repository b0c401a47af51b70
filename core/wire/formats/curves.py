# SPDX-License-Identifier: GPL-3.0-or-later
"""What readers of other programs' files give back, and what they hold numbers to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadMotion

MOST_ROWS = 250_000
"""Nearly three hours at 24 a second."""


@dataclass(frozen=True)
class Curves:
    """Values by name at a constant rate: `rows[t][k]` is that of `names[k]`, `rate` rows a second. ARKit's
    names are spelled as Apple does (`jawOpen`); head angles are `headYaw`, `headPitch`, `headRoll`, radians.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    rate: float


@dataclass(frozen=True)
class Cue:
    """A mouth shape from `start` to `end`, in seconds."""

    shape: str
    start: float
    end: float


def number(text: object, where: str, low: float = -1000.0, high: float = 1000.0) -> float:
    """A finite number within bounds. Raises BadMotion that names the place."""
    if isinstance(text, bool):
        raise BadMotion(f"{where}: {text} is not a number")
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise BadMotion(f"{where}: {str(text)[:40]!r} is not a number") from None
    if not math.isfinite(value) or not low <= value <= high:
        raise BadMotion(f"{where}: {value:g} is outside {low:g} to {high:g}")
    return value


def check_count(count: int, name: str, what: str = "rows below its header") -> None:
    """Raises BadMotion for none, or too many."""
    if count < 1:
        raise BadMotion(f"{name} has no {what}")
    if count > MOST_ROWS:
        raise BadMotion(f"{name} has {count} {what}: at most {MOST_ROWS} are read", "Export a shorter part")


def resampled(
    times: Sequence[float], rows: Sequence[tuple[float, ...]], rate: float, name: str
) -> tuple[tuple[float, ...], ...]:
    """Rows at uneven, rising times [s] as rows at a constant rate, linear between them. Raises BadMotion."""
    count, place, found = max(1, round((times[-1] - times[0]) * rate) + 1), 0, []
    if count > MOST_ROWS:
        raise BadMotion(
            f"{name} runs over {times[-1] - times[0]:.0f} seconds: that is too long", "Export a shorter part"
        )
    for step in range(count):
        moment = times[0] + step / rate
        while place < len(times) - 2 and times[place + 1] <= moment:
            place += 1
        after = min(place + 1, len(times) - 1)
        span = times[after] - times[place]
        share = min(1.0, max(0.0, (moment - times[place]) / span)) if span > 0 else 0.0
        found.append(tuple(a + share * (b - a) for a, b in zip(rows[place], rows[after])))
    return tuple(found)
