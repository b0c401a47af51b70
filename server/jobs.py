# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is served next: one job at a time, in order of arrival, except that what is urgent overtakes the rest.

Two threads meet here and nowhere else. The listening thread puts jobs in and cancels them; the working thread
takes them out, the urgent ones also between two batches of a long job.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from core.wire.messages import Describe, Initialize, Inspect, Message, Preview

URGENT = (Initialize, Describe, Inspect, Preview)
"""Requests a person waits for, each answered in well under a second."""


@dataclass(eq=False)
class Job:
    """A request that waits or runs. `cancelled` is set from outside and looked at between batches."""

    number: int
    message: Message
    cancelled: threading.Event = field(default_factory=threading.Event)


class Desk:
    """The queue in front of the one worker."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent: deque[Job] = deque()
        self._queue: deque[Job] = deque()
        self._running: dict[int, Job] = {}  # a long job, and what is served in its midst
        self._closed = False

    def put(self, job: Job) -> Job | None:
        """Add a job. Returns the older preview that a new preview has made stale; the caller answers that
        one.
        """
        with self._changed:
            stale = None
            if isinstance(job.message, Preview):
                stale = next((old for old in self._urgent if isinstance(old.message, Preview)), None)
            if stale:
                self._urgent.remove(stale)
            (self._urgent if isinstance(job.message, URGENT) else self._queue).append(job)
            self._changed.notify()
            return stale

    def take(self, patience: float | None, rest: Callable[[], None]) -> Job | None:
        """Wait for the next job; None when the desk is closed. `rest` is called after `patience` idle
        seconds, never when that is None.
        """
        with self._changed:
            if not self._changed.wait_for(self._ready, patience):
                rest()
                self._changed.wait_for(self._ready)
            return None if self._closed else self._start(self._urgent or self._queue)

    def take_urgent(self) -> Job | None:
        """The next urgent job, if there is one; does not wait."""
        with self._changed:
            return self._start(self._urgent) if self._urgent and not self._closed else None

    def finish(self, job: Job) -> None:
        """The worker is done with this job, in whatever way."""
        with self._changed:
            self._running.pop(job.number, None)

    def cancel(self, number: int) -> tuple[bool, Job | None]:
        """Stop a job. Returns whether there was one, and the job if it had only waited; the caller answers
        it.
        """
        with self._changed:
            if number in self._running:
                self._running[number].cancelled.set()
                return True, None
            for queue in (self._urgent, self._queue):
                for job in queue:
                    if job.number == number:
                        queue.remove(job)
                        return True, job
            return False, None

    def close(self) -> None:
        """No more work: the running job is cancelled, `take` gives None, what has waited is dropped."""
        with self._changed:
            self._closed = True
            for job in self._running.values():
                job.cancelled.set()
            self._urgent.clear()
            self._queue.clear()
            self._changed.notify_all()

    def _ready(self) -> bool:
        return self._closed or bool(self._urgent or self._queue)

    def _start(self, queue: deque[Job]) -> Job:
        job = queue.popleft()
        self._running[job.number] = job
        return job
