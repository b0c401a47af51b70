# SPDX-License-Identifier: GPL-3.0-or-later
"""Lids and irises drawn at output size: lids as skin that slides over the eye, irises that turn behind them.

The network closes an eye at 128 pixels, and the portrait's fine detail lays the open eye's lashes over it.
Here the frame's own pixels are moved instead, at full sharpness. In an eye's own axes (s along its corners,
t down), with u and l the upper and the lower lid, br the brow's lower line, w the eye's width and b the
blink, 0 to 1:

    g(s)       1 between the corners, 0 a little beyond them
    crease(s)  u - min(CREASE (u - br), HIGHEST w)     above it nothing moves
    u'(s)      u + b MEET (l - u) g                    the upper lid's edge now
    l'(s)      l + b (MEET - 1) (l - u) g              the lower lid gives way

and the pixel at t shows what was at
    crease..u'  crease + (t - crease) (u - crease) / (u' - crease), near the edge (LASH w) u - (u' - t):
                the skin stretches, lashes keep their thickness and ride on the edge. When a lid shuts, what
                is dark by lashes (HAIR w) does not stretch with the skin
    u'..l'      t: what is still open of the eye stays
    l'..l + w/4 the skin below the eye, stretched likewise

An iris turned by an angle moves by sin(angle) BALL w (a ball of 12 mm radius in an eye 29 mm wide). It moves
as a whole; the white between it and the corners stretches. Nothing is fetched from beyond the lids: there
the row beside the lid is repeated, and outside the iris' disc the white beside the disc. A lowered or raised
gaze takes the upper lid along.

A frame depends on its own weights, flow and the portrait's marks alone. At no blink and no gaze the picture
comes back as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.engine.layers.carried import carried
from core.engine.layers.eye_motion import Asked, EyeMotion
from core.pictures.face_marks import FaceMarks, Floats

Plane = NDArray[np.float32]

CREASE, HIGHEST = 0.9, 0.44
MEET = 1.04  # of the eye: a little beyond the lower lid, whose edge is a row of shadow that would stay
LASH = 0.05
HAIR = 0.10  # how far above its edge a lid that shuts is lash and shadow, which does not stretch
CAP = 0.25  # of the skin below the crease may be that
DARKER = (0.10, 0.35)  # of 2: from which difference in brightness it is taken for lashes, and surely is
SHADE = 0.10  # by how much a lid darkens towards its edge
BEYOND = 0.12  # of the eye's width: where g falls to 0 beyond the corners
BELOW = 0.25  # of the width: how far below the eye skin moves
BALL = 12 / 29
FURTHEST = 0.8  # of the white beside an iris may be used up by a turn
EDGE = 0.03  # of the width: what lies nearer to a lid is lash and shadow
RIM = 1.12  # radius within which an iris moves as a whole, in radii
BESIDE = 0.8  # of that radius: at least so far from the iris' middle white is taken to lay where it was
SMOOTH = 0.012  # of the eye's width: white that was not seen is blurred by so much
TAKES = 0.9  # share of an iris' way down or up that the upper lid goes along
MOST_LIFT = 0.5  # of the skin below the crease may be folded away by a lifted lid
LEAST_OPEN = 0.10  # height by width of an eye that can be drawn
LEAST_WIDE = 0.35  # and its width by the other eye's


class _Eye(NamedTuple):
    """Lines of one eye in pixels of the frame [N, 2], and the iris."""

    upper: Floats
    lower: Floats
    brow: Floats
    middle: Floats  # of the iris
    radius: float

    @property
    def width(self) -> float:
        return float(np.linalg.norm(self.upper[-1] - self.upper[0]))


@dataclass(frozen=True)
class Lids:
    """Prepared once a portrait."""

    marks: FaceMarks
    motion: EyeMotion

    def __call__(self, weights: NDArray[np.float32], flow: Plane, mask: Plane, picture: Plane) -> Plane:
        """The picture [H, W, 3] of the crop, in [-1, 1], with lids and irises where the weights [36] want
        them.

        flow [2, S, S] is the one the picture was moved by; mask is not needed.
        """
        return self.draw(self.motion.asked(weights), flow, picture)

    def draw(self, asked: Asked, flow: Plane, picture: Plane) -> Plane:
        """The same, for lids and gaze said outright."""
        if not any(asked.blink) and not any(asked.gaze):
            return picture
        result = picture.copy()
        for eye, blink in zip(self._eyes(flow, picture.shape[0]), asked.blink):
            if eye is not None:
                _draw(result, eye, min(max(blink, 0.0), 1.0), asked.gaze)
        return result

    def _eyes(self, flow: Plane, size: int) -> list[_Eye | None]:
        """Both eyes where the frame has them; None for one that is shut or turned away in the portrait."""
        marks = self.marks
        wide = np.linalg.norm(marks.upper_lids[:, -1] - marks.upper_lids[:, 0], axis=1)
        found: list[_Eye | None] = []
        for number in range(2):
            upper, lower = marks.upper_lids[number], marks.lower_lids[number]
            open_ = float((lower - upper)[2:7, 1].mean()) / max(wide[number], 1e-6)
            if open_ < LEAST_OPEN or wide[number] < LEAST_WIDE * wide.max():
                found.append(None)
                continue
            middle, radius = marks.irises[number, :2], marks.irises[number, 2]
            points = carried(flow, np.concatenate([upper, lower, marks.brows[number], middle[None]]))
            points = points * size - 0.5
            grown = np.linalg.norm(points[8] - points[0]) / max(wide[number] * size, 1e-6)
            eye = _Eye(points[:9], points[9:18], points[18:23], points[23], float(radius * size * grown))
            found.append(eye if eye.width >= 4 else None)
        return found


def _draw(picture: Plane, eye: _Eye, blink: float, gaze: tuple[float, float]) -> None:
    """Draws one eye anew, in place."""
    import cv2

    size, wide = picture.shape[0], eye.width
    every = np.concatenate([eye.upper, eye.lower])
    low = np.maximum(np.floor(every.min(0) - (0.4 * wide, 0.55 * wide)), 0).astype(int)
    high = np.minimum(np.ceil(every.max(0) + (0.4 * wide, 0.45 * wide)), size - 1).astype(int)
    if (high - low < 4).any():
        return
    part = picture[low[1] : high[1] + 1, low[0] : high[0] + 1]
    along = (eye.upper[-1] - eye.upper[0]) / wide
    down = np.array([-along[1], along[0]])
    axes = np.stack([along, down], 1)
    rows, columns = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1]
    place = np.stack([columns, rows], -1) - eye.upper[0]
    s, t = np.moveaxis((place @ axes).astype(np.float32), -1, 0)

    def line(points: Floats) -> Plane:
        """t of a line at every pixel's s."""
        ours = (points - eye.upper[0]) @ axes
        ours = ours[np.argsort(ours[:, 0], kind="stable")]
        return np.asarray(np.interp(s, ours[:, 0], ours[:, 1]), np.float32)

    upper = line(eye.upper)
    lower = np.maximum(line(eye.lower), upper)
    brow = line(eye.brow)
    taper = _soft(np.minimum(s + BEYOND * wide, (1 + BEYOND) * wide - s) / (BEYOND * wide))
    crease = upper - np.clip(CREASE * (upper - brow), 0.05 * wide, HIGHEST * wide)
    step = _step(eye, gaze, along, down)
    skin_of = part.copy()
    lift = np.minimum(TAKES * max(-step[1], 0.0) * taper, MOST_LIFT * (upper - crease))
    if step.any():
        s_from, t_from, share, stale = _turned(eye, step, s, t, upper, lower, upper - lift, along, down)
        moved = _read(part, s_from, t_from, s, t, along, down)
        blur = max(SMOOTH * wide, 0.6)
        even, odd = (cv2.GaussianBlur(plane, (0, 0), blur) for plane in (moved, stale.astype(np.float32)))
        moved += (even - moved) * odd[..., None]
        part += (moved - part) * share[..., None].astype(np.float32)

    height = float(np.median((lower - upper)[(s > 0.3 * wide) & (s < 0.7 * wide)]))
    blink = min(1.0, blink + (1 - blink) * TAKES * max(step[1], 0.0) / max(height, 1.0))
    if blink <= 0 and step[1] >= 0:
        return
    upper_now = upper + blink * MEET * (lower - upper) * taper - (1 - blink) * lift
    lower_now = lower - blink * (1 - MEET) * (lower - upper) * taper
    deep = np.clip((t - crease) / np.maximum(upper_now - crease, 1e-3), 0, 1)
    near = _soft(1 - (upper_now - t) / (LASH * wide))
    covers = np.clip(upper_now - t + 0.5, 0, 1) * (t >= crease)  # of the pixel, by the lid
    hair = blink * np.minimum(HAIR * wide, CAP * (upper - crease)) * _lashes(part, s, t, upper, wide)
    bare = upper - hair
    skin = (1 - near) * (crease + (bare - crease) * deep) + near * (upper - upper_now + t)
    end = lower + BELOW * wide
    rises = lower + BELOW * wide * (t - lower_now) / np.maximum(end - lower_now, 1e-3)
    below = np.where((t >= lower_now) & (t < end), rises, t)
    light = 1 - deep * covers * taper * np.float32(blink * SHADE)
    light = cv2.GaussianBlur(light.astype(np.float32), (0, 0), max(0.03 * wide, 0.5))[..., None]
    lid = (_read(skin_of, s, skin, s, t, along, down) + 1) * light - 1
    rest = _read(part, s, below, s, t, along, down)
    part[:] = rest + (lid - rest) * covers[..., None].astype(np.float32)


