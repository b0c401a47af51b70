# SPDX-License-Identifier: GPL-3.0-or-later
"""What the computer has: free memory of the device the model runs on, and what measurements are read with."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any


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


def peak_memory_mb(process: int) -> int:
    """The most memory a process has had in megabytes, 0 where the system does not say (all but Linux)."""
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    except OSError:
        pass
    return 0


def about() -> dict[str, Any]:
    """What measurements on this computer should be read with; loads torch."""
    import torch

    from core.engine.cpu.kernels import has_bfloat16

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = {
        "processor": _processor(),
        "cores in use": usable,
        "threads": torch.get_num_threads(),
        "bfloat16 in hardware": "yes" if has_bfloat16() else "no",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = dict(line.split(":", 1) for line in lines if ":" in line)
        told = {key.strip(): value.strip() for key, value in told.items()}
        return f"{told['model name']} (family {told['cpu family']}, model {told['model']})"
    except (OSError, KeyError):
        return platform.processor() or platform.machine()
