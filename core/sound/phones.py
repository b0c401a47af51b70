# SPDX-License-Identifier: GPL-3.0-or-later
"""The phone names of flite and espeak-ng, as visemes.

flite uses the ARPAbet in small letters. espeak-ng uses its own ASCII notation, in many languages; the table
lists the base symbols and `from_espeak` strips length, stress and variant marks until one of them is met.
A diphthong is two visemes, the first taking 55 % of the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

_FLITE = {
    "silence": "pau sil h# brth ssil",
    "p": "p b m em",
    "f": "f v",
    "th": "th dh",
    "t": "t d n en dx nx",
    "l": "l el",
    "k": "k g ng",
    "s": "s z",
    "sh": "sh zh ch jh",
    "r": "r",
    "w": "w",
    "y": "y",
    "h": "hh hv",
    "aa": "aa",
    "ae": "ae",
    "ah": "ah ax",
    "ao": "ao",
    "eh": "eh",
    "er": "er axr",
    "ih": "ih ix",
    "iy": "iy",
    "uh": "uh",
    "uw": "uw ux",
}
_FLITE_PAIRS = {
    "aw": ("aa", "uh"),
    "ay": ("aa", "ih"),
    "ey": ("eh", "iy"),
    "ow": ("oh", "uw"),
    "oy": ("ao", "ih"),
}

_ESPEAK = {
    "silence": "_ ? !",
    "p": "p b m B pF",
    "f": "f v v#",
    "th": "T D",
    "t": "t d n t# t[ d[ ts dz n^ t; d; * **",
    "l": "l L l^ @L",
    "k": "k g N x X Q c J C N^ R R2 r* q G gh",
    "s": "s z s# z#",
    "sh": "S Z tS dZ s. z. S; Z; sx ts; dz;",
    "r": "r r-",
    "w": "w w2",
    "y": "j ; J^",
    "h": "h <h>",
    "aa": "A A: 0 a a:",
    "ae": "&",
    "ah": "@ @2 @5 @- V a# 3- &U",
    "ao": "O O: Q",
    "oh": "o o:",
    "eh": "E E: e e: E- E2",
    "er": "3 3: VR",
    "ih": "I I2 I# i- y-",
    "iy": "i i:",
    "uh": "U",
    "uw": "u u: u-",
    "ue": "y y: Y",
    "oe": "W W: 8 Y: 2 2: 9",
}
_ESPEAK_PAIRS = {
    "aI": ("aa", "ih"),
    "aI2": ("aa", "ih"),
    "ai": ("aa", "iy"),
    "AI": ("aa", "ih"),
    "aU": ("aa", "uh"),
    "au": ("aa", "uw"),
    "eI": ("eh", "iy"),
    "EI": ("eh", "iy"),
    "ei": ("eh", "iy"),
    "oU": ("oh", "uw"),
    "ou": ("oh", "uw"),
    "VU": ("ah", "uh"),
    "OI": ("ao", "ih"),
    "oI": ("oh", "ih"),
    "oi": ("oh", "iy"),
    "eU": ("eh", "uh"),
    "eu": ("eh", "uw"),
    "i@": ("iy", "ah"),
    "e@": ("eh", "ah"),
    "U@": ("uh", "ah"),
    "o@": ("ao", "er"),
    "O@": ("ao", "er"),
    "A@": ("aa", "er"),
    "i@3": ("iy", "er"),
    "aI@": ("aa", "ih"),
    "aU@": ("aa", "uh"),
    "IR": ("ih", "er"),
    "UR": ("uh", "er"),
    "ea": ("eh", "aa"),
    "aI3": ("aa", "er"),
    "I@": ("ih", "ah"),
    "ju": ("y", "uw"),
    "ju:": ("y", "uw"),
}
_ENGLISH = {"a": "ae", "a:": "aa", "Q": "ao"}
"""English vowels that the same letter spells differently elsewhere."""


def _inverted(table: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {phone: (viseme,) for viseme, phones in table.items() for phone in phones.split()}


FLITE: dict[str, tuple[str, ...]] = {**_inverted(_FLITE), **_FLITE_PAIRS}
ESPEAK: dict[str, tuple[str, ...]] = {**_inverted(_ESPEAK), **_ESPEAK_PAIRS}


class Timed(Protocol):
    """A phone in seconds."""

    @property
    def name(self) -> str:
        """Of `from_name`."""

    @property
    def start(self) -> float:
        """Seconds."""

    @property
    def end(self) -> float:
        """Seconds."""


def from_flite(phone: str) -> tuple[str, ...]:
    """Visemes of an ARPAbet phone, for example "ow" -> ("oh", "uw"). KeyError when the phone is unknown."""
    return FLITE[phone.lower().rstrip("012")]


def from_espeak(phone: str, english: bool = True) -> tuple[str, ...] | None:
    """Visemes of an espeak-ng phoneme; None when the sound is not known, so that the sentence can be
    dropped."""
    if english and phone in _ENGLISH:
        return (_ENGLISH[phone],)
    while phone:
        if phone in ESPEAK:
            return ESPEAK[phone]
        phone = phone[:-1]
    return None


CONSONANTS = {
    **{phone: phone.lower() for phone in "p b m f v t d n l k g s z r w".split()},
    "v#": "v",
    "T": "th",
    "D": "dh",
    "N": "ng",
    "S": "sh",
    "Z": "zh",
    "tS": "ch",
    "dZ": "jh",
    "j": "y",
    "h": "hh",
    "s#": "s",
    "z#": "z",
    "t#": "t",
    "t[": "t",
    "d[": "d",
    "pF": "p",
    "C": "hh",
    "x": "hh",
    "X": "hh",
}
"""espeak-ng consonants -> the ARPAbet phones that they are, or sound most like. Others go by their viseme."""
_LIKE = {viseme: names.split()[0] for viseme, names in _FLITE.items()} | {"oh": "ow", "ue": "uw", "oe": "er"}
_PAIRED = {pair: phone for phone, pair in _FLITE_PAIRS.items()}


def arpabet(phone: str, english: bool) -> list[tuple[str, str]]:
    """An espeak-ng phoneme as (name, ARPAbet phone that sounds most like it); [] for one without a sound.

    The name is that phone's as well, but for the rounded front vowels, which English does not have: "ue" and
    "oe" are names of `from_name`.
    """
    base = phone.rstrip(":;")
    if base in CONSONANTS:
        return [(CONSONANTS[base],) * 2]
    visemes = from_espeak(phone, english) or ()
    if visemes in _PAIRED:
        return [(_PAIRED[visemes],) * 2]
    sounds = [viseme for viseme in visemes if viseme != "silence"]
    return [(viseme if viseme in ("ue", "oe") else _LIKE[viseme], _LIKE[viseme]) for viseme in sounds]


def from_name(name: str) -> tuple[str, ...] | None:
    """Visemes of a phone as marks name it: ARPAbet, "ue" and "oe"; None for any other name."""
    name = name.lower().rstrip("012")
    return (name,) if name in ("ue", "oe") else FLITE.get(name)


def timed(said: Iterable[Timed]) -> list[tuple[str, float, float]]:
    """The visemes of phones in time; those of names that are none are left out."""
    known = ((from_name(phone.name), phone) for phone in said)
    return [row for visemes, phone in known if visemes for row in spread(visemes, phone.start, phone.end)]


def spread(visemes: tuple[str, ...], start: float, end: float) -> list[tuple[str, float, float]]:
    """The visemes of one phone laid over its time."""
    if len(visemes) == 1:
        return [(visemes[0], start, end)]
    turn = start + 0.55 * (end - start)
    return [(visemes[0], start, turn), (visemes[1], turn, end)]
