# SPDX-License-Identifier: GPL-3.0-or-later
"""Timed mouth shapes of other programs, in: Rhubarb JSON and TSV, Moho .dat, Papagayo .pgo and .pg2, and
Praat TextGrid (`textgrid`).

Rhubarb and TextGrid count seconds, the others frames: .dat from 1 and without a rate, .pgo and .pg2 from 0.
Shapes come as they are written in the file; `visemes` knows what they look like.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import BadMotion
from . import textgrid
from .curves import Cue, check_count, number
from .text import object_of, text_of

DAT_RATE = 24.0
"""Frames a second of a Moho .dat, unless somebody says otherwise; it is Moho's own default."""
LAST = 0.15
"""Seconds that the last shape of a file lasts which gives beginnings alone."""
REST = "rest"
LATEST = 86_400.0
"""Seconds. Later cues are none."""
FARTHEST = 10**7
"""Frames."""


def read(data: bytes, name: str, rate: float = DAT_RATE) -> list[Cue]:
    """The cues of a file, in order. `rate` is that of a .dat. Raises BadMotion."""
    reader = READERS.get(suffix_of(name))
    if reader is None:
        raise BadMotion(f"{name} is no file of mouth shapes: it must end in {', '.join(READERS)}")
    found = reader(data, name, rate)
    check_count(len(found), name, "mouth shapes")
    for one in found:
        if not 0 <= one.start <= one.end <= LATEST:
            raise BadMotion(f"{name}: {one.shape[:20]!r} lasts from {one.start:g} to {one.end:g} s")
    return sorted(found, key=lambda one: one.start)


def suffix_of(name: str) -> str:
    """ ".dat" of "Anna.DAT"; "" where there is none."""
    head, point, end = name.rpartition(".")
    return f".{end.lower()}" if head and point else ""


def is_rhubarb(data: object) -> bool:
    """Is this object a JSON of Rhubarb?"""
    return isinstance(data, dict) and "mouthCues" in data


def _rhubarb_json(data: bytes, name: str, _rate: float) -> list[Cue]:
    held = object_of(data, name)
    if not is_rhubarb(held) or not isinstance(held["mouthCues"], list):
        raise BadMotion(f"{name} has no list mouthCues, as Rhubarb writes it")
    found = []
    for place, cue in enumerate(held["mouthCues"], 1):
        where = f"{name}, cue {place}"
        if not isinstance(cue, dict) or not {"start", "end", "value"} <= cue.keys():
            raise BadMotion(f"{where} lacks start, end or value")
        start, end = (number(cue[key], f"{where}, {key}", 0, LATEST) for key in ("start", "end"))
        found.append(Cue(str(cue["value"]), start, end))
    return found


def _rhubarb_tsv(data: bytes, name: str, _rate: float) -> list[Cue]:
    starts = []
    for line, text in enumerate(text_of(data, name, legacy="latin-1").splitlines(), 1):
        if not text.strip():
            continue
        cells = text.split("\t")
        if len(cells) < 2:
            raise BadMotion(f"{name}, line {line}: a time and a shape with a tab between them are expected")
        time = cells[0].strip().replace(",", ".")
        starts.append((number(time, f"{name}, line {line}", 0, LATEST), cells[1].strip()))
    return _until_the_next(starts)


def _dat(data: bytes, name: str, rate: float) -> list[Cue]:
    lines = [line.strip() for line in text_of(data, name, legacy="latin-1").splitlines() if line.strip()]
    if not lines or not lines[0].lower().startswith("mohoswitch"):
        raise BadMotion(f"{name} does not begin with MohoSwitch1, as a switch file of Moho does")
    starts = [_frame_and_shape(line, name) for line in lines[1:]]
    return _until_the_next([(max(0.0, frame - 1) / rate, shape) for frame, shape in starts])


