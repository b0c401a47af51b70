# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and sounds from the standard library alone: Blender's test environments hold nothing else."""

from __future__ import annotations

import math
import struct
import wave
import zlib
from pathlib import Path


def png(width: int, height: int, kind: int, rows: bytes) -> bytes:
    """A PNG file of 8 bits a channel; `kind` 0 is grey, 2 RGB; each row begins with a zero byte."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def sound(path: Path, seconds: float) -> Path:
    """A buzz with the overtones of a voice that swells and fades twice a second, 16 kHz."""
    rate = 16000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        period = [
            sum(math.sin(2 * math.pi * k * i / 80) / k for k in range(1, 16)) for i in range(80)
        ]  # 200 Hz
        samples = (
            int(6000 * math.sin(2 * math.pi * i / rate) * period[i % 80]) for i in range(int(seconds * rate))
        )
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path
