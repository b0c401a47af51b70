# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of weights: .npz, .csv and .json, one reader and one writer for Blender and the server.

docs/formats.md describes all three. Numbers are written so that reading them back is exact. A table may come
back from a spreadsheet program (`sheets`). Reading trusts nothing: what is wrong is one sentence.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels import BANK_SLICES, BANKS, CHANNELS, MOTION_KEYS, MOTION_SCHEMA, STEPS_PER_SECOND
from ..errors import BadMotion
from ..mouth_knobs import DEFAULTS, KNOBS, MOTION_KEY, tidy
from . import sheets
from .arrays import AGAIN, arrays_in, packed
from .curves import number
from .text import object_of

SUFFIXES = (".npz", ".csv", ".json")
HEADER = ["number", "seconds", *CHANNELS]
JSON_KEYS = ("schema", "rate", "model", "channels", "numbers", "weights")
MOST_BYTES = 1 << 29
"""Half a gigabyte is 80 hours of steps: a larger file is not a motion."""
MOST_MEMBERS = 4 * len(MOTION_KEYS)  # more are no motion file; a few more are named in the message
FARTHEST = 10**7
"""Frame numbers lie within, as in a message."""
MOST_WEIGHT = 1000.0
"""As for a weight in a message: of numbers far beyond, the networks make some that are not finite."""


@dataclass(frozen=True, eq=False)
class Table:
    """Weights at frame numbers."""

    weights: NDArray[np.float32]
    """[T, 36] in channel order."""
    numbers: NDArray[np.int64]
    """[T], each once."""
    rate: float
    """Frames a second, above 0 and at most 1000."""
    model: str = ""
    """Id of the checkpoint the weights belong to, "" where it is not known (a .csv does not say)."""
    mouths: tuple[tuple[float, ...], ...] = ()
    """Tidy rows of `core.wire.mouth_knobs`, one a frame; none where all rest (a .csv has no columns for
    them)."""

    @property
    def turned(self) -> bool:
        """Is any knob of the mouth turned?"""
        return any(row != DEFAULTS for row in self.mouths)


def read(data: bytes, name: str, suffix: str) -> Table:
    """The table in a file's bytes, whose rows stand as they do in the file. Raises BadMotion."""
    readers = {".npz": _from_npz, ".csv": _from_csv, ".json": _from_json}
    if suffix not in readers:
        raise BadMotion(f"{name} is no weights file: it must end in {', '.join(SUFFIXES)}")
    table = readers[suffix](data, name)
    check(table, name)
    return table


def written(table: Table, suffix: str) -> bytes:
    """The bytes of a file. Raises BadMotion for what `read` would refuse."""
    check(table, f"The {suffix} file")
    if suffix == ".npz":
        return packed(arrays_of(table))
    return (csv_text(table) if suffix == ".csv" else json_text(table)).encode()


def check(table: Table, name: str) -> None:
    """Raises BadMotion for what cannot be weights at frames."""
    weights, numbers = table.weights, table.numbers
    if weights.ndim != 2 or weights.shape[1] != len(CHANNELS) or not len(weights):
        shape = " x ".join(map(str, weights.shape))
        raise BadMotion(f"{name} holds {shape} weights, not rows of {len(CHANNELS)}")
    if not np.isfinite(weights).all():
        row, column = np.argwhere(~np.isfinite(weights))[0]
        raise BadMotion(f"{name} holds a value that is not a number, at row {row} of {CHANNELS[column]}")
    beyond = np.argwhere(np.abs(weights) > MOST_WEIGHT)
    if len(beyond):
        row, column = beyond[0]
        raise BadMotion(
            f"{name} holds {weights[row, column]:.3g} at row {row} of {CHANNELS[column]}; weights lie "
            f"within {MOST_WEIGHT:g}",
            AGAIN,
        )
    if not (np.isfinite(table.rate) and 0 < table.rate <= 1000):
        raise BadMotion(f"{name} has {table.rate:g} rows a second; it must be above 0 and at most 1000")
    if numbers.shape != (len(weights),):
        raise BadMotion(f"{name} has {len(weights)} rows but {numbers.size} frame numbers")
    if len(np.unique(numbers)) != len(numbers):
        raise BadMotion(f"{name} names a frame number twice")
    if table.mouths and len(table.mouths) != len(weights):
        raise BadMotion(f"{name} has {len(weights)} rows but {len(table.mouths)} of {MOTION_KEY}")


