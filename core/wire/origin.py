# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a picture or film comes from, as the file itself says it: that it is synthetic, and of what it was
made.

A record is a flat mapping of text. `source` is IPTC's Digital Source Type for a composite with parts that a
trained model made: a portrait that a network moves. In a file the record is an XMP packet (ISO 16684-1);
`core.pictures.files.marking` puts it there. A packet may be found in a file of any kind by looking for its
beginning and its end (ISO 16684-3). Reading does so: one reader for all kinds.

A record holds no time, path, user or computer, so that each worker of a farm writes the same bytes. Standard
library only, for both Pythons.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import BinaryIO
from xml.etree import ElementTree
from xml.sax.saxutils import escape

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
TOOL = "EDTalk for Blender"
OURS = "urn:edtalk:origin:1#"
"""XML namespace of the fields that no standard has."""
TITLES = {
    "source": "Digital source type",
    "tool": "Made with",
    "version": "Version",
    "checkpoint": "Checkpoint",
    "seed": "Seed",
    "portrait": "Portrait",
    "sound": "Sound",
    "clip": "Driving clip",
    "weights": "Weights",
    "shown": "Who is shown",
    "permission": "Permission",
}
"""The fields of a record, in their order, with the words for people. Files and weights are named by 128-bit
BLAKE2b digests in hexadecimal.
"""
FIELDS = tuple(TITLES)[1:]
CONSENT = ("shown", "permission")
"""The fields that a person writes."""
MOST_LETTERS = 500
"""Characters of a field."""
MOST_BYTES = 1 << 16
"""Of a packet; a longer one is not read."""

_BEGIN, _END = b"<?xpacket begin=", b"<?xpacket end="
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_TAGS = {"source": f"{{{_IPTC}}}DigitalSourceType"} | {name: f"{{{OURS}}}{name}" for name in FIELDS}
# what XML forbids, the other control characters, and what turns the direction of a line
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_PIECE = 1 << 20


# --- the record -----------------------------------------------------------------------------------


def record(version: str, known: Mapping[str, str]) -> dict[str, str]:
    """A record with what is known of `FIELDS`. What is empty, and what is no field, is left out."""
    values = {name: tidy(text) for name, text in {"tool": TOOL, "version": version, **known}.items()}
    return {"source": SOURCE} | {name: values[name] for name in FIELDS if values.get(name)}


def tidy(text: str) -> str:
    """One line of at most `MOST_LETTERS` characters without control characters."""
    return " ".join(_CONTROL.sub(" ", text[: 4 * MOST_LETTERS]).split())[:MOST_LETTERS].rstrip()


def fits(text: str) -> bool:
    """Is a text written as it is, but for spaces?"""
    bare = text.strip()
    return len(bare) <= MOST_LETTERS and not _CONTROL.search(bare)


def shortened(known: Mapping[str, str]) -> str:
    """A sentence that names the fields that cannot be written as they are, "" when all can."""
    names = [TITLES[name] for name in CONSENT if not fits(known.get(name, ""))]
    limit = f"{MOST_LETTERS} characters in one line are written into files"
    return f"{' and '.join(names)}: at most {limit}, without control characters" if names else ""


def digest(data: bytes) -> str:
    """128 bits of BLAKE2b, in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def merged(records: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """One record for many frames: the fields in which all agree, and as `weights` one digest of theirs."""
    same: dict[str, str] = {}
    weights = hashlib.blake2b(digest_size=16)
    for number, one in enumerate(records):
        weights.update(one.get("weights", "").encode())
        if number == 0:
            same = dict(one)
        same = {name: text for name, text in same.items() if name == "weights" or one.get(name) == text}
    return same | {"weights": weights.hexdigest()} if same.get("weights") else same


def sentence(said: Mapping[str, str]) -> str:
    """For programs that show one comment: it is synthetic, by what it was made, who is shown."""
    made = f"Synthetic media, made with {said.get('tool', TOOL)} {said.get('version', '')}".rstrip()
    who = f". Shown: {said['shown']}" if said.get("shown") else ""
    why = f". Permission: {said['permission']}" if said.get("permission") else ""
    return f"{made}{who}{why}. {said.get('source', SOURCE)}"


# --- as XMP ---------------------------------------------------------------------------------------


def packet(said: Mapping[str, str]) -> str:
    """A record as an XMP packet. Who is shown stands there twice: as IPTC's PersonInImage, too."""
    own = "".join(
        f"\n   <edtalk:{name}>{escape(said[name])}</edtalk:{name}>" for name in FIELDS if name in said
    )
    person = f"<rdf:Bag><rdf:li>{escape(said['shown'])}</rdf:li></rdf:Bag>" if said.get("shown") else ""
    if person:
        own = f"\n   <Iptc4xmpExt:PersonInImage>{person}</Iptc4xmpExt:PersonInImage>{own}"
    tool = escape(f"{said.get('tool', TOOL)} {said.get('version', '')}".strip())
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF xmlns:rdf="{_RDF}">\n'
        f'  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}" xmlns:xmp="{_XMP}"\n'
        f'    xmlns:edtalk="{OURS}">\n'
        f"   <Iptc4xmpExt:DigitalSourceType>{escape(said['source'])}</Iptc4xmpExt:DigitalSourceType>\n"
        f"   <xmp:CreatorTool>{tool}</xmp:CreatorTool>{own}\n"
        f'  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="r"?>'
    )


def parse(data: bytes) -> dict[str, str] | None:
    """The record in the XML of a packet; None for XML without one, and for what is no XML."""
    if len(data) > MOST_BYTES or b"<!" in data:  # no DTD, hence no entities that grow
        return None
    try:
        top = ElementTree.fromstring(data.decode("utf-8").lstrip("\ufeff"))
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError):
        return None
    found: dict[str, str] = {}
    for description in top.iter(f"{{{_RDF}}}Description"):
        for name, tag in _TAGS.items():
            text = tidy(description.findtext(tag) or description.get(tag) or "")
            if text:
                found[name] = text
    return found or None


def of_stream(file: BinaryIO, most: int | None = None) -> dict[str, str] | None:
    """The record in a file of any kind, None when there is none. Reads piece by piece, at most `most` bytes;
    each byte is looked at once, whatever stands in the file. Raises OSError.
    """
    rest, left = b"", most
    while piece := file.read(_PIECE if left is None else min(_PIECE, left)):
        left = None if left is None else left - len(piece)
        rest += piece
        done = 0
        while (end := rest.find(_END, done)) >= 0:
            begin = rest.rfind(_BEGIN, done, end)
            head = rest.find(b"?>", begin, end) if begin >= 0 else -1
            found = parse(rest[head + 2 : end].strip()) if head >= 0 else None
            if found:
                return found
            done = end + len(_END)
        rest = rest[max(done, len(rest) - MOST_BYTES) :]
    return None
