# SPDX-License-Identifier: GPL-3.0-or-later
"""How the words of a transcript are spoken: by espeak-ng where that program is installed, in many languages.

English words that the recogniser's own dictionary has need none of this. Which language a text is in is told
by its script and its most frequent words, which is sure for a sentence and a guess for a word.

espeak-ng is started by its fixed name, from an absolute folder of PATH, with the words on its standard input:
neither the text nor a .blend can choose what is run. A program that does not answer in time counts as absent.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from core.sound import phones

PROGRAM = "espeak-ng"
PATIENCE = 10.0
"""Seconds that the program may take."""
ENGLISH = "en"

_FREQUENT = {
    "en": "the and of to in is that it you was for are with this have not be at we my your",
    "de": "der die das und ich nicht ist ein eine wir mit zu auf auch es sie dem den von für",
    "fr": "le la les des et est je pas que une vous nous dans pour ce qui il elle sur avec",
    "es": "el los las que y es una por con está para no se del lo como pero más yo muy",
    "it": "il che è non di un per sono della gli una del nel ma come con questo anche ho più",
    "pt": "o que não é um uma com para você os as do da em por mais como se eu muito",
    "nl": "de het een en van ik niet dat is je op te zijn voor met wij aan ook maar",
    "pl": "nie się na to jest że w i z do jak ale czy tak co mnie po za od już",
    "sv": "och det att jag inte är en som på för med av ett den har vi till om så du",
    "tr": "bir ve bu ne için çok da de mi ben sen o ama gibi var daha değil kadar",
    "fi": "ja on ei se että hän minä sinä oli mutta kun niin mitä tämä kuin ovat olen",
    "cs": "a je se na to že v s jsem ale jak tak co si by jsou jako už pro nebo",
    "hu": "a az és nem hogy egy is van ez de meg csak mint még volt már ha azt",
    "ro": "și nu este un o de la în că pe cu mai ce sunt din pentru am să care",
    "id": "yang dan di itu ini dengan untuk tidak dari saya ada ke kamu akan adalah",
}
"""Language -> some of its most frequent words."""
_SCRIPTS = (
    ("ja", "\u3040-\u30ff"),
    ("ko", "\uac00-\ud7af"),
    ("cmn", "\u4e00-\u9fff"),
    ("ru", "\u0400-\u04ff"),
    ("el", "\u0370-\u03ff"),
    ("ar", "\u0600-\u06ff"),
    ("he", "\u0590-\u05ff"),
    ("hi", "\u0900-\u097f"),
    ("ka", "\u10a0-\u10ff"),
)
"""The language of a script's letters, the first that is found."""

Said = list[tuple[str, str]]
"""Phones of a word: the name in marks, and the ARPAbet phone it sounds like."""


def language_of(words: Sequence[str]) -> str:
    """The language of a text, as espeak-ng names it; English where nothing tells."""
    text = "".join(words)
    for language, letters in _SCRIPTS:
        if 2 * len(re.findall(f"[{letters}]", text)) > len(text) or (
            language == "ja" and re.search(f"[{letters}]", text)
        ):
            return language
    lower = [word.lower() for word in words]
    counts = {name: sum(word in known.split() for word in lower) for name, known in _FREQUENT.items()}
    return max(counts, key=lambda name: counts[name])  # the first of equals: English


def program() -> Path | None:
    """Where espeak-ng is installed: in an absolute folder of PATH, never in the working folder."""
    name = f"{PROGRAM}.exe" if os.name == "nt" else PROGRAM
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = Path(folder) / name
        if folder and Path(folder).is_absolute() and found.is_file() and os.access(found, os.X_OK):
            return found
    return None


def spoken(words: Sequence[str], language: str) -> list[Said] | None:
    """The phones of each word, [] for one that is not spoken; None where espeak-ng does not say.

    Args:
        words: without white space, not empty.
        language: of `language_of`.
    """
    found = program()
    if found is None or not words:
        return None
    voice = "en-us" if language == ENGLISH else language
    command = [str(found), "-q", "-x", "--sep=_", "--stdin", "-v", voice]
    text = "\n\n".join(word.lower() for word in words)  # a line each
    try:
        answer = subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = answer.stdout.decode("utf-8", "replace").split("\n")
    if len(lines) <= len(words):  # what follows the last line's end counts
        return None
    return [_phones(line, language == ENGLISH) for line in lines[: len(words)]]


def _phones(line: str, english: bool) -> Said:
    """A line such as "S_'Y:_n_@"; "(en)" marks a word of another language."""
    names = [name.strip("',|%=;") for name in re.split(r"[_\s]+", line) if not name.startswith("(")]
    return [pair for name in names if name for pair in phones.arpabet(name, english)]
