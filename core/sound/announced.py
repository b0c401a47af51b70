# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a sound or video file hold as much as its header says?

The libraries pass over a file that ends too soon, and give what there is, or silence. So the outer structure
is walked here: sizes of chunks (RIFF, RF64, Wave64, AIFF, CAF, Sun), boxes (MP4), elements (Matroska),
pages (Ogg), and the count in an MP3's first frame. Where a format says nothing of its length (raw AAC, MPEG
streams, recordings of a live stream), nobody can tell.

The other way round, a recorder that crashed leaves lengths of 0 before all its sound; those are filled in.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import BinaryIO

SMALLEST_MP3_FRAME = 24  # bytes: 24 kHz at 8 kbit a second
PAGE = 1 << 16  # bytes, a little more than the largest page of Ogg; the last begins within
_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"styp", b"sidx", b"pnot"))
_WAVE64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_WAVE64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")


def is_cut_off(file: BinaryIO, size: int) -> bool:
    """Whether a file of `size` bytes ends before it says; the stream is left at its beginning."""
    file.seek(0)
    head = file.read(64)
    try:
        return next((check(file, head, size) for knows, check in _CHECKS if knows(head)), False)
    except struct.error:  # it ends within a header
        return True
    finally:
        file.seek(0)


def repaired(file: BinaryIO, size: int) -> BinaryIO:
    """The same stream, or one in which lengths of 0 are those of what follows."""
    file.seek(0)
    head = file.read(12)
    patches: dict[int, bytes] = {}
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
        if (place := _empty_chunk(file, size, b"data", "<I")) is not None:
            length = min(size - place - 8, 0xFFFFFFFF)
            patches = {4: struct.pack("<I", min(size - 8, 0xFFFFFFFF)), place + 4: struct.pack("<I", length)}
            if head[:4] != b"RIFF":
                patches[0] = b"RIFF"
    elif head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        patches = _aiff_patches(file, size)
    elif head[:4] in (b".snd", b"dns.") and head[8:12] == bytes(4):
        patches = {8: b"\xff" * 4}
    file.seek(0)
    return io.BufferedReader(_Patched(file, patches)) if patches else file


# --- cut off --------------------------------------------------------------------------------------


def _riff(file: BinaryIO, head: bytes, size: int) -> bool:
    length: int = struct.unpack_from("<I", head, 4)[0]
    return length not in (0, 0xFFFFFFFF) and length + 8 > size + 1  # those of a pipe are never filled in


def _rf64(file: BinaryIO, head: bytes, size: int) -> bool:
    if head[12:16] != b"ds64":
        return False
    length: int = struct.unpack_from("<Q", head, 20)[0]
    return length != 0 and length + 8 > size + 1


def _wave64(file: BinaryIO, head: bytes, size: int) -> bool:
    return bool(struct.unpack_from("<Q", head, 16)[0] > size + 7)  # chunks are padded to eight bytes


def _form(file: BinaryIO, head: bytes, size: int) -> bool:
    length: int = struct.unpack_from(">I", head, 4)[0]
    return length not in (0, 0xFFFFFFFF) and length + 8 > size + 1


def _sun(file: BinaryIO, head: bytes, size: int) -> bool:
    start: int
    length: int
    start, length = struct.unpack_from(">II" if head[:4] == b".snd" else "<II", head, 4)
    return length not in (0, 0xFFFFFFFF) and start + length > size


def _caf(file: BinaryIO, head: bytes, size: int) -> bool:
    place = 8
    while place < size:
        file.seek(place)
        kind, length = struct.unpack(">4sq", file.read(12))
        if length < 0 or not kind.isalnum():  # to the end of the file; or what somebody put behind
            return False
        place += 12 + length
    return place > size


def _boxes(file: BinaryIO, head: bytes, size: int) -> bool:
    place = 0
    while place < size:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        if length == 0 or not kind.isalnum():  # to the end of the file; or what somebody put behind
            return False
        if length < 8:
            return True
        place += length
    return place > size


def _matroska(file: BinaryIO, head: bytes, size: int) -> bool:
    place, segment = _element(file, 0)
    start, length = _element(file, place + segment)
    return length >= 0 and start + length > size


def _element(file: BinaryIO, place: int) -> tuple[int, int]:
    """Where the body of an element begins, and its length; -1 when it is not said."""
    file.seek(place)
    data = file.read(12)
    identity = _width(data[:1])
    width = _width(data[identity : identity + 1])
    value = int.from_bytes(data[identity : identity + width], "big") & ((1 << 7 * width) - 1)
    return place + identity + width, -1 if value == (1 << 7 * width) - 1 else value


