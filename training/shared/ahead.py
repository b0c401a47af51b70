# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the batches of coming steps in threads, while this step computes.

On a GPU a step takes a fraction of the time that its pictures take to be read, mirrored and recoloured. What
a step gets depends on its number alone, so a run is the same with and without this.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Ahead(Generic[Made]):
    """``make(step)`` for each step in turn, ``steps`` of them in advance; 0 makes each when it is asked for.

    An error in ``make`` is raised where its step is asked for.
    """

    def __init__(self, make: Callable[[int], Made], steps: int) -> None:
        self.make, self.steps = make, steps
        self._workers = ThreadPoolExecutor(steps, "pictures") if steps else None
        self._coming: dict[int, Future[Made]] = {}

    def __call__(self, step: int) -> Made:
        if self._workers is None:
            return self.make(step)
        for coming in range(step, step + self.steps + 1):
            if coming not in self._coming:
                self._coming[coming] = self._workers.submit(self.make, coming)
        return self._coming.pop(step).result()

    def close(self) -> None:
        """Forget what was made in advance."""
        if self._workers is not None:
            self._workers.shutdown(cancel_futures=True)
            self._coming.clear()
