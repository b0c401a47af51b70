# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognising a character's shape keys by their names. No bpy.

Names come in every order and with every prefix: `eyeBlinkLeft`, `eyeBlink_L`, `Left Eye Blink`,
`Head_eyeBlink.L`, `blendShape1.eyeBlinkLeft`. So a name is cut into words, sides are spelled out, and the
words are compared as a set; what stands before them may be anything that is no word of the list itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from .shape_table import ARKIT, VISEME_NAMES, VISEME_PREFIXES, VISEMES, Terms

SIDES = {"l": "left", "r": "right", "lft": "left", "rgt": "right"}
ENOUGH = 5
"""So many names of ARKit make a character one of ARKit."""


@dataclass(frozen=True)
class Match:
    """What was recognised: shape key -> its name in the table."""

    kind: str
    """"ARKIT" or "VISEMES"."""
    found: dict[str, str]
    unknown: tuple[str, ...]
    """Shape keys that nothing in the table fits."""
    missing: tuple[str, ...]
    """Names of the table that the character does not have."""

    @property
    def table(self) -> dict[str, Terms]:
        """The table the names are from."""
        return ARKIT if self.kind == "ARKIT" else VISEMES


def words(name: str) -> list[str]:
    """The words of a name in small letters, without accents; sides spelled out, numbers left out."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    found = re.findall(r"[^\W\d_]+", spaced)
    return [SIDES.get(word.lower(), word.lower()) for word in found]


_ARKIT_WORDS = {name: frozenset(words(name)) for name in ARKIT}
_VOCABULARY = frozenset().union(*_ARKIT_WORDS.values())


def arkit_name(name: str) -> str:
    """The ARKit name that a shape key's name means, "" for none."""
    there = words(name)
    if len(there) == 1:  # all in small letters: eyeblinkleft, eyeblink_l comes as two
        joined = there[0]
        return next((known for known in ARKIT if known.lower() == joined), "")
    joined = "".join(there)
    for known in ARKIT:
        if joined.endswith(known.lower()) and not _in_list(there, len(words(known))):
            return known
    own = frozenset(word for word in there if word in _VOCABULARY)
    return next((known for known, wanted in _ARKIT_WORDS.items() if wanted == own), "")


def _in_list(there: list[str], count: int) -> bool:
    """Is a word before the last `count` one of the list, so that the name means something else?"""
    return any(word in _VOCABULARY for word in there[: max(0, len(there) - count)])


def viseme_name(name: str) -> str:
    """The viseme that a shape key's name means, "" for none."""
    joined = re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name)).lower()
    for prefix in (*VISEME_PREFIXES, ""):
        rest = joined.removeprefix(prefix)
        for viseme, called in VISEME_NAMES.items():
            if rest in called and (prefix or len(rest) > 1 or len(name.strip()) == 1):
                return viseme
    return ""


def recognise(names: Iterable[str], kind: str = "AUTO") -> Match:
    """What a character's shape keys are. With AUTO, visemes count only where hardly any ARKit name does:
    both at once would open the mouth twice.
    """
    names = list(names)
    arkit = {name: known for name in names if (known := arkit_name(name))}
    if kind == "AUTO":
        visemes = sum(bool(viseme_name(name)) for name in names)
        kind = "ARKIT" if len(arkit) >= ENOUGH or len(arkit) >= visemes else "VISEMES"
    if kind == "VISEMES":
        found = {name: known for name in names if (known := viseme_name(name))}
        table = VISEMES
    else:
        found, table = arkit, ARKIT
    unknown = tuple(name for name in names if name not in found)
    missing = tuple(name for name in table if name not in found.values())
    return Match(kind, found, unknown, missing)
