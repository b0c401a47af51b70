# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a take's pictures: for every picture that exists, the weights and the look it was made from.
No bpy.

    rendered.npz                    the record
    rendered-<machine>-<id>.npz     what one worker of a farm has to add to it

It is what makes Render Changed cheap and safe. It never claims more than is true: before pictures are made
again their entries are dropped, and an entry comes back when its picture has arrived.

Several workers fill one folder without ever writing the same file. Each keeps a part of its own, which only
it writes, whole or not at all; whoever reads takes all parts together. Clocks of several machines do not
agree, so what is newer is told by turns: who makes a picture again gives it one turn more than all it knows.
Two who made the same picture in the same turn from different weights are both not believed, and it is made
again. Whoever renders without being a worker (the button, or the command without --frames) takes closed
parts into the record and clears them away.
"""

from __future__ import annotations

import platform
import re
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...core.wire.channels import CHANNELS
from ...core.wire.errors import BadMotion
from ..settings.files import sizes_in
from ..settings.whole import is_whole
from .take_folder import load_arrays, save_arrays

TOLERANCE = 1e-4
"""Weights closer than this make the same picture; f-curves themselves are exact to about 1e-6."""
CURRENT, STALE, MISSING = 0, 1, 2
"""How a frame stands: its picture is up to date, out of date, or not there."""
GONE = bytes(16)
"""The look of a picture that is being made again."""
ABANDONED = 3600.0
"""Seconds after which a part that was never closed belongs to a worker that is no more."""

NAME = "rendered.npz"
MOST_TURNS = 1 << 40
"""No picture is made so often; a record that says so is damaged."""


class Entry(NamedTuple):
    """What is known of one picture."""

    turn: int
    look: bytes
    weights: np.ndarray  # float32 [36]
    size: int = 0  # bytes of its file, 0 where that is not known


class Part(NamedTuple):
    """One file of the record."""

    entries: dict[int, Entry]
    closed: bool


def worker_name() -> str:
    """A name that no other worker has: the machine's, and a number."""
    machine = re.sub(r"[^\w-]+", "_", platform.node())[:40] or "worker"
    return f"{machine}-{uuid.uuid4().hex[:8]}"