# --- .npz -----------------------------------------------------------------------------------------


def arrays_of(table: Table) -> dict[str, Any]:
    """The arrays of a motion.npz, as `MOTION_KEYS` says."""
    arrays: dict[str, Any] = {
        bank: table.weights[:, part].astype(np.float32) for bank, part in BANK_SLICES.items()
    }
    arrays |= {"rate": np.float64(table.rate), "numbers": np.asarray(table.numbers, np.int64)}
    if table.turned:
        arrays[MOTION_KEY] = np.array(table.mouths, np.float32)
    return arrays | {"model": np.array(table.model), "schema": np.int64(MOTION_SCHEMA)}


def _from_npz(data: bytes, name: str) -> Table:
    arrays = arrays_in(io.BytesIO(data), name, MOST_BYTES, MOST_MEMBERS)
    mouths = _mouths(arrays.pop(MOTION_KEY, None), name)
    missing, unknown = sorted(MOTION_KEYS.keys() - arrays.keys()), sorted(arrays.keys() - MOTION_KEYS.keys())
    if "schema" in arrays and not (arrays["schema"].shape == () and arrays["schema"] == MOTION_SCHEMA):
        raise _other_layout(arrays["schema"], name)
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"holds unknown arrays: {', '.join(unknown)}"
        raise BadMotion(f"{name} is not a motion file: it {what}")
    rows = arrays["mouth"].shape[0] if arrays["mouth"].ndim else 0
    for bank, count in BANKS.items():
        if arrays[bank].shape != (rows, count) or arrays[bank].dtype.kind != "f":
            shape = " x ".join(map(str, arrays[bank].shape))
            raise BadMotion(f"In {name}, {bank} is {shape} {arrays[bank].dtype}, not {rows} x {count} floats")
    rate, numbers, model = arrays["rate"], arrays["numbers"], arrays["model"]
    if numbers.dtype.kind not in "iu" or rate.shape != () or rate.dtype.kind not in "fiu":
        raise BadMotion(f"In {name}, numbers must be whole numbers and rate a single number")
    if model.shape != () or model.dtype.kind != "U":
        raise BadMotion(f"In {name}, model must be a text")
    weights = np.concatenate([arrays[bank] for bank in BANKS], axis=1)
    return Table(_floats(weights), _counted(numbers.tolist(), name), float(rate), str(model), mouths)


# --- .csv -----------------------------------------------------------------------------------------


def csv_text(table: Table) -> str:
    """A header, then number, seconds since the first row and 36 weights a line."""
    stream = io.StringIO()
    lines = csv.writer(stream, lineterminator="\n")
    lines.writerow(HEADER)
    first = int(table.numbers[0])
    for frame, row in zip(table.numbers.tolist(), table.weights.tolist()):
        lines.writerow((frame, repr((frame - first) / table.rate), *map(repr, row)))
    return stream.getvalue()


def _from_csv(data: bytes, name: str) -> Table:
    """A single row is taken to be at 25 a second."""
    rows = sheets.rows(data, name)
    if not rows or [cell.strip().lower() for cell in rows[0]] != HEADER:
        raise _wrong_header(rows[0] if rows else [], name)
    if len(rows) < 2:
        raise BadMotion(f"{name} has no rows below its header")
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(HEADER):
            what = f"rows that are not {len(HEADER)} cells long: row {line} has {len(row)}"
            raise BadMotion(f"{name} has {what}")
    try:
        cells = np.array([[float(cell) for cell in row] for row in rows[1:]], np.float64)
        counted = [sheets.whole(row[0]) for row in rows[1:]]
    except (ValueError, OverflowError) as error:
        raise BadMotion(f"{name} holds a cell that is not a number: {error!s:.100}") from None
    numbers = _counted(counted, name)
    span, steps = cells[-1, 1] - cells[0, 1], numbers[-1] - numbers[0]
    known = len(cells) > 1 and np.isfinite(span) and span > 0
    rate = round(float(steps / span), 9) if known else float(STEPS_PER_SECOND)
    return Table(_floats(cells[:, 2:]), numbers, rate)


