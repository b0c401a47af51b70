# SPDX-License-Identifier: GPL-3.0-or-later
"""Does moving one bank leave the others alone?  Cross-talk, energy outside the mouth, and handles that keep
their word.

On held-out people, each in a random motion: one bank moves by one standard deviation (root mean square over
its channels, towards another random motion, so that it stays among motions that occur).  What the other
banks' factors then do is read back off the redrawn pictures, by the checkpoint's own encoder and by the
landmark reader, in standard deviations, root mean square over factors and people.  The same change, rendered,
is the ground truth row: what the reader says of a perfect model (an emotion does move the mouth corners).

Shapes: C = 36 channels, N pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.engine.engine import Engine
from core.wire.channels import BANK_SLICES, Handle

from ..factors import FACTORS, Factors, from_weights, to_weights
from ..heads.actions import ACTIONS
from ..heads.dataset import HELD_OUT
from ..heads.labels import boxes
from ..heads.motion import random_factors, resting_factors
from ..heads.render import HeadRenderer, Person
from .calibration import LANDMARK_UNIT, pictures_of, spread
from .reader import LandmarkReader, load_reader

Rows = NDArray[np.float32]
Say = Callable[[str, int, int], None]

FIRST_PERSON = HELD_OUT + 2000
"""Held-out people of this file; the redrawn pairs have others."""

_STREAM = 41
_SEEN = ("encoder", "reader", "truth", "encoder_truth")


@dataclass(frozen=True)
class CrossTalk:
    """[3, 3] each: row is the bank that moves (mouth, pose, expression), column the bank that is read.

    Beside the diagonal: change in standard deviations, 0 is best. On it: the share of the move that is read.
    """

    encoder: Rows  # read back by the checkpoint's own encoder
    reader: Rows  # read back by the landmark reader
    truth: Rows  # the reader on renders of the same change
    encoder_truth: Rows  # the encoder on them: what it confuses by itself, whatever is drawn
    outside: dict[str, float]  # when the mouth moves: share of the change's energy outside the mouth box ...
    outside_lips: dict[str, float]  # ... and outside the tight box of the lips; "drawn" and "truth" each

    @property
    def largest(self) -> float:
        """The largest change of a bank that was to stay as it was, by the encoder."""
        return float(self.encoder[~np.eye(3, dtype=bool)].max())


def cross_talk(engine: Engine, people: int = 24, say: Say = lambda *_: None) -> CrossTalk:
    """Measure on `people` held-out heads.  The channels must be the factors of `training.factors`."""
    reader, renderer = load_reader(), HeadRenderer(engine.read_size)
    sums = {name: (np.zeros((3, 3)), np.zeros((3, 3))) for name in _SEEN}
    energy = {"drawn": np.zeros(3), "truth": np.zeros(3)}
    for done, (rng, person) in enumerate(_people(renderer, people)):
        start, moves = _moves(rng)
        frames = [Factors(*(bank[0] for bank in from_weights(start + move))) for move in (0 * start, *moves)]
        true = [renderer.frame(person, frame) for frame in frames]
        source = engine.prepare(renderer.draw(person, resting_factors(rng)))
        drawn = pictures_of(engine, source, np.stack([start, *(start + move for move in moves)]))
        rendered = torch.from_numpy(np.stack([f.image for f in true])).permute(0, 3, 1, 2) / 127.5 - 1
        read = {
            "encoder": engine.weights_of(_levels(drawn)),
            "reader": reader.read(drawn).weights.numpy(),
            "truth": reader.read(rendered).weights.numpy(),
            "encoder_truth": engine.weights_of(np.stack([frame.image for frame in true])),
        }
        for name, weights in read.items():
            _add(sums[name], weights[1:] - weights[0], moves)
        lips = [boxes(f.landmarks)[0] for f in true[:2]]
        jaws = [_down_to_the_chin(f.landmarks) for f in true[:2]]
        for name, pictures in (("drawn", drawn), ("truth", rendered)):
            energy[name] += _energy(pictures[0], pictures[1], jaws, lips)
        say("cross-talk", done + 1, people)
    return CrossTalk(
        **{name: _table(*found) for name, found in sums.items()},
        outside={name: float(e[0] / e[2]) for name, e in energy.items()},
        outside_lips={name: float(e[1] / e[2]) for name, e in energy.items()},
    )


def _people(renderer: HeadRenderer, count: int) -> Iterator[tuple[np.random.Generator, Person]]:
    for seed in range(FIRST_PERSON, FIRST_PERSON + count):
        person = renderer.person(seed)
        try:
            yield np.random.default_rng((seed, _STREAM)), person
        finally:
            person.release()


def _random_weights(rng: np.random.Generator) -> Rows:
    motion = random_factors(rng)
    return np.asarray(to_weights(motion.pose[None], motion.mouth[None], motion.expression[None])[0])


def _moves(rng: np.random.Generator) -> tuple[Rows, list[Rows]]:
    """A random motion [C], and for each bank a move [C] of it by one standard deviation."""
    start, moves = _random_weights(rng), []
    scale = _in_deviations()
    for part in BANK_SLICES.values():
        size = 0.0
        while size < 0.5:  # two motions may hold the same mouth, closed
            move = np.zeros_like(start)
            move[part] = (_random_weights(rng) - start)[part]
            size = float(np.sqrt(np.square(move * scale)[part].sum() / (scale[part] > 0).sum()))
        moves.append(move / size)
    return start, moves


def _in_deviations() -> Rows:
    """[C] weights -> standard deviations; 0 for spare channels."""
    deviation = spread()
    return np.asarray(np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0))


def _add(sums: tuple[NDArray[Any], NDArray[Any]], changes: Rows, moves: list[Rows]) -> None:
    """Add one person's changes [3, C] under three moves: squares and number of values; on the diagonal, the
    product with the move and the move's square."""
    scale = _in_deviations()
    for row, (change, move) in enumerate(zip(changes * scale, moves, strict=True)):
        for column, part in enumerate(BANK_SLICES.values()):
            wanted = (move * scale)[part]
            if row == column:
                sums[0][row, column] += change[part] @ wanted
                sums[1][row, column] += wanted @ wanted
            else:
                sums[0][row, column] += np.square(change[part]).sum()
                sums[1][row, column] += (scale[part] > 0).sum()


