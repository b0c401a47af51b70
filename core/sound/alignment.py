# SPDX-License-Identifier: GPL-3.0-or-later
"""When each word and each phone of a transcript is said: forced alignment by PocketSphinx, where it is
installed.

PocketSphinx brings an English acoustic model and a dictionary. Words of other languages, and English ones
that the dictionary lacks, are spelled by `core.sound.pronunciation` with the English phones they sound like.
How well the sound fits is a by-product: the mean score of a phone a frame is -5 to -25 where a person says
its word, -35 to -60 where a synthesiser or a foreigner does, and about -70 where something else is said.
Words that do not fit are left out, and a transcript of which few fit is no transcript of this sound.

Legend: frames of 10 ms.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.sound import pronunciation
from core.sound.mel import RATE
from core.sound.transcript import Word
from core.sound.voice_activity import spoken
from core.wire.channels import STEPS_PER_SECOND

LONGEST = 150.0
"""Seconds of sound that a text without times is aligned with; longer ones need subtitles."""
MOST_WORDS = 6000
"""Words of subtitles that are aligned: three quarters of an hour."""
MARGIN = 0.4
"""Seconds before and after a subtitle in which its words may be, too."""
FRAME, STEP = 0.01, 1 / STEPS_PER_SECOND
FITS, FITS_ABROAD = -50.0, -62.0
"""Mean score a frame of a word and its neighbours from which they are believed: of English, and of words that
are spelled by the sounds of English."""
LENIENT = 1.5
"""A word of a transcript that fits is used down to so many times the score."""
OPEN = 30.0
"""Seconds up to which no path is given up: a sound that hardly fits is aligned to its end."""
NARROW = 1e-100
"""Probability beside the best one below which a path is given up in longer sounds, too long else."""
ENOUGH = 0.6
"""Share of the words that must fit."""
COVERED = 0.7
"""Share of what is said that the words must fill: a short text finds a place that sounds alike somewhere."""
SURE = -30.0
"""Mean score from which a word needs no more proof: part of what is said may be given, too."""
PEAK = 0.7
"""Amplitude that the sound is brought to."""


@dataclass(frozen=True)
class Phone:
    """A sound that is spoken, in seconds; the first of a word carries the word."""

    name: str  # of `core.sound.phones.from_name`
    start: float
    end: float
    word: str = ""


class NotAligned(Exception):
    """Why a transcript could not be used, as the end of a sentence."""


def available() -> bool:
    """Whether PocketSphinx is installed."""
    return importlib.util.find_spec("pocketsphinx") is not None


def aligned(
    samples: NDArray[Any],
    words: Sequence[Word],
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Phone]:
    """The phones of a transcript, in the order of time; words that do not fit the sound are left out.

    Args:
        samples: float32 [N] mono at 16 kHz.
        words: as `core.sound.transcript.words_of` gives them; those of subtitles are aligned within their
            times.
        tell: called before each piece and at the end: pieces done, pieces in all.
    Raises:
        NotAligned: it cannot be done, or the words are not what is said.
    """
    if not available():
        raise NotAligned("pocketsphinx is not installed in the Python of the server")
    if not words:
        raise NotAligned("it has no words")
    if len(words) > MOST_WORDS:
        raise NotAligned(f"it has {len(words)} words, and {MOST_WORDS} are aligned at most")
    seconds = len(samples) / RATE
    if seconds > LONGEST and any(word.within is None for word in words):
        raise NotAligned(
            f"the sound lasts {seconds:.0f} s, and without times as in subtitles {LONGEST:.0f} s are "
            "aligned at most"
        )
    pieces = [(*piece, *_times(words[piece[0]], seconds)) for piece in _pieces(words)]
    recogniser = _Recogniser(words, max(end - begin for _, _, begin, end in pieces))
    found: list[Phone] = []
    fitting, sure, heard = 0, 0, 0.0
    for number, (first, last, begin, end) in enumerate(pieces):
        tell(number, len(pieces))
        part = samples[int(begin * RATE) : int(end * RATE)]
        said = recogniser.align(part, range(first, last))
        heard += STEP * float(spoken(part, int(len(part) / RATE / STEP)).sum())
        fitting += recogniser.fitting
        sure += recogniser.sure
        found += [
            replace(phone, start=begin + phone.start, end=begin + phone.end)
            for word in said
            for phone in word
        ]
    tell(len(pieces), len(pieces))
    covered = sum(phone.end - phone.start for phone in found) >= COVERED * heard
    if fitting < ENOUGH * recogniser.known or not (covered or sure >= ENOUGH * recogniser.known):
        raise NotAligned("it is not what is said in the sound")
    return sorted(found, key=lambda phone: phone.start)


def _pieces(words: Sequence[Word]) -> list[tuple[int, int]]:
    """First and last + 1 of the words that are aligned together: those of one subtitle, or all."""
    cuts = [n for n in range(1, len(words)) if words[n].within != words[n - 1].within]
    return list(zip([0, *cuts], [*cuts, len(words)]))


def _times(word: Word, seconds: float) -> tuple[float, float]:
    """Between which seconds of the sound a word's piece is."""
    if word.within is None:
        return 0.0, seconds
    return max(0.0, word.within[0] - MARGIN), min(seconds, word.within[1] + MARGIN)


