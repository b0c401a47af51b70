# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said to another process and what it says, without waiting and without a thread. No bpy.

Trap: Blender does not support Python threads beside its own. Up to 5.0 an operator that is called within
`temp_override`, ours or any add-on's, uses Python objects while a second thread believes to be alone with
them, and Blender crashes, rarely and far from the cause. So what comes through pipes is looked for by those
who want it.
"""

from __future__ import annotations

import os
import sys
from typing import IO

MOST = 1 << 16
"""Bytes taken at once."""


PIECE = 4096
"""Bytes given at once: no pipe that has room refuses so few."""


class Outlet:
    """The end of a pipe that another process writes to."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream  # only its descriptor is read: nothing may stay behind in a buffer of Python's
        if sys.platform != "win32":
            os.set_blocking(stream.fileno(), False)

    def read(self) -> bytes | None:
        """What has come since the last call: b"" for nothing yet, None when the other side has gone."""
        try:
            descriptor = self._stream.fileno()
            if sys.platform == "win32" and not _waiting(descriptor):
                return b""
            return os.read(descriptor, MOST) or None
        except BlockingIOError:
            return b""
        except (OSError, ValueError):  # a broken pipe, or closed under us
            return None


class Inlet:
    """The end of a pipe that another process reads. What does not fit is kept: a pipe takes 64 kB at most
    while the other side is busy, and who waits for more freezes Blender.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream  # unbuffered
        self._held = bytearray()
        if sys.platform != "win32":
            os.set_blocking(stream.fileno(), False)
        else:
            _never_wait(stream.fileno())

    def write(self, data: bytes) -> None:
        """Send what fits now, and keep the rest for `push`. Raises OSError or ValueError when the other side
        has gone.
        """
        self._held += data
        self.push()

    def push(self) -> None:
        """Send what was kept, as far as it fits. Raises as `write` does."""
        try:
            while self._held:
                sent = os.write(self._stream.fileno(), self._held[:PIECE])
                if not sent:  # Windows says so
                    return
                del self._held[:sent]
        except BlockingIOError:
            return


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _peek = ctypes.WinDLL("kernel32", use_last_error=True).PeekNamedPipe
    _peek.argtypes = (wintypes.HANDLE, wintypes.LPVOID, wintypes.DWORD, *[wintypes.LPDWORD] * 3)
    _peek.restype = wintypes.BOOL

    _set_state = ctypes.WinDLL("kernel32", use_last_error=True).SetNamedPipeHandleState
    _set_state.argtypes = (wintypes.HANDLE, *[wintypes.LPDWORD] * 3)
    _set_state.restype = wintypes.BOOL

    def _never_wait(descriptor: int) -> None:
        """PIPE_NOWAIT: a full pipe takes nothing, and says so."""
        mode = wintypes.DWORD(1)
        if not _set_state(msvcrt.get_osfhandle(descriptor), ctypes.byref(mode), None, None):
            raise ctypes.WinError(ctypes.get_last_error())

    def _waiting(descriptor: int) -> int:
        """How many bytes can be read at once: a pipe of Windows cannot be told not to wait."""
        there = wintypes.DWORD()
        if not _peek(msvcrt.get_osfhandle(descriptor), None, 0, None, ctypes.byref(there), None):
            raise ctypes.WinError(ctypes.get_last_error())
        return there.value
