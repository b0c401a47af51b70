# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks of a face as messages and .blend files hold them: lists of points in pixels of the upright portrait.

x right, y down, (0, 0) the upper left corner of the first pixel. A third number is a depth, away from the
viewer, or the radius of an iris; in pixels too. "Right" and "left" are the person's own, the right eye comes
first, and lines run from picture left to picture right. Standard library only: both Pythons use it, and both
say the same of marks that make no face.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Points = Mapping[str, tuple[tuple[float, ...], ...]]

COUNTS: dict[str, tuple[int, int]] = {
    "lips_outer": (
        20,
        3,
    ),  # a ring: from the left corner along the upper lip and back along the lower
    "lips_inner": (20, 3),  # likewise
    "upper_lids": (18, 2),  # nine points an eye, its corners the first and the last
    "lower_lids": (18, 2),
    "brows": (10, 2),  # five points a brow
    "irises": (2, 3),  # middle and radius
    "chin": (5, 3),  # the tip, then points towards the lower lip
    "skull": (21, 3),  # steady points that no expression moves
}
"""Name -> number of points, and of numbers in each."""
WITHIN = ("lips_outer", "lips_inner", "upper_lids", "lower_lids", "irises")
"""What must lie within the picture; its edge may cut off a chin or a brow."""
EYE = 9  # points of a lid
LEAST = 0.02  # of the distance between the eyes: what is nearer lies on top of each other
NARROW = 0.15  # of that distance: an eye or mouth less wide is none


def problem(points: Mapping[str, Sequence[Sequence[float]]], width: float, height: float) -> str:
    """Why these marks are no face in a picture of this size, as one sentence; "" when they are."""
    for name, (count, numbers) in COUNTS.items():
        rows = points.get(name, ())
        if len(rows) != count or any(len(row) != numbers for row in rows):
            return f"The face marks {_words(name)} are {len(rows)} points, not {count}"
        if not all(math.isfinite(value) for row in rows for value in row):
            return f"A face mark of the {_words(name)} is not a number"
    for name in WITHIN:
        if not all(0 <= row[0] <= width and 0 <= row[1] <= height for row in points[name]):
            return f"A face mark of the {_words(name)} lies outside the picture"
    upper, lower = points["upper_lids"], points["lower_lids"]
    middles = [_middle([*upper[at : at + EYE], *lower[at : at + EYE]]) for at in (0, EYE)]
    apart = math.dist(*middles)
    mouth = _middle(points["lips_outer"])
    if apart < 1:
        return "The marks of the two eyes lie on top of each other"
    if middles[0][0] >= middles[1][0]:
        return "The marks of the two eyes are crossed: one has passed the other"
    for side, at in (("left", 0), ("right", EYE)):
        said = _eye_problem(upper[at : at + EYE], lower[at : at + EYE], points["irises"][at // EYE], apart)
        if said:
            return f"The marks of the eye at the {side} of the picture {said}"
    across = max(_width(upper[at : at + EYE]) for at in (0, EYE))
    if apart < 0.6 * across:
        return "The marks of the two eyes lie on top of each other"
    along = [(middles[1][axis] - middles[0][axis]) / apart for axis in (0, 1)]
    if _side(along, middles[0], mouth) < NARROW * apart:
        return "The mouth's marks must lie below those of the eyes"
    return _mouth_problem(points["lips_outer"], points["lips_inner"], apart)


def _eye_problem(
    upper: Sequence[Sequence[float]], lower: Sequence[Sequence[float]], iris: Sequence[float], apart: float
) -> str:
    if _width(upper) < NARROW * apart or _width(lower) < NARROW * apart:
        return "lie on top of each other: drag its corners apart"
    if upper[0][0] >= upper[-1][0]:
        return "are crossed: its corners have changed sides"
    middle = EYE // 2
    if _below(upper, lower, middle) < -LEAST / 2 * apart:  # closed eyes are eyes, too
        return "are crossed: the upper lid must lie above the lower one"
    radius = iris[2]
    if not LEAST * apart <= radius <= apart:
        return "have an iris that is too small or too large"
    x, y = _middle([upper[0], upper[-1]])
    if math.dist(iris[:2], (x, y)) > _width(upper):
        return "have an iris far outside of it"
    return ""


def _mouth_problem(outer: Sequence[Sequence[float]], inner: Sequence[Sequence[float]], apart: float) -> str:
    if math.dist(outer[0][:2], outer[10][:2]) < NARROW * apart:
        return "The marks of the mouth lie on top of each other: drag its corners apart"
    if outer[0][0] >= outer[10][0]:
        return "The marks of the mouth are crossed: its corners have changed sides"
    down = [_across(outer, ring[at]) for ring, at in ((outer, 5), (inner, 5), (inner, 15), (outer, 15))]
    slack = LEAST * apart  # closed lips: a reader errs by so much
    if down[2] < down[1] - slack or down[1] < down[0] - slack or down[3] < down[2] - slack:
        return "The marks of the mouth are crossed: the upper lip must lie above the lower one"
    if down[3] - down[0] < LEAST * apart:
        return "The marks of the upper and lower lip lie on top of each other"
    return ""


def _across(ring: Sequence[Sequence[float]], point: Sequence[float]) -> float:
    """How far a point lies below the line between a mouth's corners."""
    length = math.dist(ring[0][:2], ring[10][:2])
    along = [(ring[10][axis] - ring[0][axis]) / length for axis in (0, 1)]
    return _side(along, ring[0], point)


def _side(along: Sequence[float], start: Sequence[float], point: Sequence[float]) -> float:
    """How far a point lies below a line: its start and its direction, of length 1."""
    return along[0] * (point[1] - start[1]) - along[1] * (point[0] - start[0])


def _below(upper: Sequence[Sequence[float]], lower: Sequence[Sequence[float]], at: int) -> float:
    """How far the lower lid lies below the upper one, across the eye."""
    length = math.dist(upper[0], upper[-1])
    along = [(upper[-1][axis] - upper[0][axis]) / length for axis in (0, 1)]
    return _side(along, upper[at], lower[at])


def _width(line: Sequence[Sequence[float]]) -> float:
    return math.dist(line[0][:2], line[-1][:2])


def _middle(points: Sequence[Sequence[float]]) -> tuple[float, float]:
    return sum(point[0] for point in points) / len(points), sum(point[1] for point in points) / len(points)


def _words(name: str) -> str:
    return name.replace("_", " ")
