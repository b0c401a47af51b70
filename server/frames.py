# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames go to disk beside the decoding: compressing a picture takes as long as a decoder step, and needs no
model.

A few threads and a bounded queue: when the disk is slower than the model, `submit` waits, so memory stays
flat.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from core.wire.errors import Cancelled

THREADS = 2
WAITING = 8
"""Pictures that wait to be written, at most."""


class FrameWriter:
    """Runs `write(*arguments)` for each submit, on its own threads.

    Leaving the block waits for all of them; leaving it by an exception drops what has not begun. The first
    error of a write comes up in the next `submit`, or at the end of the block.

    Usage:
        with FrameWriter(save) as writer:
            for number, picture in decoded:
                writer.submit(number, picture)
    """

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._room = threading.Semaphore(WAITING)
        self._error: BaseException | None = None
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="frame-writer")

    def __enter__(self) -> FrameWriter:
        return self

    def submit(self, *arguments: Any) -> None:
        """Hand over one frame; waits while the queue is full. Raises what an earlier write raised."""
        self._room.acquire()
        if self._error:
            self._room.release()
            raise self._error
        self._pool.submit(self._run, arguments)

    def _run(self, arguments: tuple[Any, ...]) -> None:
        try:
            if self._error is None:
                self._write(*arguments)
        except Exception as error:
            self._error = self._error or error
        finally:
            self._room.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._error = self._error or Cancelled("Dropped")
        self._pool.shutdown(wait=True)
        if kind is None and self._error:
            raise self._error