def _lashes(part: Plane, s: Plane, t: Plane, upper: Plane, wide: float) -> float:
    """0 to 1: whether lashes or their shadow make the skin beside the upper lid darker than that above it."""
    inner = (s > 0.2 * wide) & (s < 0.8 * wide)
    above = upper - t
    edge, skin = inner & (above > 0) & (above < HAIR * wide), inner & (above > HAIR * wide)
    skin &= above < 2.5 * HAIR * wide
    if not edge.any() or not skin.any():
        return 0.0
    darker = float(part[skin].mean() - part[edge].mean())
    return min(max((darker - DARKER[0]) / (DARKER[1] - DARKER[0]), 0.0), 1.0)


def _step(eye: _Eye, gaze: tuple[float, float], along: Floats, down: Floats) -> Floats:
    """[2] by how much the iris moves along the eye and down, in pixels."""
    wide = eye.width
    middle = (eye.middle - eye.upper[0]) @ np.stack([along, down], 1)
    step = np.sin(np.radians(gaze)) * (1, -1) * BALL * wide  # in the picture
    step = np.array([step @ along, step @ down])
    free = max(middle[0], 1e-3), max(wide - middle[0], 1e-3)  # from the iris' middle to the corners
    white = max((free[1] if step[0] > 0 else free[0]) - RIM * eye.radius, 0.15 * eye.radius)
    step[0] = np.clip(step[0], -FURTHEST * white, FURTHEST * white)
    return step


