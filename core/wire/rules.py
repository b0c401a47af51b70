# SPDX-License-Identifier: GPL-3.0-or-later
"""What a field of a message may hold. A rule takes a value and gives back its tidy form, or raises ValueError
saying what it wants.

Rules are data beside the field they guard (`messages.py`), so that a message cannot be built wrong on either
side of the wire.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from . import origin as origins
from .channels import CHANNELS, EMOTIONS, Channel, Handle
from .marks import COUNTS, Points
from .mouth_knobs import KNOBS

Rule = Callable[[Any], Any]

MAX_TEXT = 4096
MAX_PROSE = 200_000
MAX_PATH = 32767  # what Windows allows with long paths switched on
ORIGIN = ("seed", "sound", "clip", "shown", "permission")
"""What the asker knows of a picture's origin; the rest of `origin.FIELDS` the server knows itself."""
NOT_IN_FILE_NAMES = set('<>:"/\\|?*') | {chr(code) for code in range(32)}


def ruled(rule: Rule, default: Any = MISSING) -> Any:
    """A dataclass field guarded by `rule`; without a default it must be given."""
    if default is MISSING:
        return field(metadata={"rule": rule})
    return field(default=default, metadata={"rule": rule})


def text(value: Any) -> str:
    """Text of at most 4096 characters."""
    if not isinstance(value, str):
        raise ValueError(f"wants text, not {_show(value)}")
    if len(value) > MAX_TEXT:
        raise ValueError(f"wants at most {MAX_TEXT} characters, not {len(value)}")
    return value


def prose(value: Any) -> str:
    """Text of at most 200000 characters, a long talk."""
    if not isinstance(value, str):
        raise ValueError(f"wants text, not {_show(value)}")
    if len(value) > MAX_PROSE:
        raise ValueError(f"wants at most {MAX_PROSE} characters, not {len(value)}")
    return value


def path(value: Any) -> str:
    """A whole path, of this system or of another one (the server may run elsewhere)."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"wants a path, not {_show(value)}")
    if len(value) > MAX_PATH or "\0" in value:
        raise ValueError("wants a path, not something that long or with a zero in it")
    if not (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()):
        raise ValueError(f"wants a whole path, not the relative {_show(value)}")
    return value


def path_or_empty(value: Any) -> str:
    """A whole path, or "" for none."""
    return "" if value == "" else path(value)


def file_stem(value: Any) -> str:
    """The part of a file name before the frame number, such as "take." """
    if not isinstance(value, str) or len(value) > 100 or NOT_IN_FILE_NAMES & set(value):
        raise ValueError(f"wants the beginning of a file name, not {_show(value)}")
    return value


def said(value: Any) -> str:
    """One line for a record of origin."""
    if not isinstance(value, str) or not origins.fits(value):
        limit = f"one line of at most {origins.MOST_LETTERS} characters, without control characters"
        raise ValueError(f"wants {limit}, not {_show(value)}")
    return origins.tidy(value)


def origin(value: Any) -> dict[str, str]:
    """What is known of where a picture comes from: some of `ORIGIN`."""
    if not isinstance(value, Mapping) or not set(value) <= set(ORIGIN):
        raise ValueError(f"wants an object with some of {', '.join(ORIGIN)}, not {_show(value)}")
    return {name: said(text) for name, text in value.items()}


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"wants true or false, not {_show(value)}")
    return value


def whole(low: int, high: int) -> Rule:
    """A whole number in low..high."""

    def rule(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"wants a whole number from {low} to {high}, not {_show(value)}")
        return value

    return rule


def number(low: float, high: float) -> Rule:
    """A finite number in low..high; whole numbers are welcome."""

    def rule(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ValueError(f"wants a number from {low:g} to {high:g}, not {_show(value)}")
        if math.isinf(value):
            raise ValueError("wants a finite number")
        return float(value)

    return rule


def one_of(*choices: str) -> Rule:
    """One of the given words."""

    def rule(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"wants one of {', '.join(map(repr, choices))}, not {_show(value)}")
        return value

    return rule


def optional(rule: Rule) -> Rule:
    """null, or what `rule` allows."""
    return lambda value: None if value is None else rule(value)


def several(rule: Rule, low: int = 0, high: int = 10_000) -> Rule:
    """A list of low..high things that `rule` allows; kept as a tuple."""

    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or not low <= len(value) <= high:
            amount = str(low) if low == high else f"{low} to {high}"
            raise ValueError(f"wants a list of {amount}, not {_show(value)}")
        return tuple(rule(item) for item in value)

    return check


def record(rules: Mapping[str, Rule]) -> Rule:
    """An object with exactly these fields."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or set(value) != set(rules):
            raise ValueError(f"wants an object with {', '.join(rules)}, not {_show(value)}")
        return {key: rule(value[key]) for key, rule in rules.items()}

    return check


def channel(value: Any) -> dict[str, Any]:
    """A Channel as a dict."""
    if not isinstance(value, Mapping):
        raise ValueError(f"wants a channel, not {_show(value)}")
    return Channel.from_dict(value).to_dict()


def handles(value: Any) -> tuple[dict[str, Any], ...]:
    """Handles as dicts, each name once."""
    found: tuple[dict[str, Any], ...] = several(_handle, 0, 200)(value)
    if len({handle["name"] for handle in found}) != len(found):
        raise ValueError("wants each handle once")
    return found


def _handle(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"wants a handle, not {_show(value)}")
    try:
        return Handle.from_dict(value).to_dict()
    except ValueError as error:
        raise ValueError(f"wants handles: {error}") from error


def emotions(value: Any) -> dict[str, tuple[float, ...]]:
    """Emotion name -> the 10 expression weights."""
    if not isinstance(value, Mapping) or not set(value) <= set(EMOTIONS):
        raise ValueError(f"wants emotions from {', '.join(EMOTIONS)}, not {_show(value)}")
    weights = several(WEIGHT, 10, 10)
    return {name: weights(numbers) for name, numbers in value.items()}


def crop(value: Any) -> tuple[float, float, float]:
    """A square of the portrait: left, top, side in its pixels; it may reach over the edge."""
    x, y, side = several(number(-1e6, 1e6), 3, 3)(value)
    if side < 1:
        raise ValueError(f"wants a square at least 1 pixel wide, not {side:g}")
    return x, y, side


PHONES = several(
    record({"name": text, "start": number(-1e5, 1e6), "end": number(-1e5, 1e6), "word": text}), 0, 40_000
)
"""What is said when, in seconds of the take: phones, the first of each word with the word."""


def marks(value: Any) -> Points:
    """Marks of a face, see `core.wire.marks`; whether they make a face is checked where they are used."""
    if not isinstance(value, Mapping) or set(value) != set(COUNTS):
        raise ValueError(f"wants the face marks {', '.join(COUNTS)}, not {_show(value)}")
    place = number(-1e6, 1e6)
    return {
        name: several(several(place, width, width), count, count)(value[name])
        for name, (count, width) in COUNTS.items()
    }


MOUTH: Rule = several(number(-1e6, 1e6), len(KNOBS), len(KNOBS))
WEIGHT = number(-1000.0, 1000.0)
WEIGHTS = several(WEIGHT, len(CHANNELS), len(CHANNELS))


def _show(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
