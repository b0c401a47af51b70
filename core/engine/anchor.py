# SPDX-License-Identifier: GPL-3.0-or-later
"""Rest anchoring: at rest the portrait is the portrait, and a frame is the portrait plus what changed.

At the portrait's own weights the network draws somebody much like the portrait, see `core.engine.rest`. So a
frame is never taken as it is. With F0, I0, m0 the rest frame's flow, picture and mask, F, I, m those of a
frame, x a place in the frame, P the portrait at output size with what lies around its crop:

    z(x) = F0^-1(F(x))      where the rest frame shows what this frame shows at x: a damped fixed point
                            z <- z + (F - F0(z)) / 2 from z = x + F - F0(x), so that at rest z is x itself
    D    = I - I0(z)        what changed in the colours
    K    = soft(2 (m + e) / (m0(z) + e)) exp(-(|D| / 0.6)^2) soft((like - low) / (high - low))
                            1 where the frame is the moved portrait; 0 where it was painted anew: the mask
                            fell, or the colour changed much, or the structure did (`like`, see below: an eye
                            that shuts, lips that part). Eroded and blurred, so that a lid or a lip is wholly
                            the one or wholly the other. At the eyes also 0 as soon as they blink
    y    = F - K (F - z)    where the portrait is read. Places are blended, not pictures, so that
                            nothing is seen twice
    g    = 1 - exp(-(|D| / 0.08)^2)     small changes of colour are the network's noise and are left out
    A    = K + (1 - K) m
    out  = up[(1 - K) (I - m down(P(y))) + K g D] + A P(y)

Where K is 1 this is P(y) + g D. Where it is 0 it is the network's frame, with the portrait's high band moved
to where the network takes it from. P is read by a cubic; a linear reading loses a third of the sharpness.

    like = (2 cov + c) / (var + var + c)    of I and I0(z) in a window of sigma 2: 1 where alike, or flat

Three masks on top let K rise to 1 and D fall to 0. *Painted*: away from eyes and mouth, which show what no
portrait holds, the network paints fog in colours of its own unless it draws this portrait well at rest; the
portrait, read where the network takes it from, is better. *Beyond*: where z leaves the crop the network
invents dark hair, and the whole picture has the real one. *Ground*: where neither the moved figure nor the
one at rest is, also the displacement falls to 0: the ground keeps still. And at the edge of a crop that is
pasted back the motion comes to rest: its displacement fades, so the portrait stands there.

Places and gates are found at the network's size. Only P is read at the output's.

Legend: S the network's size, H the output's; colours in [-1, 1]; windows are in pixels of 128.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.engine.around import Around
from core.engine.rest import Rest, grid
from core.motion.motion import Weights

Plane = NDArray[np.float32]

STEPS = 8
FELL = 0.5  # share of the mask at rest below which a pixel is painted anew
SOME = 0.02  # keeps 0 / 0 away
CHANGED, CORE = 0.6, 0.08
ALIKE, STRICT = (0.40, 0.85), (0.80, 0.98)  # `like` from which a pixel begins to be kept, and is; at the eyes
FLAT, FLATTER = 0.004, 0.002  # c; at the eyes
WINDOW, SPREAD, FADE = 2.0, 11, 2.0  # sigma of the window; the disc that erodes K; sigma of its blur
SHUT = (0.03, 0.20)  # change of the blink from which the eyes begin to be the network's, and are
RIM = 0.06  # of half the crop: how softly what lies beyond comes in
NONE = 0.1  # share of the figure that is none
MOVED = (0.5, 2.0)  # pixels of the network from which a place begins to count as moved, and does
OTHER = (0.25, 0.50)  # difference from the portrait from which a frame shows something else there
UNLIKE = (0.06, 0.20)  # change of colour from which paint before the ground begins to count, and does
REACH, STEP = 0.04, 0.01  # of the side: over which ground comes to rest; how far from the figure it begins
SETTLED = 0.14  # of the crop's side: how far from its edge a pasted frame moves by its whole flow
TAKEN_OVER = (0.06, 0.16)  # and between which its paint comes in


@dataclass(frozen=True)
class Change:
    """What a frame changed, at the network's size."""

    came_from: Plane  # [S,S,2] z
    offset: Plane  # [S,S,2] y - x: how far from itself each pixel is read in the portrait
    kept: Plane  # [S,S] K
    image: Plane  # [S,S,3] I
    mask: Plane  # [S,S] m
    added: Plane  # [S,S,3] K g D


