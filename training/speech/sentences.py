# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences to be spoken: a small grammar for natural rhythm, and invented words for
every neighbourhood of sounds.

No text corpus is used. The same seed gives the same sentences everywhere.
"""

from __future__ import annotations

import numpy as np

_WORDS = {
    "article": "the a this that every some many my your our their another each",
    "quality": """
        old young bright quiet happy tired brown green purple yellow small large warm cold strange famous
        simple broken golden heavy gentle curious brave foolish smooth shiny bumpy jumpy fluffy awful lovely
        thirsty busy empty human royal foreign early northern western
    """,
    "thing": """
        people children teacher farmer doctor mother father village window garden river mountain table
        kitchen music paper thunder winter summer chocolate breakfast vegetable bubble bishop puppet pumpkin
        map moon spoon boat road coat house mouse cow cloud flower tower ship sheep fish shoe zoo youth
        voice boy toy joy noise church judge vision measure treasure thumb thief feather weather bath cloth
        ring song king finger yard onion quarter question wheel whale wolf woman ear year chair bear fire
        tire bird girl nurse world book foot bush apple camera family memory problem number member baby
        beaver fever fable jam farm form film view valley
    """,
    "action": """
        jumped walked moved spoke laughed listened showed found gave thought pushed pulled washed chose
        enjoyed borrowed followed saved shaved loved left bought brought begged whispered shouted watched
        touched judged imagined measured remembered promised believed improved opened covered pointed chewed
        yawned grew drew threw knew owned owed hummed mumbled grumbled popped bumped swam climbed
    """,
    "manner": """
        slowly quickly often never always very hardly maybe together away again perhaps suddenly usually
        beautifully carefully up down above below tomorrow yesterday
    """,
    "link": """
        before after behind between through over under while because about with without beside above for
        from of
    """,
    "number": """
        one two three four five six seven eight nine ten eleven twelve twenty fifty million
    """,
    "opening": """
        well so now yes no oh hello please why how maybe believe me of course by the way good morning
    """,
}
_PATTERNS = (
    "article quality thing action article thing",
    "article thing action manner",
    "opening , article thing action link article quality thing",
    "number quality thing action link number thing",
    "article thing link article thing action manner , and article thing action too",
    "why action article quality thing ?",
    "quality thing and quality thing , quality thing or thing",
    "opening , number , number , number thing",
)
_ONSETS = """
    p b m f v th t d n l k g s z sh ch j r w y h pl bl br fr fl tr dr kr gr sp sm st sk sl thr shr spr
    str kw sw tw b m p f w v m b p
""".split()
_VOWELS = """
    a e i o u ee oo ay ow oy aw ar er or ai oa ou igh ew a o u ee oo
""".split()
_CODAS = (
    """
    m p b f v th t d n l k g s z sh ch ng mp nt st ft lf lm rm rp rb sk ks nd ps fs
""".split()
    + [""] * 14
)


def invented_word(rng: np.random.Generator, syllables: int | None = None) -> str:
    """A pronounceable word that does not exist, rich in lip sounds."""
    count = syllables or int(rng.integers(1, 4))
    return "".join(
        str(rng.choice(_ONSETS))
        + str(rng.choice(_VOWELS))
        + (str(rng.choice(_CODAS)) if i == count - 1 else "")
        for i in range(count)
    )


def sentence(rng: np.random.Generator, invented: float = 0.35) -> str:
    """One sentence of roughly 2 to 6 seconds.

    Args:
        rng: the source of all choices.
        invented: share of sentences made of invented words only; one word in eight of the others is
            replaced as well.
    """
    if rng.random() < invented:
        words = [invented_word(rng) for _ in range(int(rng.integers(4, 9)))]
        if rng.random() < 0.5:
            words.insert(int(rng.integers(1, len(words))), ",")
    else:
        pattern = str(rng.choice(_PATTERNS)).split()
        words = [str(rng.choice(_WORDS[slot].split())) if slot in _WORDS else slot for slot in pattern]
        words = [invented_word(rng) if word not in ",?" and rng.random() < 0.12 else word for word in words]
    text = " ".join(words).replace(" ,", ",").replace(" ?", "?")
    return text if text.endswith("?") else text + "."
