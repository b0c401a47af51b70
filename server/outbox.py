# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server says, sent from a thread of its own: a client that is slow to listen holds up no work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import BinaryIO

from core.wire import framing


class Outbox:
    """Messages leave in the order in which they were put, whichever thread put them.

    `gone` is called, in the sending thread, when the other side has closed the stream.
    """

    def __init__(self, sink: BinaryIO, gone: Callable[[], None]) -> None:
        self._writer = framing.Writer(sink)
        self._gone = gone
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send, name="sender", daemon=True)
        self._sender.start()

    def put(self, data: bytes) -> None:
        """Send soon what `core.wire.framing.encode` made."""
        self._queue.put(data)

    def close(self, seconds: float) -> None:
        """Wait up to so long until all is sent; nothing may be put any more."""
        self._queue.put(None)
        self._sender.join(seconds)

    def _send(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                self._writer.send(data)
        except (OSError, ValueError):
            self._gone()