def _width(first: bytes) -> int:
    if not first or not first[0]:
        raise struct.error("no element")
    return 9 - first[0].bit_length()


def _ogg(file: BinaryIO, head: bytes, size: int) -> bool:
    """The last page says that it is the last, and is there to its end."""
    file.seek(max(0, size - 2 * PAGE))
    tail = file.read()
    place = tail.rfind(b"OggS")
    if place < 0:
        return True
    page = tail[place:]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return not page[5] & 4 or 27 + page[26] + sum(page[27 : 27 + page[26]]) > len(page)


def _mp3(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether an MP3 file lacks a part of what its first frame announces (the Xing header, which encoders
    write). Without that header nobody can tell.
    """
    tag = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(head[6:10])))
    start = 10 + tag if head[:3] == b"ID3" else 0
    file.seek(start)
    frame = file.read(64).ljust(80, b"\0")
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if frame[:1] != b"\xff" or at < 0:
        return False
    announced, place = 0, at + 8
    for flag, least in ((1, SMALLEST_MP3_FRAME), (2, 1)):  # a count of frames, a count of bytes: both, or one
        if frame[at + 7] & flag:
            announced = max(announced, least * int.from_bytes(frame[place : place + 4], "big"))
            place += 4
    return announced * 0.99 > size - start  # players, too, let pass what is within a hundredth


_CHECKS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, bytes, int], bool]], ...] = (
    (lambda head: head[:4] == b"RIFF", _riff),
    (lambda head: head[:4] in (b"RF64", b"BW64"), _rf64),
    (lambda head: head[:16] == _WAVE64, _wave64),
    (lambda head: head[:4] == b"FORM", _form),
    (lambda head: head[:4] in (b".snd", b"dns."), _sun),
    (lambda head: head[:4] == b"caff", _caf),
    (lambda head: head[4:8] in _BOXES, _boxes),
    (lambda head: head[:4] == b"\x1a\x45\xdf\xa3", _matroska),
    (lambda head: head[:4] == b"OggS", _ogg),
    (lambda head: head[:3] == b"ID3" or head[:1] == b"\xff", _mp3),
)
"""How a file begins -> what tells its length."""


# --- lengths that were never filled in ------------------------------------------------------------


def _empty_chunk(file: BinaryIO, size: int, name: bytes, form: str) -> int | None:
    """Where a chunk of this name is that says 0 and has something else than another chunk behind it."""
    place = 12
    while place + 8 < size:
        file.seek(place)
        kind, length = struct.unpack("<4s", file.read(4))[0], struct.unpack(form, file.read(4))[0]
        if kind == name:
            return place if length == 0 and not _is_chunk(file.read(8), size - place - 16, form) else None
        place += 8 + length + length % 2
    return None


def _is_chunk(data: bytes, room: int, form: str) -> bool:
    known = len(data) == 8 and data[:4].isascii() and data[:4].decode().isprintable()
    return known and bool(struct.unpack(form, data[4:])[0] <= room)


def _aiff_patches(file: BinaryIO, size: int) -> dict[int, bytes]:
    place = _empty_chunk(file, size, b"SSND", ">I")
    if place is None:
        return {}
    common, length = 12, 0
    while common < place:
        file.seek(common)
        kind, length = struct.unpack(">4sI", file.read(8))
        if kind == b"COMM":
            break
        common += 8 + length + length % 2
    file.seek(common + 8)
    channels, _, bits = struct.unpack(">HIH", file.read(8))
    frames = (size - place - 16) // max(1, channels * ((bits + 7) // 8))
    return {
        4: struct.pack(">I", size - 8),
        common + 10: struct.pack(">I", min(frames, 0xFFFFFFFF)),
        place + 4: struct.pack(">I", size - place - 8),
    }


class _Patched(io.RawIOBase):
    """A stream with other bytes at some places."""

    def __init__(self, file: BinaryIO, patches: dict[int, bytes]) -> None:
        self._file, self._patches = file, patches

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        start = self._file.tell()
        data = bytearray(self._file.read(len(view)))
        for place, patch in self._patches.items():
            for at, byte in enumerate(patch, place - start):
                if 0 <= at < len(data):
                    data[at] = byte
        view[: len(data)] = data
        return len(data)
