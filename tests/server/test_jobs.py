# SPDX-License-Identifier: GPL-3.0-or-later
"""server/jobs.py: who is served next."""

from __future__ import annotations

from core.wire.messages import Decode, Inspect, Preview
from server.jobs import Desk, Job


def decode(number: int) -> Job:
    return Job(number, Decode(portrait="/p", motion="/m", out="/o"))


def preview(number: int) -> Job:
    return Job(number, Preview(portrait="/p", weights=[0.0] * 36, out="/o"))


def take(desk: Desk) -> int | None:
    job = desk.take(60, lambda: None)
    return job.number if job else None


def test_urgent_requests_come_first_and_the_rest_in_order() -> None:
    desk = Desk()
    for job in (decode(1), decode(2), Job(3, Inspect(portrait="/p")), preview(4)):
        assert desk.put(job) is None
    assert [take(desk) for _ in range(4)] == [3, 4, 1, 2]


def test_only_the_newest_preview_waits() -> None:
    desk = Desk()
    first, second = preview(1), preview(2)
    assert desk.put(first) is None
    assert desk.put(second) is first
    running = desk.take_urgent()
    assert running is second and desk.take_urgent() is None
    assert desk.put(preview(3)) is None  # one that runs is not stale


def test_a_waiting_job_is_taken_out_a_running_one_is_told() -> None:
    desk = Desk()
    running, waiting = decode(1), decode(2)
    desk.put(running)
    desk.put(waiting)
    assert take(desk) == 1
    assert desk.cancel(1) == (True, None) and running.cancelled.is_set()
    assert desk.cancel(2) == (True, waiting)
    desk.finish(running)
    assert desk.cancel(1) == (False, None)


def test_a_closed_desk_gives_nothing_and_stops_what_runs() -> None:
    desk = Desk()
    running = decode(1)
    for job in (running, decode(2), preview(3)):
        desk.put(job)
    assert take(desk) == 3 and take(desk) == 1
    desk.close()
    assert running.cancelled.is_set()
    assert take(desk) is None and desk.take_urgent() is None


def test_an_idle_desk_calls_for_rest_once_and_then_waits_on() -> None:
    desk, rested = Desk(), []

    def rest() -> None:
        rested.append(True)
        desk.put(decode(7))

    job = desk.take(0.01, rest)
    assert job and job.number == 7 and rested == [True]
