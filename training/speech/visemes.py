# SPDX-License-Identifier: GPL-3.0-or-later
"""From timed visemes to the twelve mouth units of `training.factors.MOUTH`.

A *viseme* is what a phone looks like. Neighbours flow into each other by dominance functions (Cohen and
Massaro, "Modeling coarticulation in synthetic visual speech", 1993): every viseme pulls each unit towards
its target with a strength that fades with distance in time, and the strengths decide. Units a viseme does
not mention are pulled only gently, so that "b" in "boo" keeps the rounding of its neighbour while the lips
still close.

Legend: K visemes, T steps of 1/25 s, U = 12 units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.wire.channels import STEPS_PER_SECOND
from training.factors import MOUTH

UNITS = tuple(factor.name for factor in MOUTH)

# viseme -> (strength, unit targets). An explicit 0 means "this unit must be relaxed here"; the units of
# contact are explicit everywhere, since lips or teeth that touch leave no doubt.
_SHUT = {
    "press": 1.0,
    "jaw_open": 0.0,
    "lower_down": 0.0,
    "upper_up": 0.0,
    "lip_teeth": 0.0,
    "tongue_out": 0.0,
}
_BITE = {"lip_teeth": 1.0, "jaw_open": 0.06, "lower_down": 0.0, "press": 0.0, "upper_up": 0.1}
_TABLE: dict[str, tuple[float, dict[str, float]]] = {
    "silence": (0.8, dict.fromkeys(UNITS, 0.0)),
    "p": (4.0, _SHUT),
    "f": (3.5, _BITE),
    "th": (1.6, {"tongue_out": 0.7, "jaw_open": 0.18, "lower_down": 0.2}),
    "t": (0.8, {"tongue_up": 0.8, "jaw_open": 0.14, "lower_down": 0.25}),
    "l": (1.0, {"tongue_up": 1.0, "jaw_open": 0.24, "lower_down": 0.15}),
    "k": (0.6, {"jaw_open": 0.2, "lower_down": 0.2}),
    "s": (1.3, {"wide": 0.35, "lower_down": 0.45, "upper_up": 0.2, "jaw_open": 0.04}),
    "sh": (2.0, {"funnel": 0.75, "pucker": 0.3, "jaw_open": 0.08, "wide": 0.0, "jaw_fwd": 0.25}),
    "r": (1.2, {"pucker": 0.45, "funnel": 0.3, "jaw_open": 0.14}),
    "w": (2.0, {"pucker": 0.95, "jaw_open": 0.05, "wide": 0.0}),
    "y": (1.0, {"wide": 0.4, "jaw_open": 0.1, "lower_down": 0.2}),
    "h": (0.3, {"jaw_open": 0.2}),
    "aa": (1.0, {"jaw_open": 0.62, "wide": 0.08, "lower_down": 0.15}),
    "ae": (1.0, {"jaw_open": 0.5, "wide": 0.45, "lower_down": 0.25, "upper_up": 0.15}),
    "ah": (0.8, {"jaw_open": 0.38, "lower_down": 0.15}),
    "ao": (1.1, {"jaw_open": 0.5, "funnel": 0.5, "pucker": 0.15}),
    "oh": (1.1, {"jaw_open": 0.4, "funnel": 0.4, "pucker": 0.25}),
    "eh": (1.0, {"jaw_open": 0.34, "wide": 0.35, "lower_down": 0.25}),
    "er": (1.0, {"jaw_open": 0.22, "pucker": 0.35, "funnel": 0.25}),
    "ih": (0.9, {"jaw_open": 0.2, "wide": 0.35, "lower_down": 0.25}),
    "iy": (1.1, {"jaw_open": 0.12, "wide": 0.65, "lower_down": 0.35, "upper_up": 0.1}),
    "uh": (1.0, {"pucker": 0.55, "jaw_open": 0.2}),
    "uw": (1.6, {"pucker": 0.9, "jaw_open": 0.14, "wide": 0.0}),
    "ue": (1.4, {"pucker": 0.8, "jaw_open": 0.12, "funnel": 0.2, "wide": 0.0}),  # French "u", German "ü"
    "oe": (1.2, {"pucker": 0.5, "funnel": 0.35, "jaw_open": 0.28, "wide": 0.0}),  # French "eu", German "ö"
}
VISEMES = tuple(_TABLE)
"""Names of the visemes; a viseme's number is its place here."""

