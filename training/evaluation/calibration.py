# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles: which weights turn the head by a degree, open the jaw, raise a smile; by least squares.

What a channel does is learned, so it is measured, the same way for every checkpoint, a published one
included:

1. The rig performs each action (`training.heads.actions`) on people no evaluation uses; the landmark reader
   says what changed in the picture: 68 landmarks and the motion it reads.  That is what is wanted.
2. The checkpoint redraws the same people with one channel moved at a time, as far as is usual, and the same
   reader says what changed.  That is what it can do, a matrix.
3. Bounded ridge regression finds the few weights whose changes add up to what is wanted.  No channel leaves
   its own soft range, so an emotion is not asked for backwards.
4. The model is asked to do it, and what it falls short is added.

    found = calibrate(Engine.from_checkpoint(path))
    rewrite(path, replace(meta, handles=tuple(f.handle for f in found if f.handle)))

Shapes: F features of a reading, C = 36 channels, H heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.engine.engine import Engine, Source
from core.wire.channels import CHANNELS, Channel, Handle, bank_of

from ..factors import Factors, to_weights
from ..heads.actions import ACTIONS, Action
from ..heads.motion import random_factors
from ..heads.render import HeadRenderer, Person
from .reader import COLUMNS, LandmarkReader, Reading, load_reader

Array = NDArray[np.float64]

FIRST_SEED = 500_000
"""People of calibration: neither trained on, as a rule, nor evaluated on."""

LANDMARK_UNIT = 0.03
"""A landmark that moves by this much (of half the picture's width) counts as much as one standard deviation
of a motion channel: a full smile moves the mouth corners so far."""

FAINT, UNLIKE = 0.08, 0.5
"""A handle is not written when the pictures show less than this share of what was wanted, or when it is less
like it than this (cosine): better no smile than a grimace called smile."""


@dataclass(frozen=True)
class Settings:
    """How much to measure."""

    heads: int = 16
    probe: float = 0.7  # how far a channel is moved to see what it does, as a share of its soft range
    ridge: float = 0.03  # of the strongest effect among the channels that may be used
    least: float = 0.08  # weights below this share of their channel's range are left out


@dataclass(frozen=True)
class Found:
    """One action: its handle (None when the model cannot do it), and how well it does it."""

    action: Action
    handle: Handle | None
    gain: float  # measured / wanted change, before what fell short was added
    likeness: float  # cosine of the measured and the wanted change: 1 is the same movement


@lru_cache(maxsize=1)
def spread() -> NDArray[np.float32]:
    """Standard deviation of each weight [36] in the motion that heads are rendered with; spare channels 0."""
    rng = np.random.default_rng(0)
    motion = [random_factors(rng) for _ in range(4000)]
    banks = (np.stack([getattr(m, bank) for m in motion]) for bank in ("pose", "mouth", "expression"))
    return np.asarray(to_weights(*banks).std(0), np.float32)


def features(seen: Reading) -> Array:
    """A reading as rows [N, F]: motion in standard deviations, landmarks in `LANDMARK_UNIT`."""
    columns = list(COLUMNS)
    motion = seen.weights[:, columns].numpy() / spread()[columns]
    places = seen.landmarks.flatten(1).numpy() / LANDMARK_UNIT
    return np.asarray(np.concatenate([motion, places], axis=1), np.float64)


class Stage:
    """Calibration's people: rendered at rest, in action, and redrawn by the model."""

    def __init__(self, engine: Engine, heads: int, reader: LandmarkReader | None = None) -> None:
        self.engine, self.heads = engine, heads
        self.reader = reader or load_reader()
        self.renderer = HeadRenderer(engine.read_size)

    def people(self) -> Iterator[tuple[Person, Factors, Source]]:
        """Each person, the factors of their rest, and their portrait as the engine wants it."""
        for seed in range(FIRST_SEED, FIRST_SEED + self.heads):
            rest = Factors.neutral()
            rest.pose[:3] = np.random.default_rng((seed, 31)).normal(size=3) * 0.04
            person = self.renderer.person(seed)
            try:
                yield person, rest, self.engine.prepare(self.renderer.draw(person, rest))
            finally:
                person.release()

    def rendered(self, person: Person, frames: Sequence[tuple[Factors, dict[str, float]]]) -> Array:
        """Features [N, F] of rendered pictures."""
        pictures = np.stack([self.renderer.draw(person, *frame) for frame in frames])
        return features(self.reader.read(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1))

    def drawn(self, source: Source, offsets: Array) -> Array:
        """Features [N, F] of the model's pictures, its portrait's own weights moved by offsets [N, C]."""
        return features(self.reader.read(pictures_of(self.engine, source, source.weights + offsets)))


