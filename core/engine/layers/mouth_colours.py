# SPDX-License-Identifier: GPL-3.0-or-later
"""The colours inside a mouth, from the portrait's skin and lips, and the portrait's own teeth where it shows
them.

Levels run from 0 to 255. Ivory takes on at most 10 % of the light's cast, for brown skin is no brown light;
eye whites say nothing, they are shaded and small.

Own teeth are found as pixels, since a reader sees a gap between lips that are closed: inside the inner lips,
nearer in chroma to teeth than to lips, bright, and hanging together with the upper half of the opening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.pictures.face_marks import FaceMarks, Floats

Plane = NDArray[np.float32]

LIGHT = np.array([0.30, 0.59, 0.11])
IVORY, WHITE_SKIN = np.array([1.03, 1.0, 0.91]), np.array([1.22, 0.94, 0.76])
CHEEKS = [17, 18, 19, 20]  # of the skull's marks
LEAST_GAP = 0.04  # of the eye distance: a mouth that is open enough to show teeth
LEAST_SHARE = 0.12  # of the opening must be teeth
CROWNS_UP = 0.028  # of a dm per pixel: how far crowns go on under the lip, in dm


@dataclass(frozen=True, eq=False)
class Colours:
    """Of one portrait, [3] each."""

    tooth: Floats
    gum: Floats
    tongue: Floats
    dark: Floats


class OwnTeeth(NamedTuple):
    """The portrait's upper front teeth, as a picture of the portrait's size."""

    rgb: Plane  # [H, W, 3]
    share: Plane  # [H, W] 0 to 1
    lowest: Floats  # [2] the lower end of the middle ones, in pixels
    tooth: Floats  # [3] their colour


def colours(levels: Plane, marks: FaceMarks) -> Colours:
    """From a portrait [H, W, 3] of its crop."""
    skin = np.mean([_around(levels, point[:2], 4) for point in marks.skull[CHEEKS]], axis=0)
    bright = float(skin @ LIGHT)
    cast = 0.5 * skin / max(bright, 1.0) / WHITE_SKIN + 0.5
    cast = np.clip(cast / (cast @ LIGHT), 0.9, 1.1)
    tint = IVORY * cast
    lip = np.median([_around(levels, marks.lips_outer[i, :2] * 0.5 + marks.lips_inner[i, :2] * 0.5, 1)
                     for i in (13, 14, 15, 16, 17)], axis=0)  # fmt: skip
    return Colours(
        tooth=np.clip(tint / (tint @ LIGHT) * (0.60 * bright + 82), 0, 245),
        gum=np.clip(0.60 * lip + 0.25 * skin, 0, 255) * (1, 0.86, 0.86),
        tongue=np.clip(0.55 * lip + 0.18 * skin, 0, 255) * (1, 0.78, 0.78),
        dark=np.clip(lip * (0.20, 0.10, 0.10), 0, 46) + (4, 2, 2),
    )


def inside(line: Floats, size: int, blur: float = 0.8) -> Plane:
    """[size, size] share of each pixel within a line [N, 2 or 3] in sides of the crop."""
    import cv2

    mask = np.zeros((size, size), np.uint8)
    points = np.round((line[:, :2] * size - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], (255,), cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), blur), np.float32)


def own_teeth(levels: Plane, marks: FaceMarks, ivory: Floats, down: Floats, dm: float) -> OwnTeeth | None:
    """The portrait's own upper teeth; None where it shows none.

    `ivory` [3] what teeth would look like here, `down` [2] the head's downwards in the picture, `dm` pixels
    of a dm"""
    import cv2

    size = len(levels)
    lips = marks.lips_inner[:, :2]
    if np.linalg.norm(lips[15] - lips[5]) < LEAST_GAP * marks.eye_distance:
        return None
    within = inside(lips, size)
    light = (levels @ LIGHT.astype(np.float32)).astype(np.float32)
    skin = float(np.mean([_around(levels, point[:2], 4) @ LIGHT for point in marks.skull[CHEEKS]]))
    ring = (marks.lips_outer[:, :2] + lips) / 2
    lip = np.median([_around(levels, ring[i], 0) for i in (4, 5, 6, 14, 15, 16)], axis=0)
    lip, white = lip / max(float(lip @ LIGHT), 1.0), ivory / (ivory @ LIGHT)
    way = white - lip  # from the lips' chroma to the teeth's
    place = ((levels / np.maximum(light, 8)[..., None] - lip) @ way) / max(float(way @ way), 1e-6)
    like = _soft((place - 0.30) / 0.25) * _soft((light / max(skin, 1.0) - 0.42) / 0.2)
    share = (like * _soft((within - 0.4) / 0.4)).astype(np.float32)
    share = np.asarray(cv2.morphologyEx(share, cv2.MORPH_CLOSE, np.ones((3, 3))), np.float32)
    count, parts = cv2.connectedComponents((share > 0.4).astype(np.uint8))
    y, x = np.mgrid[0:size, 0:size]
    height = x * down[0] + y * down[1]
    middle = float((lips[5] + lips[15]) / 2 @ down * size)
    kept = np.zeros_like(share)
    for number in range(1, count):
        part = parts == number
        if part.sum() >= 6 and (height[part] < middle).mean() > 0.35:
            kept[part] = 1
    grown = cv2.dilate(kept, np.ones((3, 3)))
    share = np.minimum(share * grown, cv2.GaussianBlur(share * kept, (0, 0), 1.0) * 1.15).clip(0, 1)
    if (share > 0.5).sum() < LEAST_SHARE * max((within > 0.5).sum(), 30):
        return None
    counts = np.maximum(cv2.GaussianBlur(share, (0, 0), 3), 1e-3)[..., None]
    spread = cv2.GaussianBlur(levels * share[..., None], (0, 0), 3) / counts
    reach = round(CROWNS_UP * dm) | 1
    up = cv2.dilate(share, np.ones((reach, 1), np.uint8), anchor=(0, 0))
    good = share > 0.6
    across = np.abs((x - lips[5, 0] * size) * down[1] - (y - lips[5, 1] * size) * down[0]) < 0.10 * dm
    central = good & across if (good & across).sum() > 5 else good
    tip = float(np.percentile(height[central], 97))
    foot = np.array([x[central].mean(), y[central].mean()])
    return OwnTeeth(
        rgb=(levels * share[..., None] + spread * (1 - share[..., None])).astype(np.float32),
        share=np.maximum(share, 0.96 * cv2.GaussianBlur(up, (0, 0), 0.9)).astype(np.float32),
        lowest=foot + (tip - float(foot @ down)) * down,
        tooth=np.percentile(levels[good], 60, axis=0) / 0.94,
    )


def _around(levels: Plane, point: Floats, reach: int) -> Floats:
    """[3] the median colour about a point in sides of the crop."""
    size = len(levels)
    x, y = np.clip((point * size).astype(int), reach, size - reach - 1)
    part = levels[y - reach : y + reach + 1, x - reach : x + reach + 1]
    return np.asarray(np.median(part.reshape(-1, 3), axis=0), np.float64)


def _soft(place: Plane) -> Plane:
    place = np.clip(place, 0, 1)
    return np.asarray(place * place * (3 - 2 * place), np.float32)
