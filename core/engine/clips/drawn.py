# SPDX-License-Identifier: GPL-3.0-or-later
"""What the handles of a checkpoint draw on one portrait, as the reader of clips sees it.

Each handle is drawn at a few values, finished as a frame is (lids and lips with it), and read. So a degree of
yaw is what turns this face by a degree, whatever the checkpoint says of its handle. Measured once a portrait,
in about three seconds of two cores.

A reader that sees much less of a handle than people would, or much more (paintings, beards, glasses), is
believed as far as `BELIEVED`.

Legend: K values of a handle, M numbers (`core.engine.clips.face_numbers.NAMES`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from core.engine.clips.face_numbers import COLUMN, NAMES, numbers_of, shape_in
from core.engine.finish import PICTURE, Finish
from core.motion.motion import Weights
from core.pictures import face_models, face_track
from core.pictures.face_track import FaceSeen
from core.pictures.head_shape import Floats
from core.wire.channels import BANK_SLICES

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from core.engine.portrait import Portrait

SIDE = 320  # pixels of the pictures that are read
PROBES: Mapping[str, tuple[float, ...]] = {
    "yaw": (-20, -8, 8, 20),
    "pitch": (-12, -5, 5, 12),
    "roll": (-10, 10),
    "jaw_open": (0.1, 0.25, 0.5, 0.75, 1.0),
    "wide": (0.5, 1.0),
    "pucker": (0.5, 1.0),
    "press": (1.0,),
    "smile": (0.5, 1.0),
    "frown": (1.0,),
    "brow_up": (0.5, 1.0),
    "brow_down": (1.0,),
    "blink": (0.25, 0.5, 0.75, 1.0),
    "blink_right": (0.25, 0.5, 0.75, 1.0),
    "blink_left": (0.25, 0.5, 0.75, 1.0),
    "gaze_x": (-12, 12),
    "gaze_y": (-6, 6),
}
NEEDED = ("yaw", "pitch", "roll", "jaw_open")
"""Handles without which a checkpoint is not driven this way."""
USUAL: Mapping[str, tuple[str, float]] = {
    # handle -> the number it is for, and what one unit of it draws of that on the average of eight portraits
    "yaw": ("yaw", 0.85),
    "pitch": ("pitch", 0.75),
    "roll": ("roll", 0.92),
    "jaw_open": ("aperture", 0.24),
    "wide": ("width", 0.12),
    "pucker": ("width", -0.06),
    "smile": ("corners", 0.055),
    "brow_up": ("brow_in", 0.038),
    "brow_down": ("brow_in", -0.017),
    "gaze_x": ("iris_x", 0.0035),
    "gaze_y": ("iris_y", 0.0018),
}
PEOPLE: Mapping[str, float] = {"aperture": 1.1, "width": 1.35}
"""What the refined mesh sees of drawn lips that move, for 1 that this one sees; on lips of real talkers both
see the same."""
BLINKS = ("blink", "blink_right", "blink_left")
BELIEVED = (0.65, 1.6)
"""Least and most of the usual that a portrait's own may be."""
FIRM = 0.5  # of both lids' openness that a blink must take, as a share, or else the reader sees no lids here


@dataclass(frozen=True, eq=False)
class Drawn:
    """What one portrait draws."""

    rest: Floats  # [M] of the portrait with its mouth at rest
    values: dict[str, Floats]  # handle -> [K] rising, 0 among them
    effects: dict[str, Floats]  # handle -> [K, M] against rest

    @property
    def shut(self) -> Floats:
        """[M] what shut lids change."""
        ends = [self.effects[name][-1] for name in BLINKS if name in self.effects]
        return np.asarray(np.min(ends, axis=0) if ends else np.zeros(len(NAMES)))

    def of(self, handle: str, amount: Floats) -> Floats:
        """[..., M] what amounts [...] of a handle change; beyond the ends it goes on as at the end."""
        values, effects = self.values[handle], self.effects[handle]
        number = np.clip(np.searchsorted(values, amount) - 1, 0, len(values) - 2)
        share = (amount - values[number]) / (values[number + 1] - values[number])
        low, high = effects[number], effects[number + 1]
        return np.asarray(low + share[..., None] * (high - low))