def _table(total: NDArray[Any], count: NDArray[Any]) -> Rows:
    mean = total / count
    beside = ~np.eye(3, dtype=bool)
    mean[beside] = np.sqrt(mean[beside])
    return np.asarray(mean, np.float32)


def _levels(pictures: torch.Tensor) -> NDArray[np.uint8]:
    levels = (pictures.permute(0, 2, 3, 1) * 127.5 + 127.5).round().clamp(0, 255)
    return np.asarray(levels.byte().numpy())


def _down_to_the_chin(landmarks: NDArray[Any]) -> tuple[float, ...]:
    """The box of what mouth weights move: from the nose's base to below the chin, jaw included."""
    (left, _), (right, bottom) = landmarks[3:14].min(0), landmarks[3:14].max(0)
    margin = 0.06 * (right - left)
    return left - margin, float(landmarks[33, 1]), right + margin, bottom + margin


def _energy(before: torch.Tensor, after: torch.Tensor, *boxes_of: list[Any]) -> NDArray[Any]:
    """Squared change between pictures [3, S, S]: outside each set of boxes, and everywhere."""
    changed = ((after - before) ** 2).sum(0).numpy()
    centre = (np.arange(len(changed)) + 0.5) * 2 / len(changed) - 1
    found = []
    for places in boxes_of:
        inside = np.zeros(changed.shape, bool)
        for x0, y0, x1, y1 in places:
            inside |= ((centre >= y0) & (centre <= y1))[:, None] & ((centre >= x0) & (centre <= x1))
        found.append(changed[~inside].sum())
    return np.array([*found, changed.sum()])


# --- handles --------------------------------------------------------------------------------------------

ASKED = {"deg": 10.0, "": 1.0}
"""What a handle is asked for: ten degrees (gaze too), or the full movement."""


