# SPDX-License-Identifier: GPL-3.0-or-later
"""What the recipes that hear share: which voices they learn from and which only judge them, and chance that
is the same in every process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from core.wire.errors import InputError


class Named(Protocol):
    """Sentences of one voice."""

    @property
    def key(self) -> str: ...


Voice = TypeVar("Voice", bound=Named)


def parted(
    corpus: Path, hold_out: str, load: Callable[[Path], Voice], made: Iterable[str] = ()
) -> tuple[list[Voice], list[Voice]]:
    """Voices to learn from, and voices held out.

    Args:
        corpus: a folder with one file for each voice.
        hold_out: the held-out voices' names, with commas between; may be empty.
        load: reads one file.
        made: what could not be made of the corpus, a sentence each, to be said.
    Raises InputError where a voice that is named is not there, or none is left to learn from.
    """
    for reason in made:
        print(f"left out: {reason}")
    voices = [load(path) for path in sorted(corpus.glob("*.npz"))]
    apart = {key for key in hold_out.split(",") if key}
    if missing := apart - {voice.key for voice in voices}:
        what = f"{corpus} has no voice {', '.join(sorted(missing))} to hold out"
        raise InputError(what, hint="Name voices that are there, without .npz, or --hold-out '' for none")
    learnt = [voice for voice in voices if voice.key not in apart]
    if not learnt:
        what = f"{corpus} has no voice to learn from"
        raise InputError(what, hint="Voices are made with flite and espeak-ng; hold fewer of them out")
    return learnt, [voice for voice in voices if voice.key in apart]


def by_engine(voices: list[Voice]) -> list[list[Voice]]:
    """The voices of flite, and those of espeak-ng."""
    return [[v for v in voices if v.key.startswith(engine)] for engine in ("flite", "espeak")]


def alike(seed: int, step: int) -> np.random.Generator:
    """The random stream of one step, the same in all processes: each then takes its part of what is drawn,
    and several give what one gives."""
    return np.random.default_rng((seed, step, 0))