class _Recogniser:
    """PocketSphinx, with a spelling for each word of a transcript."""

    def __init__(self, words: Sequence[Word], seconds: float) -> None:
        from pocketsphinx import Decoder  # type: ignore[import-untyped,import-not-found,unused-ignore]

        beam = NARROW if seconds > OPEN else 0.0
        self.decoder = Decoder(
            samprate=RATE,
            lm=None,
            bestpath=False,  # or the second pass does not find the first one's times possible
            beam=beam,
            pbeam=beam,
            wbeam=beam,
            pl_window=0,  # its look-ahead drops what it should not
            loglevel="FATAL",
        )
        self.words = [word.text for word in words]
        self.spelled: list[str] = []  # the recogniser's name of each word, "" for one that it cannot align
        self.named: dict[str, pronunciation.Said] = {}  # phones of names that are ours
        self._spell()
        self.known = sum(bool(name) for name in self.spelled)
        if not self.known:
            raise NotAligned("none of its words can be pronounced: espeak-ng, which would, is not installed")

    def _spell(self) -> None:
        language = pronunciation.language_of(self.words)
        english = language == pronunciation.ENGLISH
        self.fits = FITS if english else FITS_ABROAD
        plain = [word.lower() for word in self.words]
        ready = [english and self.decoder.lookup_word(word) is not None for word in plain]
        lacking = sorted({word for word, there in zip(plain, ready) if not there})
        spoken = pronunciation.spoken(lacking, language)
        if lacking and spoken is None and not english:
            raise NotAligned(f"its language ({language}) needs espeak-ng, which is not installed")
        said = dict(zip(lacking, spoken or [[] for _ in lacking]))
        for word, there in zip(plain, ready):
            name = word if there else f"zz{lacking.index(word)}zz" if said[word] else ""
            if name and not there and name not in self.named:
                self.named[name] = said[word]
                self.decoder.add_word(name, " ".join(sound.upper() for _, sound in said[word]), True)
            self.spelled.append(name)

    def align(self, samples: NDArray[Any], numbers: range) -> list[list[Phone]]:
        """The phones of those of the words that may be said, in seconds of these samples; `fitting` tells how
        many surely are.
        """
        self.fitting = self.sure = 0
        numbers_known = [number for number in numbers if self.spelled[number]]
        peak = float(np.abs(samples).max(initial=0.0))
        if not numbers_known or peak <= 0:
            return []
        sound = np.asarray(samples * (PEAK / peak * 32767), "<i2").tobytes()
        try:
            self.decoder.set_align_text(" ".join(self.spelled[number] for number in numbers_known))
            self._hear(sound)
            if self.decoder.hyp() is None:
                return []
            self.decoder.set_alignment()
            self._hear(sound)
            entries = self._entries()
        except RuntimeError:  # the words do not lead through the sound
            return []
        if len(entries) != len(numbers_known):
            return []
        scores = _scores(entries)
        self.fitting, self.sure = (int((scores >= least).sum()) for least in (self.fits, SURE))
        pairs = zip(numbers_known, entries, scores >= self.fits * LENIENT)
        return [self._phones(number, entry) for number, entry, may_be in pairs if may_be]

    def _hear(self, sound: bytes) -> None:
        self.decoder.start_utt()
        self.decoder.process_raw(sound, full_utt=True)
        self.decoder.end_utt()

    def _entries(self) -> list[list[tuple[str, int, int, int]]]:
        """Name, first frame, frames and score of the phones of each word, without pauses and noises.

        Trap: a word of PocketSphinx is only good until the next one is asked for.
        """
        found, alignment = [], self.decoder.get_alignment()
        for word in alignment:
            if not re.match(r"<|\[|\+", word.name):
                found.append([(phone.name, phone.start, phone.duration, phone.score) for phone in word])
        return found

    def _phones(self, number: int, entry: list[tuple[str, int, int, int]]) -> list[Phone]:
        said = self.named.get(self.spelled[number])
        names = [name for name, _ in said] if said else [name.lower() for name, *_ in entry]
        return [
            Phone(name, start * FRAME, (start + long) * FRAME, "" if place else self.words[number])
            for place, (name, (_, start, long, _score)) in enumerate(zip(names, entry))
        ]


def _scores(entries: list[list[tuple[str, int, int, int]]]) -> NDArray[np.float64]:
    """Mean score a frame of each word with the words beside it: a short one alone says little."""
    scores = np.array([sum(phone[3] for phone in entry) for entry in entries], np.float64)
    frames = np.array([sum(phone[2] for phone in entry) for entry in entries], np.float64)
    near = np.ones(min(3, len(entries)))
    return np.asarray(np.convolve(scores, near, "same") / np.convolve(frames, near, "same"))
