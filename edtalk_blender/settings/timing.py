# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds, steps and scene frames: plain arithmetic, no bpy.

Motion comes at 25 steps a second, a scene runs at any rate (24, 29.97 = 30 / 1.001, 60 ...). Keys are
laid out in seconds, so a key may stand between two scene frames, the first one too: see
`core.wire.moments`. Pictures are made at whole scene frames. Nothing is re-timed: at 30 frames a second 30
pictures are decoded from the same curves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...core.wire import moments

if TYPE_CHECKING:
    import bpy

_SLACK = 1e-6

MAKING = "Decoding"
"""What the server calls the stage in which the frames are made."""


def scene_rate(fps: float, fps_base: float) -> float:
    """Frames a second of a scene, from Blender's two numbers (30 and 1.001 are 29.97)."""
    return fps / fps_base


def rate_in(scene: bpy.types.Scene) -> float:
    """Frames a second of this scene."""
    return scene_rate(scene.render.fps, scene.render.fps_base)


def rate_parts(rate: float) -> tuple[int, float]:
    """The inverse of `scene_rate`: 29.97 is 30 and 1.001, 23.976 is 24 and 1.001, 12.5 is 13 and 1.04."""
    whole = max(1, math.ceil(rate - _SLACK))
    ntsc = abs(whole / 1.001 - rate) < 0.006  # 23.98, 29.97 and 59.94 are short for this
    return whole, 1.001 if ntsc else whole / rate


def key_frames(steps: int, start: float, fps: float, rate: float) -> np.ndarray:
    """Where the keys of a take stand that begins with scene frame `start`: scene frames, whole or not,
    float64 [steps].
    """
    return moments.carried(np.arange(steps), rate, fps, start)


def frame_count(steps: int, fps: float, rate: float) -> int:
    """How many scene frames a take covers: those that begin while it lasts, at least one."""
    return moments.frames_within(steps, rate, fps)


def file_shift(start: int) -> int:
    """What to add to a scene frame to get its file number: nothing, unless the take starts before frame 1.

    Blender's image sequences know no negative numbers, and the frame before the first is a file of its own
    (the portrait at rest), so file numbers start at 0.
    """
    return max(0, 1 - start)


def remaining(seconds: float) -> str:
    """Time left in an animator's words: "3 s left", "2 min 05 s left"."""
    whole = max(0, round(seconds))
    return f"{whole} s left" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s left"


def progress_text(stage: str, done: int, total: int, fps: float, seconds_left: float) -> str:
    """One line for the progress bar: "186 / 300 · 41 fps · 3 s left", the stage until there is a speed.
    The stages before the frames go by their names: "0 s left" of listening is not the end of the take.
    """
    if total <= 1 or (stage != MAKING and done >= total):
        return stage
    if fps <= 0:
        return f"{stage} {done} / {total}"
    if stage != MAKING:
        return f"{stage} · {remaining(seconds_left)}"
    speed = f"{fps:.0f} fps" if fps >= 10 else f"{fps:.1f} fps"
    return f"{done} / {total} · {speed} · {remaining(seconds_left)}"
