# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON objects over a byte stream, each after a `Content-Length` header (the base framing of the Language
Server Protocol).

    Content-Length: 46\\r\\n
    \\r\\n
    {"jsonrpc": "2.0", "id": 1, "method": "..."}

The writer puts them on one pipe, the reader takes them off the other and waits for them; who must not wait
feeds a decoder. Sizes are bounded, because a broken peer must end in a sentence and not in a full memory. A
body that is no JSON object is a `BadMessage` and the next message can still be read; a header that cannot be
trusted is a `BadFrame`, after which nobody knows where the next message starts, so the stream is over.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO, NoReturn

from .errors import BadFrame, BadMessage

MAX_HEADER = 4096
"""Bytes of all header lines of one message together."""

MAX_BODY = 4 * 1024 * 1024
"""Bytes of one message. Bulk goes by file, so the largest honest message is a few kilobytes."""


class Decoder:
    """Takes messages out of bytes as they come, in pieces of any size.

    Usage:
        decoder.feed(data)
        while (message := decoder.next()) is not None: ...
    """

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._held = bytearray()
        self._room = MAX_HEADER  # bytes that the header may still take
        self._length: int | None = None  # of the body, once a header line has said so
        self._in_body = False

    def feed(self, data: bytes) -> None:
        """What came next."""
        self._held += data

    def next(self) -> dict[str, Any] | None:
        """The next message, None until there is a whole one.

        Raises BadMessage for a body that is no JSON object, BadFrame for a header that cannot be followed.
        """
        while not self._in_body:
            end = self._held.find(b"\n", 0, self._room)
            if end < 0:
                if len(self._held) >= self._room:
                    raise BadFrame("A message header is too long")
                return None
            line = bytes(self._held[:end]).rstrip(b"\r\n")
            del self._held[: end + 1]
            self._room -= end + 1
            self._take_header(line)
        assert self._length is not None
        if len(self._held) < self._length:
            return None
        body = bytes(self._held[: self._length])
        del self._held[: self._length]
        self._room, self._length, self._in_body = MAX_HEADER, None, False
        return decode(body)

    def end(self) -> None:
        """The other side has closed the stream. Raises BadFrame when that was in the middle of a message."""
        if self._in_body or self._held or self._room < MAX_HEADER:
            raise BadFrame("The stream ended in the middle of a message")

    def _take_header(self, line: bytes) -> None:
        if line:
            name, colon, value = line.partition(b":")
            if not colon:
                raise BadFrame(f"A message header is not a header: {_excerpt(line)}")
            if name.strip().lower() == b"content-length":
                self._length = _length_or_error(value.strip())
        elif self._length is None:
            raise BadFrame("A message came without Content-Length")
        elif self._length > self._max_body:
            raise BadFrame(
                f"A message of {self._length} bytes is larger than the {self._max_body} that are allowed"
            )
        else:
            self._in_body = True


class Reader:
    """Takes messages off a binary stream, one at a time, and waits for them.

    Usage:
        while (message := reader.read()) is not None: ...
    """

    def __init__(self, stream: BinaryIO, max_body: int = MAX_BODY) -> None:
        self._some = getattr(stream, "read1", stream.read)  # what is there, not all that was asked for
        self._decoder = Decoder(max_body)

    def read(self) -> dict[str, Any] | None:
        """The next message, or None when the other side has closed the stream between two messages.

        Raises BadMessage for a body that is no JSON object, BadFrame for a header that cannot be followed or
        a stream that ends in the middle of a message, OSError or ValueError as the stream itself does when it
        is closed under the reader.
        """
        while (message := self._decoder.next()) is None:
            data = self._some(65536)
            if not data:
                self._decoder.end()
                return None
            self._decoder.feed(data)
        return message


class Writer:
    """Puts messages on a binary stream; any thread may write, messages never mix."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, message: Mapping[str, Any]) -> None:
        """Send one message, whole. Raises OSError or ValueError when the other side has gone, BadMessage for
        what is no JSON.
        """
        self.send(encode(message))

    def send(self, data: bytes) -> None:
        """Send what `encode` made. Raises OSError or ValueError when the other side has gone."""
        with self._lock:
            view = memoryview(data)
            while view:  # an unbuffered pipe may take less than it was given
                view = view[self._stream.write(view) or 0 :]
            self._stream.flush()


def encode(message: Mapping[str, Any]) -> bytes:
    """One message with its header. Raises BadMessage for what JSON cannot say (NaN included) or what is too
    large.
    """
    try:
        body = json.dumps(message, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise BadMessage(f"A message cannot be written as JSON: {error}") from error
    if len(body) > MAX_BODY:
        raise BadMessage(
            f"A message of {len(body)} bytes is larger than the {MAX_BODY} bytes that are allowed"
        )
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object in `body` (UTF-8). Raises BadMessage for anything else, NaN and Infinity included."""
    try:
        message = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"A message is not JSON: {_excerpt(body)}") from error
    if not isinstance(message, dict):
        raise BadMessage(f"A message is not a JSON object: {_excerpt(body)}")
    return message


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _length_or_error(value: bytes) -> int:
    if not value.isdigit() or len(value) > 12:
        raise BadFrame(f"Content-Length is not a number: {_excerpt(value)}")
    return int(value)


def _excerpt(data: bytes) -> str:
    return repr(data[:60].decode("utf-8", "replace"))
