# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames of a clip show the face that the crop was set around?

The network reads pose and expression from any picture, from black and from a landscape too. So each frame's
crop is compared, as a small grey picture, with frames that are known to show the face. Where a frame differs
much (a cut, a fade), and twice a second, the face is looked for as in a portrait. A head that turns away is
not found by that either, but it stays like the frames before; what comes after a cut does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.pictures import face
from core.pictures.picture import Crop, Levels

SIDE = 24  # pixels of the small picture
EVERY = 0.5  # seconds after which the face is looked for again
SAME = 0.8  # correlation with the frame before: the same scene, a moment later
ALIKE = 0.5  # correlation with a frame that shows the face: the same scene, the head turned perhaps
FLAT = 4.0  # levels of spread: black, white, a title's ground
FADED = 0.4  # of the usual spread of frames that show the face: on the way into black, or out of it
WIDE = 1.3  # the face is looked for in a square so much wider than the crop
SEARCH_SIDE = 160  # pixels of that square: the face in it is some 70 wide
AWAY = 0.3  # of the crop's side: a face whose middle lies farther off is in another framing
SMALLER, LARGER = 0.5, 1.8  # and so is one of a width outside these shares of what the crop was set for
MOST_NAMED = 5


class Presence:
    """Looks at the frames of a clip one after the other.

    Usage:
        presence = Presence(where)
        for frame in frames:
            presence.look(frame.rgb, frame.seconds)
        presence.shown            # bool [N]
    """

    def __init__(self, where: Crop) -> None:
        self._where = where
        self._before: NDArray[np.float32] | None = None
        self._known: NDArray[np.float32] | None = None
        self._last = -np.inf
        self._waiting: list[NDArray[np.float32]] = []  # of the frames before the first that shows the face
        self._found: list[bool] = []
        self._spreads: list[float] = []

    @property
    def shown(self) -> NDArray[np.bool_]:
        """[N] for each frame so far, whether it shows the face."""
        found, spreads = np.array(self._found, bool), np.array(self._spreads)
        return found & (spreads >= FADED * np.median(spreads[found])) if found.any() else found

    def look(self, rgb: Levels, seconds: float) -> None:
        """The next frame [H, W, 3], at its seconds."""
        small = _small(rgb, self._where)
        self._found.append(self._is_shown(small, rgb, seconds))
        self._before = small
        self._spreads.append(float(small.std()))
        if self._known is None:
            self._waiting.append(small)
        elif self._waiting:  # the first that shows it: those before may have shown it with its eyes shut
            for index, earlier in enumerate(self._waiting):
                self._found[index] = _alike(earlier, self._known) > ALIKE
            self._waiting.clear()

    def _is_shown(self, small: NDArray[np.float32], rgb: Levels, seconds: float) -> bool:
        if small.std() < FLAT:
            return False
        changed = self._before is None or _alike(small, self._before) < SAME
        if not changed and seconds - self._last < EVERY and self._known is not None:
            return self._found[-1]
        self._last = seconds
        if _has_face(rgb, self._where):
            self._known = small
            return True
        return self._known is not None and _alike(small, self._known) > ALIKE


def held(seen: NDArray[np.float32], shown: NDArray[np.bool_]) -> NDArray[np.float32]:
    """[N, C] in which each row that is not `shown` is the last one that was; before the first, the first."""
    places = np.where(shown, np.arange(len(seen)), -1)
    places = np.maximum.accumulate(places)
    return np.asarray(seen[np.where(places < 0, int(shown.argmax()), places)], np.float32)


def spans(times: NDArray[np.float64], shown: NDArray[np.bool_], end: float) -> list[tuple[float, float]]:
    """Seconds from and to which the face is not shown."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], shown, [True]]).astype(int)))
    bounds = np.append(times, end)
    return [(float(bounds[a]), float(bounds[b])) for a, b in zip(edges[::2], edges[1::2])]


def sentence(name: str, found: Sequence[tuple[float, float]]) -> str:
    """What an animator should know of these spans."""
    return (
        f"{name} does not show the face where it was at first from {named(found)}; "
        "the motion holds still there"
    )


def named(found: Sequence[tuple[float, float]]) -> str:
    """These spans, or the first of them, in words."""
    said = ", ".join(f"{first:.1f} to {last:.1f} s" for first, last in found[:MOST_NAMED])
    return said + (f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else "")


def _small(rgb: Levels, where: Crop) -> NDArray[np.float32]:
    """[SIDE, SIDE] grey levels of the crop."""
    import cv2

    part = cv2.resize(_part(rgb, where, 1.0), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(part.mean(axis=-1), np.float32)


def _part(rgb: Levels, where: Crop, wide: float) -> Levels:
    """The crop, so much wider, as far as it lies in the picture."""
    reach = (wide - 1) / 2 * where.side
    top, left = max(0, round(where.y - reach)), max(0, round(where.x - reach))
    bottom, right = round(where.y + where.side + reach), round(where.x + where.side + reach)
    return np.ascontiguousarray(rgb[top : max(bottom, top + 1), left : max(right, left + 1)])


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlation, 1 for the same picture in any brightness and contrast."""
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / max(1e-6, float(np.sqrt((a * a).sum() * (b * b).sum()))))


def _has_face(rgb: Levels, where: Crop) -> bool:
    part = _part(rgb, where, WIDE)
    reach = (WIDE - 1) / 2 * where.side
    corner = np.array([max(0, round(where.x - reach)), max(0, round(where.y - reach))])
    wanted = np.array([where.x, where.y]) + where.side * np.array(face.FACE_MIDDLE)
    width = face.FACE_SHARE * where.side
    for found in face.find_faces(part, SEARCH_SIDE):
        off = np.abs(corner + np.array(found.middle) - wanted).max()
        if off < AWAY * where.side and SMALLER * width < found.width < LARGER * width:
            return True
    return False
