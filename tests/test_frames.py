# SPDX-License-Identifier: GPL-3.0-or-later
"""server/frames.py: frames are written beside the decoding, in bounded memory, and errors come up."""

from __future__ import annotations

import threading

import pytest

from core.wire.errors import OutputBlocked
from server.frames import THREADS, WAITING, FrameWriter


def test_everything_is_written_when_the_block_ends() -> None:
    written: list[int] = []
    with FrameWriter(written.append) as writer:
        for number in range(100):
            writer.submit(number)
    assert sorted(written) == list(range(100))


def test_submitting_waits_while_the_disk_is_slow() -> None:
    gate, submitted = threading.Event(), []

    def produce() -> None:
        with FrameWriter(lambda number: gate.wait()) as writer:
            for number in range(50):
                writer.submit(number)
                submitted.append(number)

    producer = threading.Thread(target=produce)
    producer.start()
    producer.join(0.3)
    assert producer.is_alive() and len(submitted) <= WAITING + THREADS
    gate.set()
    producer.join()
    assert len(submitted) == 50


def test_a_failed_write_stops_the_producer_with_its_own_error() -> None:
    def fail(number: int) -> None:
        if number == 3:
            raise OutputBlocked("The disk is full")

    with pytest.raises(OutputBlocked, match="full"), FrameWriter(fail) as writer:
        for number in range(1000):
            writer.submit(number)
    with pytest.raises(OutputBlocked, match="full"), FrameWriter(fail) as writer:
        writer.submit(3)  # the last one: it comes up at the end


def test_leaving_by_an_exception_drops_what_has_not_begun() -> None:
    gate, written = threading.Event(), []

    def slow(number: int) -> None:
        gate.wait()
        written.append(number)

    with pytest.raises(KeyboardInterrupt), FrameWriter(slow) as writer:
        for number in range(WAITING):
            writer.submit(number)
        threading.Timer(0.5, gate.set).start()
        raise KeyboardInterrupt
    assert len(written) <= THREADS
