# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a frame is the portrait: colour, sharpness and structure, with pose and expression taken out.

Pictures are compared at 256 pixels, so that takes of any size are equals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.real.points import Array, read_still
from training.evaluation.real.tracks import openness

SIDE = 256
SKIN = (50, 280, 9, 101, 330)
"""Points of cheeks and brow."""
REGIONS = {
    "eyes": ((33, 133, 159, 145), (263, 362, 386, 374)),
    "mouth": ((61, 291, 0, 17),),
    "cheeks": ((50, 101, 118), (280, 330, 347)),
}
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
NOSE_FOOT = 2
EVERY, SELDOM = 5, 10
"""Frames from one look at colour and sharpness to the next, and at structure."""

Picture = NDArray[np.uint8]


class Likeness:
    """A portrait that frames are held against, and the share of the figure in it, [n, n] of any size; without
    one the ground is what lies far from the face. `found` is false where no face is read in it."""

    def __init__(self, rgb: Picture, figure: NDArray[Any] | None = None) -> None:
        self.rgb = resized(rgb, SIDE)
        self.points = read_still(resized(rgb, 2 * SIDE)) / 2
        self.found = bool(np.isfinite(self.points[0, 0]))
        if not self.found:
            return
        at = self.points[:, :2]
        self.eye_distance = float(np.linalg.norm(at[33] - at[263]))
        self.open = float(openness(self.points[None])[0])
        self.face = _filled(at[:468])
        self.mouth = _wider(_filled(at[list(LIPS)]), 5)
        self.upper = self.face & (np.arange(SIDE)[:, None] < at[NOSE_FOOT, 1])
        self.beside = _far_from(figure) if figure is not None else np.ones((SIDE, SIDE), np.bool_)
        self.grey, self.skin = _grey(self.rgb), _skin(self.rgb, at)
        self.sharp = _sharpness(self.grey, at)
        self._mesh = _Mesh(at[:468])

    def structure(self, rgb: Picture, points: Array) -> float:
        """Structural similarity (Wang et al. 2004) of the upper face, a frame's mesh laid on the
        portrait's."""
        laid = self._mesh.laid(rgb, points[:468, :2], self.rgb)
        return float(_ssim(_grey(laid), self.grey)[self.upper].mean())

    def of_still(self, rgb: Picture) -> dict[str, float]:
        """A frame that should be the portrait."""
        points, small = read_still(resized(rgb, 2 * SIDE)) / 2, resized(rgb, SIDE)
        off = np.abs(small.astype(float) - self.rgb).mean(2)
        out = {"difference": float(off[self.face].mean()), "mouth_difference": float(off[self.mouth].mean())}
        if np.isnan(points[0, 0]):
            return out
        apart = np.linalg.norm(points[:468, :2] - self.points[:468, :2], axis=1)
        out["landmarks"] = 100 * float(apart.mean()) / self.eye_distance
        out["structure"] = self.structure(small, points)
        out["colour"] = float(np.linalg.norm(_skin(small, points[:, :2]) - self.skin))
        sharp = _sharpness(_grey(small), points[:, :2])
        return out | {f"sharp_{name}": sharp[name] / self.sharp[name] for name in REGIONS}

    def over_clip(self, frames: Sequence[Picture], points: Array) -> dict[str, float]:
        """A clip that should be this person all the while; points [T, 486, 3] in pixels of the frames."""
        structure, colour, ground = [], [], []
        sharp: dict[str, list[float]] = {name: [] for name in REGIONS}
        before = None
        for number, (frame, found) in enumerate(zip(frames, points)):
            if np.isnan(found[0, 0]):
                before = None
                continue
            small, at = resized(frame, SIDE), found * (SIDE / frame.shape[1])
            grey = _grey(small)
            if number % EVERY == 0:
                colour.append(float(np.linalg.norm(_skin(small, at[:, :2]) - self.skin)))
                for name, value in _sharpness(grey, at[:, :2]).items():
                    sharp[name].append(value / self.sharp[name])
            if number % SELDOM == 0:
                structure.append(self.structure(small, at))
            if before is not None:
                away = ~_wider(_filled(at[:468, :2]), SIDE // 4)
                away &= self.beside
                away[SIDE * 2 // 3 :] = False  # shoulders may move
                if away.sum() > 200:
                    ground.append(float(np.abs(grey - before)[away].mean()))
            before = grey
        return {
            "structure": _mean(structure),
            "colour": _mean(colour),
            "ground": _mean(ground),
            **{f"sharp_{name}": float(np.median(x)) if x else float("nan") for name, x in sharp.items()},
        }


class _Mesh:
    """Lays a face on another by the triangles between its points."""

    def __init__(self, points: Array) -> None:
        import cv2

        inside = (0, 0, SIDE, SIDE)
        clipped = np.clip(points, 0, SIDE - 1).astype(np.float32)
        division = cv2.Subdiv2D(inside)
        division.insert(clipped.tolist())
        names = {tuple(point): number for number, point in reversed(list(enumerate(clipped.tolist())))}
        corners = np.asarray(division.getTriangleList()).reshape(-1, 3, 2).tolist()
        faces = [[names.get(tuple(point), -1) for point in corner] for corner in corners]
        self._faces = [face for face in faces if min(face) >= 0]
        self._points = clipped

    def laid(self, rgb: Picture, points: Array, around: Picture) -> Picture:
        """A frame's face where the portrait's is; `around` elsewhere."""
        import cv2

        at = np.full((SIDE, SIDE, 2), -1, np.float32)
        for face in self._faces:
            goal = self._points[face]
            into = cv2.getAffineTransform(goal, points[face].astype(np.float32))
            left, top = np.floor(goal.min(0)).astype(int)
            right, bottom = np.ceil(goal.max(0)).astype(int) + 1
            mask = np.zeros((bottom - top, right - left), np.uint8)
            cv2.fillConvexPoly(mask, np.asarray(np.round(goal - (left, top)), np.int32), (1.0,))
            y, x = np.nonzero(mask)
            y, x = y + top, x + left
            ok = (y < SIDE) & (x < SIDE)
            spots = np.stack([x[ok], y[ok], np.ones(ok.sum())])
            at[y[ok], x[ok]] = (into @ spots).T
        moved = cv2.remap(rgb, at[..., 0], at[..., 1], cv2.INTER_CUBIC)
        return np.where((at[..., :1] >= 0), moved, around)


def resized(rgb: Picture, side: int) -> Picture:
    """[side, side, 3] of a square picture."""
    import cv2

    if rgb.shape[:2] == (side, side):
        return np.ascontiguousarray(rgb)
    way = cv2.INTER_AREA if rgb.shape[0] > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, (side, side), interpolation=way), np.uint8)


