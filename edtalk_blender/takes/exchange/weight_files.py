# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights as files for other programs: .npz and .csv as the command line has them, and .json. No bpy.

docs/formats.md describes all three. The knobs of the mouth go along in .npz and .json, where any was turned;
a .csv has no columns for them. Numbers are written so that reading them back is exact. Reading trusts
nothing: what is wrong with a file is one sentence.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....core.wire.channels import BANK_SLICES, CHANNELS, MOTION_KEYS, MOTION_SCHEMA, STEPS_PER_SECOND
from ....core.wire.errors import BadMotion, OutputBlocked
from ....core.wire.mouth_knobs import DEFAULTS, KNOBS, MOTION_KEY, tidy
from ...pictures import take_folder
from ...settings import files

SUFFIXES = (".npz", ".csv", ".json")
HEADER = ["number", "seconds", *CHANNELS]
JSON_KEYS = {"schema", "rate", "model", "channels", "numbers", "weights"}
FIRST, LAST = -1048573, 1048573  # what Blender's timeline knows
MOST_FRAMES = 250_000  # nearly three hours at 24 a second
MOST_BYTES = 1 << 29


@dataclass(frozen=True, eq=False)
class Table:
    """Weights at frame numbers."""

    weights: np.ndarray
    """float32 [T, 36] in channel order."""
    numbers: np.ndarray
    """int64 [T], rising."""
    rate: float
    """Frames a second."""
    model: str = ""
    """Id of the checkpoint the weights belong to, "" where it is not known (a .csv does not say)."""
    mouths: tuple[tuple[float, ...], ...] = ()
    """Tidy rows of `core.wire.mouth_knobs`, one a frame; none where all rest."""

    @property
    def turned(self) -> bool:
        """Is any knob of the mouth turned?"""
        return any(row != DEFAULTS for row in self.mouths)


def save(path: Path, table: Table) -> None:
    """Write a table in the format its suffix names, whole or not at all. Raises OutputBlocked, BadMotion."""
    _check(path, table)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        take_folder.save_motion(path, table.weights, table.rate, table.numbers, table.model, table.mouths)
        return
    text = _csv_text(table) if suffix == ".csv" else _json_text(table)
    try:
        files.write_whole(path, text.encode())
    except OSError as error:
        raise OutputBlocked(
            f"{path.name} cannot be written to {path.parent}: {error.strerror or error}",
            hint="Make room on the disk or choose another folder",
        ) from error


def load(path: Path) -> Table:
    """Read a table in the format its suffix names; rows come in the order of their numbers. Raises
    BadMotion.
    """
    readers = {".npz": _from_npz, ".csv": _from_csv, ".json": _from_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadMotion(f"{path.name} is no weights file: it must end in {', '.join(SUFFIXES)}")
    try:
        if not files.is_regular(path):
            raise BadMotion(f"{path} is no file of weights" if path.exists() else f"There is no file {path}")
        if path.stat().st_size > MOST_BYTES:
            raise BadMotion(f"{path.name} is larger than {MOST_BYTES >> 20} MB: it holds more than weights")
        weights, numbers, rate, model, mouths = reader(path)
        with np.errstate(over="ignore"):  # what is too large for a float32 is refused below
            weights = np.asarray(weights, np.float32)
        numbers = np.asarray(numbers)
        if numbers.dtype.kind not in "iu" or (numbers.size and int(numbers.max()) > LAST):
            raise ValueError(f"its frame numbers are no whole numbers up to {LAST}")
        rows = _mouths(mouths, len(weights)) if mouths is not None else ()
        table = Table(weights, numbers.astype(np.int64), float(rate), str(model), rows)
    except OSError as error:
        raise BadMotion(f"{path} cannot be read: {error.strerror or error}") from error
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError, MemoryError, csv.Error) as error:
        raise BadMotion(f"{path.name} is not a file of weights: {error}") from error
    _check(path, table)
    order = np.argsort(table.numbers)
    mouths = tuple(table.mouths[row] for row in order) if table.mouths else ()
    return Table(table.weights[order], table.numbers[order], table.rate, table.model, mouths)


def _mouths(rows: object, count: int) -> tuple[tuple[float, ...], ...]:
    """Tidy rows of knobs. Raises ValueError, TypeError for what is none."""
    values = np.array(rows, np.float64)
    if values.shape != (count, len(KNOBS)) or not np.isfinite(values).all():
        raise ValueError(f"its {MOTION_KEY} is not {count} rows of {len(KNOBS)} numbers")
    return tuple(tidy(row) for row in values.tolist())


