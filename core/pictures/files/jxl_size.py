# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a JPEG XL picture says it is. The library decodes all of it to tell, and a file of 30 kB can hold
hundreds of millions of pixels; so its first bits are read here (ISO/IEC 18181-1, SizeHeader; -2, boxes)."""

from __future__ import annotations

import struct

START = b"\xff\x0a"
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
DISTANT = ((1, 9), (1, 13), (1, 18), (1, 30))
MOST_BOXES = 64


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height; None where no size can be found, which is damage."""
    stream = data if data.startswith(START) else _stream(data)
    if not stream.startswith(START) or len(stream) < 12:
        return None
    bits, at = int.from_bytes(stream[2:16], "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return bits >> (at - count) & ((1 << count) - 1)

    def side(small: int) -> int:
        if small:
            return 8 * (1 + take(5))
        least, width = DISTANT[take(2)]
        return least + take(width)

    small = take(1)
    height = side(small)
    ratio = take(3)
    if ratio == 0:
        return side(small), height
    up, down = RATIOS[ratio - 1]
    return height * up // down, height


def _stream(data: bytes) -> bytes:
    """The beginning of the code stream in a file of boxes."""
    at = 0
    for _ in range(MOST_BOXES):
        if at + 16 > len(data):
            break
        length, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        if name in (b"jxlc", b"jxlp"):
            begin = at + head + (4 if name == b"jxlp" else 0)
            return data[begin : begin + 64]
        if length < head:
            break
        at += length
    return b""
