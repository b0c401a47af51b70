# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion, the one currency: 36 weights a step, made by `analyze`, edited by the animator, turned into
frames by `decode`.

Plain numpy in, plain files out: motion.npz (no pickles, keys in `core.wire.channels.MOTION_KEYS`) and a
CSV for everything else that reads tables. All operations return a new Motion and look at nothing but time
and weights.
"""

from __future__ import annotations

import csv
import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core import files
from core.files import written_whole
from core.motion import tables
from core.wire import moments, mouth_knobs
from core.wire.channels import BANK_SLICES, BANKS, CHANNELS, MOTION_KEYS, MOTION_SCHEMA, STEPS_PER_SECOND
from core.wire.errors import BadMotion

Weights = NDArray[np.float32]

MOST_BYTES = 1 << 29  # half a gigabyte is 80 hours of steps: a larger file is not a motion
FARTHEST = 10**7  # frame numbers lie within, as in a message
MOST_WEIGHT = 1000.0  # as for a weight in a message
MOST_MEMBERS = 4 * len(MOTION_KEYS)  # more are no motion file; a few more are named in the message
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
        arrays: dict[str, Any] = {bank: self.weights[:, part] for bank, part in BANK_SLICES.items()}
        arrays |= {"rate": np.float64(self.rate), "numbers": self.frames, "model": np.array(self.model)}
        arrays |= {"schema": np.int64(MOTION_SCHEMA)}
        if self.looks is not None and (self.looks != np.array(mouth_knobs.DEFAULTS, np.float32)).any():
            arrays[mouth_knobs.MOTION_KEY] = self.looks
        with written_whole(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)

    @classmethod
    def load(cls, path: Path | str) -> Motion:
        """Read motion.npz. Nothing in it is ever unpickled. Raises BadMotion."""
        path = Path(path)
        arrays = _arrays(path)
        looks = arrays.pop(mouth_knobs.MOTION_KEY, None)
        missing, unknown = (
            sorted(MOTION_KEYS.keys() - arrays.keys()),
            sorted(arrays.keys() - MOTION_KEYS.keys()),
        )
        if "schema" in arrays and not (arrays["schema"].shape == () and arrays["schema"] == MOTION_SCHEMA):
            raise BadMotion(
                f"{path.name} has layout {arrays['schema']}, this version reads {MOTION_SCHEMA}",
                hint="Update EDTalk",
            )
        if missing or unknown:
            what = f"lacks {', '.join(missing)}" if missing else f"holds unknown arrays: {', '.join(unknown)}"
            raise BadMotion(f"{path.name} is not a motion file: it {what}")
        rows = arrays["mouth"].shape[0] if arrays["mouth"].ndim else 0
        for bank, count in BANKS.items():
            if arrays[bank].shape != (rows, count) or arrays[bank].dtype.kind != "f":
                shape = " x ".join(map(str, arrays[bank].shape))
                raise BadMotion(
                    f"In {path.name}, {bank} is {shape} {arrays[bank].dtype}, not {rows} x {count} floats"
                )
        if (
            arrays["numbers"].dtype.kind not in "iu"
            or arrays["rate"].shape != ()
            or arrays["rate"].dtype.kind not in "fiu"
        ):
            raise BadMotion(f"In {path.name}, numbers must be whole numbers and rate a single number")
        if arrays["model"].shape != () or arrays["model"].dtype.kind != "U":
            raise BadMotion(f"In {path.name}, model must be a text")
        weights = np.concatenate([arrays[bank] for bank in BANKS], axis=1)
        _check_range(weights, path)
        _check_numbers(arrays["numbers"].tolist(), path)
        if looks is not None and looks.dtype.kind not in "fiu":
            raise BadMotion(f"In {path.name}, {mouth_knobs.MOTION_KEY} must be numbers")
        return cls(weights, float(arrays["rate"]), str(arrays["model"]), arrays["numbers"], looks)

    def save_csv(self, path: Path | str) -> None:
        """Write a table: number, seconds since the first row, 36 weights. Reading it back is exact. Raises
        OutputBlocked."""
        stream = io.StringIO()
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("number", "seconds", *CHANNELS))
        for number, row in zip(self.frames.tolist(), self.weights.tolist()):
            table.writerow((number, repr((number - int(self.frames[0])) / self.rate), *map(repr, row)))
        with written_whole(path) as temporary:
            temporary.write_text(stream.getvalue(), encoding="utf-8")

    @classmethod
    def load_csv(cls, path: Path | str, model: str = "") -> Motion:
        """Read such a table, also as a spreadsheet program may have written it back (`core.motion.tables`); a
        single row is taken to be at 25 a second. Raises BadMotion.
        """
        path = Path(path)
        try:
            data = files.read(path, MOST_BYTES)
        except OSError as error:
            raise BadMotion(f"{path} cannot be opened: {files.reason(error)}", _AGAIN) from None
        rows = tables.rows(data, path.name)
        header = ["number", "seconds", *CHANNELS]
        if not rows or [cell.strip().lower() for cell in rows[0]] != header:
            raise BadMotion(
                f"{path.name} does not begin with the columns number, seconds, {CHANNELS[0]}, ...",
                f"Its first line must name {len(header)} columns in that order",
            )
        try:
            table = np.array([[float(cell) for cell in row] for row in rows[1:]], np.float64)
            counted = [tables.whole(row[0]) for row in rows[1:]]
        except ValueError as error:
            raise BadMotion(
                f"{path.name} holds a cell that is not a number, or a row of another length: {error!s:.100}"
            ) from None
        if table.ndim != 2 or table.shape[1] != len(header):
            raise BadMotion(f"{path.name} has rows that are not {len(header)} numbers long")
        _check_numbers(counted, path)
        numbers = np.array(counted, np.int64)
        span, steps = table[-1, 1] - table[0, 1], numbers[-1] - numbers[0]
        rate = round(float(steps / span), 9) if len(table) > 1 and span > 0 else float(STEPS_PER_SECOND)
        _check_range(table[:, 2:], path)
        return cls(table[:, 2:].astype(np.float32), rate, model, numbers)


def _check_numbers(numbers: Any, path: Path) -> None:
    """Frame numbers as the messages allow them, told before anything is made. Raises BadMotion."""
    beyond = [number for number in numbers if abs(number) > FARTHEST] if isinstance(numbers, list) else []
    if beyond:
        raise BadMotion(f"{path.name} holds the frame number {beyond[0]:.12g}", f"They lie within {FARTHEST}")


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


_AGAIN = "Choose the file again"


def _check_range(weights: NDArray[Any], path: Path) -> None:
    """A weight is a few units; of numbers far beyond, which are finite, the networks make some that are not.
    What is no number at all is refused by `Motion`. Raises BadMotion."""
    beyond = np.argwhere(np.abs(weights) > MOST_WEIGHT)
    if len(beyond):
        row, column = beyond[0]
        raise BadMotion(
            f"{path.name} holds {weights[row, column]:.3g} at row {row} of {CHANNELS[column]}; weights lie "
            f"within {MOST_WEIGHT:g}",
            _AGAIN,
        )


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file, none of them an object, each no larger than its member of the archive."""
    try:
        data = io.BytesIO(files.read(path, MOST_BYTES))
        with zipfile.ZipFile(data) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise BadMotion(f"{path.name} is not a motion file: it holds {len(members)} arrays")
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise BadMotion(f"{path.name} unpacks to more than {MOST_BYTES >> 20} MB: that is no motion")
            for member in members:
                _check_array(archive, member)
        data.seek(0)
        with np.load(data, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise BadMotion(f"There is no motion file {path}", _AGAIN) from None
    except _NOT_AN_ARRAY:
        raise BadMotion(f"{path.name} is not a motion file, or is damaged", _AGAIN) from None
    except ValueError as error:
        what = (
            "objects instead of numbers"
            if "pickle" in str(error).lower()
            else f"what numpy cannot read ({error})"
        )
        raise BadMotion(f"{path.name} holds {what}; it was not opened any further") from None
    except OSError as error:
        raise BadMotion(f"{path} cannot be opened: {files.reason(error)}", _AGAIN) from None


_NOT_AN_ARRAY = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,  # zipfile's word for a member with a password
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
    OverflowError,
    MemoryError,
)


def _check_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse an array whose header announces more than its member holds: numpy would make room for it first.
    Raises ValueError as numpy does."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        if version != (1, 0):  # what numpy writes for plain arrays; later ones are for huge headers and names
            raise ValueError(f"version {version[0]}.{version[1]} of its format")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
        if not dtype.hasobject and math.prod(shape) * dtype.itemsize > member.file_size:
            raise ValueError(f"{member.filename} is shorter than it says")
