# SPDX-License-Identifier: GPL-3.0-or-later
"""ARKit's 52 names as controls of our face, and the reverse: linear, as `tools/measure_arkit.py` measured it
on pictures (`arkit_map.json`).

Our face does both sides alike, so what a file says of one side alone comes back as half of both. Nothing of
ours moves puffed cheeks, and brows and squints move only as far as an emotion moves them: `ERRORS` says of
each name how much is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..controls import SIGNED
from .curves import Curves

_MAP = json.loads(Path(__file__).with_name("arkit_map.json").read_text(encoding="utf-8"))
READS: dict[str, dict[str, float]] = _MAP["reads"]
"""ARKit name -> shares of controls."""
WRITES: dict[str, dict[str, float]] = _MAP["writes"]
"""Control, or "-" and a control for its negative side -> values of ARKit names."""
ERRORS: dict[str, float] = _MAP["read_errors"]
"""ARKit name -> the share of its movement that our face does not show: 0 is all shown, 1 and more nothing."""
NAMES: tuple[str, ...] = tuple(sorted(READS))
HEAD = ("headYaw", "headPitch", "headRoll")
CONTROLS: tuple[str, ...] = tuple(sorted({name.removeprefix("-") for name in WRITES}))
_BY_LOWER = {name.lower(): name for name in (*NAMES, *HEAD)}


def name_of(text: str) -> str:
    """Apple's spelling of a name in any case and with separators ("JawOpen", "eyeBlink_L"), "" for none."""
    plain = "".join(letter for letter in text if letter.isalnum()).lower()
    if plain in _BY_LOWER:
        return _BY_LOWER[plain]
    for short, side in (("l", "left"), ("r", "right")):
        if plain.endswith(short) and plain[:-1] + side in _BY_LOWER:
            return _BY_LOWER[plain[:-1] + side]
    return ""


def to_controls(values: Mapping[str, float]) -> dict[str, float]:
    """ARKit values -> controls within 0 and 1, or -1 and 1 for those with two directions."""
    found = dict.fromkeys(CONTROLS, 0.0)
    for name, value in values.items():
        for control, share in READS.get(name, {}).items():
            found[control] += share * value
    return {name: min(1.0, max(-1.0 if name in SIGNED else 0.0, value)) for name, value in found.items()}


def from_controls(controls: Mapping[str, float]) -> dict[str, float]:
    """Controls -> all 52 ARKit values, 0 to 1."""
    found = dict.fromkeys(NAMES, 0.0)
    for control, value in controls.items():
        side = f"-{control}" if value < 0 and control in SIGNED else control
        if value < 0 and control not in SIGNED:
            continue
        for name, share in WRITES.get(side, {}).items():
            found[name] += share * abs(value)
    return {name: min(1.0, max(0.0, value)) for name, value in found.items()}


def controls_in(curves: Curves) -> list[dict[str, float]]:
    """Each row's controls."""
    return [to_controls(dict(zip(curves.names, row))) for row in curves.rows]
