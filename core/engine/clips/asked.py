# SPDX-License-Identifier: GPL-3.0-or-later
"""What a clip asks of a portrait: its numbers against its own rest, smoothed without lag.

    turns       against the first frame that shows the face
    aperture    over closed lips (the least of the clip, as long as that is no open mouth)
    iris, width, corners, brows    against the median of the shot: a person's build is no expression
    lids        as shares of the open eye's; a short fall counts as a whole blink

A shot is what lies between two cuts. In profile, lips and eyes hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.engine import presence
from core.engine.clips.face_numbers import COLUMN, EYES, LIDS, LIPS, TURNS
from core.engine.clips.reading import Read
from core.motion.motion import interpolate, smoothed
from core.pictures.head_shape import Floats

STEADY: dict[str, float] = {
    **dict.fromkeys(TURNS, 0.035),
    "aperture": 0.012,
    "width": 0.03,
    "lips": 0.04,
    "corners": 0.06,
    "brow_in": 0.08,
    "brow_out": 0.08,
    "open_right": 0.0,
    "open_left": 0.0,
    "iris_x": 0.06,
    "iris_y": 0.06,
}
"""Seconds, deviation of the Gaussians that take the reader's trembling out."""
PROFILE = 50.0  # degrees of yaw beyond which lips and eyes are not read
CLOSED = (5, 0.05)  # percentile of the aperture that counts as closed lips, and the most that may
OPEN = 75  # percentile of a lid's gap that counts as open
LEAST = 25  # frames of a shot that are enough for a rest of its own
SHUT = 0.36  # share of an open eye's gap that the reader still sees where it is shut
BEHIND = 0.35  # closure from which an iris is not seen
IDLE = 0.12  # closure below which a lid is open
BLINK = (0.3, 0.5)  # closure that is a blink if it lasts no longer than these seconds


def asked(read: Read, rate: float) -> tuple[Floats, NDArray[np.bool_]]:
    """[N, M] numbers against rest, in which `open_*` are closures, 0 open to 1 shut; [N] whether lips and
    eyes were read."""
    turned = np.abs(read.numbers[:, COLUMN["yaw"]]) > PROFILE
    frontal = read.shown & ~turned
    if not frontal.any():
        frontal = read.shown
    rows = read.numbers.copy()
    face = [COLUMN[name] for name in (*LIPS, *EYES)]
    for shot in np.unique(read.shots):
        here = read.shots == shot
        known = here & frontal
        if known.sum() < LEAST:
            known = frontal
        rows[np.ix_(here, face)] -= _rest(read.numbers[known])[face]
        for column in LIDS:
            opened = max(float(np.percentile(read.numbers[known, column], OPEN)), 1e-3)
            rows[here, column] = np.clip((1 - read.numbers[here, column] / opened) / (1 - SHUT), 0, 1)
    closed = rows[:, LIDS].mean(axis=1) > BEHIND
    irises = [COLUMN["iris_x"], COLUMN["iris_y"]]
    open_eyes = np.flatnonzero(~closed & frontal)
    if len(open_eyes):
        rows[:, irises] = interpolate(open_eyes, rows[open_eyes][:, irises], np.arange(len(rows)))
    rows[:, face] = presence.held(rows[:, face].astype(np.float32), frontal)
    for name, seconds in STEADY.items():
        rows[:, COLUMN[name]] = smoothed(rows[:, [COLUMN[name]]], seconds * rate)[:, 0]
    turns = [COLUMN[name] for name in TURNS]
    rows[:, turns] -= rows[int(read.shown.argmax()), turns]
    for column in LIDS:
        rows[:, column] = blinking(np.where(frontal, rows[:, column], 0), rate)
    return rows, frontal


def _rest(numbers: Floats) -> Floats:
    rest = np.median(numbers, axis=0)
    aperture = COLUMN["aperture"]
    rest[aperture] = min(float(np.percentile(numbers[:, aperture], CLOSED[0])), CLOSED[1])
    return np.asarray(rest)


def blinking(closure: Floats, rate: float) -> Floats:
    """Closures [N] in which short ones are whole: the reader sees half of a blink that lasts three frames."""
    out = np.where(closure < IDLE, 0.0, closure)
    edges = np.flatnonzero(np.diff(np.concatenate([[0.0], out > 0, [0.0]])))
    for first, last in zip(edges[::2], edges[1::2]):
        peak = out[first:last].max()
        if peak >= BLINK[0] and last - first <= max(1.0, BLINK[1] * rate):
            out[first:last] /= peak
    return out


def sentences(name: str, read: Read, frontal: NDArray[np.bool_], end: float) -> list[str]:
    """What an animator should know of a clip: where it holds, where it is cut, whom it follows."""
    said = []
    if not read.shown.all():
        where = presence.named(presence.spans(read.times, read.shown, end))
        said.append(f"{name} shows no face from {where}; the motion holds still there")
    away = read.shown & ~frontal
    if away.any():
        where = presence.named(presence.spans(read.times, ~away, end))
        said.append(f"The face in {name} is in profile from {where}; its lips and eyes hold still there")
    cuts = read.times[1:][np.diff(read.shots) > 0]
    if len(cuts):
        more = f" and {len(cuts) - presence.MOST_NAMED} more" if len(cuts) > presence.MOST_NAMED else ""
        times = ", ".join(f"{seconds:.1f}" for seconds in cuts[: presence.MOST_NAMED])
        said.append(f"{name} is cut at {times} s{more}; the motion goes on with the face that is seen then")
    if read.rivals:
        said.append(f"{name} shows {read.rivals + 1} faces; the largest at first is followed")
    return said
