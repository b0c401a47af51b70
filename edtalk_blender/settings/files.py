# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way in which the extension writes a file whole or not at all, and reads one that is somebody
else's. No bpy.

Temporary names are random, and made exclusively: a link or a pipe that was planted under a name that can be
guessed would be followed, and two computers with one process id would write into one file. Only regular
files are read, and only so much of them: a device has no end, and a pipe waits for ever.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE = 0.3
"""Seconds in which somebody else may let go of a file that is to be replaced; Blender waits meanwhile."""

GATE: list[Callable[[], bool]] = []
"""Asked before a file is read that the .blend names; Blender puts the question of `trust` here."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; a link of this name is replaced, not followed. Raises OSError."""
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, _NEW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def replace(whole: Path, path: Path) -> None:
    """Windows does not let a file be replaced while somebody reads it: another worker of a farm, say."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return os.replace(whole, path)
        except PermissionError:
            if not path.is_file() or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def open_regular(path: Path | str):
    """A regular file, opened for reading bytes; never waits for the other end of a pipe. Raises OSError for
    anything else, ValueError for a name that no file can have.
    """
    descriptor = os.open(path, _READ)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is a device, a pipe or a folder, not a file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_small(path: Path | str, most: int) -> bytes:
    """All of a regular file of at most so many bytes. Raises OSError."""
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(f"{path} is larger than {most} bytes")
    return data


def may_read() -> bool:
    """May files that the .blend names be read already?"""
    return all(ask() for ask in GATE)


def is_regular(path: Path | str) -> bool:
    """Is there a regular file, or a link to one? A name that no file can have is none."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def sizes_in(folder: Path) -> dict[str, int]:
    """Name and bytes of each file in a folder; nothing for a folder that is not there."""
    found = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                found[entry.name] = entry.stat().st_size if entry.is_file() else 0
    return found
