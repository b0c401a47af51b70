# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion, the one currency: 36 weights a step, made by `analyze`, edited by the animator, turned into
frames by `decode`.

Plain numpy in, plain files out: motion.npz (no pickles, keys in `core.wire.channels.MOTION_KEYS`) and a
CSV for everything else that reads tables. All operations return a new Motion and look at nothing but time
and weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import files
from core.files import written_whole
from core.wire import moments, mouth_knobs
from core.wire.channels import BANK_SLICES, CHANNELS, STEPS_PER_SECOND
from core.wire.errors import BadMotion
from core.wire.formats import weights as weight_files
from core.wire.formats.arrays import AGAIN

Weights = NDArray[np.float32]

TAIL = 3.0  # a Gaussian is cut off at this many sigmas


@dataclass(frozen=True, eq=False)
class Motion:
    """Three weight tracks in time.

    Usage:
        take = Motion.load("motion.npz")
        take.slice(25, 75)                      # the second and third second
        take.smooth(1.5, "pose")                # calm the head, leave the mouth alone
        take.blend(other, 0.3)                  # 70 % take, 30 % other
        take.resample(24.0)                     # at the scene's frame rate
    """

    weights: Weights
    """[T, 36] in channel order: mouth, pose, expression."""
    rate: float = float(STEPS_PER_SECOND)
    """Rows a second."""
    model: str = ""
    """Id of the checkpoint the weights belong to; weights of one mean nothing to another."""
    numbers: NDArray[np.int64] | None = None
    """[T] frame numbers; None stands for 0..T-1."""
    looks: Weights | None = None
    """[T, 7] how the inside of the mouth shall be drawn (`core.wire.mouth_knobs`); None: nothing is asked
    for."""

    def __post_init__(self) -> None:
        """Refuse what is no motion. Raises BadMotion."""
        weights = np.array(self.weights, np.float32, ndmin=2)
        if weights.ndim != 2 or weights.shape[1] != len(CHANNELS) or not len(weights):
            raise BadMotion(
                f"A motion is T rows of {len(CHANNELS)} weights, not {' x '.join(map(str, weights.shape))}"
            )
        if not np.isfinite(weights).all():
            row, column = np.argwhere(~np.isfinite(weights))[0]
            raise BadMotion(
                f"The motion holds a value that is not a number, at row {row} of {CHANNELS[column]}"
            )
        if not (np.isfinite(self.rate) and 0 < self.rate <= 1000):
            raise BadMotion(f"A motion has between 0 and 1000 rows a second, not {self.rate}")
        numbers = np.arange(len(weights)) if self.numbers is None else np.array(self.numbers, np.int64)
        if numbers.shape != (len(weights),):
            raise BadMotion(f"The motion has {len(weights)} rows but {numbers.size} frame numbers")
        if len(np.unique(numbers)) != len(numbers):
            raise BadMotion("The motion names a frame number twice")
        if self.looks is not None:
            object.__setattr__(self, "looks", _tidy_looks(self.looks, len(weights)))
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "rate", float(self.rate))
        object.__setattr__(self, "numbers", numbers)

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def mouth(self) -> Weights:
        """[T, 20]"""
        return self.weights[:, BANK_SLICES["mouth"]]

    @property
    def pose(self) -> Weights:
        """[T, 6]"""
        return self.weights[:, BANK_SLICES["pose"]]

    @property
    def expression(self) -> Weights:
        """[T, 10]"""
        return self.weights[:, BANK_SLICES["expression"]]

    @property
    def frames(self) -> NDArray[np.int64]:
        """[T] frame numbers."""
        assert self.numbers is not None  # filled in when the motion was made
        return self.numbers

    @property
    def seconds(self) -> float:
        """How long the motion lasts; each row fills 1 / rate seconds."""
        return len(self) / self.rate

    def at(self, seconds: ArrayLike) -> Weights:
        """[N, 36] weights at any times, linear between the middles of the rows; before the first and after
        the last, that row is held."""
        return self._between(moments.frame_at(np.asarray(seconds, np.float64), self.rate))

    def slice(self, start: int, stop: int) -> Motion:
        """Rows start..stop-1, with their frame numbers. Raises BadMotion when none are left."""
        return self.rows(np.arange(len(self))[start:stop])

    def rows(self, which: NDArray[Any]) -> Motion:
        """Some of the rows, by index or mask, with their frame numbers. Raises BadMotion when none are
        left."""
        looks = None if self.looks is None else self.looks[which]
        return replace(self, weights=self.weights[which], numbers=self.frames[which], looks=looks)

    def smooth(self, sigma: float, bank: str = "") -> Motion:
        """Gaussian over time, `sigma` in rows, for one bank or all. The ends are held, so nothing fades
        towards zero."""
        part = BANK_SLICES[bank] if bank else slice(None)
        weights = self.weights.copy()
        weights[:, part] = smoothed(weights[:, part], sigma)
        return replace(self, weights=weights)

    def blend(self, other: Motion, share: float | Sequence[float] | NDArray[Any]) -> Motion:
        """self * (1 - share) + other * share, at self's times; `share` is one number or one per row."""
        amount = np.broadcast_to(np.asarray(share, np.float64), (len(self),))[:, None]
        theirs = other._between(moments.carried(np.arange(len(self)), self.rate, other.rate))
        mixed: Weights = (self.weights * (1 - amount) + theirs * amount).astype(np.float32)
        return replace(self, weights=mixed)

    def resample(self, rate: float) -> Motion:
        """The same motion with another number of rows a second, linear in time and as many as begin while it
        lasts; numbers start from 0 again."""
        rows = np.arange(moments.frames_within(len(self), self.rate, rate))
        places = moments.carried(rows, rate, self.rate)
        looks = None if self.looks is None else _looks_between(self.looks, places)
        return Motion(self._between(places), rate, self.model, looks=looks)

    def _between(self, rows: ArrayLike) -> Weights:
        """[N, 36] weights at places between rows, counted from the first."""
        return interpolate(np.arange(len(self)), self.weights, rows)

    # --- files --------------------------------------------------------------------------------------

    def save(self, path: Path | str) -> None:
        """Write motion.npz, whole or not at all. Raises OutputBlocked."""
        self._write(path, ".npz")

    @classmethod
    def load(cls, path: Path | str) -> Motion:
        """Read motion.npz. Nothing in it is ever unpickled. Raises BadMotion."""
        return cls._read(Path(path), ".npz")

    def save_csv(self, path: Path | str) -> None:
        """Write a table: number, seconds since the first row, 36 weights. Reading it back is exact. Raises
        OutputBlocked."""
        self._write(path, ".csv")

    @classmethod
    def load_csv(cls, path: Path | str, model: str = "") -> Motion:
        """Read such a table, also as a spreadsheet program may have written it back
        (`core.wire.formats.sheets`); a single row is taken to be at 25 a second. Raises BadMotion.
        """
        return replace(cls._read(Path(path), ".csv"), model=model)

    def _mouths(self) -> tuple[tuple[float, ...], ...]:
        return () if self.looks is None else tuple(mouth_knobs.tidy(row) for row in self.looks.tolist())

    def _write(self, path: Path | str, suffix: str) -> None:
        data = weight_files.written(
            weight_files.Table(self.weights, self.frames, self.rate, self.model, self._mouths()), suffix
        )
        with written_whole(path) as temporary:
            temporary.write_bytes(data)

    @classmethod
    def _read(cls, path: Path, suffix: str) -> Motion:
        try:
            data = files.read(path, weight_files.MOST_BYTES)
        except FileNotFoundError:
            raise BadMotion(f"There is no motion file {path}", AGAIN) from None
        except OSError as error:
            raise BadMotion(f"{path} cannot be opened: {files.reason(error)}", AGAIN) from None
        table = weight_files.read(data, path.name, suffix)
        looks = np.array(table.mouths, np.float32) if table.mouths else None
        return cls(table.weights, table.rate, table.model, table.numbers, looks)


