# SPDX-License-Identifier: GPL-3.0-or-later
"""A take on disk: its folder, its file names, and what its pictures depend on. No bpy.

anna_001/
    motion.npz       the analysed motion, 25 steps a second, as it came from the server
    decode-*.npz     while pictures are made: the weights that were asked for, at scene frames
    rendered.npz     for every picture that exists: its weights and its look, see `frame_record`
    take.0100.png    the portrait at rest, shown before the take begins
    take.0101.png    the picture of scene frame 101, and so on
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import stat
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...core.wire import mouth_knobs
from ...core.wire.channels import DRAWN
from ...core.wire.errors import BadMotion, OutputBlocked, OutputExists
from ...core.wire.formats import arrays
from ...core.wire.formats import weights as weights_file
from ..settings import files

STEM = "take."
MOST_DIGESTED = 1 << 31
DIGEST_TURN = 1 << 24
"""Bytes read at once, about 20 ms."""
FAR = 1_048_573
"""The last frame of Blender's timeline, on either side."""
MOST_FRAMES = 250_000
"""Nearly three hours at 24 frames a second."""
DIGITS = 4
MOST_UNPACKED = 1 << 28
"""Bytes of all arrays in a file together: more than a record or a motion of 250 000 frames has."""
MOST_MEMBERS = 64
SUFFIXES = {"png": ".png", "png16": ".png", "exr": ".exr"}