class Rendered:
    """The record of a take's pictures: scene frame -> weights and look. See the module's docstring.

    Usage:
        with Rendered(folder) as record:
            record.forget([7])
            record.save()
            ...                         # the picture of frame 7 is made
            record.note(7, weights, look)
    """

    def __init__(self, folder: Path, worker: str = "") -> None:
        """Read the record of `folder`; a missing or damaged one is an empty one, so everything is made
        again. A `worker` writes a part of its own.
        """
        self.folder = folder
        self.path = folder / (f"rendered-{worker}.npz" if worker else NAME)
        self._worker = bool(worker)
        self._taken: list[Path] = []
        self._changed = False
        self._stamp: tuple[int, int] | None = None  # of the file as this one wrote it last
        self._own: dict[int, Entry] = {}
        self._others: dict[int, Entry] = {}
        for path in sorted(folder.glob("rendered-*.npz")):
            part = _read(path)
            if self._worker or not (part.closed or _abandoned(path)):
                _merge(self._others, part.entries)
            else:
                _merge(self._own, part.entries)
                self._taken.append(path)
        _merge(self._others if self._worker else self._own, _read(folder / NAME).entries)

    def __enter__(self) -> Rendered:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        numbers = self._own.keys() | self._others.keys()
        return sum(self.entry(number).look != GONE for number in numbers)

    def entry(self, number: int) -> Entry:
        """The newest that is known of a picture; GONE when nothing is, or nothing certain."""
        own, other = self._own.get(number), self._others.get(number)
        if own is not None and other is not None:
            return _newer(own, other)
        return own or other or Entry(0, GONE, np.zeros(len(CHANNELS), np.float32))

    def states(
        self, numbers: Sequence[int], weights: np.ndarray, look: bytes | Sequence[bytes], files: Sequence[str]
    ) -> np.ndarray:
        """uint8 [N]: CURRENT, STALE (made from other weights or another look) or MISSING, one a frame; a file
        that is empty or ends in the middle is missing, and one that somebody painted over is not. `look` is
        one for all frames, or one for each; `files` are the picture names.
        """
        looks = [look] * len(numbers) if isinstance(look, bytes) else look
        there = sizes_in(self.folder)
        result = np.full(len(numbers), MISSING, np.uint8)
        found = [i for i, file in enumerate(files) if self._is_whole(int(numbers[i]), file, there)]
        if not found:
            return result
        entries = [self.entry(int(numbers[i])) for i in found]
        apart = np.abs(np.stack([entry.weights for entry in entries]) - np.asarray(weights)[found])
        same = np.array([entry.look == looks[i] != GONE for i, entry in zip(found, entries)])
        result[found] = np.where(same & (apart.max(axis=1) <= TOLERANCE), CURRENT, STALE)
        return result

    def _is_whole(self, number: int, file: str, there: Mapping[str, int]) -> bool:
        size, noted = there.get(file, 0), self.entry(number).size
        return bool(size) and (size == noted or is_whole(self.folder / file, strict=bool(noted)))

    def changed(
        self, numbers: Sequence[int], weights: np.ndarray, look: bytes | Sequence[bytes], files: Sequence[str]
    ) -> np.ndarray:
        """bool [N]: which of these frames must be made (again), because they are not CURRENT."""
        return self.states(numbers, weights, look, files) != CURRENT

    def forget(self, numbers: Iterable[int]) -> None:
        """Drop the entries of pictures that are about to be made again."""
        self._changed = True
        for number in map(int, numbers):
            known = self.entry(number)
            self._own[number] = Entry(known.turn + 1, GONE, known.weights)

    def note(self, number: int, weights: np.ndarray, look: bytes, file: str = "") -> None:
        """The picture of this frame has arrived, in this file."""
        self._changed, number, size = True, int(number), 0
        with suppress(OSError):
            size = (self.folder / file).stat().st_size if file else 0
        turn = self._own[number].turn if number in self._own else self.entry(number).turn + 1
        self._own[number] = Entry(turn, look, np.asarray(weights, np.float32), size)

    def save(self, closed: bool = False) -> None:
        """Write this record, whole or not at all. Raises OutputBlocked."""
        if not self._worker and _stamp(self.path) != self._stamp:
            # another window has rendered the same take meanwhile
            for number, entry in _read(self.path).entries.items():
                if number not in self._own or entry.turn > self._own[number].turn:
                    self._own[number] = entry
        entries = sorted(self._own.items())
        save_arrays(
            self.path,
            {
                "numbers": np.array([number for number, _ in entries], np.int64),
                "looks": np.frombuffer(b"".join(e.look for _, e in entries), np.uint8).reshape(-1, 16),
                "weights": np.array([e.weights for _, e in entries], np.float32).reshape(-1, len(CHANNELS)),
                "sizes": np.array([e.size for _, e in entries], np.int64),
                "turns": np.array([e.turn for _, e in entries], np.int64),
                "closed": np.bool_(closed),
            },
        )
        self._stamp = _stamp(self.path)

    def close(self) -> None:
        """Write for the last time, when there is something new, and clear away the parts that are in it now.
        Raises OutputBlocked.
        """
        if self._changed or self._taken:
            self.save(closed=True)
        for path in self._taken:
            with suppress(OSError):  # Windows: somebody reads it. Taken in once more, it changes nothing
                path.unlink(missing_ok=True)
        self._taken.clear()


def _read(path: Path) -> Part:
    try:
        arrays = load_arrays(path)
        count = len(arrays["numbers"])
        none = np.zeros(count, np.int64)
        turns, sizes = arrays.get("turns", none), arrays.get("sizes", none)
        columns = (arrays["numbers"], turns, arrays["looks"], arrays["weights"].astype(np.float32), sizes)
        if arrays["weights"].shape != (count, len(CHANNELS)) or arrays["looks"].shape != (count, 16):
            return Part({}, False)
        if count and (int(turns.min()) < 0 or int(turns.max()) >= MOST_TURNS):
            return Part({}, False)
        rows = zip(*columns, strict=True)
        entries = {int(n): Entry(int(t), look.tobytes(), row, int(s)) for n, t, look, row, s in rows}
        return Part(entries, bool(arrays.get("closed", False)))
    except (BadMotion, KeyError, ValueError, TypeError, OverflowError):
        return Part({}, False)


def _merge(into: dict[int, Entry], entries: Mapping[int, Entry]) -> None:
    for number, entry in entries.items():
        into[number] = _newer(into[number], entry) if number in into else entry


def _newer(one: Entry, two: Entry) -> Entry:
    if one.turn != two.turn:
        return one if one.turn > two.turn else two
    if one.look == two.look and np.abs(one.weights - two.weights).max() <= TOLERANCE:
        return one
    return Entry(one.turn, GONE, one.weights)


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when somebody else writes a file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _abandoned(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > ABANDONED
    except OSError:
        return False
