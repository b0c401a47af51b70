# SPDX-License-Identifier: GPL-3.0-or-later
"""total = generated + emotions + handles: what a face is drawn from, in one place for Blender and the server.

    expression = generated + sum over the emotions but neutral of e (P - P_neutral)
                           + e_neutral (P_neutral - generated)
    total      = that + sum over the handles of h direction

P are the checkpoint's emotions, points in the expression bank; neutral is one of them and need not be zero,
so an emotion counts from there, and half of two emotions is the mean of both. The neutral slider takes the
generated expression away, but only in channels by which any two emotions differ: a blink and a glance
stay. With every slider at 0, the total is the generated weights, to the bit.

A value may be a number or, for a whole take at once, a numpy array [T]: only + - and * touch it, so the
standard library is enough. docs/formats.md says the same for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .channels import BANK_SLICES, CHANNELS, Handle

Value = Any
"""A number, or a numpy array [T]."""

NEUTRAL = "neutral"
_FIRST = BANK_SLICES["expression"].start


def mix(
    generated: Sequence[Value],
    emotions: Mapping[str, Value],
    handles: Mapping[str, Value],
    presets: Mapping[str, Sequence[float]],
    directions: Sequence[Handle],
) -> list[Value]:
    """The 36 total weights.

    generated   36 weights in channel order, as they come from a take
    emotions    emotion -> how much, 0..1; one that is missing counts as 0
    handles     handle -> value in its unit; one that is missing counts as 0
    presets     emotion -> 10 expression weights, from the checkpoint; sliders without a preset do nothing
    directions  the checkpoint's handles
    """
    if len(generated) != len(CHANNELS):
        raise ValueError(f"mix wants {len(CHANNELS)} weights, not {len(generated)}")
    total = list(generated)
    neutral = neutral_of(presets)
    if NEUTRAL in emotions:
        for index in emotional(presets):
            _add(total, _FIRST + index, emotions[NEUTRAL], neutral[index] - generated[_FIRST + index])
    for name, preset in presets.items():
        if name != NEUTRAL and name in emotions:
            for index, (there, here) in enumerate(zip(preset, neutral)):
                _add(total, _FIRST + index, emotions[name], there - here)
    for handle in directions:
        if handle.name in handles:
            for index, step in enumerate(handle.direction):
                _add(total, index, handles[handle.name], step)
    return total


def neutral_of(presets: Mapping[str, Sequence[float]]) -> Sequence[float]:
    """Where the emotions count from: the neutral preset, or rest for a checkpoint that has none."""
    size = BANK_SLICES["expression"].stop - _FIRST
    return presets.get(NEUTRAL, (0.0,) * size)


def emotional(presets: Mapping[str, Sequence[float]]) -> list[int]:
    """Which of the 10 expression channels emotions move: those by which any preset differs from neutral."""
    neutral = neutral_of(presets)
    moved = [any(preset[i] != neutral[i] for preset in presets.values()) for i in range(len(neutral))]
    return [index for index, is_moved in enumerate(moved) if is_moved]


def _add(total: list[Value], index: int, amount: Value, step: Value) -> None:
    """total[index] += amount * step, not in place: an array is its owner's."""
    if not (isinstance(step, (int, float)) and step == 0):
        total[index] = total[index] + amount * step
