# SPDX-License-Identifier: GPL-3.0-or-later
"""Lips of timed phones: the aperture and the width that real talkers have on them, and where lips touch.

Neighbours flow into each other by dominance (Cohen and Massaro 1993): each viseme pulls both curves towards
its target with a strength that fades with distance in time. Targets, strengths and spreads are those of
real talkers (`core.motion.talkers`). Contacts are no matter of degree: on p, b, m the lips shut and on f, v
the lip meets the teeth, at the step in the middle of the sound at least.

Legend: T steps of 1/25 s, K visemes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.motion.talkers import figures
from core.wire.channels import STEPS_PER_SECOND

Timed = tuple[str, float, float]
"""Name of a viseme, start and end in seconds."""

GAIN = 1.45
"""About the mean: a blend of targets is timid."""
CONTACTS = {"p": "shut", "f": "bite"}
LEAD, TAIL = 0.02, 0.01
"""Seconds before and after the sound for which lips touch as well: they do for longer than it lasts."""
EASE = 0.03
"""Seconds in which a contact is made and released."""
AROUND = 0.06
"""Seconds beside a sound for which it says more than the ear does."""


@dataclass(frozen=True)
class Spoken:
    """What the lips of a text do, [T] each."""

    aperture: NDArray[Any]  # eye distances over closed
    width: NDArray[Any]  # eye distances against pauses
    shut: NDArray[Any]  # 0..1: 1 where p, b, m close the lips
    bite: NDArray[Any]  # 0..1: 1 where f, v bring the lip to the teeth
    known: NDArray[Any]  # 0..1: how far this is known; 0 away from the words


def spoken(visemes: Sequence[Timed], steps: int) -> Spoken:
    """The lips of timed visemes; names without figures count as silence does."""
    table, spread = figures()["visemes"], figures()["spread"]
    middle = (np.arange(steps) + 0.5) / STEPS_PER_SECOND
    weight = np.full(steps, 1e-6)
    total = np.zeros((steps, 2))
    known = np.zeros(steps)
    contacts = {kind: np.zeros(steps) for kind in CONTACTS.values()}
    for name, start, end in visemes:
        aperture, width, strength = table.get(name, table["silence"])
        centre, core = (start + end) / 2, spread["core"] * (end - start)
        first, last = np.searchsorted(middle, (centre - core - 0.2, centre + core + 0.2))
        away = middle[first:last] - centre
        sides = np.where(away < 0, spread["before"], spread["after"])
        pull = strength * np.exp(-0.5 * (np.maximum(np.abs(away) - core, 0) / sides) ** 2)
        weight[first:last] += pull
        total[first:last] += pull[:, None] * (aperture, width)
        known[first:last] = np.maximum(known[first:last], _near(middle[first:last], start, end, AROUND))
        if name in CONTACTS and first < last:
            held = contacts[CONTACTS[name]]
            there = _near(middle[first:last], start - LEAD, end + TAIL, EASE)
            held[first:last] = np.maximum(held[first:last], there)
            held[min(int(centre * STEPS_PER_SECOND), steps - 1)] = 1  # a short one may fall between steps
    speaking = figures()["speaking"]["aperture"]
    blend = total / weight[:, None]
    return Spoken(
        np.maximum(0, speaking + GAIN * (blend[:, 0] - speaking)),
        GAIN * blend[:, 1],
        contacts["shut"],
        contacts["bite"],
        known,
    )


def _near(times: NDArray[Any], start: float, end: float, fade: float) -> NDArray[Any]:
    """1 from start to end, fading to 0 within `fade` seconds beside it."""
    away = np.maximum(np.maximum(start - times, times - end), 0)
    return np.clip(1 - away / fade, 0, 1)
