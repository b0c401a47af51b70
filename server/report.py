# SPDX-License-Identifier: GPL-3.0-or-later
"""How work tells of itself while it goes on: to a client over the wire, or to a person at a terminal.

`Report` is the keyhole through which the runtime sees both; `Pace` is the arithmetic of frames a second and
time left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

INTERVAL = 0.1
"""Seconds between two progress messages; more would only be noise."""


class Report(Protocol):
    """What a job calls as it goes."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` (0: not known) in this stage, a word for the animator."""

    def frame(self, number: int, path: Path) -> None:
        """A frame is on disk, whole. May be called from any thread."""

    def breathe(self) -> None:
        """A good moment between two batches: raises Cancelled when the job is to stop, serves a waiting
        preview.
        """


class Pace:
    """Frames a second and seconds left of one stage, and whether it is time to say so.

    `due` is true for the first and the last step of a stage, and otherwise every 0.1 s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._start = self._said = 0.0
        self._first = 0

    def due(self, stage: str, done: int, total: int) -> bool:
        """Note a step; true when it should be told."""
        now = self._clock()
        if stage != self._stage:
            self._stage, self._start, self._first = stage, now, done
        elif done != total and now - self._said < INTERVAL:
            return False
        self._said = now
        return True

    def speed(self, done: int, total: int) -> tuple[float, float]:
        """Frames a second and seconds left; zeros while nothing is known."""
        passed, seconds = done - self._first, self._clock() - self._start
        if passed <= 0 or seconds <= 0:
            return 0.0, 0.0
        fps = passed / seconds
        return fps, max(0, total - done) / fps
