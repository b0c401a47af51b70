# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python would run the server? Found out beside the interface, so that panels can say it.

Trying interpreters takes up to a second, which no panel may wait for: the first drawing starts the search,
and the panels are drawn again when it has ended.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import bpy

from ..core.wire.errors import NotStarted
from . import environment, jobs
from .preferences import preferences

TICK = 0.1


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
_search = 0  # which search the answer must be of


def answer() -> Answer:
    """What is known; the first call begins to look."""
    global _answer
    if _answer is None:
        _answer = Answer()
        chosen = preferences()
        wanted = (chosen.python if chosen is not None else "", _search)
        threading.Thread(target=_look, args=wanted, name="EDTalk Python search", daemon=True).start()
        if not bpy.app.background and not bpy.app.timers.is_registered(_show_when_known):
            bpy.app.timers.register(_show_when_known, first_interval=TICK, persistent=True)
    return _answer


def forget() -> None:
    """Look again: another Python was chosen or made."""
    global _answer, _search
    _search += 1
    _answer = None


def _look(preferred: str, search: int) -> None:
    global _answer
    try:
        found = Answer(python=str(environment.find_python(preferred)))
    except NotStarted as error:
        found = Answer(trouble=error.message)
    if search == _search:
        _answer = found


def _show_when_known() -> float | None:
    if _answer is not None and not _answer.known:
        return TICK
    jobs.redraw()
    jobs.redraw(*jobs.PREFERENCES)
    return None


def unregister() -> None:
    """Take the timer away; a search that is under way finds nobody who waits for it."""
    forget()
    if bpy.app.timers.is_registered(_show_when_known):
        bpy.app.timers.unregister(_show_when_known)
