# SPDX-License-Identifier: GPL-3.0-or-later
"""A record of origin (`core.wire.origin`) as pictures and films carry it.

| file     | where it stands                                        | source                            |
|----------|--------------------------------------------------------|-----------------------------------|
| PNG      | XMP in an uncompressed iTXt behind the header          | ISO 16684-3; PNG specification    |
| EXR      | string attributes `xmp` and `comments` of the header   | OpenEXR, standard attributes      |
| MP4, MOV | XMP in a `uuid` box at the end, and the tag `comment`  | ISO 16684-3; ISO/IEC 14496-12     |
| MKV      | the tags `XMP` and `COMMENT`                           | Matroska has no place for XMP     |

Nothing of it depends on the time or the computer.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from core.wire import origin

PNG = b"\x89PNG\r\n\x1a\n"
PNG_HEADER = 33
"""Bytes of the signature and the chunk IHDR, which comes first in each PNG."""
UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""What ISO 16684-3 gives to XMP in MP4 and QuickTime files."""

Record = Mapping[str, str]


def in_png(data: bytes, said: Record) -> bytes:
    """The bytes of a PNG with the record in it."""
    body = b"iTXt" + b"XML:com.adobe.xmp\0\0\0\0\0" + origin.packet(said).encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:PNG_HEADER] + chunk + data[PNG_HEADER:]


def for_exr(said: Record) -> dict[str, str]:
    """String attributes for the header of an EXR."""
    return {"comments": origin.sentence(said), "xmp": origin.packet(said)}


def for_film(said: Record, container: str) -> dict[str, str]:
    """Metadata for FFmpeg; `container` is its name of the kind of file: "mp4", "mov" or "matroska"."""
    tags = {"comment": origin.sentence(said)}
    return tags | {"XMP": origin.packet(said)} if container == "matroska" else tags


def end_film(path: Path, said: Record, container: str) -> None:
    """Add to a film that was closed what FFmpeg does not write. Raises OSError."""
    if container == "matroska":
        return
    body = b"uuid" + UUID + origin.packet(said).encode()
    with path.open("ab") as file:
        file.write(struct.pack(">I", len(body) + 4) + body)
