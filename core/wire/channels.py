# SPDX-License-Identifier: GPL-3.0-or-later
"""The 36 weight channels: their names, order and banks, the emotions and handles above them, the step
rate, and the keys of motion.npz.

A weight says how far one basis of a bank moves the face; the paper keeps three orthogonal banks (Tan et al.
2024, section 3.2). Channel order is mouth, pose, expression everywhere: in files, on the wire, in the network
and on the rig. What a channel does is learned, so labels, descriptions and soft ranges belong to a
checkpoint; `DEFAULT_CHANNELS` are the generic ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

STEPS_PER_SECOND = 25
"""Motion is analysed at 25 steps a second; a scene may have any frame rate."""

BANKS: dict[str, int] = {"mouth": 20, "pose": 6, "expression": 10}
"""Bank name -> number of weights, in channel order."""

PARTS: tuple[str, ...] = (*BANKS, "blink")
"""What a take may move more or less: the banks, and the lids, which are one channel of the last."""

CHANNELS: tuple[str, ...] = tuple(
    f"{bank}_{index:02d}" for bank, count in BANKS.items() for index in range(count)
)
"""mouth_00..mouth_19, pose_00..pose_05, expression_00..expression_09."""

EMOTIONS: tuple[str, ...] = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
"""Each is a point in the expression bank, [10] weights, kept in the checkpoint."""

HANDLES: tuple[str, ...] = (
    "yaw",
    "pitch",
    "roll",
    "jaw_open",
    "wide",
    "pucker",
    "press",
    "smile",
    "frown",
    "brow_up",
    "brow_down",
    "blink",
    "gaze_x",
    "gaze_y",
)
"""What an animator asks of a face, in the order it is shown; a checkpoint says which of them it has."""

UNITS = {"deg": "degrees", "": ""}
"""Unit of a handle -> the word for it; "" is a share, 1 being all of it."""

MOTION_SCHEMA = 1

DRAWN = 3
"""How weights become a picture. It counts up when the same weights give another picture than before: then the
pictures of older takes are out of date. 2: frames are anchored to the portrait at rest. 3: the network
paints only what the portrait cannot show, heads turn by true degrees, feelings move skin, jaw and lids.
"""

MOTION_KEYS: dict[str, str] = {
    "mouth": "float32 [T, 20] weights",
    "pose": "float32 [T, 6] weights",
    "expression": "float32 [T, 10] weights",
    "rate": "float64 scalar, steps a second: 25.0, or the scene's frame rate",
    "numbers": "int64 [T] frame numbers: 0..T-1 for a take of steps, scene frames for a render",
    "model": "str, id of the checkpoint the weights belong to",
    "schema": f"int64 scalar, {MOTION_SCHEMA}",
}
"""The arrays of motion.npz (no pickles): name -> type, shape and meaning."""


def _slices() -> dict[str, slice]:
    found, start = {}, 0
    for bank, count in BANKS.items():
        found[bank] = slice(start, start + count)
        start += count
    return found


BANK_SLICES: dict[str, slice] = _slices()
"""Bank name -> its part of a [..., 36] array."""


def bank_of(name: str) -> str:
    """The bank a channel belongs to: `bank_of("pose_03") == "pose"`. Raises KeyError for any other name."""
    if name not in CHANNELS:
        raise KeyError(name)
    return name.rsplit("_", 1)[0]


@dataclass(frozen=True)
class Channel:
    """One slider as the animator sees it. Ranges are in weights; `soft` ones may be exceeded by typing."""

    name: str
    label: str
    description: str = ""
    soft_min: float = -3.0
    soft_max: float = 3.0
    default: float = 0.0
    used: bool = True  # False: a spare channel, this checkpoint does nothing with it

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Channel:
        """The inverse of `to_dict`. Raises ValueError for a missing, unknown or ill-typed field."""
        _check_fields(cls, data, texts=("name", "label", "description"))
        _check_numbers(data, ("soft_min", "soft_max", "default"))
        if not isinstance(data["used"], bool):
            raise ValueError(f"used is true or false, not {data['used']!r}")
        if data["name"] not in CHANNELS or data["soft_min"] > data["soft_max"]:
            raise ValueError(
                f"no channel is called {data['name']!r} with the range {data['soft_min']}..{data['soft_max']}"
            )
        return cls(**data)


@dataclass(frozen=True)
class Handle:
    """A control with a meaning, such as "yaw" or "smile": one direction in the space of the 36 weights.

    Its value is 0 at rest and counts in `unit`; `direction` is what one unit adds to the weights. Soft ranges
    may be exceeded by typing.
    """

    name: str
    label: str
    description: str
    unit: str  # a key of UNITS
    direction: tuple[float, ...]  # 36 weights for each degree, or for 1.0
    soft_min: float
    soft_max: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {**asdict(self), "direction": list(self.direction)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Handle:
        """The inverse of `to_dict`. Raises ValueError for a missing, unknown or ill-typed field."""
        _check_fields(cls, data, texts=("name", "label", "description", "unit"))
        _check_numbers(data, ("soft_min", "soft_max"))
        if not _HANDLE_NAME.fullmatch(data["name"]):
            raise ValueError(f"a handle's name is made of small letters, digits and _, not {data['name']!r}")
        if data["unit"] not in UNITS:
            raise ValueError(f"unit is one of {', '.join(map(repr, UNITS))}, not {data['unit']!r}")
        if not data["soft_min"] <= 0 <= data["soft_max"]:
            raise ValueError(f"a handle rests at 0, not in {data['soft_min']}..{data['soft_max']}")
        direction = data["direction"]
        if not isinstance(direction, (list, tuple)) or len(direction) != len(CHANNELS):
            raise ValueError(f"direction is a list of {len(CHANNELS)} weights")
        for weight in direction:
            _check_number("direction", weight)
        return cls(**{**data, "direction": tuple(float(weight) for weight in direction)})


LONGEST_LABEL, LONGEST_DESCRIPTION = 60, 500
"""Characters that a checkpoint may write into a slider's label and tooltip."""
LARGEST = 1e6
"""A range or a weight beyond says nothing."""
_HANDLE_NAME = re.compile("[a-z][a-z0-9_]{0,39}")


def _check_fields(cls: type[Any], data: Mapping[str, Any], texts: tuple[str, ...]) -> None:
    expected = {field.name for field in fields(cls)}
    if set(data) != expected:
        kind = cls.__name__.lower()
        raise ValueError(f"a {kind} has the fields {sorted(expected)}, not {sorted(map(str, data))}")
    for key in texts:
        most = LONGEST_DESCRIPTION if key == "description" else LONGEST_LABEL
        if not isinstance(data[key], str) or len(data[key]) > most:
            raise ValueError(f"{key} is text of at most {most} characters, not {data[key]!r:.60}")


def _check_numbers(data: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        _check_number(key, data[key])


def _check_number(key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -LARGEST <= value <= LARGEST:
        raise ValueError(f"{key} is a number within {LARGEST:g}, not {value!r:.60}")


DEFAULT_CHANNELS: tuple[Channel, ...] = tuple(
    Channel(name, f"{bank_of(name).title()} {int(name[-2:]) + 1}") for name in CHANNELS
)
"""Generic labels and -3..3, for a checkpoint that says nothing about its channels."""
