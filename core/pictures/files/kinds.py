# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of picture a file is, told from its first bytes, and which decoder may see it.

No library is asked to guess: left to itself, Pillow chooses among 43 decoders by content, and one of them
(EPS) hands the file to an interpreter that runs what is written in it. A kind that is not in this table meets
no decoder at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.pictures.files.tiff_pages import RAW_STARTS

HEAD = 64
"""Bytes that are enough to tell."""


@dataclass(frozen=True)
class Kind:
    """A kind of file: how it begins, its name, Pillow's decoder for 8 bits ("" for none), and OpenImageIO's
    decoder for more, with a suffix that stands for it ("" for none)."""

    name: str
    start: bytes
    pillow: str = ""
    deep: str = ""
    suffix: str = ""
    second: bytes = b""  # what stands at byte 8


KINDS = (
    Kind("PNG", b"\x89PNG\r\n\x1a\n", "PNG", "png", ".png"),
    Kind("JPEG", b"\xff\xd8\xff", "JPEG"),
    *(Kind("TIFF", start, "TIFF", "tiff", ".tif") for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    Kind("WebP", b"RIFF", "WEBP", second=b"WEBP"),
    Kind("BMP", b"BM", "BMP"),
    Kind("GIF", b"GIF87a", "GIF"),
    Kind("GIF", b"GIF89a", "GIF"),
    Kind("EXR", b"\x76\x2f\x31\x01", deep="openexr", suffix=".exr"),
    Kind("DPX", b"SDPX", deep="dpx", suffix=".dpx"),
    Kind("DPX", b"XPDS", deep="dpx", suffix=".dpx"),
    Kind("Cineon", b"\x80\x2a\x5f\xd7", deep="cineon", suffix=".cin"),
    Kind("Cineon", b"\xd7\x5f\x2a\x80", deep="cineon", suffix=".cin"),
    Kind("HDR", b"#?RADIANCE", deep="hdr", suffix=".hdr"),
    Kind("HDR", b"#?RGBE", deep="hdr", suffix=".hdr"),
    Kind("JPEG XL", b"\xff\x0a", deep="jpegxl", suffix=".jxl"),
    Kind("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n", deep="jpegxl", suffix=".jxl"),
    Kind("PSD", b"8BPS", deep="psd", suffix=".psd"),
    Kind("DDS", b"DDS ", deep="dds", suffix=".dds"),
)
"""`?` stands for any byte."""

TARGA = Kind("Targa", b"", deep="targa", suffix=".tga")
"""The one kind without a beginning of its own, told by the name or by how the file ends."""
TARGA_END = b"TRUEVISION-XFILE.\0"

SUFFIXES = frozenset(
    ".png .jpg .jpeg .jfif .webp .bmp .gif .tif .tiff .exr .dpx .cin .hdr .jxl .psd .psb .dds .tga".split()
)
"""What names of pictures end in, as far as they can be read."""

REFUSED: tuple[tuple[tuple[bytes, ...], str], ...] = (
    (
        tuple(
            b"????ftyp" + brand for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis")
        ),
        "is an HEIC picture, which cannot be read here",
    ),
    ((b"????ftypavif", b"????ftypavis"), "is an AVIF picture, which is not read here"),
    ((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "is a JPEG 2000 picture, which is not read here"),
    ((b"%!PS", b"\xc5\xd0\xd3\xc6"), "is a PostScript program, which is not read here"),
    ((b"%PDF",), "is a PDF document, which is not read here"),
    ((b"<svg", b"<?xml"), "is an SVG drawing, not a picture"),
    ((b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML"), "is a web page, so the download went wrong"),
    ((b"version https://git-lfs",), "is a Git LFS pointer, not the picture itself"),
    ((b"????ftyp", b"\x1a\x45\xdf\xa3", b"????moov", b"????mdat"), "is a video, not a picture"),
    ((b"",), "is not a picture, or is damaged"),
)
"""How files begin that are no pictures, or none that can be read, and what they are."""


def kind_of(head: bytes) -> Kind | None:
    """The kind of the file that begins with `head`, None for one that no decoder may see."""
    return next(
        (
            kind
            for kind in KINDS
            if _begins(head, kind.start) and head[8 : 8 + len(kind.second)] == kind.second
        ),
        None,
    )


def begins_raw(head: bytes) -> bool:
    """Does a camera's raw file begin so, one that is no TIFF?"""
    return any(_begins(head, start) for start in RAW_STARTS)


def what_is_it(head: bytes) -> str:
    """The end of a sentence about a file of no kind in the table."""
    return next(what for starts, what in REFUSED if any(_begins(head, start) for start in starts))


def _begins(head: bytes, start: bytes) -> bool:
    return len(head) >= len(start) and all(sign in (ord("?"), byte) for sign, byte in zip(start, head))
