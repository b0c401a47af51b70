# SPDX-License-Identifier: GPL-3.0-or-later
"""Several frames at once on a CPU, each on a core of its own.

A frame is some six hundred short operations.  Cores that share every one of them wait for each other as
often, and sleep and wake in between; cores that take a frame each never wait.

What runs in a lane runs on one thread, whatever `torch.set_num_threads` says elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

A = TypeVar("A")
B = TypeVar("B")

MOST = 16
"""Lanes at most: each holds a frame's worth of memory, tens of megabytes at the published size."""


class Lanes:
    """As many threads as torch may use when this is made; they start when they are first needed.

    Usage:
        for frame in lanes.each(decode, weights):  # in the order of the weights
            ...
    """

    def __init__(self) -> None:
        self.count = min(torch.get_num_threads(), MOST)
        self._pool: ThreadPoolExecutor | None = None

    def each(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """`work(item)` of each item, in order. At most `count + 2` items are in flight; closing the
        generator cancels the rest.
        """
        pool = self._pool = self._pool or self._started()
        begun: deque[Future[B]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > self.count + 1:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()

    def alone(self, work: Callable[[], B]) -> B:
        """`work()` in one lane. Large sums are split among threads, and rounded as they are split: what has
        to have the same bits on every machine is made here.
        """
        (made,) = self.each(lambda _: work(), (None,))
        return made

    def _started(self) -> ThreadPoolExecutor:
        """Threads that have told torch to stay on them. Torch gives the last number it was told to every
        thread that comes later, so it is told the old one again.
        """
        threads, ready = torch.get_num_threads(), Barrier(self.count + 1)
        pool = ThreadPoolExecutor(self.count, "lane", _alone)
        for _ in range(self.count):
            pool.submit(ready.wait)
        ready.wait()
        torch.set_num_threads(threads)
        return pool


def _alone() -> None:
    torch.get_num_threads()  # a thread that never asked would take the number for all when it first works
    torch.set_num_threads(1)


def keep_memory() -> None:
    """Let a block of nearly 32 MB come and go.  glibc then keeps up to twice as much of what is freed, where
    it would hand the memory of each frame back and fetch it page by page for the next, a tenth of the time.
    Other allocators take no notice.
    """
    torch.empty((32 << 20) - 8192, dtype=torch.uint8)
