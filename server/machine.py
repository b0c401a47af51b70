# SPDX-License-Identifier: GPL-3.0-or-later
"""What the computer has: free memory of the device the model runs on."""

from __future__ import annotations

import sys
from pathlib import Path


def free_memory_mb(device: str) -> int:
    """Free memory of "cuda", "mps" or "cpu" in megabytes; 0 when the system does not say."""
    try:
        if device.startswith("cuda"):
            import torch

            return int(torch.cuda.mem_get_info()[0] >> 20)
        return _windows() if sys.platform == "win32" else _linux()
    except (OSError, ValueError, RuntimeError, AttributeError):
        return 0


def _linux() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) >> 10
    return 0


def _windows() -> int:
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *(
                (name, ctypes.c_ulonglong)
                for name in ("total", "free", "pages", "page", "space", "room", "more")
            ),
        )

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined]
        return 0
    return int(status.free) >> 20
