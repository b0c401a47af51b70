# SPDX-License-Identifier: GPL-3.0-or-later
"""The phone names of flite and espeak-ng, as visemes.

flite uses the ARPAbet in small letters. espeak-ng uses its own ASCII notation, in many languages; the table
lists the base symbols and `from_espeak` strips length, stress and variant marks until one of them is met.
A diphthong is two visemes, the first taking 55 % of the time.
"""

from __future__ import annotations

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


def spread(visemes: tuple[str, ...], start: float, end: float) -> list[tuple[str, float, float]]:
    """The visemes of one phone laid over its time."""
    if len(visemes) == 1:
        return [(visemes[0], start, end)]
    turn = start + 0.55 * (end - start)
    return [(visemes[0], start, turn), (visemes[1], turn, end)]
