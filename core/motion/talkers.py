# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of real talkers, from `talkers.json`: how they place their lips, move their heads and blink.

Only aggregated figures lie there: no recording of a person, and none can be had back from them. Lengths are
distances of the outer eye corners ("eye distances"); apertures count from closed lips, widths from pauses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@cache
def figures() -> Mapping[str, Any]:
    """The whole file."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("talkers.json").read_text(encoding="utf-8"))
    return found


def presence(spoken: NDArray[np.bool_], rate: float) -> NDArray[np.float64]:
    """How far the mouth takes part in speech at each moment, [T] of 0..1: 1 while it speaks and a quarter of
    a second before, about a half after the last sound, 0 in long silence.

    Args:
        spoken: [T] whether there is speech.
        rate: moments a second.
    """
    here = np.flatnonzero(spoken)
    if not len(here):
        return np.zeros(len(spoken))
    now = np.arange(len(spoken))
    next_, last = np.searchsorted(here, now), np.searchsorted(here, now, side="right") - 1
    until = np.where(next_ < len(here), here[np.minimum(next_, len(here) - 1)] - now, np.inf) / rate
    since = np.where(last >= 0, now - here[np.maximum(last, 0)], np.inf) / rate
    pauses = figures()["pauses"]
    before, after = np.transpose(pauses["until"]), np.transpose(pauses["since"])
    return np.maximum(np.interp(until, *before), np.interp(since, *after))
