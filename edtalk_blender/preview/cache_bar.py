# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache bar: a thin bar in Timeline, Dope Sheet and Graph Editor that says how each frame stands.

Green: rendered and up to date; orange: out of date, Render Changed will make it again; grey: missing.
Drawing only reads what `status` has found out; nothing is evaluated and no file is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import bpy
import numpy as np

from ..face import rig
from ..pictures import frame_record
from ..settings.preferences import preferences
from ..takes import status

COLOURS = {
    frame_record.CURRENT: (0.30, 0.69, 0.31, 0.9),
    frame_record.STALE: (1.0, 0.55, 0.10, 0.95),
    frame_record.MISSING: (0.75, 0.75, 0.75, 0.8),
}
EDITORS = ("SpaceDopeSheetEditor", "SpaceGraphEditor")  # the Timeline is a Dope Sheet
SCRUBBER = 23  # height of the frame numbers, in units of the interface; the bar hangs below them
HEIGHT = 5

_handles: list[tuple[type, object]] = []


def runs(first: int, states: np.ndarray) -> Iterator[tuple[float, float, int]]:
    """(start, end, state) of every stretch of frames that stand alike; frame f reaches from f - 1/2 to
    f + 1/2.
    """
    if not len(states):
        return
    bounds = [0, *(np.flatnonzero(np.diff(states)) + 1), len(states)]
    for start, end in pairwise(bounds):
        yield first + int(start) - 0.5, first + int(end) - 0.5, int(states[start])


def wanted() -> bool:
    """Has the animator left the bar switched on?"""
    chosen = preferences()
    return chosen is None or chosen.cache_bar


def _draw() -> None:
    context = bpy.context
    face, region = rig.active_face(context), context.region
    known = status.states(face) if face is not None and face.edtalk.take.name and wanted() else None
    if known is None:
        return
    import gpu
    from gpu_extras.batch import batch_for_shader

    scale, view = context.preferences.system.ui_scale, region.view2d
    top = region.height - SCRUBBER * scale
    bottom = top - HEIGHT * scale
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    shader.bind()
    for start, end, state in runs(*known):
        left = max(0, view.view_to_region(start, 0, clip=False)[0])
        right = min(region.width, view.view_to_region(end, 0, clip=False)[0])
        if left <= right:
            right = max(right, left + 1)  # one frame of many stays visible
            corners = ((left, bottom), (right, bottom), (left, top), (right, top))
            batch = batch_for_shader(shader, "TRI_STRIP", {"pos": corners})
            shader.uniform_float("color", COLOURS[state])
            batch.draw(shader)
    gpu.state.blend_set("NONE")


def register() -> None:
    """Begin to draw; in background mode there is nothing to draw on."""
    if not bpy.app.background:
        for name in EDITORS:
            editor = getattr(bpy.types, name)
            _handles.append((editor, editor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")))


def unregister() -> None:
    """The reverse of `register`."""
    while _handles:
        editor, handle = _handles.pop()
        editor.draw_handler_remove(handle, "WINDOW")
