# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are written whole or not at all.

A reader (Blender watching a folder, a second take, a person) never sees half a frame: everything goes to a
temporary name in the same folder and is renamed when it is complete. A full disk or a read-only folder
becomes one sentence.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.wire.errors import OutputBlocked

PATIENCE = 1.0
"""Seconds in which another program may let go of a file that is to be replaced."""


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`, with the same suffix; it takes the place of `path` when the block
    ends well.

    When the block raises, the temporary file is removed and an older `path` stays as it was.
    Raises OutputBlocked when the system refuses to write.

    Usage:
        with written_whole("take/0001.png") as temporary:
            temporary.write_bytes(data)
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        _replace(temporary, path)
    except OSError as error:
        raise OutputBlocked(
            f"{path} could not be written: {_reason(error)}", hint="Choose another output folder"
        ) from error
    finally:
        with suppress(OSError):  # where nothing can be written there is nothing to remove
            temporary.unlink(missing_ok=True)


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


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "its folder does not exist"
    if isinstance(error, PermissionError):
        return "writing there is not allowed, or another program has the file open"
    return (error.strerror or str(error)).lower()
