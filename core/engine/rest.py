# SPDX-License-Identifier: GPL-3.0-or-later
"""The rest frame: what a network draws at the portrait's own weights, decoded once a portrait.

It is not the portrait, only somebody much like it. Knowing it tells what a frame changed from what the
network always does to this face; see `core.engine.anchor`.

The same pass shows the network a blink, an opened mouth and a head that is shifted a little. Where a blink
changes the picture the eyes are, where the jaw and the lips do the mouth is; what goes along with the head to
either side, up and down is the figure, and the rest is ground.
So it is known for any portrait, as the network sees it, and no detector is asked.

Legend: S the network's size; pictures float32 in [-1, 1], places in [-1, 1] as the network gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import Weights, soft

if TYPE_CHECKING:
    from core.engine.engine import Engine, Frame, Source

Plane = NDArray[np.float32]

BLINK, SHIFTS = "blink", ("shift x", "shift y")  # labels of channels
MOUTH = ("jaw open", "wide", "pucker")
SHOWN = 1.0  # of the blink: lids that are shut
SHIFTED = 0.3  # of a shift's range: the head moves by some 4 % of the side
EYE = (0.3, 0.6)  # share of the greatest change from which a place begins to count as the eyes, and does
ROUND = 0.02  # of the side: how far around what changes the eyes and the mouth reach
FACE = (0.5, 0.47), (0.33, 0.33)  # middle and half axes, in sides of the crop: hair and ground are no eyes
LOWER = (0.5, 0.67), (0.18, 0.09)  # and half axes: chin and cheeks are no mouth
HEAD = 0.14  # half the side, in sides of the crop, of a square about that middle that is surely head
GOES_ALONG = (0.15, 0.45)  # share of the head's shift from which a place begins to be the figure, and is
CONTOUR, FADE = 0.06, 0.02  # of the side: how broad the contour of the figure is, and how softly it ends
TRUST = (
    0.025,
    0.06,
)  # mean difference of the rest frame from the portrait up to which paint is good, and is not
NEAR = 0.025  # of the side: sigma of that mean
LEAST = 0.04  # of the crop: less ground than this is not worth keeping still


@dataclass(frozen=True)
class Rest:
    """What the network does to a portrait although nothing was asked for."""

    weights: Weights  # [36] the portrait's own
    image: Plane  # [S,S,3]
    drift: Plane  # [S,S,2] how far from itself each pixel is read: flow minus its own place
    mask: Plane  # [S,S] share that comes from the warped portrait
    eyes: Plane  # [S,S] 1 where a blink changes the picture, 0 elsewhere
    painted: Plane | None  # [S,S] how far what the network paints may be shown; None: wholly, everywhere
    figure: Plane | None  # [S,S] 1 where things go along with the head; None: all do, or nobody can tell
    inner: Plane | None  # [S,S] 1 within the figure, softly 0 towards its contour
    blink: int | None  # the channel that closes the lids, None where the checkpoint names none

    @property
    def side(self) -> int:
        return len(self.mask)


def rest_of(engine: Engine, source: Source, seen: Plane | None = None) -> Rest:
    """Decode the portrait's own weights, a blink, a mouth that moves, and a head that is shifted to all four
    sides. `seen` [S,S,3] is the portrait at the network's size.
    """
    labels = [channel.label.lower() if channel.used else "" for channel in engine.channels]
    blink = labels.index(BLINK) if BLINK in labels else None
    shifts = [labels.index(label) for label in SHIFTS if label in labels]
    lips = [labels.index(label) for label in MOUTH if label in labels]
    changes = [(blink, SHOWN)] if blink is not None else []
    changes += [(channel, SHOWN * engine.channels[channel].soft_max) for channel in lips]
    for channel in shifts:
        reach = SHIFTED * engine.channels[channel].soft_max
        changes += [(channel, reach), (channel, -reach)]
    rows = np.repeat(source.weights[None], 1 + len(changes), axis=0)
    for row, (channel, amount) in zip(rows[1:], changes):
        row[channel] += amount
    (image, flow, mask), *others = (planes(frame) for frame in engine.decode(source, rows))
    eyes = np.zeros_like(mask)
    if blink is not None:
        eyes = _changed(np.abs(others.pop(0)[0] - image).mean(-1))
    mouths = [_changed(np.abs(others.pop(0)[0] - image).mean(-1), LOWER) for _ in lips]
    painted = None
    if seen is not None and blink is not None and lips:
        painted = np.maximum(np.max([eyes, *mouths], axis=0), _trusted(image, seen))
    figure = _figure([np.linalg.norm(other - flow, axis=-1) for _, other, _ in others])
    inner = None if figure is None else _inner(figure)
    return Rest(source.weights, image, flow - grid(len(mask)), mask, eyes, painted, figure, inner, blink)


def planes(frame: Frame) -> tuple[Plane, Plane, Plane]:
    """A frame's picture [S,S,3], flow [S,S,2] and mask [S,S], channels last, in this process's memory."""
    image, flow, mask = (plane.detach().float().cpu().numpy() for plane in frame)
    return _last(image), _last(flow), np.ascontiguousarray(mask[0])


def grid(side: int) -> Plane:
    """[S,S,2] x and y of pixel centres in [-1, 1]."""
    line = (np.arange(side, dtype=np.float32) * 2 + 1) / side - 1
    return np.stack(np.meshgrid(line, line), -1)


def _last(array: Plane) -> Plane:
    return np.ascontiguousarray(np.moveaxis(array, 0, -1))


def _changed(change: Plane, within: tuple[tuple[float, float], tuple[float, float]] = FACE) -> Plane:
    """[S,S] softly 1 where a motion changes the picture, within an ellipse."""
    import cv2

    side, ((x, y), (across, down)) = len(change), within
    place = grid(side) / 2 + 0.5
    change = change * (np.hypot((place[..., 0] - x) / across, (place[..., 1] - y) / down) < 1)
    if not change.any():
        return np.zeros_like(change)
    reach = 2 * max(1, round(ROUND * side)) + 1
    wide = cv2.dilate(change / change.max(), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    share = soft((np.asarray(wide) - EYE[0]) / (EYE[1] - EYE[0])).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(share, (0, 0), ROUND * side), np.float32)


def _trusted(image: Plane, seen: Plane) -> Plane:
    """[S,S] 1 where the network draws this portrait well, so that it may paint what the portrait does not
    show: beside a turned cheek, say. Where it does not, its paint is fog in colours of its own."""
    import cv2

    off = cv2.GaussianBlur(np.abs(image - seen).mean(-1), (0, 0), NEAR * len(image))
    return np.asarray(1 - soft((off - TRUST[0]) / (TRUST[1] - TRUST[0])), np.float32)


def _figure(moved: list[Plane]) -> Plane | None:
    """[S,S] the figure, by how far each pixel moves as the head is shifted to and fro, each way twice."""
    shares = []
    for there, back in zip(moved[::2], moved[1::2]):
        either, side = np.minimum(there, back), len(there)
        (x, y), reach = (round(middle * side) for middle in FACE[0]), max(1, round(HEAD * side))
        head = float(np.median(either[y - reach : y + reach, x - reach : x + reach]))
        shares.append(either / max(head, 1e-6))
    if not shares:
        return None
    share = np.max(shares, axis=0)
    figure = soft((share - GOES_ALONG[0]) / (GOES_ALONG[1] - GOES_ALONG[0])).astype(np.float32)
    return figure if (figure == 0).mean() > LEAST else None


def _inner(figure: Plane) -> Plane:
    """[S,S] 1 within the figure, softly 0 towards its contour."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(CONTOUR * len(figure)) + 1,) * 2)
    return np.asarray(cv2.GaussianBlur(cv2.erode(figure, disc), (0, 0), FADE * len(figure)), np.float32)
