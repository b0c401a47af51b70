# SPDX-License-Identifier: GPL-3.0-or-later
"""When the live preview is on: the button, and the two moments at which it comes by itself."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..face import rig
from ..settings import trust
from ..settings.explained import ExplainedOperator
from ..takes import status
from . import live

WAIT = 0.5  # seconds between two looks whether the frames of an opened file are counted

_refused = False  # the artist switched it off: it does not come back by itself


def offer() -> None:
    """A take was made in the window: switch it on, so that the first slider that is moved moves the face;
    unless the artist has switched it off.
    """
    if not (_refused or live.is_on() or live.why_not(bpy.context)):
        live.start(asleep=not trust.may_read())


@persistent
def _opened(_path: str) -> None:
    resume_soon()


def resume_soon() -> None:
    """Let the timer look at the file that is open."""
    if not bpy.app.background and not bpy.app.timers.is_registered(resume):
        bpy.app.timers.register(resume, first_interval=WAIT, persistent=True)


def resume() -> float | None:
    """What a timer calls after a file was opened: a take in it is as one that was just made. Its frames are
    counted first, since no server has to start for pictures that are there.
    """
    face = rig.active_face(bpy.context)
    if face is None or not status.is_counted(face):
        return None
    if status.states(face) is None:
        return WAIT
    offer()
    return None


class EDTALK_OT_live_preview(ExplainedOperator, bpy.types.Operator):
    """Show the face as it is posed now, on its plane and in the image EDTalk Preview, while you work"""

    bl_idname = "edtalk.live_preview"
    bl_label = "Live Preview"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """Off at any time, on with a face and its portrait."""
        return "" if live.is_on() else live.why_not(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """On or off."""
        global _refused
        _refused = live.is_on()
        if live.is_on():
            live.stop()
        else:
            trust.act()
            live.start()
        return {"FINISHED"}


def register() -> None:
    """Look at every file that is opened, and at the one that is open when the add-on is installed."""
    bpy.app.handlers.load_post.append(_opened)
    resume_soon()


def unregister() -> None:
    """The reverse of `register`, and switch it off."""
    bpy.app.handlers.load_post.remove(_opened)
    if bpy.app.timers.is_registered(resume):
        bpy.app.timers.unregister(resume)
    live.stop()


CLASSES = (EDTALK_OT_live_preview,)