def _wrong_header(found: list[str], name: str) -> BadMotion:
    """Which column is missing or not where it belongs, where the table is nearly one of weights."""
    names = [cell.strip().lower() for cell in found]
    sentence = f"{name} does not begin with the columns number, seconds, {CHANNELS[0]}, ..."
    lacking = [column for column in HEADER if column not in names]
    if found and len(lacking) <= len(HEADER) // 2:
        what = f"it lacks {', '.join(lacking[:3])}" if lacking else "they stand in another order, or more"
        sentence += f": {what}"
    return BadMotion(sentence, f"Its first line must name {len(HEADER)} columns in that order")


# --- .json ----------------------------------------------------------------------------------------


def json_text(table: Table) -> str:
    """One row of weights a line, so that two versions can be compared by eye."""
    head = {"schema": MOTION_SCHEMA, "rate": table.rate, "model": table.model}
    head |= {"channels": list(CHANNELS), "numbers": table.numbers.tolist()}
    if table.turned:
        head[MOTION_KEY] = table.mouths
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    rows = ",\n".join(json.dumps(row) for row in table.weights.tolist())
    return "{\n" + ",\n".join([*lines, f'"weights": [\n{rows}\n]']) + "\n}\n"


def _from_json(data: bytes, name: str) -> Table:
    held = object_of(data, name)
    if not isinstance(held, dict) or set(JSON_KEYS) - held.keys():
        raise BadMotion(f"{name} must be an object with {', '.join(JSON_KEYS)}")
    if held["schema"] != MOTION_SCHEMA:
        raise _other_layout(held["schema"], name)
    if held["channels"] != list(CHANNELS):
        raise BadMotion(f"{name} does not name the {len(CHANNELS)} channels in their order")
    numbers, rate = held["numbers"], held["rate"]
    if not isinstance(numbers, list) or not all(type(one) is int for one in numbers):
        raise BadMotion(f"{name} has a frame number that is not a whole number")
    rate = number(rate, f"{name}, rate", 0, 1000)
    try:
        weights = np.array(held["weights"])
    except (ValueError, TypeError, OverflowError):
        raise BadMotion(f"{name} has rows of weights that are not equally long") from None
    if weights.dtype.kind not in "fiu":
        raise BadMotion(f"{name} has a weight that is not a number")
    mouths = _mouths(held.get(MOTION_KEY), name)
    return Table(_floats(weights), _counted(numbers, name), rate, str(held["model"]), mouths)


# --- for all --------------------------------------------------------------------------------------


def _mouths(rows: Any, name: str) -> tuple[tuple[float, ...], ...]:
    """Tidy rows of knobs. Raises BadMotion."""
    if rows is None:
        return ()
    try:
        values = np.array(rows, np.float64)
    except (ValueError, TypeError, OverflowError):
        raise BadMotion(f"In {name}, {MOTION_KEY} must be rows of {len(KNOBS)} numbers") from None
    if values.ndim != 2 or values.shape[1] != len(KNOBS) or not np.isfinite(values).all():
        raise BadMotion(f"In {name}, {MOTION_KEY} must be rows of {len(KNOBS)} numbers")
    return tuple(tidy(row) for row in values.tolist())


def _other_layout(schema: object, name: str) -> BadMotion:
    return BadMotion(f"{name} has layout {schema!s:.40}, this version reads {MOTION_SCHEMA}", "Update EDTalk")


def _counted(numbers: list[int], name: str) -> NDArray[np.int64]:
    """Frame numbers as messages allow them, told before anything is made. Raises BadMotion."""
    beyond = next((frame for frame in numbers if abs(frame) > FARTHEST), None)
    if beyond is not None:
        raise BadMotion(f"{name} holds the frame number {str(beyond)[:20]}", f"They lie within {FARTHEST}")
    return np.array(numbers, np.int64)


def _floats(weights: NDArray[Any]) -> NDArray[np.float32]:
    """What is too large for a float32 becomes infinite, and is refused by `check`."""
    with np.errstate(over="ignore"):
        return np.asarray(weights, np.float32)