def interpolate(times: NDArray[Any], values: NDArray[Any], seconds: ArrayLike) -> Weights:
    """Values [T, C] known at rising `times` [T] -> [N, C] at `seconds` [N]: linear between, held beyond
    the ends."""
    wanted = np.atleast_1d(np.asarray(seconds, np.float64))
    return np.stack([np.interp(wanted, times, column) for column in values.T], axis=1).astype(np.float32)


def smoothed(values: NDArray[Any], sigma: float) -> Weights:
    """Gaussian along the first axis of [T, C] with held ends; a sigma of 0 changes nothing."""
    if sigma < 0:
        raise ValueError(f"a Gaussian cannot be {sigma} wide")
    reach = int(np.ceil(TAIL * sigma))
    if reach == 0:
        return np.asarray(values, np.float32)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(np.asarray(values, np.float64), ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel, "valid") for column in padded.T], axis=1).astype(np.float32)


def soft(place: NDArray[Any]) -> NDArray[np.float64]:
    """From 0 (at 0 and before) to 1 (at 1 and after) without a corner."""
    place = np.clip(place, 0, 1)
    return np.asarray(place * place * (3 - 2 * place), np.float64)


def _tidy_looks(looks: NDArray[Any], count: int) -> Weights:
    """[count, 7] looks within their ranges. Raises BadMotion."""
    rows = np.array(looks, np.float32)
    if rows.shape != (count, len(mouth_knobs.KNOBS)):
        raise BadMotion(
            f"The knobs of the mouth are {' x '.join(map(str, rows.shape))}, not {count} rows of "
            f"{len(mouth_knobs.KNOBS)}"
        )
    if not np.isfinite(rows).all():
        raise BadMotion("The knobs of the mouth hold a value that is not a number")
    return np.array([mouth_knobs.tidy(row) for row in rows.tolist()], np.float32)


def _looks_between(looks: Weights, places: NDArray[Any]) -> Weights:
    """Looks [T, 7] at places between rows: linear, but which teeth are drawn changes at once."""
    found = interpolate(np.arange(len(looks)), looks, places)
    before = np.clip(np.floor(places), 0, len(looks) - 1).astype(int)
    found[:, 0] = looks[before, 0]
    return found
