# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames are finished and go to disk beside the decoding: carrying detail over and compressing take about as
long as a decoder step, and need no model.

A few threads and a bounded queue: when they are slower than the model, `submit` waits, so memory stays flat.
Frames are told of in the order they were handed over, so that a picture sequence grows without gaps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

THREADS = 2
WAITING = 8
"""Frames handed over and not yet written, at most."""


class FrameWriter(Generic[T]):
    """Runs `write(number, picture)` on its own threads and then `written(number)` on the caller's, in order.

    Leaving the block waits for all of them; leaving it by an exception drops what has not begun. An error of
    a write comes up in a later `submit`, or at the end of the block.

    Usage:
        with FrameWriter(save, tell) as writer:
            for number, picture in decoded:
                writer.submit(number, picture)
    """

    def __init__(self, write: Callable[[int, T], None], written: Callable[[int], None]) -> None:
        self._write = write
        self._written = written
        self._waiting: deque[tuple[int, Future[None]]] = deque()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="frame-writer")

    def __enter__(self) -> FrameWriter[T]:
        return self

    def submit(self, number: int, picture: T) -> None:
        """Hand over one frame; waits while there are too many. Raises what an earlier write raised."""
        while self._waiting and (len(self._waiting) >= WAITING or self._waiting[0][1].done()):
            self._settle()
        self._waiting.append((number, self._pool.submit(self._write, number, picture)))

    def _settle(self) -> None:
        number, future = self._waiting.popleft()
        future.result()
        self._written(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._waiting and kind is None:
                self._settle()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
        for number, future in self._waiting:  # only after an exception: these still made it to the disk
            if not future.cancelled() and future.exception() is None:
                self._written(number)