def pictures_of(engine: Engine, source: Source, weights: NDArray[Any]) -> Tensor:
    """The model's pictures [N, 3, S, S] in [-1, 1] for rows of weights [N, C]."""
    frames = [frame.image.cpu() for frame in engine.decode(source, weights.astype(np.float32))]
    return torch.stack(frames).clamp(-1, 1)


def calibrate(
    engine: Engine, s: Settings = Settings(), say: Callable[[str, int, int], None] = lambda *_: None
) -> list[Found]:
    """All actions in their order.  `say(stage, done, total)` hears of the progress.

    Raises:
        MissingCheckpoint: the landmark reader is not there.  NoGraphics: heads cannot be rendered here.
    """
    stage = Stage(engine, s.heads)
    limits = reach(engine)
    wanted, able = np.zeros((len(ACTIONS), len(features(_nothing())[0]))), None
    for done, (person, rest, source) in enumerate(stage.people()):
        wanted += _wanted(stage, person, rest) / s.heads
        effect = _effects(stage, source, limits * s.probe) / s.heads
        able = effect if able is None else able + effect
        say("measuring", done + 1, s.heads)
    assert able is not None
    moves = [_solve(able, w, _allowed(action, engine.channels, limits), s)
             for action, w in zip(ACTIONS, wanted, strict=True)]  # fmt: skip
    first = _performed(stage, moves, say, "checking")
    found = []
    for action, target, move, done_at in zip(ACTIONS, wanted, moves, first, strict=True):
        gain, likeness = _compared(done_at, target)
        handle = None
        if gain >= FAINT and likeness >= UNLIKE:
            full = move / gain
            if not action.two_sided:  # all of it is all that the channels' ranges give; turns end earlier
                full = _within(full, _allowed(action, engine.channels, limits))
            handle = _handle(action, full, limits)
        found.append(Found(action, handle, gain, likeness))
    return found


def reach(engine: Engine) -> Array:
    """Soft limits of the channels, [C, 2]: how far below and above 0; both 0 where a channel is not used."""
    return np.array(
        [(min(c.soft_min, 0.0), max(c.soft_max, 0.0)) if c.used else (0.0, 0.0) for c in engine.channels]
    )


def _nothing() -> Reading:
    return Reading(torch.zeros(1, 68, 2), torch.zeros(1, len(CHANNELS)), torch.zeros(1, 1))


def _wanted(stage: Stage, person: Person, rest: Factors) -> Array:
    """What each action changes in renders of a person, [actions, F]; the mean of both sides if it has two."""
    shares = [(1.0, -1.0) if action.two_sided else (1.0, 0.0) for action in ACTIONS]
    frames = [action.at(share, rest) for action, pair in zip(ACTIONS, shares, strict=True) for share in pair]
    seen = stage.rendered(person, frames).reshape(len(ACTIONS), 2, -1)
    span = np.array([high - low for high, low in shares])
    return np.asarray((seen[:, 0] - seen[:, 1]) / span[:, None])


