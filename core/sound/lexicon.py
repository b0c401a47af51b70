# SPDX-License-Identifier: GPL-3.0-or-later
"""What words say about a feeling: a small English lexicon of our own, and numbers for any word.

The lexicon lists words that people use when they feel something, by feeling. It knows no grammar; negation,
emphasis and punctuation are told to the network beside it, which reads words in their order. A word that is
not in it still has its letters: overlapping groups of them are hashed (Bojanowski et al. 2017, "Enriching
word vectors with subword information"), so that "terrifyingly" is near "terrifying".
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FELT = ("angry", "contempt", "disgusted", "fear", "happy", "sad", "surprised")
"""The feelings, in the order of the expression bank; neutral is the absence of them."""

_WORDS = {
    "angry": """
        angry anger mad furious fury rage raging outrage outraged outrageous annoyed annoying annoy hate hated
        hatred irritated irritating mean unfair cheat cheated cheating liar lied lying betrayed betrayal blame
        fault stop enough damn hell idiot idiots insult insulted shout yell scream fight hit punch revenge
        furiously hostile bitter resent resentful livid fuming enraged infuriating offended offensive shut
        disrespect violated steal stole stolen wreck wrecked ruined wrong unacceptable demand dare threaten
        temper aggressive seething boiling
    """,
    "contempt": """
        pathetic ridiculous laughable inferior worthless amateur amateurs amateurish fool fools foolish stupid
        clown loser losers beneath mediocre clueless incompetent incompetence whatever bother please obviously
        supposedly genius bravo sure smirk scoff scorn sneer despise contempt contemptible unworthy petty
        feeble childish naive arrogant joke cute impressed unimpressed bored boring yawn trivial insignificant
        nobody peasant pitiful simpleton sad-little so-called excuse
    """,
    "disgusted": """
        disgusting disgust disgusted gross yuck ew eww ugh nasty filthy filth dirty rotten rot rotting stink
        stinks stinking stench smelly vomit puke sick sickening revolting repulsive repulsed vile foul slimy
        slime mold mould mouldy moldy moldy maggots maggot worms sewage garbage trash toilet spit spat snot
        pus infected grimy greasy putrid rancid nauseous nauseating nausea gag gagging horrid loathe loathsome
        distasteful cockroach contaminated sour spoiled
    """,
    "fear": """
        afraid scared scary scare fear fearful frightened frightening terrified terrifying terror panic
        panicking horror horrified horrifying dread dreadful danger dangerous threat nervous anxious anxiety
        worried worry worrying help hide hiding run escape trapped dark shadow shadows monster monsters ghost
        nightmare creepy alone follow followed following stalking die dying kill killer blood knife gun
        trembling shaking shiver haunted beware warning unsafe helpless tremble alarm alarmed
    """,
    "happy": """
        happy happiness happily glad joy joyful delighted delight delightful love loved loving lovely
        wonderful great fantastic amazing awesome excellent brilliant beautiful fun funny laugh laughing
        laughter smile smiling enjoy enjoyed cheerful cheers celebrate celebration party birthday
        congratulations thank thanks thankful grateful excited exciting
        best win won winner winning perfect pleased pleasure
        proud hooray yay hurray sunshine dance dancing sing friend friends holiday gift present welcome
        sweet paradise bliss blessed lucky adore marvellous marvelous superb terrific yes success warm hug
    """,
    "sad": """
        sad sadness sadly unhappy cry crying cried tears tear weep weeping miss missed missing lost lose loss
        lonely loneliness grief grieve grieving mourn mourning funeral died dead death gone goodbye farewell
        sorrow sorry regret hopeless despair broken heartbroken heartbreaking hurt hurts pain painful
        depressed depressing depression gloomy miserable misery empty never anymore without forgotten
        abandoned failed failure disappointed disappointing
        unfortunately tragic tragedy grave tired memories
        left apart wish remember ache aching sob sobbing bereft melancholy
    """,
    "surprised": """
        surprise surprised surprising surprisingly wow what unexpected unexpectedly unbelievable incredible
        incredibly astonished astonishing astounding shocked shocking shock suddenly sudden really omg gosh
        goodness whoa woah believe imagine guess never-seen stunned stunning speechless impossible huh
        startled amazed out-of-nowhere seriously secretly turned twist unforeseen wait actually oh dreamt
        dreamed thought expecting expected appeared
    """,
}
_MORE = (
    "very so too extremely really totally absolutely completely utterly incredibly truly deeply such".split()
)
_LESS = "slightly somewhat little bit rather fairly almost barely hardly maybe perhaps".split()
_NOT = """
    not no never none nothing nobody neither nor without cannot can't don't doesn't didn't won't wouldn't
    isn't aren't wasn't weren't haven't hasn't hadn't shouldn't couldn't ain't dont cant wont isnt
""".split()

CUES = (*FELT, "known", "more", "less", "not", "!", "?", "...", "shouted", "ends")
"""Numbers of a word: the lexicon's feelings, whether it is in the lexicon, and what stands around it."""

BUCKETS = 4096
"""Places that groups of letters are hashed to."""
GROUPS = 12
"""Groups of letters kept of one word; shorter words repeat theirs."""

_LEXICON: dict[str, set[int]] = {}
for _number, _feeling in enumerate(FELT):
    for _word in _WORDS[_feeling].split():
        _LEXICON.setdefault(_word, set()).add(_number)

_ENDINGS = ("ly", "ing", "ed", "es", "s", "er", "est", "ness", "ful", "y", "d")


@lru_cache(maxsize=8192)
def feelings_of(word: str) -> tuple[int, ...]:
    """Numbers (places in FELT) of what a word is said with; with its ending taken off if need be.

    A word listed under several feelings belongs to all of them.
    """
    word = word.lower().strip("'")
    tries = [word, word[:-3] + "y"] if word.endswith("ies") else [word]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            tries += [stem, stem + "e", stem + "y" if ending == "ly" else stem]
            if len(stem) > 3 and stem[-1] == stem[-2]:
                tries.append(stem[:-1])
    return next((tuple(sorted(_LEXICON[each])) for each in tries if each in _LEXICON), ())


def cues(word: str, after: str = "") -> NDArray[np.float32]:
    """[len(CUES)] for a word as it is written and the punctuation that follows it."""
    row = np.zeros(len(CUES), np.float32)
    found = feelings_of(word)
    row[list(found)] = 1 / max(len(found), 1)
    plain = word.lower()
    told = (
        bool(found),
        plain in _MORE,
        plain in _LESS,
        plain in _NOT or plain.endswith("n't"),
        "!" in after,
        "?" in after,
        "..." in after or "…" in after,
        len(word) > 1 and word.isupper(),
        any(mark in after for mark in ".!?;…"),
    )
    row[len(FELT) :] = told
    return row


@lru_cache(maxsize=8192)
def letters(word: str) -> tuple[int, ...]:
    """GROUPS hashes within BUCKETS: of the whole word, and of its groups of three to five letters."""
    framed = f"<{word.lower()}>"
    groups = [framed] + [
        framed[i : i + size] for size in (3, 4, 5) for i in range(max(len(framed) - size + 1, 0))
    ]
    chosen = [groups[i * len(groups) // GROUPS] for i in range(GROUPS)] if len(groups) > GROUPS else groups
    hashed = [zlib.crc32(group.encode()) % BUCKETS for group in chosen]
    return tuple(hashed[i % len(hashed)] for i in range(GROUPS))


def vocabulary() -> dict[str, tuple[str, ...]]:
    """The lexicon, by feeling."""
    return {feeling: tuple(dict.fromkeys(words.split())) for feeling, words in _WORDS.items()}