GENTLE = 0.3
"""How strongly, as a share, a viseme pulls the units it does not mention (towards 0)."""
SPREAD, BRIEF = 0.042, 0.024
"""Seconds over which a viseme's pull fades outside its core (the middle 60 % of its duration); contacts are
brief, or the vowel between two of them would never open."""

_CLOSURES = ("p", "f")
_CONTACT = np.array([unit in ("press", "lip_teeth", "tongue_out") for unit in UNITS])
_FIRM = np.array([unit in ("press", "lip_teeth") for unit in UNITS])
_TARGET = np.array([[targets.get(unit, 0.0) for unit in UNITS] for _, targets in _TABLE.values()])  # [V, U]
_STRENGTH = np.array(
    [
        [strength * (1.0 if unit in targets or contact else GENTLE) for unit, contact in zip(UNITS, _CONTACT)]
        for strength, targets in _TABLE.values()
    ]
)  # [V, U]
_SPREAD = np.array([BRIEF if name in (*_CLOSURES, "th") else SPREAD for name in _TABLE])  # [V]


def timed(visemes: list[tuple[str, float, float]]) -> NDArray[Any]:
    """[(viseme name, start, end), ...] in seconds -> float32 [K, 3] rows of (viseme number, start, end)."""
    rows = [(VISEMES.index(name), start, end) for name, start, end in visemes]
    return np.array(rows, np.float32).reshape(-1, 3)


def mouth_track(visemes: NDArray[Any], steps: int, effort: NDArray[Any] | None = None) -> NDArray[Any]:
    """Mouth units at the middle of each step, (t + 0.5) / 25 s.

    Args:
        visemes: [K, 3] from `timed`; what no viseme covers is silence.
        steps: T.
        effort: optional [T] factor of articulation, 1 = normal; closures of the lips are not weakened by it.
    Returns:
        float32 [T, 12], each within 0..1, zero in silence. The step nearest to the middle of a "p" or "f"
        holds the full closure, because 25 steps a second could otherwise straddle it.
    """
    middle = (np.arange(steps) + 0.5) / STEPS_PER_SECOND  # [T]
    # a faint pull towards silence everywhere, so that the mouth closes where nothing is said
    weight = np.full((steps, len(UNITS)), 1e-3)
    total = np.zeros((steps, len(UNITS)))
    for number, start, end in visemes:
        kind, centre, core = int(number), (start + end) / 2, 0.3 * (end - start)
        reach = core + 5 * _SPREAD[kind]
        first, last = np.searchsorted(middle, (centre - reach, centre + reach))
        away = np.maximum(np.abs(middle[first:last] - centre) - core, 0)
        pull = np.exp(-0.5 * (away / _SPREAD[kind]) ** 2)[:, None] * _STRENGTH[kind]  # [t, U]
        weight[first:last] += pull
        total[first:last] += pull * _TARGET[kind]
    track = total / weight
    for number, start, end in visemes:
        name = VISEMES[int(number)]
        step = int((start + end) / 2 * STEPS_PER_SECOND)
        if name in _CLOSURES and step < steps:
            explicit = [unit in _TABLE[name][1] for unit in UNITS]
            track[step, explicit] = _TARGET[int(number), explicit]
    if effort is not None:
        track = np.where(_FIRM, track, track * effort[:, None])
    return np.asarray(np.clip(track, 0.0, 1.0), np.float32)
