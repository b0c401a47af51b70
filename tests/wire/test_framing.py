# SPDX-License-Identifier: GPL-3.0-or-later
"""core/wire/framing.py: what is written is read back, and broken bytes end in a sentence."""

from __future__ import annotations

import io
import os
import threading

import pytest

from core.wire import framing
from core.wire.errors import BadFrame, BadMessage


def read(data: bytes, **options: int) -> dict | None:
    return framing.Reader(io.BytesIO(data), **options).read()


def test_messages_come_back_in_order() -> None:
    stream = io.BytesIO()
    writer = framing.Writer(stream)
    said = [{"id": 1, "text": "größer\n\r\n"}, {}, {"nested": [{"a": None}]}]
    for message in said:
        writer.write(message)
    stream.seek(0)
    reader = framing.Reader(stream)
    assert [reader.read() for _ in said] == said
    assert reader.read() is None


def test_a_path_that_is_not_unicode_survives() -> None:
    name = os.fsdecode(b"/tmp/\xff.png")
    assert read(framing.encode({"path": name})) == {"path": name}


def test_unknown_headers_and_lower_case_are_allowed() -> None:
    assert read(b"Content-Type: x\r\ncontent-length: 2\r\n\r\n{}") == {}


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"hello\r\n\r\n",
        b"Content-Length: x\r\n\r\n",
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: 1e3\r\n\r\n",
        b"Content-Length: 99999999999999999999\r\n\r\n",
        b"Content-Type: x\r\n\r\n{}",
        b"Content-Length: 5",
        b"Content-Length: 5\r\n",
        b"Content-Length: 5\r\n\r\n{}",
        b"x" * 10_000,
        b"x: y\r\n" * 5_000,
        b"\x00\xff\x7f\n\n",
    ],
)
def test_a_header_that_cannot_be_followed_is_a_bad_frame(data: bytes) -> None:
    with pytest.raises(BadFrame):
        read(data)


def test_a_body_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadFrame, match="larger than"):
        read(b"Content-Length: %d\r\n\r\n" % (framing.MAX_BODY + 1))
    with pytest.raises(BadFrame, match="larger than"):
        read(b"Content-Length: 11\r\n\r\n" + b'{"a": 1234}', max_body=10)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b"null", b'{"a": NaN}', b'{"a": Infinity}', b"\xff\xfe", b"[" * 100_000]
)
def test_after_a_bad_body_the_next_message_can_be_read(body: bytes) -> None:
    reader = framing.Reader(
        io.BytesIO(b"Content-Length: %d\r\n\r\n" % len(body) + body + framing.encode({"id": 2}))
    )
    with pytest.raises(BadMessage) as caught:
        reader.read()
    assert not isinstance(caught.value, BadFrame)
    assert reader.read() == {"id": 2}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes"])
def test_what_json_cannot_say_is_refused_by_the_writer(value: object) -> None:
    with pytest.raises(BadMessage):
        framing.encode({"value": value})


def test_threads_never_mix_their_messages() -> None:
    stream = io.BytesIO()
    writer = framing.Writer(stream)

    def say(who: int) -> None:
        for turn in range(50):
            writer.write({"who": who, "turn": turn, "text": "x" * 500})

    threads = [threading.Thread(target=say, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream.seek(0)
    reader = framing.Reader(stream)
    heard = [reader.read() for _ in range(200)]
    assert reader.read() is None
    for who in range(4):
        assert [m["turn"] for m in heard if m and m["who"] == who] == list(range(50))


def test_an_unbuffered_pipe_may_hand_over_in_pieces() -> None:
    out, into = os.pipe()
    message = {"text": "x" * 300_000}  # more than a pipe holds, so both sides go in steps
    with os.fdopen(out, "rb", 0) as source, os.fdopen(into, "wb", 0) as sink:
        thread = threading.Thread(target=framing.Writer(sink).write, args=(message,))
        thread.start()
        assert framing.Reader(source).read() == message
        thread.join()
