# SPDX-License-Identifier: GPL-3.0-or-later
"""Time codes: HH:MM:SS:FF, at any frame rate, read and written.

Frames are counted in whole numbers a second, the *base*: 24 for 23.976. Where the rate is 1000/1001 of its
base, code and clock drift apart by 3.6 s an hour; *drop frame* (29.97 and 59.94 only) leaves out the first 2
or 4 numbers of each minute but every tenth, so that both agree (SMPTE ST 12-1). Many programs write it with
";" before the frames. We write ":" always, since readers of Live Link files part the code there.

Codes come in three spellings: `HH:MM:SS:FF.fff`, frames and thousandths of a frame; `HH:MM:SS:FF`; and
`HH:MM:SS:mmm`, thousandths of a second. None says its rate, so that is read off all codes of a file.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadMotion

RATES = (24, 25, 30, 48, 50, 60, 100, 120)
"""Bases in use."""
USUAL = 60.0
"""Rows a second of a phone, for a clip shorter than a second, which does not show its own rate."""
HIGHEST = 240
"""A frame number as high as this is none: the code's last part counts thousandths of a second."""
DAY = 86_400.0
_NTSC = 1000 / 1001
_CODE = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})([:;.])(\d{1,3})(?:[.,](\d{1,9}))?")


@dataclass(frozen=True)
class Code:
    """One time code."""

    seconds: int  # since midnight, as the code says it
    frames: float  # within the second, with the fraction
    drop: bool  # written with ";"


def parsed(text: str, where: str) -> Code:
    """A time code as it is written. Raises BadMotion that begins with `where`."""
    found = _CODE.fullmatch(text.strip())
    if found is None:
        raise BadMotion(
            f"{where}: {text[:30]!r} is no time code such as 10:32:05:12.345",
            "Where a spreadsheet changed it, format that column as text",
        )
    hours, minutes, seconds = (int(found[k]) for k in (1, 2, 3))
    if minutes > 59 or seconds > 59:
        raise BadMotion(f"{where}: {text[:30]!r} has more than 59 minutes or seconds")
    whole = 3600 * hours + 60 * minutes + seconds
    return Code(whole, int(found[5]) + float(f"0.{found[6] or 0}"), found[4] == ";")


def times_of(codes: Sequence[Code], scene_rate: float = 0.0) -> tuple[list[float], float]:
    """Seconds of each code after the first, rising, and rows a second.

    `scene_rate`: where it has the base that the codes count in, they are taken to be of that very rate: that
    tells 23.976 from 24, which look alike.
    """
    if max(code.frames for code in codes) >= HIGHEST:
        times = _rising([code.seconds + code.frames / 1000 for code in codes])
        return times, _row_rate(times, min(RATES, key=lambda rate: abs(rate - 1 / _step(times, USUAL))))
    base = _base_of(codes, scene_rate)
    drop = _dropped(base) if _is_drop(codes, base) else 0
    rate: float = base * _NTSC if drop else base
    slow = scene_rate > 0 and math.ceil(scene_rate - 1e-6) == base and is_ntsc(scene_rate)
    if slow:
        rate = scene_rate
    if drop or slow:  # every second of the code lasts a little longer than one
        times = _rising([frame_number(code, base, drop) / rate for code in codes], DAY / _NTSC)
    else:
        times = _rising([code.seconds + code.frames / base for code in codes])
    odd = scene_rate > 0 and not slow and not drop and math.ceil(scene_rate - 1e-6) == base != scene_rate
    if odd:
        return times, scene_rate
    return times, _row_rate(times, rate)


def frame_number(code: Code, base: int, drop: int) -> float:
    """Frames since midnight."""
    minutes = code.seconds // 60
    return code.seconds * base + code.frames - drop * (minutes - minutes // 10)


def written(seconds: float, row: int, rate: float) -> str:
    """The code of row `row` of a clip of `rate` rows a second, whose first row is at `seconds` o'clock. Whole
    rates and 1000/1001 of them count frames; any other rate says the time, with thousandths of a frame.
    """
    base = math.ceil(rate - 1e-6)
    if not is_ntsc(rate) and abs(rate - base) > 1e-6:
        ticks = round((round(seconds * rate) + row) / rate * base * 1000)
        whole, ticks = divmod(ticks, base * 1000)
        return _code(whole, f"{ticks // 1000:02d}.{ticks % 1000:03d}")
    count = round(seconds * rate) + row
    drop = _dropped(base) if is_ntsc(rate) else 0
    if drop:
        tens, rest = divmod(count, 600 * base - 9 * drop)
        minute = 60 * base - drop
        count += 9 * drop * tens + (drop * ((rest - drop) // minute) if rest >= drop else 0)
    whole, frames = divmod(count, base)
    return _code(whole, f"{frames:02d}.000")


def is_ntsc(rate: float) -> bool:
    """Is this 1000/1001 of a whole rate? 23.98 counts as 23.976."""
    whole = math.ceil(rate - 1e-6)
    return abs(rate - whole * _NTSC) < 0.006 and abs(rate - whole) > 1e-6


def _code(seconds: int, frames: str) -> str:
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames}"


def _dropped(base: int) -> int:
    return base // 15 if base in (30, 60) else 0


def _is_drop(codes: Sequence[Code], base: int) -> bool:
    """Written with ";", or the numbers that drop frame leaves out are missing where they had to be."""
    dropped = _dropped(base)
    if not dropped:
        return False
    if any(code.drop for code in codes):
        return True
    starts: dict[int, float] = {}
    for before, code in itertools.pairwise(codes):
        minute = code.seconds // 60
        if minute != before.seconds // 60 and minute % 10:
            starts[minute] = code.frames
    return bool(starts) and all(dropped <= frames < dropped + 1 for frames in starts.values())


def _base_of(codes: Sequence[Code], scene_rate: float) -> int:
    """Frames that the codes count a second. In a whole second without dropped rows they go up to one less;
    else the nearest base above the highest number that is in use.
    """
    highest = max(math.floor(code.frames) for code in codes)
    wanted = math.ceil(scene_rate - 1e-6)
    seconds = [code.seconds for code in codes]
    if len(set(seconds)) < 2 and highest < wanted:
        return wanted
    if len(set(seconds)) < 2 and highest < 30:
        return int(USUAL) if highest >= 25 or len(codes) < 24 else 30
    if highest < wanted and wanted not in RATES and wanted - highest < 3:
        return wanted
    inner = Counter(second for second in seconds if second not in (seconds[0], seconds[-1]))
    if inner and inner.most_common(1)[0][1] == highest + 1:
        return highest + 1
    return next((rate for rate in RATES if rate > highest), highest + 1)


def _row_rate(times: Sequence[float], base: float) -> float:
    """Rows may come more often than frames are counted: 60 a second in codes of 30, with halves."""
    return base * max(1, round(1 / (_step(times, 1 / base) * base)))


def _step(times: Sequence[float], otherwise: float) -> float:
    """Seconds between most rows."""
    steps = sorted(after - before for before, after in itertools.pairwise(times))
    return steps[len(steps) // 2] if steps else otherwise


def _rising(times: list[float], day: float = DAY) -> list[float]:
    """Times from 0 on that never stand still or go back; at midnight they begin anew."""
    found, days = [times[0]], 0.0
    for time in times[1:]:
        if time + days < found[-1] - day / 2:
            days += day
        found.append(max(time + days, found[-1] + 1e-4))
    return [time - found[0] for time in found]
