# SPDX-License-Identifier: GPL-3.0-or-later
"""The 36 weight channels: their names, order and banks, the emotions, the step rate, and the keys of
motion.npz.

A weight says how far one basis of a bank moves the face; the paper keeps three orthogonal banks (Tan et al.
2024, section 3.2). Channel order is mouth, pose, expression everywhere: in files, on the wire, in the network
and on the rig. What a channel does is learned, so labels, descriptions and soft ranges belong to a
checkpoint; `DEFAULT_CHANNELS` are the generic ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

STEPS_PER_SECOND = 25
"""Motion is analysed at 25 steps a second; a scene may have any frame rate."""

BANKS: dict[str, int] = {"mouth": 20, "pose": 6, "expression": 10}
"""Bank name -> number of weights, in channel order."""

CHANNELS: tuple[str, ...] = tuple(
    f"{bank}_{index:02d}" for bank, count in BANKS.items() for index in range(count)
)
"""mouth_00..mouth_19, pose_00..pose_05, expression_00..expression_09."""

EMOTIONS: tuple[str, ...] = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
"""Each is a point in the expression bank, [10] weights, kept in the checkpoint."""

MOTION_SCHEMA = 1

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
        expected = {field.name for field in fields(cls)}
        if set(data) != expected:
            raise ValueError(f"a channel has the fields {sorted(expected)}, not {sorted(map(str, data))}")
        for key in ("name", "label", "description"):
            if not isinstance(data[key], str):
                raise ValueError(f"{key} is text, not {data[key]!r}")
        for key in ("soft_min", "soft_max", "default"):
            if (
                isinstance(data[key], bool)
                or not isinstance(data[key], (int, float))
                or not math.isfinite(data[key])
            ):
                raise ValueError(f"{key} is a finite number, not {data[key]!r}")
        if not isinstance(data["used"], bool):
            raise ValueError(f"used is true or false, not {data['used']!r}")
        if data["name"] not in CHANNELS or data["soft_min"] > data["soft_max"]:
            raise ValueError(
                f"no channel is called {data['name']!r} with the range {data['soft_min']}..{data['soft_max']}"
            )
        return cls(**data)


DEFAULT_CHANNELS: tuple[Channel, ...] = tuple(
    Channel(name, f"{bank_of(name).title()} {int(name[-2:]) + 1}") for name in CHANNELS
)
"""Generic labels and -3..3, for a checkpoint that says nothing about its channels."""
