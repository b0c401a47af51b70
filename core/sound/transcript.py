# SPDX-License-Identifier: GPL-3.0-or-later
"""Transcripts: reading what was said, and finding out when, well enough for a face to feel with it.

Plain text carries no times. Its words are laid along the stretches of speech in proportion to how long they
are to say, and the ends of sentences prefer long pauses; within a sentence or so that is right, which is what
an expression needs. Subtitles (.srt, .vtt) bring their times and are laid within them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import is_file, reason
from core.files import read as read_bytes
from core.sound.prosody import FEATURES
from core.wire.channels import STEPS_PER_SECOND
from core.wire.errors import InputError

LONGEST = 200_000
"""Characters; a day of talk."""
TEXTS = (".txt", ".srt", ".vtt", ".md")
"""The files that are read as transcripts."""
MOST_BYTES = 4 * LONGEST + 4
"""Bytes of the longest text."""
HOLD = 15
"""Steps for which a word stays active after its end; 25 steps are a second."""


@dataclass(frozen=True)
class Word:
    """A word, what is written behind it, and between which seconds it is known to be said, if it is."""

    text: str
    after: str = ""
    within: tuple[float, float] | None = None


_TOKEN = re.compile(r"([^\W_]+(?:['’\-][^\W_]+)*)([^\w]*)", re.UNICODE)
_TIME = re.compile(r"(?:(\d{1,5}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})")
_ARROW = re.compile(rf"^\s*({_TIME.pattern})\s*-->\s*({_TIME.pattern})")
_TAG = re.compile(r"<[^<>]*>|\{[^{}]*\}")


def words_of(text: str) -> list[Word]:
    """The words of plain text or of subtitles."""
    if any(_ARROW.match(line) for line in text.splitlines()):
        return _subtitles(text)
    return [Word(word.replace("’", "'"), after.strip()) for word, after in _TOKEN.findall(text)]


def read(given: str) -> str:
    """A transcript from what a person gave: the name of a text file, or the words themselves.

    Raises InputError for a file that cannot be read as text, or too long a text.
    """
    path, text = Path(given), given
    short = len(given) < 1000 and "\n" not in given
    suffix = path.suffix.lower() if short else ""
    if short and suffix not in TEXTS and (is_file(path) or _names_a_document(path)):
        raise InputError(
            f"The transcript {path.name} is not plain text",
            hint=f"Save it as one of {', '.join(TEXTS)}, or give the words themselves",
        )
    if suffix in TEXTS:
        try:
            text = _decoded(read_bytes(path, MOST_BYTES), path)
        except FileNotFoundError:
            raise InputError(f"There is no transcript {path}", hint="Choose the file again") from None
        except OSError as error:
            why = reason(error)
            raise InputError(
                f"The transcript {path.name} cannot be opened: {why}", hint="Choose another file"
            ) from None
    if len(text) > LONGEST:
        raise InputError(f"The transcript has {len(text)} characters", hint=f"At most {LONGEST} are read")
    return text


def _names_a_document(path: Path) -> bool:
    """Whether this names a file, there or not, and is no words: those have spaces, or no suffix."""
    text = str(path)
    return not re.search(r"\s", text) and (path.is_absolute() or path.suffix.lower() in _DOCUMENTS)


_DOCUMENTS = frozenset(
    ".ass .csv .doc .docx .eaf .htm .html .itt .json .lrc .odt .pages .pdf .rtf .sbv .srv3 .ssa .stl .sub "
    ".tex .textgrid .ttml .wps .xlsx .xml".split()
)


def _decoded(data: bytes, path: Path) -> str:
    """UTF-8, or UTF-16 with the mark that editors put before it."""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(
            f"The transcript {path.name} cannot be read: it is not text in UTF-8",
            hint="Save it as plain text in UTF-8",
        )
    return text


def _subtitles(text: str) -> list[Word]:
    words: list[Word] = []
    within: tuple[float, float] | None = None
    lines = text.splitlines()
    for line, later in zip(lines, [*lines[1:], ""]):
        found = _ARROW.match(line)
        if found:
            times = [_seconds(match) for match in _TIME.finditer(line)][:2]
            within = (times[0], max(times))
        elif within is not None and not (line.strip().isdigit() and _ARROW.match(later)):
            spoken = _TAG.sub("", line)
            words += [Word(word.text, word.after, within) for word in words_of(spoken)]
    return words


def _seconds(found: re.Match[str]) -> float:
    hours, minutes, seconds, rest = found.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes) + float(f"{seconds}.{rest}")


def laid_out(words: list[Word], heard: NDArray[Any] | None, steps: int) -> NDArray[np.int64]:
    """Which word is being said at each step, int64 [steps]; -1 where none is in the air.

    Args:
        words: as `words_of` gives them.
        heard: prosody [T, P] of the sound; None when there is no sound, and the words fill all of it.
    """
    place = np.full(steps, -1, np.int64)
    if not words or not steps:
        return place
    speech = np.ones(steps) if heard is None else heard[:steps, FEATURES.index("speech")].astype(float)
    speech = np.pad(speech, (0, steps - len(speech)))
    first = 0
    while first < len(words):  # each subtitle, or everything
        within, last = words[first].within, first
        while last < len(words) and words[last].within == within:
            last += 1
        begin, end = (0, steps) if within is None else (int(t * STEPS_PER_SECOND) for t in within)
        begin, end = min(begin, steps), min(max(end, begin + 1), steps)
        _lay(words[first:last], speech[begin:end], place[begin:end], first)
        first = last
    return _held(place)


def _lay(words: list[Word], speech: NDArray[Any], place: NDArray[np.int64], number: int) -> None:
    """Fill `place` with the numbers of `words`, the first of which is `number`."""
    if not len(place):
        return
    if speech.sum() < 0.5:  # nobody is heard: spread evenly
        speech = np.ones(len(place))
    spoken = speech > 0.5
    if not spoken.any():
        spoken = speech >= speech.max()
    lengths = np.array([_length(word.text) for word in words])
    ends = np.cumsum(lengths) / lengths.sum()
    told = np.cumsum(spoken) / spoken.sum()
    # where a sentence ends near a pause, the pause decides
    runs = np.flatnonzero(np.diff(spoken.astype(int)) == -1)
    stops = [told[run] for run in runs if not spoken[run + 1 : run + 7].any()]
    knots, values = [0.0], [0.0]
    for index, word in enumerate(words[:-1]):
        if stops and any(mark in word.after for mark in ".!?,;:…"):
            best = min(stops, key=lambda stop: abs(stop - ends[index]))
            near = 0.6 / max(len(words), 1) + 0.06
            if abs(best - ends[index]) < near and best > values[-1] + 1e-6 and best < 1 - 1e-6:
                knots.append(float(ends[index]))
                values.append(float(best))
    warped = np.interp(ends, [*knots, 1.0], [*values, 1.0])
    said = np.searchsorted(warped, told - 1e-9).clip(0, len(words) - 1)
    place[spoken] = number + said[spoken]


def _held(place: NDArray[np.int64]) -> NDArray[np.int64]:
    """A word stays in the air for a while after it was said."""
    last = np.maximum.accumulate(np.where(place >= 0, np.arange(len(place)), -1))
    held = np.where(last >= 0, place[last.clip(0)], -1)
    return np.where(np.arange(len(place)) - last <= HOLD, held, -1)


def _length(word: str) -> float:
    """How long a word takes to say, in syllables or so."""
    syllables = len(re.findall(r"[aeiouyäöüáéíóúàèìòùâêîôûåæøœ]+", word.lower()))
    return 0.35 + max(syllables, 1) + 0.04 * len(word)
