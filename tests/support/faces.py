# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint's answer to `describe`, made by hand: emotions that overlap and handles over several banks."""

from __future__ import annotations

from typing import Any

from core.wire.channels import BANK_SLICES, DEFAULT_CHANNELS, EMOTIONS, HANDLES

DEGREES = {"yaw": 30.0, "pitch": 25.0, "roll": 20.0, "gaze_x": 20.0, "gaze_y": 15.0}
"""Handle -> soft range to both sides; the others run from 0 to 1."""

EXPRESSION = BANK_SLICES["expression"]


def preset(index: int) -> list[float]:
    """The place of the emotion with this number: seven emotional channels, lids and gaze as in all others."""
    return [0.25 * index - 0.125 * channel if channel < 7 else 0.5 for channel in range(10)]


def direction(index: int) -> list[float]:
    """What one unit of the handle with this number adds."""
    return [0.0625 * (1 + index) if column % 7 == index % 7 else 0.0 for column in range(36)]


def handle(index: int, name: str) -> dict[str, Any]:
    reach = DEGREES.get(name)
    return {
        "name": name,
        "label": name.replace("_", " ").title(),
        "description": f"Moves {name}.",
        "unit": "deg" if reach else "",
        "direction": direction(index),
        "soft_min": -reach if reach else 0.0,
        "soft_max": reach or 1.0,
    }


def described() -> dict[str, Any]:
    """As plain data, since the installed extension has message classes of its own."""
    return {
        "id": "toy-0123456789ab",
        "size": 64,
        "channels": [channel.to_dict() for channel in DEFAULT_CHANNELS],
        "emotions": {name: preset(index) for index, name in enumerate(EMOTIONS)},
        "handles": [handle(index, name) for index, name in enumerate(HANDLES)],
    }


MAKE_PLAYABLE = """
import sys
from dataclasses import replace
from core.checkpoints import checkpoint
from core.wire.channels import Handle
from tests.support.faces import described
path, out = sys.argv[1:]
handles = tuple(Handle.from_dict(handle) for handle in described()["handles"])
emotions = {name: tuple(weights) for name, weights in described()["emotions"].items()}
meta = checkpoint.read_header(path).meta
checkpoint.rewrite(path, replace(meta, emotions=emotions, handles=handles), out)
"""
"""What the server's Python runs to give a checkpoint the emotions and handles above."""
