# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose frames are these? A small `edtalk-take.json` beside the frames says it, so that no take overwrites
another one.

Frames belong together when everything but the motion is the same: portrait, checkpoint, crop, size, format,
and the name the artist gave to the take. Rendering changed frames of the same take again is the everyday case
and asks nothing. Files that are in the way and belong to another take, or to nobody, are only overwritten
when that was asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.files import opened, read, same_file, written_whole
from core.wire import origin as origins
from core.wire import rules
from core.wire.errors import OutputExists

from .errors import blocked

SIDECAR = "edtalk-take.json"
SCHEMA = 1
MOST_BYTES = 1 << 26
"""Of a note; a take of a hundred thousand scattered frames has 3 MB."""
FARTHEST = 10**7
"""No frame has a number beyond, as in the messages."""
STUCK = 20.0
"""Seconds that no claim takes."""


@dataclass(frozen=True)
class Identity:
    """What all frames of a take have in common."""

    take: str
    portrait: str  # digest of the file
    model: str
    crop: tuple[float, ...]
    size: int
    composite: str
    detail: bool
    format: str


@dataclass(frozen=True)
class Naming:
    """Folder, stem, digits and suffix of a take's files; without digits, of one file for all frames."""

    folder: Path
    stem: str
    digits: int
    suffix: str

    def path(self, number: int) -> Path:
        """The file of a frame, numbered as Blender does: `take.0101.png`, `take.-0005.png`."""
        written = f"{'-' if number < 0 else ''}{abs(number):0{self.digits}d}" if self.digits else ""
        return self.folder / f"{self.stem}{written}{self.suffix}"

    @property
    def pattern(self) -> str:
        return f"{self.stem}{'#' * self.digits}{self.suffix}"

    def beside(self, name: str) -> str:
        """Stem of what belongs to this take under another name: "take." and "face" are "take_face."."""
        bare = self.stem.rstrip("._- ")
        return f"{bare}_{name}{self.stem[len(bare) :] or '.'}"

    def of_pass(self, name: str) -> Naming:
        """The names of a pass; "" is the picture itself."""
        return replace(self, stem=self.beside(name)) if name else self

    def still(self, name: str, suffix: str = "") -> Naming:
        """One file for all frames: `take_plate.png`."""
        stem = self.beside(name).rstrip("._- ")
        return replace(self, stem=stem, digits=0, suffix=suffix or self.suffix)


def digest(path: Path) -> str:
    """128 bits of BLAKE2 over a file's bytes, in hexadecimal. Raises OSError."""
    digest = hashlib.blake2b(digest_size=16)
    with opened(path) as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def claim(
    naming: Naming,
    identity: Identity,
    numbers: Sequence[int],
    overwrite: bool = False,
    inputs: Sequence[Path] = (),
    breathe: Callable[[], None] = lambda: None,
    origin: Mapping[str, str] | None = None,
) -> None:
    """Make the folder ready for these frames and note in the sidecar that they belong to this take.

    inputs   what the frames are made from: none of it may be replaced, not even with `overwrite`
    breathe  called while another one has the folder; what it raises ends the waiting
    origin   the record that the files carry, noted here too; see `core.wire.origin`

    Raises OutputExists when files of another take are in the way and `overwrite` is false, OutputBlocked when
    nothing can be written there.
    """
    try:
        naming.folder.mkdir(parents=True, exist_ok=True)
        present = {entry.name for entry in os.scandir(naming.folder)}
    except OSError as error:
        raise blocked(naming.folder, error) from error
    spare((naming.path(number) for number in numbers if naming.path(number).name in present), inputs)
    with one_at_a_time(naming.folder / f"{SIDECAR}.lock", breathe):
        takes = _read(naming.folder)
        known = takes.get(naming.pattern, {})
        wanted = {"identity": json.loads(json.dumps(asdict(identity)))}
        ours = _ranges(known.get("frames")) if known.get("identity") == wanted["identity"] else []
        if not overwrite:
            foreign = [
                number
                for number in numbers
                if not _among(ours, number) and naming.path(number).name in present
            ]
            if foreign:
                raise OutputExists(
                    _sentence(naming, foreign, bool(known)), hint="Choose another folder or allow overwriting"
                )
        takes[naming.pattern] = {**wanted, "frames": _ranges([*ours, *([n, n] for n in numbers)])}
        if origin is not None:
            takes[naming.pattern]["origin"] = dict(origin)
        with written_whole(naming.folder / SIDECAR) as temporary:
            temporary.write_text(json.dumps({"schema": SCHEMA, "takes": takes}, indent=1), encoding="utf-8")


