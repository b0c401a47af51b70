# SPDX-License-Identifier: GPL-3.0-or-later
"""Which amounts of the handles make a portrait's face show wanted numbers.

For each frame the amounts a minimise

    sum over the numbers m   ((sum over the handles of effect(a)_m - wanted_m) / SCALE_m)^2
    + sum over the handles   (COST a / full)^2

within the handles' ranges, by descent along one handle at a time (the effects are curves, measured on the
portrait): over its whole range at first, then nearer and nearer. Frames are solved together and each for
itself, so nothing lags.

The three groups share no number: head, lips with brows, eyes. So a number that a clip does not show well
harms its own group alone.

Legend: T frames, M numbers, K values that are tried.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.engine.clips.drawn import Drawn
from core.engine.clips.face_numbers import COLUMN, EYES, LIPS, NAMES, TURNS
from core.pictures.head_shape import Floats

Ranges = Mapping[str, tuple[float, float]]

GROUPS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("yaw", "pitch", "roll"), TURNS),
    (("jaw_open", "wide", "pucker", "press", "smile", "frown", "brow_up", "brow_down"), LIPS),
    (("blink", "blink_right", "blink_left", "gaze_x", "gaze_y"), EYES),
)
"""Handles, and the numbers that they are to match."""
SCALE: Mapping[str, float] = {
    **dict.fromkeys(TURNS, 1.0),
    "aperture": 0.01,
    "width": 0.04,
    "lips": 0.06,
    "corners": 0.04,
    "brow_in": 0.03,
    "brow_out": 0.03,
    "open_right": 0.02,
    "open_left": 0.02,
    "iris_x": 0.015,
    "iris_y": 0.03,
}
"""What counts as much as what: about the reader's own noise between two people."""
COST = 0.15  # of a handle at the end of its range; it keeps handles that cancel each other near 0
PARTED = 0.02  # aperture from which lips are not pressed: pressed ones would not part
SWEEPS = 12
TRIED = 25  # values along a handle in one sweep
NARROWER = 0.5  # of the stretch that is tried, from a sweep to the next


def amounts(drawn: Drawn, wanted: Floats, ranges: Ranges) -> dict[str, Floats]:
    """Handle -> [T] its amounts.

    Args:
        wanted: [T, M] numbers against the portrait's rest.
        ranges: handle -> least and most, of those that the checkpoint has.
    """
    found: dict[str, Floats] = {}
    for names, numbers in GROUPS:
        used = [name for name in names if name in ranges and name in drawn.values]
        if {"blink_right", "blink_left"} <= set(used):
            used.remove("blink")
        found |= _group(drawn, wanted, ranges, used, [COLUMN[number] for number in numbers])
    return found


def _group(
    drawn: Drawn, wanted: Floats, ranges: Ranges, names: list[str], columns: list[int]
) -> dict[str, Floats]:
    scale = np.array([SCALE[NAMES[column]] for column in columns])
    left = -wanted[:, columns] / scale  # what the handles so far make, less what is wanted
    shut = np.clip(1 - wanted[:, [COLUMN["aperture"]]] / PARTED, 0, 1)
    now = {name: np.zeros(len(wanted)) for name in names}
    made = {name: np.zeros_like(left) for name in names}
    steps = np.linspace(-1, 1, TRIED)
    for sweep in range(SWEEPS):
        for name in names:
            low, high = ranges[name]
            full = max(abs(low), abs(high))
            reach = (high - low) * NARROWER**sweep
            most = high * shut if name == "press" else high
            tried = np.clip(now[name][:, None] + reach * steps, low, most)  # [T, K]
            effect = drawn.of(name, tried)[..., columns] / scale  # [T, K, M]
            others = left - made[name]
            misses = ((others[:, None] + effect) ** 2).sum(-1) + (COST * tried / full) ** 2
            best = misses.argmin(axis=1)
            rows = np.arange(len(wanted))
            now[name], made[name] = tried[rows, best], effect[rows, best]
            left = others + made[name]
    return now