def _effects(stage: Stage, source: Source, probes: Array) -> Array:
    """What one unit of each channel changes in the model's pictures, [F, C]."""
    offsets = []
    for channel, (low, high) in enumerate(probes):
        if high > low:
            for value in (low, high):
                offsets.append(np.eye(len(CHANNELS))[channel] * value)
    seen = stage.drawn(source, np.stack(offsets)).reshape(len(offsets) // 2, 2, -1)
    effects = np.zeros((seen.shape[2], len(CHANNELS)))
    moved = [channel for channel, (low, high) in enumerate(probes) if high > low]
    effects[:, moved] = ((seen[:, 1] - seen[:, 0]) / np.diff(probes[moved])).T
    return effects


def _allowed(action: Action, channels: Sequence[Channel], limits: Array) -> Array:
    """Bounds [C, 2] of an action's weights at its full amount."""
    bounds = np.where([[bank_of(c.name) in action.banks] for c in channels], limits, 0.0)
    if action.two_sided:  # it must be possible both ways
        most = np.minimum(-bounds[:, 0], bounds[:, 1])
        bounds = np.stack([-most, most], axis=1)
    return np.asarray(bounds)


def _solve(able: Array, wanted: Array, bounds: Array, s: Settings) -> Array:
    """Weights [C] within bounds that do what is wanted [F] as `able` [F, C] can; small ones are left out."""
    strongest = np.square(able[:, bounds[:, 1] > bounds[:, 0]]).sum(0).max(initial=1e-9)
    found = bounded_ridge(able, wanted, bounds, s.ridge * strongest)
    width = np.maximum(np.abs(bounds).max(1), 1e-9)
    kept = np.where((np.abs(found) / width >= s.least)[:, None], bounds, 0.0)
    return bounded_ridge(able, wanted, kept, s.ridge * strongest)


def bounded_ridge(able: Array, wanted: Array, bounds: Array, ridge: float, sweeps: int = 300) -> Array:
    """argmin |able x - wanted|^2 + ridge |x|^2 with bounds[:, 0] <= x <= bounds[:, 1]; coordinate descent."""
    gram, goal = able.T @ able + ridge * np.eye(able.shape[1]), able.T @ wanted
    x = np.zeros(able.shape[1])
    for _ in range(sweeps):
        for i in range(len(x)):
            best = x[i] + (goal[i] - gram[i] @ x) / gram[i, i]
            x[i] = min(max(best, bounds[i, 0]), bounds[i, 1])
    return x


def _performed(stage: Stage, moves: list[Array], say: Callable[[str, int, int], None], name: str) -> Array:
    """What the model's pictures show when it performs each action in full, [actions, F]."""
    total = np.zeros(0)
    for done, (_, _, source) in enumerate(stage.people()):
        pairs = [sign * move for action, move in zip(ACTIONS, moves, strict=True)
                 for sign in ((1.0, -1.0) if action.two_sided else (1.0, 0.0))]  # fmt: skip
        seen = stage.drawn(source, np.stack(pairs)).reshape(len(moves), 2, -1)
        span = np.array([2.0 if action.two_sided else 1.0 for action in ACTIONS])
        change = (seen[:, 0] - seen[:, 1]) / span[:, None]
        total = change if not total.size else total + change
        say(name, done + 1, stage.heads)
    return np.asarray(total / stage.heads)


def _compared(seen: Array, wanted: Array) -> tuple[float, float]:
    """(share of the wanted change that was seen, cosine of both)."""
    along = float(seen @ wanted)
    lengths = float(np.linalg.norm(seen) * np.linalg.norm(wanted))
    return along / float(wanted @ wanted), along / lengths if lengths > 0 else 0.0


def _within(move: Array, bounds: Array) -> Array:
    """A move made shorter, if need be, until every channel is within its bounds."""
    over = [abs(m) / max(abs(low if m < 0 else high), 1e-9) for m, (low, high) in zip(move, bounds) if m]
    return move / max(1.0, *over) if over else move


def _handle(action: Action, move: Array, limits: Array) -> Handle | None:
    """The handle whose full amount is `move`; its range ends where the first channel's soft range ends."""
    direction = np.round(move / action.value, 6)
    if not direction.any():
        return None
    high = 1.0
    if action.two_sided:
        ends = [min(-low, up) / abs(d) for d, (low, up) in zip(direction, limits, strict=True) if d]
        high = float(np.floor(min(*ends, 1.75 * action.value)))
    return Handle(
        name=action.name, label=action.label, description=action.description, unit=action.unit,
        direction=tuple(float(d) for d in direction),
        soft_min=-high if action.two_sided else 0.0, soft_max=high,
    )  # fmt: skip
