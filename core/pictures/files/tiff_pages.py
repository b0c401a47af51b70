# SPDX-License-Identifier: GPL-3.0-or-later
"""The tags of a TIFF file, enough to tell a picture from a camera's raw file and from its own small preview.

A raw file of most cameras is a TIFF whose first page is a preview of some hundred pixels; what the sensor saw
lies in a page of its own, behind a tag, and needs developing. Read as a TIFF, the preview would be taken for
the picture. (TIFF 6.0, sections 2 and 22; Adobe DNG 1.7; BigTIFF.)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

REDUCED = 254  # NewSubfileType, bit 0: a smaller version of another page
BITS, COLOUR, SUB, FORMAT, DNG = 258, 262, 330, 339, 50706
SENSOR = (32803, 34892)  # photometric interpretations: colour filter array, linear raw
MOST_PAGES, MOST_TAGS, MOST_VALUES = 64, 512, 64
_SIZES = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 13: 4, 16: 8, 18: 8}

RAW_STARTS = (b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"????ftypcrx ")
"""How raw files begin that are no TIFF; `?` stands for any byte."""
RAW_SUFFIXES = frozenset(
    ".3fr .ari .arw .bay .cr2 .cr3 .crw .dcr .dng .erf .fff .iiq .k25 .kdc .mef .mos "
    ".mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f".split()
)

Tags = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class Pages:
    """The whole numbers in the tags of each page, and of the pages behind pages."""

    pages: list[Tags]
    behind: list[Tags]

    @property
    def is_raw(self) -> bool:
        """Is it what a camera's sensor saw?"""
        every = [*self.pages, *self.behind]
        sensor = any(tags.get(COLOUR, (0,))[0] in SENSOR for tags in every)
        dng = bool(self.pages) and DNG in self.pages[0]
        hidden = bool(self.pages and self.behind) and bool(self.pages[0].get(REDUCED, (0,))[0] & 1)
        return sensor or dng or (hidden and self.first_whole is None)

    @property
    def first_whole(self) -> int | None:
        """The number of the first page that is no smaller version of another one."""
        return next((n for n, tags in enumerate(self.pages) if not tags.get(REDUCED, (0,))[0] & 1), None)


def pages_of(data: bytes) -> Pages:
    """The pages of a TIFF file; none where the file is damaged or no TIFF."""
    try:
        order = {b"II": "<", b"MM": ">"}[data[:2]]
        big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
        at = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, 8 if big else 4)[0]
        pages: list[Tags] = []
        while at and len(pages) < MOST_PAGES:
            tags, at = _page(data, at, order, big)
            pages.append(tags)
        places = [place for tags in pages for place in tags.get(SUB, ())][:MOST_PAGES]
        behind = [_page(data, place, order, big)[0] for place in places]
    except (KeyError, struct.error):
        return Pages([], [])
    return Pages(pages, behind)


def _page(data: bytes, at: int, order: str, big: bool) -> tuple[Tags, int]:
    """The tags of the page at this place, and where the next one is."""
    count = struct.unpack_from(f"{order}Q" if big else f"{order}H", data, at)[0]
    at += 8 if big else 2
    entry = struct.Struct(f"{order}HHQ" if big else f"{order}HHI")
    width = 8 if big else 4
    tags: Tags = {}
    if count > MOST_TAGS:
        raise struct.error
    for _ in range(count):
        tag, kind, amount = entry.unpack_from(data, at)
        size = _SIZES.get(kind)
        if size is not None and 0 < amount <= MOST_VALUES:
            place = at + entry.size
            if size * amount > width:
                place = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, place)[0]
            form = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
            tags[tag] = struct.unpack_from(f"{order}{amount}{form}", data, place)
        elif tag == DNG:
            tags[tag] = (1,)
        at += entry.size + width
    return tags, struct.unpack_from(f"{order}Q" if big else f"{order}I", data, at)[0]
