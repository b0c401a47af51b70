# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are read only where they are files, and written whole or not at all.

Reading: a path that a person gives may name a device without end, a pipe that nobody fills, or a folder.
`opened` and `read` open regular files only, never wait, and know how much may be read at most.

Writing: a reader (Blender watching a folder, a second take, a person) never sees half a frame: everything
goes to a new file with a random name in the same folder and is renamed when it is complete. A full disk or a
read-only folder becomes one sentence.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from core.wire.errors import OutputBlocked

PATIENCE = 1.0
"""Seconds in which another program may let go of a file that is to be replaced."""

_READ = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_BINARY", "O_NONBLOCK", "O_NOCTTY"))
_CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
_NO_NAME = "no file can have this name"
_KINDS = {
    stat.S_IFDIR: "it is a folder, not a file",
    stat.S_IFIFO: "it is a pipe, not a file",
    stat.S_IFSOCK: "it is a socket, not a file",
    stat.S_IFCHR: "it is a device, not a file",
    stat.S_IFBLK: "it is a device, not a file",
}


# --- reading --------------------------------------------------------------------------------------


def is_file(path: Path | str) -> bool:
    """Whether there is a regular file, behind links too; False, never an error, for any other name."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):  # ValueError: a zero in the name, or what the file system cannot write
        return False


def opened(path: Path | str, most: int | None = None) -> BinaryIO:
    """A regular file of at most `most` bytes, open for reading.

    Raises OSError, and nothing else, for what cannot be opened and for all that is no regular file; `reason`
    puts it into words. It never waits for another program.
    """
    try:
        _check_kind(os.stat(path), most)  # first without opening: some devices act on that alone
        descriptor = os.open(path, _READ)
    except ValueError:
        raise OSError(errno.EINVAL, _NO_NAME) from None
    try:
        _check_kind(os.fstat(descriptor), most)  # again: another may have come in its place
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read(path: Path | str, most: int) -> bytes:
    """All bytes of a regular file, at most `most`. Raises OSError as `opened` does."""
    with opened(path, most) as file:
        data = file.read(os.fstat(file.fileno()).st_size + 1)
        while len(data) <= most and (more := file.read(1 << 20)):  # it grew, or does not tell its size
            data += more
    if len(data) > most:
        raise _too_large(most)
    return data


def reason(error: OSError) -> str:
    """Why the system refused, to end a sentence: "it is a folder, not a file"."""
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    return (error.strerror or str(error)).lower()


def _check_kind(about: os.stat_result, most: int | None) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, _KINDS.get(stat.S_IFMT(about.st_mode), "it is not a file"))
    if most is not None and about.st_size > most:
        raise _too_large(most)


def _too_large(most: int) -> OSError:
    size = f"{most >> 20} MB" if most >> 20 else f"{most} bytes"
    return OSError(errno.EFBIG, f"it is larger than {size}")


# --- writing --------------------------------------------------------------------------------------


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """A new, empty file beside `path`, with the same suffix; it takes the place of `path` when the block
    ends well.

    Nobody can guess its name, and it is made by this call alone: a link or a pipe that was put there before,
    or another computer on the same folder, is never written to. When the block raises, it is removed and an
    older `path` stays as it was. A link at `path` is replaced, not followed.
    Raises OutputBlocked when the system refuses to write, or when `path` is a device, a pipe or a folder.

    Usage:
        with written_whole("take/0001.png") as temporary:
            temporary.write_bytes(data)
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part{path.suffix}")
    try:
        _check_target(path)
        os.close(os.open(temporary, _CREATE, 0o666))
        yield temporary
        _replace(temporary, path)
    except OSError as error:
        raise OutputBlocked(
            f"{path} could not be written: {_blocked(error)}", hint="Choose another output folder"
        ) from error
    finally:
        with suppress(OSError):  # where nothing can be written there is nothing to remove
            temporary.unlink(missing_ok=True)


def same_file(one: Path | str, other: Path | str) -> bool:
    """Whether two paths name one file that is there, by whatever links; False when either is missing."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def _check_target(path: Path) -> None:
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return
    except ValueError:
        raise OSError(errno.EINVAL, _NO_NAME) from None
    if kind not in (stat.S_IFREG, stat.S_IFLNK):
        raise OSError(errno.EINVAL, _KINDS.get(kind, "it is not a file"))


def _replace(temporary: Path, path: Path) -> None:
    """Windows does not let a file be replaced while a viewer or a virus scanner has it open."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return os.replace(temporary, path)
        except PermissionError:
            if not path.is_file() or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _blocked(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "its folder does not exist"
    if isinstance(error, PermissionError):
        return "writing there is not allowed, or another program has the file open"
    if error.errno is None:  # numpy's word for a disk that took a part
        return "not all of it could be written; the disk may be full"
    return reason(error)
