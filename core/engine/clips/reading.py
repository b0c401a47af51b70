# SPDX-License-Identifier: GPL-3.0-or-later
"""What the face of a clip does, frame by frame: the numbers of `core.engine.clips.face_numbers`.

A head's shape is the mean of its first seconds in a shot, so one person's build does not count as motion. A
frame without a face has no numbers of its own: its row is the last one before it, and `shown` is False.

Legend: N frames, M numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.engine import presence
from core.engine.clips.face_numbers import NAMES, numbers_of, shape_in
from core.pictures import video
from core.pictures.face_track import FaceSeen, Follower
from core.pictures.head_shape import Floats
from core.wire.channels import STEPS_PER_SECOND
from core.wire.errors import NoFace

Progress = Callable[[str, int, int], None]
"""Called between batches with stage, done and total; what it raises (Cancelled) ends the work."""

BATCH = 16  # frames between two reports
SHAPED = 250  # frames of a shot by which its head's shape is found
LEAST = 12  # frames of a shot that are enough for a shape
SEARCH_SECONDS = 2.0  # a clip must show a face by then, counted from where it is no longer black
SEARCH_EVERY = 0.2  # seconds between frames that are searched for the first face
DENSEST = 0.6 / STEPS_PER_SECOND  # seconds: frames nearer than this say nothing new


@dataclass(frozen=True, eq=False)
class Read:
    """A clip, read."""

    times: Floats  # [N] seconds at which the frames begin
    numbers: Floats  # [N, M]
    shown: NDArray[np.bool_]  # [N] whether a face was read
    shots: NDArray[np.int64]  # [N] number of the shot, from 0: one more after each cut
    rivals: int  # other faces in the frame that shows the first


def read_clip(path: Path, tell: Progress) -> Read:
    """Follow the largest face of the first frames. Raises UnreadableVideo, NoFace."""
    total = max(1, round(video.info(path).seconds * STEPS_PER_SECOND))
    follower, shots = Follower(), _Shots()
    times: list[float] = []
    dark, searched = 0.0, -np.inf
    for frame in video.read(path, DENSEST):
        if len(times) % BATCH == BATCH - 1:
            tell("watch", min(total, round(frame.seconds * STEPS_PER_SECOND)), total)
        times.append(frame.seconds)
        seen = None
        if shots.begun or frame.seconds - searched >= SEARCH_EVERY:
            searched = frame.seconds
            if frame.rgb[::8, ::8].std() < presence.FLAT:
                dark = dark if shots.begun else frame.seconds  # a fade, or black before the clip
            else:
                seen = follower.look(frame.rgb)
        shots.add(seen, follower.cuts)
        if not shots.begun and frame.seconds - dark > SEARCH_SECONDS:
            break
    tell("watch", total, total)
    if not shots.begun:
        raise NoFace(
            f"No face was found in the first {SEARCH_SECONDS:.0f} seconds of {path.name}",
            hint="Use a clip that begins with the face from the front",
        )
    numbers = shots.numbers()
    shown = np.array(shots.shown)
    return Read(np.array(times), numbers, shown, np.array(shots.number), follower.rivals)


class _Shots:
    """Collects faces, and turns them into numbers as soon as a shot's shape is known: points of half an hour
    would fill the memory."""

    def __init__(self) -> None:
        self.shown: list[bool] = []
        self.number: list[int] = []
        self._rows: list[Floats] = []
        self._waiting: list[FaceSeen] = []
        self._shape: Floats | None = None
        self._older: Floats | None = None

    @property
    def begun(self) -> bool:
        return any(self.shown[-1:]) or bool(self._waiting or self._rows)

    def add(self, seen: FaceSeen | None, shot: int) -> None:
        if self.number and shot != self.number[-1]:
            self._settle()
            self._older = self._older if self._shape is None else self._shape
            self._shape = None
        self.shown.append(seen is not None)
        self.number.append(shot)
        if seen is None:
            return
        self._waiting.append(seen)
        if len(self._waiting) == SHAPED:
            self._settle()

    def numbers(self) -> Floats:
        """[N, M]; rows without a face repeat the last that has one, before the first the first."""
        self._settle()
        rows = np.zeros((len(self.shown), len(NAMES)))
        shown = np.array(self.shown)
        rows[shown] = np.concatenate(self._rows)
        return np.asarray(presence.held(rows.astype(np.float32), shown), np.float64)

    def _settle(self) -> None:
        if not self._waiting:
            return
        if self._shape is None:
            few = len(self._waiting) < LEAST and self._older is not None
            self._shape = self._older if few else shape_in(self._waiting)
        assert self._shape is not None
        self._rows.append(numbers_of(self._waiting, self._shape))
        self._waiting = []
