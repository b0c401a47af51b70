# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables as spreadsheet programs write them back.

Where the decimal point is a comma, columns are parted by semicolons; others part them by tabs. Files come in
UTF-8, or in UTF-16 ("Unicode text"). A program may write a line `sep=;` before the table, quote every cell,
set thousands apart, and leave empty rows and columns behind it.
"""

from __future__ import annotations

import csv
import io
import re

from ..errors import BadMotion
from .text import text_of

SEPARATORS = ",;\t"
SAVE = "Save it as CSV in UTF-8"


def rows(data: bytes, name: str) -> list[list[str]]:
    """The rows that hold something, their numbers with a decimal point. Raises BadMotion for no table."""
    text = text_of(data, name, SAVE)
    said = re.match(r'"?sep=(.)"?\s*\n', text)
    text = text[said.end() :] if said else text
    first = text.lstrip("\r\n").partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise BadMotion(f"{name} cannot be read as a table: {error}", SAVE) from None
    kept = [_trimmed(row) for row in found]
    kept = [row for row in kept if row]
    if separator != ",":
        kept = [[_pointed(cell) for cell in row] for row in kept]
    return kept


def whole(cell: str) -> int:
    """A whole number, written as one or with a decimal point and zeros. Raises ValueError."""
    number = float(cell)
    if not number.is_integer():
        raise ValueError(f"{cell[:40]} is not a whole number")
    return int(number)


def _trimmed(row: list[str]) -> list[str]:
    """Without the empty cells at its end."""
    while row and not row[-1].strip():
        row = row[:-1]
    return row


def _pointed(cell: str) -> str:
    """A number with a decimal comma as one with a point; what sets thousands apart goes."""
    bare = re.sub(r"[\s\u00a0\u202f\u2019']", "", cell)
    if "," in bare:
        bare = bare.replace(".", "").replace(",", ".")
    return bare if re.fullmatch(r"[-+]?[\d.]+([eE][-+]?\d+)?", bare) else cell