@dataclass(frozen=True)
class Kept:
    """How a handle keeps its word, over held-out heads."""

    name: str
    asked: float  # in the handle's unit
    measured: float  # what the reader measures in the redrawn pictures, in the same unit
    rendered: float  # what it measures when the rig does exactly what was asked
    # bank that was to stay as it was -> change of its factors, in standard deviations:
    encoder: dict[str, float]  # as the checkpoint's own encoder reads them
    reader: dict[str, float]  # as the landmark reader does, beyond what it says of the rig


def handles_kept(
    engine: Engine, handles: tuple[Handle, ...], people: int = 16, say: Say = lambda *_: None
) -> list[Kept]:
    """Ask each handle for `ASKED` and measure, beside the rig's own rendering of the same."""
    reader, renderer = load_reader(), HeadRenderer(engine.read_size)
    actions = {action.name: action for action in ACTIONS}
    asked = [min(ASKED[handle.unit], handle.soft_max) for handle in handles]
    drawn, true, read = [], [], []
    for done, (rng, person) in enumerate(_people(renderer, people)):
        rest = resting_factors(rng)
        source = engine.prepare(renderer.draw(person, rest))
        steps = [np.zeros(len(source.weights))]
        frames = [(rest, dict[str, float]())]
        for handle, value in zip(handles, asked, strict=True):
            steps.append(np.array(handle.direction) * value)
            frames.append(actions[handle.name].at(value / actions[handle.name].value, rest))
        redrawn = pictures_of(engine, source, source.weights + np.stack(steps))
        drawn.append(_changes(reader, redrawn))
        weights = engine.weights_of(_levels(redrawn))
        read.append(weights[1:] - weights[0])
        pictures = np.stack([renderer.draw(person, *frame) for frame in frames])
        true.append(_changes(reader, torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1))
        say("handles", done + 1, people)
    return [
        _kept(handle, value, *(np.stack([person[k] for person in rows]) for rows in (drawn, true, read)))
        for k, (handle, value) in enumerate(zip(handles, asked, strict=True))
    ]


def _changes(reader: LandmarkReader, pictures: torch.Tensor) -> NDArray[Any]:
    """Change of each picture's reading against the first's: [N - 1, C + 136]."""
    seen = reader.read(pictures)
    rows = np.concatenate([seen.weights.numpy(), seen.landmarks.flatten(1).numpy()], axis=1)
    return np.asarray(rows[1:] - rows[0])


_TURNS = {f.name: f for f in FACTORS if f.name in ("yaw", "pitch", "roll", "gaze_x", "gaze_y")}


def _kept(handle: Handle, asked: float, drawn: NDArray[Any], true: NDArray[Any], read: NDArray[Any]) -> Kept:
    if handle.name in _TURNS:
        factor = _TURNS[handle.name]
        degrees = np.rad2deg(factor.scale)
        measured, rendered = (float(rows[:, factor.column].mean() * degrees) for rows in (drawn, true))
    else:  # along what the rig does, in the whole reading
        scale = np.concatenate([_in_deviations(), np.full(136, 1 / LANDMARK_UNIT)])
        wanted = true.mean(0) * scale
        measured = asked * float((drawn.mean(0) * scale) @ wanted / (wanted @ wanted))
        rendered = asked
    own = {action.name: action.banks for action in ACTIONS}[handle.name]
    others = [bank for bank in BANK_SLICES if bank not in own]
    beyond = (drawn - true)[:, : read.shape[1]]
    return Kept(handle.name, asked, measured, rendered, _strayed(read, others), _strayed(beyond, others))


def _strayed(changes: Rows, banks: list[str]) -> dict[str, float]:
    """Root mean square of changes [N, C] over people and the factors of each bank, in standard deviations."""
    scale = _in_deviations()
    square = np.square(changes * scale).mean(0)
    parts = {bank: BANK_SLICES[bank] for bank in banks}
    return {bank: float(np.sqrt(square[p].sum() / (scale[p] > 0).sum())) for bank, p in parts.items()}
