# SPDX-License-Identifier: GPL-3.0-or-later
"""The seven knobs of the inside of the mouth: what an animator may set for each frame, beside the weights.

A row of them is seven numbers in the order of `KNOBS`. At `DEFAULTS` nothing is asked for; rows like that are
left out of files and messages. How they are drawn: `core.engine.layers.mouth_draw.MouthLook`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

TEETH: dict[str, tuple[str, str]] = {
    "auto": ("Auto", "The portrait's own teeth where it shows them, completed by the template"),
    "own": ("Portrait's", "Only teeth that the portrait itself shows"),
    "template": ("Template", "Only the teeth that come with EDTalk"),
    "off": ("Off", "The mouth as the network draws it"),
}
"""Which teeth are drawn, as label and explanation; the first knob counts them from 0."""


class Knob(NamedTuple):
    """One knob. Beyond its range nothing more happens."""

    name: str
    label: str
    low: float
    high: float
    default: float
    description: str


KNOBS: tuple[Knob, ...] = (
    Knob(
        "teeth",
        "Teeth",
        0,
        len(TEETH) - 1,
        0,
        "Which teeth are drawn behind the lips; give its keys Constant interpolation",
    ),
    Knob("position", "Position", -6.0, 6.0, 0.0, "Millimetres that both rows of teeth stand higher"),
    Knob("size", "Size", 0.7, 1.4, 1.0, "Size of teeth and tongue"),
    Knob("brightness", "Brightness", 0.3, 1.5, 1.0, "Brightness of the teeth"),
    Knob("warmth", "Warmth", -1.0, 1.0, 0.0, "Colour of the teeth: -1 bluish, 1 yellowish"),
    Knob("gums", "Gums", 0.3, 1.5, 1.0, "Brightness of gums and tongue"),
    Knob("depth", "Depth", 0.0, 2.0, 1.0, "How fast the mouth grows dark backwards: 0 not at all, 2 soon"),
)
DEFAULTS: tuple[float, ...] = tuple(float(knob.default) for knob in KNOBS)
MOTION_KEY = "mouth_look"
"""The array of a motion.npz that holds the knobs, float32 [T, 7]. A file without it asks for nothing."""


def tidy(row: Sequence[float]) -> tuple[float, ...]:
    """A row within its ranges, to four decimals; curves overshoot. Which teeth is a whole number. What is no
    number at all is the default.
    """
    held = [
        min(max(float(value), knob.low), knob.high) if value == value else float(knob.default)
        for value, knob in zip(row, KNOBS, strict=True)
    ]
    return (float(int(held[0] + 0.5)), *(round(value, 4) + 0.0 for value in held[1:]))


def teeth_of(row: Sequence[float]) -> str:
    """The name in `TEETH` that a tidy row asks for."""
    return list(TEETH)[int(row[0])]