_kept: WeakKeyDictionary[Portrait, Drawn | None] = WeakKeyDictionary()


def drawn_by(engine: Engine, portrait: Portrait) -> Drawn | None:
    """What this portrait draws, measured once; None where clips are not read (no reader, no such handles) or
    no face is read in the portrait."""
    if portrait not in _kept:
        names = {handle.name for handle in engine.handles}
        able = not face_models.why_not() and set(NEEDED) <= names
        _kept[portrait] = _measured(engine, portrait) if able else None
    return _kept[portrait]


def mouth_at_rest(portrait: Portrait) -> Weights:
    """[36] the portrait's own weights but for the mouth's, which are 0: lips that say nothing."""
    weights = portrait.weights.copy()
    weights[BANK_SLICES["mouth"]] = 0
    return weights


def _measured(engine: Engine, portrait: Portrait) -> Drawn | None:
    directions = {handle.name: np.array(handle.direction) for handle in engine.handles}
    rest = mouth_at_rest(portrait)
    asked = [(name, value) for name in PROBES if name in directions for value in PROBES[name]]
    rows = [rest, *(rest + value * directions[name] for name, value in asked)]
    weights = np.array(rows, np.float32)
    finish = Finish(portrait, SIDE)
    frames = engine.decode(portrait.source, finish.sent(weights))
    pictures = [finish(frame, row)[PICTURE].rgb for frame, row in zip(frames, weights)]
    first = face_track.Follower().look(pictures[0])
    if first is None:
        return None
    seen: list[FaceSeen | None] = [face_track.read(picture, first) for picture in pictures]
    known = [face for face in seen if face is not None]
    if seen[0] is None or len(known) < len(seen) / 2:
        return None
    shape = shape_in(known)
    numbers = iter(numbers_of(known, shape))
    read = [None if face is None else next(numbers) for face in seen]
    base = read[0]
    assert base is not None
    values, effects = {}, {}
    for name in dict(asked):
        here = [(0.0, np.zeros(len(NAMES)))]
        here += [
            (value, row - base) for (n, value), row in zip(asked, read[1:]) if n == name and row is not None
        ]
        here.sort(key=lambda pair: pair[0])
        if len(here) > 1:
            values[name] = np.array([value for value, _ in here])
            effects[name] = _believed(name, values[name], np.array([row for _, row in here]), base)
    return Drawn(base, values, effects) if set(NEEDED) <= set(values) else None


def _believed(name: str, values: Floats, effects: Floats, base: Floats) -> Floats:
    """Effects [K, M] of which the one that the handle is for is as large as people would see it."""
    effects = effects.copy()
    for number, factor in PEOPLE.items():
        effects[:, COLUMN[number]] *= factor
    if name.startswith("blink"):
        return _lids(name, values, effects, base)
    if name not in USUAL:
        return effects
    column, usual = COLUMN[USUAL[name][0]], USUAL[name][1]
    slope = float((values * effects[:, column]).sum() / (values**2).sum())
    ratio = slope / usual
    within = float(np.clip(ratio, *BELIEVED))
    if within != ratio:
        effects[:, column] = usual * within * values
    return effects


def _lids(name: str, values: Floats, effects: Floats, base: Floats) -> Floats:
    """Lids fall as the handle rises; where the reader does not see them fall, they fall by its value. What it
    sees of an iris behind a lid is nothing."""
    effects[:, [COLUMN["iris_x"], COLUMN["iris_y"]]] = 0
    for side in ("right", "left"):
        column = COLUMN[f"open_{side}"]
        if name == f"blink_{'left' if side == 'right' else 'right'}":
            continue
        fallen = np.minimum.accumulate(np.minimum(effects[:, column], 0))
        enough = fallen[-1] < -FIRM * base[column]
        effects[:, column] = fallen if enough else -values * 0.7 * base[column]
    return effects