def _turned(
    eye: _Eye,
    step: Floats,
    s: Plane,
    t: Plane,
    upper: Plane,
    lower: Plane,
    upper_now: Plane,
    along: Floats,
    down: Floats,
) -> tuple[Plane, Plane, Plane, Plane]:
    """From where the ball's pixels come, how much they count, and which of them show white that was not
    seen."""
    wide = eye.width
    middle = (eye.middle - eye.upper[0]) @ np.stack([along, down], 1)
    now = middle + step
    off = s - now[0]
    reach = np.where(off < 0, now[0], wide - now[0])
    follows = 1 - _soft((np.abs(off) - RIM * eye.radius) / np.maximum(reach - RIM * eye.radius, 1e-3))
    s_from, t_from = s - step[0] * follows, t - step[1] * follows
    edge = EDGE * wide
    half = (upper + lower) / 2
    t_from = np.clip(t_from, np.minimum(upper + edge, half), np.maximum(lower - edge, half))
    # beside, above and below the disc comes white, not the part of the old disc that stood there
    disc = RIM * eye.radius
    across = np.sqrt(np.maximum(disc**2 - (t_from - middle[1]) ** 2, 0))
    stale = (np.hypot(off, t - now[1]) > disc) & (np.abs(s_from - middle[0]) < across)
    across = np.maximum(across, BESIDE * disc)
    s_from = np.where(stale, middle[0] + np.where(s_from < middle[0], -1, 1) * 1.05 * across, s_from)
    share = _soft((t - upper_now) / edge) * _soft((lower - t) / edge)
    return s_from, t_from, share, stale


def _read(
    part: Plane, s_from: Plane, t_from: Plane, s: Plane, t: Plane, along: Floats, down: Floats
) -> Plane:
    """The part of the picture with each pixel taken from another place in the eye's axes."""
    import cv2

    y, x = np.mgrid[0 : part.shape[0], 0 : part.shape[1]]
    from_x = x + (s_from - s) * along[0] + (t_from - t) * down[0]
    from_y = y + (s_from - s) * along[1] + (t_from - t) * down[1]
    x, y = from_x.astype(np.float32), from_y.astype(np.float32)
    return np.asarray(cv2.remap(part, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _soft(place: Plane) -> Plane:
    place = np.clip(place, 0, 1)
    return np.asarray(place * place * (3 - 2 * place))
