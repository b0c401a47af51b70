# SPDX-License-Identifier: GPL-3.0-or-later
"""Praat TextGrid, in: the tier of phones, as the Montreal Forced Aligner and others write it.

The long and the short layout hold the same values in the same order: text in quotes, and numbers. Words alone
have no mouth shapes, so a file without a tier of phones is refused, and the message names the tiers it has.
"""

from __future__ import annotations

import re

from ..errors import BadMotion
from .curves import MOST_ROWS, Cue
from .text import text_of

PHONE_TIERS = ("phones", "phone", "phonemes", "phoneme", "segments", "mau", "phn")
"""Names of the tier, also behind a speaker's: "Anna - phones"."""

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w:\]])')
_Value = str | float


def read(data: bytes, name: str) -> list[Cue]:
    """The intervals of the tier of phones. Raises BadMotion."""
    text = text_of(data, name, "Save it in Praat as text file", legacy="latin-1")
    if "ooTextFile" not in text[:200] or "TextGrid" not in text[:400]:
        raise BadMotion(f"{name} is no TextGrid of Praat")
    plain = re.sub(r"\[\d*\]", "", text)  # "intervals [3]:" counts, and holds no value
    values: list[_Value] = [
        match[1].replace('""', '"') if match[1] is not None else float(match[2])
        for match in _TOKEN.finditer(plain)
    ]
    tiers, points = _tiers(values, name)
    for wanted in PHONE_TIERS:
        for tier, cues in tiers.items():
            if re.search(rf"(^|[^a-z]){wanted}$", tier.strip().lower()):
                return cues
    there = ", ".join(repr(tier[:30]) for tier in (*tiers, *points)[:8]) or "none"
    raise BadMotion(
        f"{name} has no tier of phones; its tiers are {there}",
        hint="Name the tier phones, or let a forced aligner make one from the words",
    )


def _tiers(values: list[_Value], name: str) -> tuple[dict[str, list[Cue]], list[str]]:
    """Name -> cues of the interval tiers, and the names of point tiers. Raises BadMotion."""
    kinds = {"IntervalTier": 3, "TextTier": 2}
    found: dict[str, list[Cue]] = {}
    points: list[str] = []
    place = next((k for k, value in enumerate(values) if value in kinds), len(values))
    while place < len(values):
        head = values[place : place + 5]
        if len(head) < 5 or head[0] not in kinds or isinstance(head[4], str):
            raise _broken(name)
        tier, width, count = str(head[1]), kinds[str(head[0])], head[4]
        rows = values[place + 5 : place + 5 + width * int(min(count, MOST_ROWS))]
        if not 0 <= count <= MOST_ROWS or len(rows) < width * int(count):
            raise _broken(name)
        place += 5 + len(rows)
        if width == 2:
            points.append(tier)
            continue
        cues = []
        for start, end, shape in zip(rows[0::3], rows[1::3], rows[2::3]):
            if isinstance(start, str) or isinstance(end, str):
                raise _broken(name)
            cues.append(Cue(str(shape).strip(), start, end))
        found[tier] = cues
    return found, points


def _broken(name: str) -> BadMotion:
    return BadMotion(f"{name} breaks off, or its tiers hold other values than they say", "Export it again")
