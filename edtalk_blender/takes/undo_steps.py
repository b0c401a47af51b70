# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate is one undo step for the artist. It has to be two for Blender: the curves, as soon as they are
there, lest an undo meanwhile takes them away together with the step before; then plane and strips, when the
first picture is there. The state between them says so, and undo and redo go past it.
"""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..face import rig
from ..server_process.jobs import push_undo

GENERATE = "EDTalk: Generate"

_direction = ""  # of the undo or redo that is to be gone on with


def begin(face: bpy.types.Object) -> None:
    """The curves of a new take are there; its pictures will follow."""
    face.edtalk.take.landing = True
    push_undo(f"{GENERATE} (curves)")


def end(face: bpy.types.Object | None, take: str) -> None:
    """The pictures of a take came to no picture at all: the curves are all there will be."""
    if face is not None and face.edtalk.take.name == take and face.edtalk.take.landing:
        face.edtalk.take.landing = False
        push_undo(GENERATE)


def is_between() -> bool:
    """Has an undo or redo led to a state that is no step of the artist's?"""
    return any(rig.is_face(ob) and ob.edtalk.take.landing for ob in bpy.data.objects)


def go_on() -> None:
    """One step further in the same direction. Called by a timer: a handler must not undo."""
    global _direction
    direction, _direction = _direction, ""
    if not direction or not is_between():
        return
    act = bpy.ops.ed.undo if direction == "undo" else bpy.ops.ed.redo
    windows = bpy.context.window_manager.windows
    if not windows:
        if act.poll():
            act()
        return
    with bpy.context.temp_override(window=windows[0]):  # no data is named here: undo replaces it
        if act.poll():
            act()


def _soon(direction: str) -> None:
    global _direction
    if is_between():
        _direction = direction
        if not bpy.app.background and not bpy.app.timers.is_registered(go_on):
            bpy.app.timers.register(go_on, first_interval=0.0)


@persistent
def _undone(*_: object) -> None:
    _soon("undo")


@persistent
def _redone(*_: object) -> None:
    _soon("redo")


def register() -> None:
    """Begin to watch."""
    bpy.app.handlers.undo_post.append(_undone)
    bpy.app.handlers.redo_post.append(_redone)


def unregister() -> None:
    """The reverse of `register`."""
    bpy.app.handlers.redo_post.remove(_redone)
    bpy.app.handlers.undo_post.remove(_undone)
    if bpy.app.timers.is_registered(go_on):
        bpy.app.timers.unregister(go_on)
