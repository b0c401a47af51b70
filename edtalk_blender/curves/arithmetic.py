# SPDX-License-Identifier: GPL-3.0-or-later
"""What the curve tools compute: plain numpy over key times and values, no bpy.

Legend: K curves; a curve has N keys at times [N] (scene frames, rising) with values [N], and is straight
between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

START = 0.3
"""Simplifying lets each curve lose this share of the tolerance, and then puts keys back where the sum over
the curves is too much; measured on takes of speech, this leaves the fewest keys."""


@dataclass(frozen=True)
class Polyline:
    """A curve to simplify. `scale` turns its values into pixels; keys that are not `free` stay."""

    times: Numbers
    values: Numbers
    free: Flags
    scale: float


PIECE = 250
"""Every so many keys one stays in any case: ten seconds of speech. Long curves are split in pieces at once
instead of wave by wave, which is many times as quick."""


# ---------------------------------------------------------------------------------------------- simplify


def simplify(curves: Sequence[Polyline], tolerance: float) -> list[Flags]:
    """Which keys stay, bool [N] a curve, so that no point of the face moves by more than `tolerance` pixels.

    What a moment loses is taken as the sum over the curves of |change of value| x scale, a bound on what any
    point of the face does (see `core.engine.sensitivity`).
    """
    if not curves:
        return []
    worth = _worth(curves, START * tolerance)
    kept = [(found > START * tolerance) | ~curve.free for curve, found in zip(curves, worth)]
    times = np.unique(np.concatenate([curve.times for curve in curves]))
    whole = [np.interp(times, curve.times, curve.values) for curve in curves]
    places = [np.searchsorted(times, curve.times) for curve in curves]
    while True:
        lost = np.stack(
            [
                np.abs(np.interp(times, curve.times[keep], curve.values[keep]) - values) * curve.scale
                for curve, keep, values in zip(curves, kept, whole)
            ]
        )
        total = lost.sum(axis=0)
        bad = total > tolerance
        if not bad.any():
            return kept
        around = np.pad(total, 1)
        bad &= (total >= around[:-2]) & (total >= around[2:])
        for moment in np.flatnonzero(bad):
            _put_back(int(lost[:, moment].argmax()), moment, places, kept)


def motion_lost(curves: Sequence[Polyline], kept: Sequence[Flags]) -> float:
    """The most pixels that any point may move by when only these keys stay: what `simplify` keeps small."""
    times = np.unique(np.concatenate([curve.times for curve in curves]))
    total = np.zeros(len(times))
    for curve, keep in zip(curves, kept):
        before = np.interp(times, curve.times, curve.values)
        after = np.interp(times, curve.times[keep], curve.values[keep])
        total += np.abs(after - before) * curve.scale
    return float(total.max(initial=0.0))


def _put_back(curve: int, moment: int, places: Sequence[NDArray[np.intp]], kept: Sequence[Flags]) -> None:
    """Keep the dropped key of a curve at this moment, or those on both sides of it."""
    after = int(np.searchsorted(places[curve], moment))
    if after < len(places[curve]) and places[curve][after] == moment:
        kept[curve][after] = True
        return
    kept[curve][max(0, after - 1)] = True
    kept[curve][min(after, len(kept[curve]) - 1)] = True


def _worth(curves: Sequence[Polyline], least: float) -> list[Numbers]:
    """How many pixels each key is worth, in the order in which Ramer, Douglas and Peucker would add them; all
    pieces of all curves are split at once, since numpy is quick over many numbers and slow over few. Pieces
    that lose no more than `least` are not looked into; their keys are worth 0.
    """
    starts = np.cumsum([0, *(len(curve.times) for curve in curves)])
    times = np.concatenate([curve.times for curve in curves])
    pixels = np.concatenate([curve.values * curve.scale for curve in curves])
    worth = np.zeros(len(times))
    low_parts, high_parts = [], []
    for start, curve in zip(starts, curves):
        fixed = np.flatnonzero(~curve.free)
        some = np.arange(0, len(curve.times), PIECE)
        fixed = np.unique(np.concatenate([some, fixed, [len(curve.times) - 1]])).astype(np.intp)
        worth[start + fixed] = np.inf
        low_parts.append(start + fixed[:-1])
        high_parts.append(start + fixed[1:])
    low, high = np.concatenate(low_parts), np.concatenate(high_parts)
    limit = np.full(len(low), np.inf)
    while True:
        inner = high - low > 1
        low, high, limit = low[inner], high[inner], limit[inner]
        if not len(low):
            return [worth[a:b] for a, b in pairwise(starts)]
        lengths = high - low - 1
        first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        piece = np.repeat(np.arange(len(low)), lengths)
        index = low[piece] + 1 + np.arange(len(piece)) - first[piece]
        share = (times[index] - times[low[piece]]) / np.maximum(times[high[piece]] - times[low[piece]], 1e-12)
        line = pixels[low[piece]] + share * (pixels[high[piece]] - pixels[low[piece]])
        away = np.abs(pixels[index] - line)
        most = np.maximum.reduceat(away, first)
        at = np.flatnonzero(away == most[piece])
        _, only = np.unique(piece[at], return_index=True)
        split = index[at[only]]
        limit = np.minimum(limit, most)
        worth[split] = limit
        go_on = limit > least
        low, split, high, limit = low[go_on], split[go_on], high[go_on], limit[go_on]
        low, high = np.concatenate([low, split]), np.concatenate([split, high])
        limit = np.concatenate([limit, limit])


# ------------------------------------------------------------------------------------------------ smooth


def gaussian(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Values [..., T], evenly spaced, smoothed over `sigma` of their steps; the ends count as going on."""
    if sigma <= 0 or not values.shape[-1]:
        return values.copy()
    reach = int(np.ceil(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    edges = [(0, 0)] * (values.ndim - 1) + [(reach, reach)]
    padded = np.pad(values, edges, mode="edge")
    return np.apply_along_axis(lambda row: np.convolve(row, kernel, "valid"), -1, padded)


def closures(openness: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """0..1 for each moment [T]: how much it belongs to a closing of the lips that must stay. `openness` is
    how far the jaw is open, `step` the seconds between two moments.

    A closing is a dip below a quarter of what the take opens at most (by the 95th percentile, above its 5th).
    """
    low, high = np.percentile(openness, [5, 95])
    if high - low < 1e-6:
        return np.zeros(len(openness))
    share = (openness - low) / (high - low)
    around = np.pad(share, 1, mode="edge")
    dips = np.flatnonzero((share < 0.25) & (share <= around[:-2]) & (share <= around[2:]))
    if not len(dips):
        return np.zeros(len(openness))
    moments = np.arange(len(openness))
    after = np.searchsorted(dips, moments).clip(0, len(dips) - 1)
    away = np.minimum(np.abs(moments - dips[after]), np.abs(moments - dips[np.maximum(after - 1, 0)]))
    return np.exp(-0.5 * (away * step / CLOSING) ** 2)


CLOSING = 0.04
"""Seconds around a closing within which smoothing leaves the lips alone: one step of motion."""


# ------------------------------------------------------------------------------------- ranges and silence


def border(times: Numbers, low: float, high: float, first: float, last: float, fade: float) -> Numbers:
    """0..1 for each key: how much of a change it takes. 1 within low..high; where the range ends inside the
    curve (which goes from `first` to `last`), the change fades in and out over `fade`, within the range.
    """
    share = ((times >= low - 1e-4) & (times <= high + 1e-4)).astype(np.float64)
    if fade <= 0:
        return share
    if low > first + 1e-4:
        share *= np.clip((times - low) / fade, 0, 1)
    if high < last - 1e-4:
        share *= np.clip((high - times) / fade, 0, 1)
    return share


def silences(
    levels: NDArray[np.float32], rate: float, below: float, shortest: float
) -> list[tuple[float, float]]:
    """Where a recording is silent for at least `shortest` seconds: begin and end of each, in seconds.

    levels  [T] decibels, `rate` a second
    below   decibels under the recording's own loud speech (its 95th percentile) that count as silence
    """
    if not len(levels):
        return []
    quiet = levels < np.percentile(levels, 95) - below
    if levels.max() <= -90:
        quiet[:] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    spans = edges.reshape(-1, 2) / rate
    return [(float(a), float(b)) for a, b in spans if b - a >= shortest - 1e-9]


def closed_share(times: Numbers, spans: Sequence[tuple[float, float]], fade: float) -> Numbers:
    """0..1 for each time: how far the mouth is to be closed. The mouth closes and opens inside a silence, so
    that no sound loses its movement; a span shorter than two fades closes as far as it gets.
    """
    share = np.zeros(len(times))
    for begin, end in spans:
        reach = max(min(fade, (end - begin) / 2), 1e-6)
        inside = np.clip(np.minimum(times - begin, end - times) / reach, 0, 1)
        share = np.maximum(share, inside)
    return share


def corners(spans: Sequence[tuple[float, float]], fade: float) -> Numbers:
    """The times at which `closed_share` bends."""
    found: list[float] = []
    for begin, end in spans:
        reach = min(fade, (end - begin) / 2)
        found += [begin, begin + reach, end - reach, end]
    return np.unique(np.array(found, np.float64))
