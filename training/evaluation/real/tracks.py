# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face does, as numbers over time, and how well one face's tracks follow another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.pictures.head_shape import STEADY
from training.evaluation.real.points import LEFT_EYE, RIGHT_EYE, Array, Head

LIPS = ((13, 14), (82, 87), (312, 317))
"""Inner lips, upper and lower."""
CORNERS, BROWS, OUTER_LIPS = (61, 291), (55, 285), (0, 17)
APERTURE_GAIN = 1.35
"""The plain mesh sees lips less far apart than the one refined at the lips, on the same pictures."""
CLOSED, LEAST = 0.03, 5
"""Lips are closed within this of the clip's own smallest apertures, a percentile: what the mesh reads of
closed lips differs by .06 from face to face."""
EYE_FLOOR, EYE_GAIN = 0.19, 1.8
"""What the iris model reads of a shut eye, and what brings the rest to the true height by width: fitted on
clips to a mesh that is refined at the eyes, r .67 to .97."""
SHUT = 0.6
"""An eye is shut below this share of its own open height."""
NEAR_CLOSURE, NEAR_BLINK, MOST_LAG = 2, 3, 8
"""Frames at 25 a second."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """[T] each; apertures and widths in eye distances, `eye` is the eyes' height by width."""

    pose: Array
    aperture: Array
    width: Array
    eye: Array
    jitter: float
    """Root mean square of the second difference of the steady points, head motion taken out; % of eye
    distance."""


def tracks_of(head: Head) -> Tracks:
    """The tracks of a clip."""
    still = head.fixed[:, STEADY, :2]
    second = still[2:] - 2 * still[1:-1] + still[:-2]
    return Tracks(
        pose=head.pose,
        aperture=APERTURE_GAIN * np.mean([_apart(head.fixed, *pair) for pair in LIPS], axis=0),
        width=_apart(head.fixed, *CORNERS),
        eye=openness(head.fixed),
        jitter=float(100 * np.sqrt(np.nanmean((second**2).sum(2)))) if len(still) > 2 else float("nan"),
    )


def openness(points: Array) -> Array:
    """[T] the eyes' height by width, the mean of both; points [T, 486, 3]."""
    both = []
    for which in (RIGHT_EYE, LEFT_EYE):
        eye = points[:, which, :2]
        tall = np.linalg.norm(eye[:, 3:6] - eye[:, 6:9], axis=2).mean(1)
        both.append(tall / np.linalg.norm(eye[:, 1] - eye[:, 2], axis=1))
    return np.asarray(EYE_GAIN * np.maximum(np.mean(both, axis=0) - EYE_FLOOR, 0))


def places(face: Array) -> dict[str, float]:
    """Where the movable parts of one face [486, 3] without pose stand, in % of the eye distance; up and apart
    are positive. Irises are in % of the eye's width, right and up as seen."""
    one = face[None]
    eyes = float(face[[33, 133, 362, 263], 1].mean())
    iris = []
    for which in (RIGHT_EYE, LEFT_EYE):
        eye = face[which, :2]
        iris.append((eye[0] - (eye[1] + eye[2]) / 2) / np.linalg.norm(eye[1] - eye[2]))
    across, up = np.mean(iris, axis=0)
    return {
        "brow": 100 * (float(face[list(BROWS), 1].mean()) - eyes),
        "corner": 100 * (float(face[list(CORNERS), 1].mean()) - eyes),
        "eye": 100 * float(openness(one)[0]),
        "mouth": 100 * APERTURE_GAIN * float(np.mean([_apart(one, *pair)[0] for pair in LIPS])),
        "width": 100 * float(_apart(one, *CORNERS)[0]),
        "lips": 100 * float(_apart(one, *OUTER_LIPS)[0]),
        "iris_x": 100 * float(across),
        "iris_y": 100 * float(up),
    }


def _apart(points: Array, a: int, b: int) -> Array:
    return np.asarray(np.linalg.norm(points[:, a] - points[:, b], axis=1))


# --- one track beside another ----------------------------------------------------------


def correlation(a: Array, b: Array) -> float:
    """Pearson's r over the frames that both have; NaN where one never moves."""
    a, b = _both(a, b)
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 5 and min(a.std(), b.std()) > 1e-9 else float("nan")


def lag(a: Array, b: Array, rate: float = 25.0) -> float:
    """Milliseconds by which `a` is later than `b` where r is greatest."""
    count = min(len(a), len(b))
    shifts = range(-MOST_LAG, MOST_LAG + 1)
    found = [correlation(a[max(0, k) : count + min(0, k)], b[max(0, -k) : count - max(0, k)]) for k in shifts]
    return float("nan") if np.isnan(found).all() else 1000 * shifts[int(np.nanargmax(found))] / rate


def gain(a: Array, b: Array) -> float:
    """Least-squares factor by which `a` follows `b`, both about their means."""
    a, b = _both(a, b)
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max((b * b).sum(), 1e-12))


def error(a: Array, b: Array) -> float:
    """Root mean square difference, both about their means."""
    a, b = _both(a, b)
    return float(np.sqrt((((a - a.mean()) - (b - b.mean())) ** 2).mean()))


def _both(a: Array, b: Array) -> tuple[Array, Array]:
    count = min(len(a), len(b))
    good = np.isfinite(a[:count]) & np.isfinite(b[:count])
    return a[:count][good], b[:count][good]


# --- events ----------------------------------------------------------------------------


def middles(low: NDArray[np.bool_]) -> list[int]:
    """Middle frame of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], low.astype(int), [0]])))
    return [(first + last - 1) // 2 for first, last in zip(edges[::2].tolist(), edges[1::2].tolist())]


def closures(made: Array, true: Array) -> dict[str, float]:
    """How many lip closures there are in `true`, how many `made` meets, and the share of all moments that
    would count as met: lips that are always closed meet all."""
    count = min(len(made), len(true))
    closed, truly = (track[:count] < CLOSED + np.nanpercentile(track, LEAST) for track in (made, true))
    near = [bool(closed[max(0, t - NEAR_CLOSURE) : t + NEAR_CLOSURE + 1].any()) for t in range(count)]
    events = middles(truly)
    met = sum(near[t] for t in events)
    return {"closures": len(events), "closures_met": met, "closures_chance": float(np.mean(near))}


def open_eye(eye: Array) -> float:
    """The height by width of the open eye of a clip."""
    return float(np.nanpercentile(eye, 75))


def blinks(eye: Array, opened: float | None = None) -> list[int]:
    """Middle frames of the blinks."""
    return middles(np.nan_to_num(eye, nan=9.0) < SHUT * (opened or open_eye(eye)))


def blinks_followed(made: Array, true: Array, opened: float) -> dict[str, Any]:
    """Blinks of `true`, how many are carried over, and the smallest opening of each in % of the open eye's;
    `opened` is that of the face that was drawn."""
    count, own = min(len(made), len(true)), open_eye(true)

    def lowest(track: Array, at: int, whole: float) -> float:
        return 100 * float(np.nanmin(track[max(0, at - NEAR_BLINK) : at + NEAR_BLINK + 1])) / whole

    events = blinks(true[:count])
    drawn = [lowest(made[:count], at, opened) for at in events]
    real = [lowest(true[:count], at, own) for at in events]
    return {
        "blinks": len(events),
        "blinks_met": sum(low < 100 * SHUT for low in drawn),
        "shut": float(np.median(drawn)) if drawn else float("nan"),
        "shut_true": float(np.median(real)) if real else float("nan"),
    }
