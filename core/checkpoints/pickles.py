# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a pickled checkpoint before torch reads it: how much memory does it ask for?

torch's restricted reader runs no code, but it makes room for whatever the file announces: a zip member that
unpacks a thousandfold, a storage of numbers that are not there, an array of zeros by its length alone. All
that is known from names and numbers, so it is refused before anything is allocated.
"""

from __future__ import annotations

import os
import pickletools
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from core.files import opened
from core.wire.errors import BadCheckpoint

MOST_PICKLED = 16 << 20
"""Bytes of the part that describes the tensors; that of the published files has some hundred kilobytes."""

ALLOCATING = frozenset({"bytearray", "bytes", "encode", "Counter", "defaultdict", "randn", "zeros", "empty"})
"""Names that torch's restricted reader may know, which make as much as a number says."""

_NUMBERS = ("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4")
_PLACES = ("storage", "cpu", "cuda")  # texts of a storage's description that are not its key
_HINT = "Get the checkpoint from its original source"


def check(path: Path) -> None:
    """Raises BadCheckpoint for a file that would take more memory than it has bytes; whatever is no pickle at
    all passes, for the reader to say so. Raises OSError as `core.files.opened`."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(2) != b"PK":
            file.seek(0)
            announced = _announced(file, path)
        else:
            try:
                announced = _in_archive(file, path, size)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError):
                return
    if announced > size:
        raise _too_much(path, f"{announced} numbers, and has {size} bytes")


def _in_archive(file: BinaryIO, path: Path, size: int) -> int:
    """Numbers that the pickle in a zip archive announces."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > size:  # torch stores its members as they are
            raise _too_much(path, f"{unpacked} bytes, packed into {size}")
        announced = 0
        for member in members:
            if member.filename.endswith(".pkl"):
                if member.file_size > MOST_PICKLED:
                    raise _too_much(path, f"a description of {member.file_size} bytes")
                with archive.open(member) as stream:
                    announced += _announced(stream, path)
        return announced


def _announced(file: object, path: Path) -> int:
    """Numbers in all storages that the pickles at the beginning of a stream announce, each storage once.

    A storage is a persistent id, the tuple ("storage", type, key, place, count).
    """
    storages: dict[str, int] = {}
    key, pushed, number = "", "", 0
    try:
        for _ in range(5):  # an old-style file has five pickles in front of its numbers, others have one
            memo: dict[Any, str] = {}
            for opcode, argument, position in pickletools.genops(file):  # type: ignore[arg-type]
                if (position or 0) > MOST_PICKLED:
                    raise _too_much(path, f"a description of over {MOST_PICKLED} bytes")
                if opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
                    memo[argument] = pushed
                    continue
                if opcode.name == "MEMOIZE":
                    memo[len(memo)] = pushed
                    continue
                got = opcode.name in ("BINGET", "LONG_BINGET", "GET")
                said = memo.get(argument, "") if got else argument
                pushed = said if isinstance(said, str) and opcode.name != "GLOBAL" else ""
                if pushed and not pushed.startswith(_PLACES):
                    key = pushed
                if opcode.name in _NUMBERS:
                    number = int(argument or 0)
                elif opcode.name in ("BINPERSID", "PERSID"):
                    storages[key] = max(number, storages.get(key, 0))
                elif opcode.name == "GLOBAL" and str(argument).rpartition(" ")[2] in ALLOCATING:
                    raise _too_much(path, f"something other than tensors ({argument})")
    except (ValueError, OverflowError, MemoryError, EOFError, UnicodeDecodeError):
        pass  # no further pickle: the numbers themselves follow
    return sum(storages.values())


def _too_much(path: Path, what: str) -> BadCheckpoint:
    return BadCheckpoint(f"{path.name} announces {what}: it is no checkpoint, and was not opened", _HINT)
