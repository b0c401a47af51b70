# SPDX-License-Identifier: GPL-3.0-or-later
"""Short texts that mean a feeling: frames of our own (``sayings.json``) filled with words of the lexicon.

In a frame, ``{word}`` is a word of the feeling, ``{thing}`` a thing of everyday life, and ``{more}`` an
adverb or nothing.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from core.sound.lexicon import vocabulary
from training.speech.sentences import sentence

_REMAINS = {"happy": "sad", "sad": "neutral", "fear": "neutral", "angry": "neutral", "surprised": "neutral"}
"""What is left of somebody who says that a feeling is not there."""


def said_with(feeling: str, rng: np.random.Generator) -> tuple[str, float]:
    """A short text that means a feeling, and how strongly, 0 to 1."""
    if feeling == "neutral":
        text = sentence(rng, 0.0).rstrip(".") if rng.random() < 0.5 else _choice("neutral", rng)
        return _filled(text, [""], rng) + _end(rng, 0.0), 0.0
    strength, words = float(rng.uniform(0.35, 1.0)), _vocabulary()[feeling]
    frame = _choice(feeling, rng) if rng.random() < 0.45 else str(rng.choice(_sayings()["generic"]))
    text = _filled(frame, words, rng)
    if rng.random() < 0.25:  # more of it, or something plain around it
        alone = rng.random() < 0.4
        other = str(rng.choice(words)) if alone else _filled(_choice("neutral", rng), [""], rng)
        text = f"{text}, {other}" if rng.random() < 0.5 else f"{other}, {text}"
    if strength > 0.9 and rng.random() < 0.3:
        text = text.upper()
    return text + _end(rng, strength, feeling), strength


def denied(rng: np.random.Generator) -> tuple[str, str, float]:
    """A feeling that is said not to be there: text, the feeling that then remains, strength."""
    feeling = str(rng.choice(list(_REMAINS)))
    after = _REMAINS[feeling]
    text = _filled(str(rng.choice(_sayings()["denials"])), _vocabulary()[feeling], rng)
    return text + ".", after, 0.4 if after == "sad" else 0.0


@functools.cache
def _sayings() -> dict[str, Any]:
    return dict(json.loads(Path(__file__).with_name("sayings.json").read_text(encoding="utf-8")))


def _vocabulary() -> dict[str, list[str]]:
    return {feeling: [word for word in words if word.isalpha()] for feeling, words in vocabulary().items()}


def _choice(feeling: str, rng: np.random.Generator) -> str:
    return str(rng.choice(_sayings()["frames"][feeling]))


def _filled(text: str, words: list[str], rng: np.random.Generator) -> str:
    said = _sayings()
    for slot, choices in (("{word}", words), ("{thing}", said["things"]), ("{more}", said["more"])):
        while slot in text:
            text = text.replace(slot, str(rng.choice(choices)), 1)
    return " ".join(text.split()).replace(" ,", ",")


def _end(rng: np.random.Generator, strength: float, feeling: str = "neutral") -> str:
    if feeling == "surprised" and rng.random() < 0.4:
        return "?!" if rng.random() < 0.3 else "?"
    if feeling in ("angry", "happy", "fear", "surprised") and rng.random() < 0.55 * strength:
        return "!"
    if feeling in ("sad", "fear", "contempt") and rng.random() < 0.2:
        return "..."
    return "." if rng.random() < 0.9 else ""