def change(
    rest: Rest,
    image: Plane,
    flow: Plane,
    mask: Plane,
    weights: Weights,
    seen: Plane,
    rim: Plane | None = None,
) -> Change:
    """What a frame (image [S,S,3], flow [S,S,2], mask [S,S]; drawn from weights [36]) changed against rest.

    seen     [S,S,3] the portrait
    rim      [S,S] distance from the nearest edge to settle at, as a share of the crop's side, when the frame
             is to be pasted back
    """
    import cv2

    unit = rest.side / 128
    here = grid(rest.side)
    z = came_from(rest, flow)
    before = read(rest.image, z, cv2.INTER_CUBIC)
    added = image - before
    much = _mean(np.abs(added))
    kept = _kept(rest, image, before, mask, z, much, weights)
    kept *= 1 - _behind(rest, z, image, seen)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(SPREAD * unit / 2) + 1,) * 2)
    kept = np.asarray(cv2.GaussianBlur(cv2.erode(kept, disc), (0, 0), FADE * unit), np.float32)
    offset = flow - here - times(flow - z, kept)

    x, y = cv2.split(z)
    free = _soft((1 - cv2.max(np.abs(x), np.abs(y))) / RIM + 0.5)  # 0 beyond the crop
    if rest.painted is not None:
        free = free * read(rest.painted, z)
    if rest.figure is not None:
        moving = 1 - _still(np.maximum(read(rest.figure, z), rest.figure), image - rest.image, kept)
        offset = times(offset, moving)
        free = free * moving
    if rim is not None:
        offset = times(offset, _soft(rim / SETTLED))
        free = free * _soft((rim - TAKEN_OVER[0]) / (TAKEN_OVER[1] - TAKEN_OVER[0]))
    kept = 1 - free * (1 - kept)
    counts = 1 - np.exp(-((cv2.GaussianBlur(much, (0, 0), unit) / CORE) ** 2))
    return Change(z, offset, kept, image, mask, times(added, kept * free * counts))


def came_from(rest: Rest, flow: Plane) -> Plane:
    """z with F0(z) = F(x)."""
    z = flow - rest.drift
    for _ in range(STEPS):
        z = 0.5 * (z + flow - read(rest.drift, z))
    return np.asarray(z, np.float32)


def places(offset: Plane, size: int) -> tuple[Plane, Plane]:
    """x and y, [H,H] each, in pixels of the crop, of where an offset [S,S,2] reads. What is enlarged is the
    displacement, not the place: places held flat at the border would bend the frame's edge.
    """
    import cv2

    across, down = cv2.split(sized(offset * np.float32(size / 2), size))
    line = np.arange(size, dtype=np.float32)
    return np.asarray(across + line), np.asarray(down + line[:, None])


def taken(portrait: Around, x: Plane, y: Plane) -> Plane:
    """[H,H,C] the portrait read at places [H,H] in pixels of its crop."""
    import cv2

    across, down = x + np.float32(portrait.margin), y + np.float32(portrait.margin)
    found = cv2.remap(portrait.picture, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(*x.shape, -1)


def composed(change: Change, own: Plane) -> Plane:
    """out [H,H,3] from own = P(y) [H,H,3]."""
    import cv2

    size, side = len(own), len(change.kept)
    level = min(size, side)
    kept, mask, image, added = (
        sized(plane, level) for plane in (change.kept, change.mask, change.image, change.added)
    )
    low = sized(own, level)
    base = times(image - times(low, mask), 1 - kept) + added
    out = times(own, sized(kept + (1 - kept) * mask, size))
    return np.asarray(cv2.add(out, sized(base, size, smooth=True), dst=out), np.float32)


def sized(plane: Plane, size: int, smooth: bool = False) -> Plane:
    """[s,s,...] at another size: the mean of what falls together; linear between, or a cubic if `smooth`."""
    import cv2

    if len(plane) == size:
        return plane
    way = cv2.INTER_AREA if size < len(plane) else cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (size, size), interpolation=way), np.float32)