@contextmanager
def one_at_a_time(lock: Path, breathe: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock file while several workers of a farm claim frames in one folder. A lock that stays the same
    for `STUCK` seconds was left behind by one that was killed, and is taken over. Raises OutputBlocked, at
    once for what is no lock file, and what `breathe` raises.
    """
    began, stamp = time.monotonic(), 0
    deadline = began + 3 * STUCK
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with suppress(FileNotFoundError):  # it may be gone by now
                if not stat.S_ISREG(lock.lstat().st_mode):
                    raise blocked(lock.parent, OSError(f"{lock.name} is no lock file; remove it")) from None
            with suppress(OSError):
                if (seen := lock.stat().st_mtime_ns) != stamp:
                    began, stamp = time.monotonic(), seen
                elif time.monotonic() - began > STUCK:
                    lock.unlink(missing_ok=True)
        except PermissionError as error:  # Windows says so of a file that is just being removed
            if not lock.parent.is_dir() or os.name != "nt":
                raise blocked(lock.parent, error) from error
        except OSError as error:
            raise blocked(lock.parent, error) from error
        if time.monotonic() > deadline:
            raise blocked(lock.parent, TimeoutError(f"{lock.name} stays in the way"))
        breathe()
        time.sleep(0.02)
    try:
        yield
    finally:
        for _ in range(2):  # what cannot be removed even so is taken over after `STUCK` seconds
            with suppress(OSError):
                lock.unlink(missing_ok=True)
                break
            time.sleep(0.02)


def spare(outputs: Iterable[Path], inputs: Iterable[Path | str]) -> None:
    """What something is made from is not replaced by it, by whatever links the two are one file. Raises
    OutputExists.
    """
    sources = [Path(source) for source in inputs if source]
    for out in outputs:
        for source in sources:
            if same_file(out, source):
                raise OutputExists(
                    f"{out} would be replaced, and it is made from that: {source.name}",
                    hint="Choose another folder or name for the result",
                )


def _sentence(naming: Naming, foreign: Sequence[int], known: bool) -> str:
    more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
    verb = "belong" if more else "belongs"
    owner = f"{verb} to another take" if known else ("are already there" if more else "is already there")
    return f"{naming.path(foreign[0]).name}{more} in {naming.folder} {owner}"


def noted_origins(note: Path) -> dict[str, dict[str, str]]:
    """File name pattern -> record of origin, of all takes in an `edtalk-take.json` that have one."""
    found = {}
    for pattern, entry in _takes_in(note).items():
        known = entry.get("origin")
        if isinstance(known, dict) and isinstance(known.get("source"), str):
            texts = {name: known[name] for name in origins.TITLES if isinstance(known.get(name), str)}
            found[pattern] = {name: tidy for name, text in texts.items() if (tidy := origins.tidy(text))}
    return found


def noted_origin(folder: Path) -> dict[str, str]:
    """What all takes of a folder say alike of what `rules.ORIGIN` names."""
    same = origins.merged(noted_origins(folder / SIDECAR).values())
    return {name: same[name] for name in rules.ORIGIN if name in same}


def _read(folder: Path) -> dict[str, Any]:
    """The takes noted in a folder; none when the note is missing, damaged or of a later kind."""
    return _takes_in(folder / SIDECAR)


def _takes_in(note: Path) -> dict[str, Any]:
    try:
        data = json.loads(read(note, MOST_BYTES).decode("utf-8"))
        takes = data["takes"] if data["schema"] == SCHEMA else {}
        return {str(key): value for key, value in takes.items() if isinstance(value, dict)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _ranges(found: Any) -> list[list[int]]:
    """[[1, 3], [2, 4], [5, 5], [7, 7]] -> [[1, 5], [7, 7]]; what is no range of frames is left out."""
    merged: list[list[int]] = []
    for first, last in sorted(pair for pair in (found if isinstance(found, list) else ()) if _is_range(pair)):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(last, merged[-1][1])
        else:
            merged.append([first, last])
    return merged


def _is_range(pair: Any) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(type(number) is int and abs(number) <= FARTHEST for number in pair)
        and pair[0] <= pair[1]
    )


def _among(ranges: list[list[int]], number: int) -> bool:
    place = bisect(ranges, [number, FARTHEST])
    return place > 0 and number <= ranges[place - 1][1]
