# SPDX-License-Identifier: GPL-3.0-or-later
"""server/frames.py: frames are written beside the decoding, in bounded memory, and errors come up."""

from __future__ import annotations

import threading
import time

import pytest

from core.wire.errors import OutputBlocked
from server.frames import THREADS, WAITING, FrameWriter


def nothing(number: int) -> None:
    pass


def test_everything_is_written_and_told_in_order() -> None:
    written: list[int] = []
    told: list[int] = []

    def write(number: int, picture: str) -> None:
        time.sleep(0.005 if number % 2 else 0.0)  # later ones overtake on their threads
        written.append(number)

    with FrameWriter(write, told.append) as writer:
        for number in range(60):
            writer.submit(number, "picture")
    assert sorted(written) == told == list(range(60))


def test_submitting_waits_while_the_disk_is_slow() -> None:
    gate, submitted = threading.Event(), []

    def produce() -> None:
        with FrameWriter(lambda number, picture: gate.wait() and None, nothing) as writer:
            for number in range(50):
                writer.submit(number, "picture")
                submitted.append(number)

    producer = threading.Thread(target=produce)
    producer.start()
    producer.join(0.3)
    assert producer.is_alive() and len(submitted) <= WAITING
    gate.set()
    producer.join()
    assert len(submitted) == 50


def test_a_failed_write_stops_the_producer_with_its_own_error() -> None:
    def write(number: int, picture: str) -> None:
        if number == 3:
            raise OutputBlocked("The disk is full")

    with pytest.raises(OutputBlocked, match="full"), FrameWriter(write, nothing) as writer:
        for number in range(1000):
            writer.submit(number, "picture")
    with pytest.raises(OutputBlocked, match="full"), FrameWriter(write, nothing) as writer:
        writer.submit(3, "picture")  # the last one: it comes up at the end


def test_leaving_by_an_exception_drops_what_has_not_begun_and_tells_what_has_ended() -> None:
    begun, gate = threading.Semaphore(0), threading.Event()
    written: list[int] = []
    told: list[int] = []

    def write(number: int, picture: str) -> None:
        begun.release()
        gate.wait()
        written.append(number)

    with pytest.raises(KeyboardInterrupt), FrameWriter(write, told.append) as writer:
        for number in range(WAITING):
            writer.submit(number, "picture")
        for _ in range(THREADS):
            begun.acquire()
        threading.Timer(0.5, gate.set).start()
        raise KeyboardInterrupt
    assert len(written) == THREADS and sorted(written) == told
