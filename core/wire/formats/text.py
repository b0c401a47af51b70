# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a file that some other program wrote: UTF-8 or UTF-16, with or without a byte-order mark."""

from __future__ import annotations

import json
from typing import Any

from ..errors import BadMotion

MOST_BYTES = 1 << 28
"""A larger file holds something else; who opens files refuses it before it is read."""

_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
_NOT_TEXT = {
    b"PK\x03\x04": "an Excel workbook, or another ZIP archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"%PDF": "a PDF",
    b"RIFF": "a sound or a film",
    b"ooBinaryFile": "a binary file of Praat",
}


def text_of(data: bytes, name: str, hint: str = "", legacy: str = "") -> str:
    """The text in these bytes. `legacy` names the encoding that is tried where the file is not UTF-8.
    Raises BadMotion that says what the file is instead of text.
    """
    for begin, kind in _NOT_TEXT.items():
        if data.startswith(begin):
            raise BadMotion(f"{name} cannot be read: it is {kind}", hint)
    encoding = next((known for mark, known in _MARKS.items() if data.startswith(mark)), _unmarked(data))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if not legacy or encoding != "utf-8":
            raise BadMotion(f"{name} cannot be read: it is not text in {encoding.upper()}", hint) from None
        text = data.decode(legacy, "replace")
    if "\x00" in text:
        raise BadMotion(f"{name} cannot be read: it holds bytes that are no text", hint)
    return text


def object_of(data: bytes, name: str) -> Any:
    """What a JSON file holds. Raises BadMotion."""
    text = text_of(data, name, "Export the file again")
    try:
        return json.loads(text)
    except RecursionError:
        raise BadMotion(f"{name} is no JSON: it is nested too deeply", "Export the file again") from None
    except ValueError as error:
        cut = isinstance(error, json.JSONDecodeError) and error.pos >= len(text.rstrip())
        cause = "it breaks off" if text.strip() and cut else str(error)[:80]
        raise BadMotion(f"{name} is no JSON: {cause}", "Export the file again") from None


def _unmarked(data: bytes) -> str:
    """UTF-16 without a mark shows by its zeros, as long as most letters are Latin."""
    begin = data[:400]
    if begin.count(0) * 3 < len(begin) or len(begin) < 4:
        return "utf-8"
    return "utf-16-le" if begin[1::2].count(0) > begin[0::2].count(0) else "utf-16-be"