def _pgo(data: bytes, name: str, _rate: float) -> list[Cue]:
    """Lines: `lipsync version 1`, sound, rate, frames, number of voices; then voices of phrases of words of
    phones, indented by one to four tabs. A word's line is `text first last count`. The first voice counts.
    """
    lines = text_of(data, name, legacy="latin-1").splitlines()
    if not lines or not lines[0].strip().lower().startswith("lipsync version"):
        raise BadMotion(f"{name} does not begin with lipsync version 1, as Papagayo writes it")
    if len(lines) < 5:
        raise BadMotion(f"{name} breaks off after line {len(lines)}")
    rate = number(lines[2].strip(), f"{name}, line 3", 1, 1000)
    words: list[_Word] = []
    for line in lines[5:]:
        depth = len(line) - len(line.lstrip("\t"))
        if depth == 1 and words:
            break  # the next voice
        if depth == 3:
            cells = line.split()
            last = int(cells[-2]) if len(cells) > 3 and cells[-2].isdecimal() else 0
            words.append(([], float(last)))
        elif depth == 4 and words and line.strip():
            words[-1][0].append(_frame_and_shape(line, name))
    return _of_words(words, rate)


def _pg2(data: bytes, name: str, _rate: float) -> list[Cue]:
    held = object_of(data, name)
    voices = held.get("voices") if isinstance(held, dict) else None
    if not isinstance(voices, list):
        raise BadMotion(f"{name} has no voices, as Papagayo-NG writes them")
    rate = number(held.get("fps", DAT_RATE), f"{name}, fps", 1, 1000)
    words: list[_Word] = []
    try:
        for voice in voices[:1]:
            for phrase in voice["phrases"]:
                for word in phrase["words"]:
                    phones = [
                        (number(phone["frame"], f"{name}, frame", 0, FARTHEST), str(phone["text"]))
                        for phone in word["phonemes"]
                    ]
                    last = number(word.get("end_frame", 0), f"{name}, end_frame", 0, FARTHEST)
                    words.append((phones, last))
    except (KeyError, TypeError, AttributeError) as error:
        raise BadMotion(f"{name} is not laid out as Papagayo-NG writes it: it lacks {error}") from None
    return _of_words(words, rate)


_Word = tuple[list[tuple[float, str]], float]
"""Phones as (frame, shape), and the last frame of the word; 0 where that is not said."""


def _of_words(words: Sequence[_Word], rate: float) -> list[Cue]:
    """Phones last until the next of their word, the last one to the word's end; between words is rest."""
    starts: list[tuple[float, str]] = []
    for phones, last in words:
        starts += phones
        if phones and last > phones[-1][0]:
            starts.append((last + 1, REST))
    kept: dict[float, str] = {}
    for frame, shape in sorted(starts, key=lambda one: (one[0], one[1] != REST)):
        kept[frame] = shape  # a rest gives way to a word that begins there
    return _until_the_next([(frame / rate, shape) for frame, shape in kept.items()])


def _frame_and_shape(line: str, name: str) -> tuple[float, str]:
    parts = line.split()
    if len(parts) < 2:
        raise BadMotion(f"{name}: {line.strip()[:40]!r} is no frame number with a shape behind it")
    return number(parts[0], f"{name}, {line.strip()[:40]!r}", 0, FARTHEST), parts[1]


def _until_the_next(starts: Sequence[tuple[float, str]]) -> list[Cue]:
    """Each shape lasts until the next begins."""
    starts = sorted(starts)
    ends = [start for start, _ in starts[1:]] + ([starts[-1][0] + LAST] if starts else [])
    return [Cue(shape, start, end) for (start, shape), end in zip(starts, ends)]


def _textgrid(data: bytes, name: str, _rate: float) -> list[Cue]:
    return textgrid.read(data, name)


READERS: dict[str, Callable[[bytes, str, float], list[Cue]]] = {
    ".json": _rhubarb_json,
    ".tsv": _rhubarb_tsv,
    ".textgrid": _textgrid,
    ".dat": _dat,
    ".pgo": _pgo,
    ".pg2": _pg2,
}
"""What a file's name ends in -> its reader."""
