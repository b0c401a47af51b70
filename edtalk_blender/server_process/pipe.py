# SPDX-License-Identifier: GPL-3.0-or-later
"""What another process says, read without waiting and without a thread. No bpy.

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


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _peek = ctypes.WinDLL("kernel32", use_last_error=True).PeekNamedPipe
    _peek.argtypes = (wintypes.HANDLE, wintypes.LPVOID, wintypes.DWORD, *[wintypes.LPDWORD] * 3)
    _peek.restype = wintypes.BOOL

    def _waiting(descriptor: int) -> int:
        """How many bytes can be read at once: a pipe of Windows cannot be told not to wait."""
        there = wintypes.DWORD()
        if not _peek(msvcrt.get_osfhandle(descriptor), None, 0, None, ctypes.byref(there), None):
            raise ctypes.WinError(ctypes.get_last_error())
        return there.value