def _check(path: Path, table: Table) -> None:
    """Raises BadMotion for what cannot be weights on a timeline."""
    weights, numbers = table.weights, table.numbers
    if weights.ndim != 2 or weights.shape[1] != len(CHANNELS) or not len(weights):
        raise BadMotion(f"{path.name} does not hold rows of {len(CHANNELS)} weights")
    if numbers.shape != (len(weights),) or len(np.unique(numbers)) != len(numbers):
        raise BadMotion(f"{path.name} does not hold one frame number for each row, each once")
    if not np.isfinite(weights).all():
        row, column = np.argwhere(~np.isfinite(weights))[0]
        raise BadMotion(f"{path.name}: {CHANNELS[column]} is not a number at frame {numbers[row]}")
    if not (np.isfinite(table.rate) and 0 < table.rate <= 1000):
        raise BadMotion(f"{path.name} has {table.rate:g} frames a second")
    if numbers.min() < FIRST or numbers.max() > LAST or np.ptp(numbers) >= MOST_FRAMES:
        raise BadMotion(f"{path.name} runs from frame {numbers.min()} to {numbers.max()}: that is too long")


# ------------------------------------------------------------------------------------------------ formats


def _from_npz(path: Path) -> tuple:
    arrays = take_folder.load_arrays(path)
    missing = sorted(MOTION_KEYS.keys() - arrays.keys())
    if missing:
        raise BadMotion(f"{path.name} is not a motion file: it lacks {', '.join(missing)}")
    _check_schema(path, arrays["schema"][()])
    weights = np.concatenate([arrays[bank] for bank in BANK_SLICES], axis=1)
    return weights, arrays["numbers"], arrays["rate"][()], arrays["model"][()], arrays.get(MOTION_KEY)


def _csv_text(table: Table) -> str:
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(HEADER)
    for number, weights in zip(table.numbers.tolist(), table.weights.tolist()):
        seconds = (number - int(table.numbers[0])) / table.rate
        rows.writerow((number, repr(seconds), *map(repr, weights)))
    return stream.getvalue()


def _from_csv(path: Path) -> tuple:
    rows = [row for row in csv.reader(io.StringIO(path.read_text("utf-8-sig"))) if row]
    if not rows or rows[0] != HEADER:
        raise BadMotion(f"{path.name} does not begin with the columns number, seconds, {CHANNELS[0]}, ...")
    if len(rows) < 2 or any(len(row) != len(HEADER) for row in rows):
        raise BadMotion(f"{path.name} has rows that are not {len(HEADER)} cells long, or none")
    numbers = np.array([int(row[0]) for row in rows[1:]])
    cells = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    span, steps = cells[-1, 0] - cells[0, 0], numbers[-1] - numbers[0]
    rate = round(float(steps / span), 9) if span > 0 else float(STEPS_PER_SECOND)
    return cells[:, 1:], numbers, rate, "", None


def _json_text(table: Table) -> str:
    """One row of weights a line, so that two versions can be compared by eye."""
    head = {"schema": MOTION_SCHEMA, "rate": table.rate, "model": table.model}
    head |= {"channels": list(CHANNELS), "numbers": table.numbers.tolist()}
    if table.turned:
        head[MOTION_KEY] = table.mouths
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    rows = ",\n".join(json.dumps(row) for row in table.weights.tolist())
    return "{\n" + ",\n".join([*lines, f'"weights": [\n{rows}\n]']) + "\n}\n"


def _from_json(path: Path) -> tuple:
    def refuse(word: str) -> float:
        raise ValueError(f"{word} is not a weight")

    data = json.loads(path.read_text("utf-8-sig"), parse_constant=refuse)
    if not isinstance(data, dict) or JSON_KEYS - data.keys():
        raise BadMotion(f"{path.name} must be an object with {', '.join(sorted(JSON_KEYS))}")
    _check_schema(path, data["schema"])
    if data["channels"] != list(CHANNELS):
        raise BadMotion(f"{path.name} does not name the {len(CHANNELS)} channels in their order")
    if not all(type(number) is int for number in data["numbers"]):
        raise BadMotion(f"{path.name} has a frame number that is not a whole number")
    weights = np.array(data["weights"])
    if weights.dtype.kind not in "fiu":
        raise BadMotion(f"{path.name} has a weight that is not a number")
    return weights, data["numbers"], data["rate"], data["model"], data.get(MOTION_KEY)


def _check_schema(path: Path, schema: object) -> None:
    if schema != MOTION_SCHEMA:
        raise BadMotion(
            f"{path.name} has layout {schema}, this version reads {MOTION_SCHEMA}", hint="Update EDTalk"
        )