def _far_from(figure: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a figure that moves a little does not come."""
    import cv2

    share = np.asarray(cv2.resize(figure.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return ~_wider(share > 0.1, SIDE // 10)


def _filled(points: Array) -> NDArray[np.bool_]:
    import cv2

    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.asarray(points, np.int32)), (1.0,))
    return mask > 0


def _wider(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    import cv2

    return cv2.dilate(mask.astype(np.uint8), np.ones((pixels, pixels), np.uint8)) > 0


def _grey(rgb: Picture) -> Array:
    import cv2

    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float64)


def _skin(rgb: Picture, at: Array) -> Any:
    """CIELAB of cheeks and brow."""
    import cv2

    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    spots = [np.clip(at[number].astype(int), 3, SIDE - 4) for number in SKIN]
    return np.mean([lab[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).mean(0) for x, y in spots], axis=0)


def _sharpness(grey: Array, at: Array) -> dict[str, float]:
    """Variance of the Laplacian in each region."""
    import cv2

    edge, pad, out = cv2.Laplacian(grey, cv2.CV_64F), 0.03 * SIDE, {}
    for name, parts in REGIONS.items():
        found = []
        for numbers in parts:
            low = np.maximum(at[list(numbers)].min(0) - pad, 0).astype(int)
            high = (at[list(numbers)].max(0) + pad).astype(int)
            piece = edge[low[1] : high[1], low[0] : high[0]]
            if piece.size > 50:
                found.append(float(piece.var()))
        out[name] = _mean(found)
    return out


def _ssim(a: Array, b: Array) -> Array:
    import cv2

    def blurred(x: Array) -> Array:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5))

    m, n = blurred(a), blurred(b)
    spread_a, spread_b, both = blurred(a * a) - m * m, blurred(b * b) - n * n, blurred(a * b) - m * n
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return (2 * m * n + c1) * (2 * both + c2) / ((m * m + n * n + c1) * (spread_a + spread_b + c2))


def _mean(values: Sequence[float]) -> float:
    good = [value for value in values if np.isfinite(value)]
    return float(np.mean(good)) if good else float("nan")
