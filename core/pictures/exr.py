# SPDX-License-Identifier: GPL-3.0-or-later
"""Half-float OpenEXR, written by hand: one part, scan lines, ZIP compression (file layout version 2).

Forty lines instead of a library: OpenCV's EXR codec is off unless an environment variable was set before
it was first used, and Pillow has none. Values are scene-linear; alpha, when present, is associated (colour
already multiplied by it), which is what the format prescribes and what Blender assumes when it opens an
EXR.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

HALF, ZIP, LINES_PER_CHUNK = 1, 3, 16
BIGGEST_HALF = 65504.0


def encode(image: NDArray[Any], texts: Mapping[str, str] | None = None) -> bytes:
    """Scene-linear [H, W, 3] RGB or [H, W, 4] RGBA (associated alpha) -> the bytes of an .exr file. `texts`
    become string attributes of its header.
    """
    height, width, count = image.shape
    if count not in (3, 4):
        raise ValueError(f"an EXR picture has 3 or 4 channels, not {count}")
    halves = np.clip(image, -BIGGEST_HALF, BIGGEST_HALF).astype("<f2")
    names = "BGR" if count == 3 else "ABGR"  # channels are stored by name, in alphabetical order
    planes = halves[..., ::-1].transpose(
        0, 2, 1
    )  # [H, channel, W]: each line holds one channel after the other

    chunks = []
    for top in range(0, height, LINES_PER_CHUNK):
        raw = planes[top : top + LINES_PER_CHUNK].tobytes()
        packed = _pack(raw)
        body = packed if len(packed) < len(raw) else raw  # a chunk that does not shrink is kept as it is
        chunks.append(struct.pack("<ii", top, len(body)) + body)

    header = struct.pack("<ii", 20000630, 2) + _header(width, height, names, texts or {})
    offset, table = len(header) + 8 * len(chunks), []
    for chunk in chunks:
        table.append(offset)
        offset += len(chunk)
    return header + struct.pack(f"<{len(table)}Q", *table) + b"".join(chunks)


def _header(width: int, height: int, names: str, texts: Mapping[str, str]) -> bytes:
    channels = (
        b"".join(name.encode() + b"\0" + struct.pack("<iBxxxii", HALF, 0, 1, 1) for name in names) + b"\0"
    )
    window = struct.pack("<iiii", 0, 0, width - 1, height - 1)
    attributes: tuple[tuple[str, str, bytes], ...] = (
        ("channels", "chlist", channels),
        ("compression", "compression", bytes([ZIP])),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        ("screenWindowCenter", "v2f", struct.pack("<ff", 0.0, 0.0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
        *((name, "string", text.encode()) for name, text in texts.items()),
    )
    return (
        b"".join(
            name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
            for name, kind, value in attributes
        )
        + b"\0"
    )


def _pack(raw: bytes) -> bytes:
    """EXR's ZIP: low bytes first, then high bytes, each byte as the difference to the one before (plus
    128), then deflate."""
    data = np.frombuffer(raw, np.uint8)
    data = np.concatenate([data[0::2], data[1::2]])
    difference = data.copy()
    difference[1:] = data[1:] - data[:-1] + np.uint8(128)  # wraps round at 256, as the format wants
    return zlib.compress(difference.tobytes(), 4)