@dataclass(frozen=True)
class Look:
    """Everything besides the weights that a picture depends on."""

    portrait: str  # digest of the file's bytes, so that a retouched portrait counts as a new one
    checkpoint: str  # digest too, "" for the one that is shipped
    crop: tuple[float, float, float]
    size: int
    composite: str
    detail: bool
    format: str
    drawn: int = DRAWN
    marks: str = ""  # of the face, "" where they are read in the portrait

    def digest(self) -> bytes:
        """16 bytes that change whenever the pictures would; without marks, those of before there were any."""
        told = asdict(self)
        if not self.marks:
            del told["marks"]
        text = json.dumps(told, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def at_rest(look: bytes) -> bytes:
    """The look of the picture before the first: the portrait itself, whatever the weights are."""
    return hashlib.blake2b(look + b"at rest", digest_size=16).digest()


def looks_of(look: bytes, mouths: Sequence[Sequence[float]]) -> list[bytes]:
    """The look of each frame: a mouth whose knobs were turned is another picture. Rows of
    `core.wire.mouth_knobs`, tidy; at rest they are what they were before there were knobs.
    """
    turned = {row: _of_mouth(look, row) for row in set(map(tuple, mouths)) if row != mouth_knobs.DEFAULTS}
    return [turned.get(tuple(row), look) for row in mouths]


def _of_mouth(look: bytes, row: tuple[float, ...]) -> bytes:
    return hashlib.blake2b(look + json.dumps(row).encode(), digest_size=16).digest()


def file_digest(path: str) -> str:
    """Digest of a file's bytes; "" when it cannot be read, may not be read yet, or is larger than any
    portrait. Read again only when its time or size changes.
    """
    turns = digesting(path)
    while True:
        try:
            next(turns)
        except StopIteration as end:
            return end.value


def digesting(path: str) -> Generator[int, None, str]:
    """`file_digest` in turns, for who must not wait; yields how many bytes are read."""
    try:
        known = os.stat(path)
        key = str(path), known.st_mtime_ns, known.st_size
        if key in _digests:
            return _digests[key]
        if not stat.S_ISREG(known.st_mode) or known.st_size > MOST_DIGESTED or not files.may_read():
            return ""
        digest, done = hashlib.blake2b(digest_size=16), 0
        with files.open_regular(path) as file:
            while (piece := file.read(DIGEST_TURN)) and done <= known.st_size:
                digest.update(piece)
                done += len(piece)
                if done < known.st_size:
                    yield done
    except (OSError, ValueError):
        return ""
    if len(_digests) >= 64:
        _digests.clear()
    _digests[key] = digest.hexdigest()
    return _digests[key]


_digests: dict[tuple[str, int, int], str] = {}


def frames(first: int, last: int) -> range:
    """The scene frames of a take, as far as Blender's timeline goes and a take can be long: a file may say
    anything.
    """
    first = min(max(first, -FAR), FAR)
    return range(first, min(max(first, last), FAR, first + MOST_FRAMES - 1) + 1)


def file_name(number: int, picture_format: str) -> str:
    """Name of the picture with this file number: `take.0101.png`."""
    return f"{STEM}{number:0{DIGITS}d}{SUFFIXES[picture_format]}"


def free_name(folder: Path, portrait: str, used: Iterable[str] = ()) -> str:
    """The next take name nobody uses: `anna_001`, `anna_002` ...; neither a folder nor one of `used`."""
    stem = re.sub(r"[^\w-]+", "_", Path(portrait).stem).strip("_")
    stem = (
        stem.encode(errors="ignore")[:40].decode(errors="ignore") or "face"
    )  # names in a .blend have 63 bytes at most
    used = set(used)
    number = 1
    while (name := f"{stem}_{number:03d}") in used or os.path.lexists(folder / name):
        number += 1
    return name


def claim(base: Path, portrait: str, used: Iterable[str] = ()) -> str:
    """The next free take name, with a new folder of that name: who asks at the same moment gets another one.
    Raises OutputBlocked.
    """
    used = set(used)
    while True:
        name = free_name(base, portrait, used)
        if base == private_name():
            private_folder()
        make_folder(base)
        try:
            (base / name).mkdir()
        except FileExistsError:
            continue  # by now, or a link to nowhere
        except OSError as error:
            raise blocked(base / name, error) from error
        return name


def private_name() -> Path:
    """Where `private_folder` is; nothing is made."""
    name = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    who = re.sub(r"[^\w-]+", "_", name)
    return Path(tempfile.gettempdir()) / f"edtalk-{who}"


def private_folder() -> Path:
    """A folder of this user's alone among the temporary files; somebody else's of that name is not entered.
    Raises OutputBlocked.
    """
    folder = private_name()
    try:
        with suppress(FileExistsError):
            folder.mkdir(0o700)
        known = folder.lstat()
        if not stat.S_ISDIR(known.st_mode) or (hasattr(os, "getuid") and known.st_uid != os.getuid()):
            raise OSError("it is somebody else's")
        if hasattr(os, "getuid") and known.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise blocked(folder, error) from error
    return folder


def blocked(folder: Path, error: OSError) -> OutputBlocked:
    """What to say where nothing can be written."""
    return OutputBlocked(
        f"Nothing can be written to {folder}: {error.strerror or error}", hint="Choose another output folder"
    )


def make_folder(folder: Path) -> None:
    """Create a take's folder and see that files can be written there. Raises OutputBlocked."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise blocked(folder, error) from error


def request_name() -> str:
    """Name of the file that asks for pictures: whose it is, and a number that nobody guesses."""
    machine = re.sub(r"[^\w-]+", "_", platform.node())[:40] or "machine"
    return f"decode-{machine}.{os.getpid()}.{secrets.token_hex(4)}.npz"


def clear_requests(folder: Path) -> None:
    """Take away what a Blender that was killed had asked for: its process is gone, or it is a day old."""
    machine = request_name().split(".")[0]
    for path in folder.glob("decode-*.npz"):
        with suppress(OSError, ValueError):
            old = time.time() - path.lstat().st_mtime > 86400
            head, _, rest = path.name.partition(".")
            if old or (head == machine and not _runs(int(rest.partition(".")[0]))):
                path.unlink()


def _runs(pid: int) -> bool:
    """Is there a process of this number? On Windows nobody knows without asking in a manner that ends it."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def is_ours(folder: Path) -> bool:
    """Did EDTalk make what is in this folder? It leaves notes beside its pictures."""
    marks = ("edtalk-take.json", "motion.npz", "rendered*.npz")
    return any(True for mark in marks for _ in folder.glob(mark))


def leave_alone(folder: Path, names: Iterable[str]) -> None:
    """For a folder that is not ours, to which somebody pointed the take's image: graded pictures, say. Raises
    OutputExists when files of these names are there.
    """
    there = [name for name in names if (folder / name).exists()]
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise OutputExists(
            f"EDTalk did not make {there[0]}{more} in {folder}, so they stay",
            hint="Let the take's image show the take's own folder again to render there",
        )


def save_arrays(path: Path, held: dict[str, np.ndarray]) -> None:
    """Write an npz whole or not at all. Raises OutputBlocked."""
    try:
        files.write_whole(path, arrays.packed(held))
    except OSError as error:
        raise OutputBlocked(
            f"{path.name} cannot be written to {path.parent}: {error.strerror or error}",
            hint="Make room on the disk or choose another output folder",
        ) from error


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an npz, never unpickling. Raises BadMotion for what is none, is cut off, or unpacks to
    more than a take can hold.
    """
    try:
        with files.open_regular(path) as file:
            return arrays.arrays_in(file, path.name, MOST_UNPACKED, MOST_MEMBERS, "a file of arrays")
    except (OSError, ValueError) as error:
        raise BadMotion(f"{path.name} cannot be read as arrays: {error}") from error


def load_motion(path: Path) -> tuple[np.ndarray, float]:
    """Weights float32 [T, 36] and steps a second of a motion.npz. Raises BadMotion."""
    try:
        table = weights_file.read(files.read_small(path, MOST_UNPACKED), path.name, ".npz")
    except (OSError, ValueError) as error:
        raise BadMotion(f"{path.name} cannot be read: {error}") from error
    return table.weights, table.rate


def save_motion(
    path: Path,
    weights: np.ndarray,
    rate: float,
    numbers: Sequence[int],
    model: str,
    mouths: Sequence[Sequence[float]] = (),
) -> None:
    """Write weights [T, 36] as a motion.npz whose rows are the given frame numbers, with the knobs of the
    mouth where any was turned. Raises OutputBlocked.
    """
    rows = tuple(tuple(row) for row in mouths)
    table = weights_file.Table(weights, np.asarray(numbers), rate, model, rows)
    save_arrays(path, weights_file.arrays_of(table))