def times(field: Plane, share: Plane) -> Plane:
    """A field [s,s,C] times a share [s,s]."""
    import cv2

    channels = field.shape[-1]
    return np.asarray(cv2.multiply(field, cv2.merge([share.astype(np.float32, copy=False)] * channels)))


def read(field: Plane, where: Plane, way: int = 1) -> Plane:
    """A field [S,S,...] read at places [S,S,2]; linear, or by another of OpenCV's ways."""
    import cv2

    side = len(field)
    place = where * np.float32(side / 2) + np.float32((side - 1) / 2)
    return np.asarray(cv2.remap(field, place, None, way, borderMode=cv2.BORDER_REPLICATE), np.float32)  # type: ignore[call-overload]


def _kept(
    rest: Rest, image: Plane, before: Plane, mask: Plane, z: Plane, much: Plane, weights: Weights
) -> Plane:
    """K, before it is eroded, and before what is beyond and what is ground."""
    unit, eyes = rest.side / 128, read(rest.eyes, z)
    kept = _soft((mask + SOME) / (read(rest.mask, z) + SOME) / FELL) * np.exp(-((much / CHANGED) ** 2))
    flat = FLAT + (FLATTER - FLAT) * eyes
    low, high = (loose + (strict - loose) * eyes for loose, strict in zip(ALIKE, STRICT))
    kept *= _soft((_alike(_mean(image), _mean(before), flat, WINDOW * unit) - low) / (high - low))
    if rest.blink is not None:
        shut = abs(float(weights[rest.blink] - rest.weights[rest.blink]))
        kept *= 1 - eyes * _soft(np.float32((shut - SHUT[0]) / (SHUT[1] - SHUT[0])))
    return np.asarray(kept, np.float32)


def _behind(rest: Rest, z: Plane, image: Plane, seen: Plane) -> Plane:
    """1 where the portrait's ground would be drawn although the network draws something else there. Its rest
    frame has a wider chin than the portrait, say; then, as the head turns, ground would cut into the chin.
    """
    import cv2

    if rest.figure is None or rest.inner is None:
        return np.zeros_like(rest.mask)
    across, down = cv2.split(z - grid(rest.side))
    moved = cv2.magnitude(across, down) * (rest.side / 2)
    red, green, blue = cv2.split(cv2.absdiff(image, read(seen, z)))
    other = cv2.max(cv2.max(red, green), blue)
    found = (1 - read(rest.inner, z)) * rest.figure * _soft((moved - MOVED[0]) / (MOVED[1] - MOVED[0]))
    return np.asarray(found * _soft((other - OTHER[0]) / (OTHER[1] - OTHER[0])), np.float32)


def _still(figure: Plane, beside: Plane, kept: Plane) -> Plane:
    """1 on the ground, and softly 0 towards the figure [S,S], be it moved or at rest, and towards what the
    network paints anew and unlike the rest frame at the same place, by `beside` [S,S,3]: a cheek or a chin
    that comes out before the ground.
    """
    import cv2

    side = len(figure)
    painted = (1 - kept) * _soft((_mean(np.abs(beside)) - UNLIKE[0]) / (UNLIKE[1] - UNLIKE[0]))
    ground = ((figure < NONE) & (painted < NONE)).astype(np.uint8)
    far: Any = cv2.distanceTransform(ground, cv2.DIST_L2, 3) / side
    still = _soft((far - STEP) / REACH).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(still, (0, 0), side / 128), np.float32)


def _alike(a: Plane, b: Plane, flat: Plane, sigma: float) -> Plane:
    """Structural likeness around each pixel: 1 where both are the same or flat."""
    import cv2

    blurred: Any = (
        cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        for plane in (a, b, a * a, b * b, a * b)
    )
    a, b, aa, bb, ab = blurred
    spread = np.maximum(aa - a * a, 0) + np.maximum(bb - b * b, 0)
    return np.asarray((2 * (ab - a * b) + flat) / (spread + flat), np.float32)


def _mean(colours: Plane) -> Plane:
    """[S,S] the mean of three channels."""
    import cv2

    return np.asarray(cv2.transform(colours, np.full((1, 3), 1 / 3, np.float32)))


def _soft(place: Any) -> Any:
    """From 0 to 1 without a corner; the type stays."""
    place = np.clip(place, 0, 1)
    return place * place * (3 - 2 * place)
