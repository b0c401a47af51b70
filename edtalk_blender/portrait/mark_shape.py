# SPDX-License-Identifier: GPL-3.0-or-later
"""Face marks as something to be taken hold of: where their handles are, and what dragging one does. No bpy.

Points are arrays by name, in pixels of the portrait (`core.wire.marks`). A handle moves its line as a whole:
most where it lies, less along the line, nothing at the other end.

    eye_0, eye_1          all of an eye, with its iris; the eye at the left of the picture is 0
    eye_0_left, _right    its corners, in both lids
    eye_0_top, _bottom    the middle of a lid
    iris_0, iris_0_rim    the iris; its radius
    brow_0_left, _right   an end of a brow
    brow_0                all of a brow
    mouth                 all of the mouth
    mouth_left, _right    its corners, in both rings
    mouth_top, _upper, _lower, _bottom   outer and inner line of the upper lip, of the lower lip
    chin                  the tip of the chin
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...core.wire.marks import COUNTS, EYE

Marks = dict[str, np.ndarray]

ALONG = np.arange(EYE) / (EYE - 1)  # of a lid, from its left corner
ARCH = np.sin(np.pi * ALONG)
RING = np.array([*range(11), *range(9, 0, -1)]) / 10  # of a ring of lips
LIPS = {
    "top": ("lips_outer", 5),
    "upper": ("lips_inner", 5),
    "lower": ("lips_inner", 15),
    "bottom": ("lips_outer", 15),
}
BROW = 5  # points


def arrays(points: Mapping[str, object]) -> Marks:
    """Points as they come over the wire, for `dragged`. Raises ValueError, TypeError, KeyError."""
    made = {name: np.array(points[name], np.float64) for name in COUNTS}
    for name, shape in COUNTS.items():
        if made[name].shape != shape:
            raise ValueError(f"{name} has the shape {made[name].shape}")
    return made


def lines(marks: Marks) -> list[np.ndarray]:
    """All that is to be drawn, as lines [N, 2]."""
    found = []
    for name in ("lips_outer", "lips_inner"):
        found.append(np.concatenate([marks[name], marks[name][:1]])[:, :2])
    for eye in (0, 1):
        found += [marks[name][_eye(eye)] for name in ("upper_lids", "lower_lids")]
        found += [marks["brows"][_brow(eye)], circle(marks["irises"][eye])]
    return found


def circle(iris: np.ndarray) -> np.ndarray:
    """[25, 2] points around an iris."""
    turn = np.linspace(0, 2 * np.pi, 25)
    return iris[:2] + iris[2] * np.column_stack([np.cos(turn), np.sin(turn)])


def handles(marks: Marks) -> dict[str, tuple[float, float]]:
    """Where each handle is that has a dot; eyes and mouth are taken hold of anywhere within."""
    found: dict[str, np.ndarray] = {}
    for eye in (0, 1):
        upper, lower = (marks[name][_eye(eye)] for name in ("upper_lids", "lower_lids"))
        brow, iris = marks["brows"][_brow(eye)], marks["irises"][eye]
        found |= {
            f"eye_{eye}_left": (upper[0] + lower[0]) / 2,
            f"eye_{eye}_right": (upper[-1] + lower[-1]) / 2,
        }
        found |= {f"eye_{eye}_top": upper[EYE // 2], f"eye_{eye}_bottom": lower[EYE // 2]}
        found |= {f"iris_{eye}": iris[:2], f"iris_{eye}_rim": iris[:2] + (iris[2], 0)}
        found |= {f"brow_{eye}_left": brow[0], f"brow_{eye}": brow[BROW // 2], f"brow_{eye}_right": brow[-1]}
    found |= {"mouth_left": marks["lips_outer"][0, :2], "mouth_right": marks["lips_outer"][10, :2]}
    found |= {f"mouth_{part}": marks[name][at, :2] for part, (name, at) in LIPS.items()}
    found["chin"] = marks["chin"][0, :2]
    return {name: (float(place[0]), float(place[1])) for name, place in found.items()}


def handle_at(marks: Marks, x: float, y: float, reach: float) -> str:
    """The handle at a place: the nearest within `reach` pixels, or eye or mouth around it; "" for none."""
    places = handles(marks)
    nearest = min(places, key=lambda name: np.hypot(places[name][0] - x, places[name][1] - y))
    if np.hypot(places[nearest][0] - x, places[nearest][1] - y) <= reach:
        return nearest
    for eye in (0, 1):
        upper, lower = (marks[name][_eye(eye)] for name in ("upper_lids", "lower_lids"))
        if _within(np.concatenate([upper, lower[::-1]]), x, y):
            return f"eye_{eye}"
    return "mouth" if _within(marks["lips_outer"][:, :2], x, y) else ""


def dragged(marks: Marks, handle: str, right: float, down: float) -> Marks:
    """The marks after a handle was dragged this far. Raises KeyError for one that is not known."""
    made = {name: values.copy() for name, values in marks.items()}
    by = np.array([right, down], np.float64)
    what, _, rest = handle.partition("_")
    if what == "eye":
        _drag_eye(made, int(rest[0]), rest[2:], by)
    elif what == "iris":
        eye = int(rest[0])
        if rest.endswith("rim"):
            made["irises"][eye, 2] = max(1.0, made["irises"][eye, 2] + right)
        else:
            made["irises"][eye, :2] += by
    elif what == "brow":
        part = np.arange(BROW) / (BROW - 1)
        share = {"left": 1 - part, "right": part, "": np.ones(BROW)}[rest[2:]]
        made["brows"][_brow(int(rest[0]))] += share[:, None] * by
    elif what == "mouth":
        _drag_mouth(made, rest, by)
    elif handle == "chin":
        share = np.linspace(1, 0.2, len(made["chin"]))
        made["chin"][:, :2] += share[:, None] * by
    else:
        raise KeyError(handle)
    return made


def _drag_eye(made: Marks, eye: int, part: str, by: np.ndarray) -> None:
    where = _eye(eye)
    shares = {
        "": {"upper_lids": np.ones(EYE), "lower_lids": np.ones(EYE)},
        "left": {"upper_lids": 1 - ALONG, "lower_lids": 1 - ALONG},
        "right": {"upper_lids": ALONG, "lower_lids": ALONG},
        "top": {"upper_lids": ARCH},
        "bottom": {"lower_lids": ARCH},
    }[part]
    for name, share in shares.items():
        made[name][where] += share[:, None] * by
    if not part:
        made["irises"][eye, :2] += by
        made["brows"][_brow(eye)] += by


def _drag_mouth(made: Marks, part: str, by: np.ndarray) -> None:
    if part in LIPS:
        name, at = LIPS[part]
        own = slice(1, 10) if at < 10 else slice(11, 20)
        made[name][own, :2] += np.sin(np.pi * RING[own])[:, None] * by
        return
    share = {"": np.ones(20), "left": 1 - RING, "right": RING}[part]
    for name in ("lips_outer", "lips_inner"):
        made[name][:, :2] += share[:, None] * by


def _eye(eye: int) -> slice:
    return slice(EYE * eye, EYE * (eye + 1))


def _brow(eye: int) -> slice:
    return slice(BROW * eye, BROW * (eye + 1))


def _within(ring: np.ndarray, x: float, y: float) -> bool:
    """Is a place within a closed line [N, 2]? By how often a ray to the right crosses it."""
    after = np.roll(ring, -1, axis=0)
    crosses = (ring[:, 1] > y) != (after[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = ring[:, 0] + (y - ring[:, 1]) / (after[:, 1] - ring[:, 1]) * (after[:, 0] - ring[:, 0])
    return bool(np.count_nonzero(crosses & (at > x)) % 2)
