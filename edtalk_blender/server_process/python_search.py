# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python would run the server? Found out beside the interface, so that panels can say it.

Trying interpreters takes up to a second, which no panel may wait for: the first drawing starts the search, a
timer goes on with it, and the panels are drawn again when it has ended.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...core.wire.errors import NotStarted
from ..settings.preferences import preferences
from . import environment, jobs

TICK = 0.05


@dataclass(frozen=True)
class Answer:
    """Path of the interpreter, or why there is none; neither while it is looked for."""

    python: str = ""
    trouble: str = ""

    @property
    def known(self) -> bool:
        """Has the search ended?"""
        return bool(self.python or self.trouble)


_answer: Answer | None = None
_search: Generator[None, None, Path] | None = None


def answer() -> Answer:
    """What is known; the first call begins to look."""
    global _answer, _search
    if _answer is None:
        _answer = Answer()
        chosen = preferences()
        _search = environment.find_python(chosen.python if chosen is not None else "")
        if not bpy.app.background and not bpy.app.timers.is_registered(tick):
            bpy.app.timers.register(tick, first_interval=0.0, persistent=True)
    return _answer


def forget() -> None:
    """Look again: another Python was chosen or made."""
    global _answer, _search
    if _search is not None:
        _search.close()
    _answer = _search = None


def tick() -> float | None:
    """What the timer calls: one look at the search, None when it has ended."""
    global _answer, _search
    if _search is None:
        return None
    try:
        next(_search)
        return TICK
    except StopIteration as end:
        _answer = Answer(python=str(end.value))
    except NotStarted as error:
        _answer = Answer(trouble=error.message)
    _search = None
    jobs.redraw()
    jobs.redraw(*jobs.PREFERENCES)
    return None


def unregister() -> None:
    """Leave the search and take the timer away."""
    forget()
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
