# SPDX-License-Identifier: GPL-3.0-or-later
"""True degrees: a head turns as far as was asked, and about no other axis.

The network turns each portrait differently: it draws .6 to 1.1 of a degree, and it tilts in the picture's
plane, so that the tilt of a head that looks aside also nods it. So each portrait is asked once: the head is
turned by PROBE to both sides of each axis, and the reader of real faces (`core.pictures.face_reader`) says by
how much the frames show it turned. With u the handles' degrees that the network is given, and c, d for each
axis i half the sum and half the difference of what it drew to both sides, by PROBE:

    drawn(u) = sum over i of u_i (c_i + d_i clip(u_i / PROBE, -1, 1))

and `sent` finds by Newton's steps the u that draws what a frame's weights ask. Weights beside those of the
three handles are kept.

Turns are yaw to picture right, pitch up, roll counter-clockwise, in degrees, as changes of these angles
against the portrait's own: R = the turn that takes the portrait's points, with the reader's depth, to the
frame's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.engine import anchor
from core.engine.around import Around
from core.engine.layers.layer import Layer
from core.engine.layers.mark_reader import BOX, SKULL
from core.engine.rest import Rest, planes
from core.motion.motion import Weights
from core.pictures import face_models, face_reader
from core.pictures.face_search import PRESENT
from core.pictures.picture import from_model

if TYPE_CHECKING:
    from core.engine.engine import Engine, Source

Floats = NDArray[np.float64]

AXES = ("yaw", "pitch", "roll")
PROBE = (15.0, 10.0, 15.0)  # degrees
# Measured on eight portraits against an outside reader (a later mesh of the same kind):
USUAL = np.array([0.86, 0.70, 0.975])  # what is drawn of a degree
READS = np.array([0.97, 1.1, 1.0])  # our reader's gains by the other's
TRUST = np.array([0.7, 0.3, 0.8])  # how much of a portrait's own difference from the usual is believed
AWAY = np.array([0.008, 0, 0])  # more is drawn of a turn that leads further away, for each degree of its own
SANE, MOST_AWAY = (0.55, 1.25), 0.2
ASIDE = np.array([0.3, 0.3, 1.0])[:, None]  # how much is believed of what turns about the other axes
LEAK = 0.4  # degrees about another axis for one that was asked, at most
STEPS = 4

SIDE = 256  # pixels of the frames that are read
# Numbers of the reader's mesh: points that a face does not move of itself, those among them that are mirror
# images of each other, and two between which a face that looks straight ahead is upright.
STEADY = [*SKULL, 10, 152, 127, 356, 234, 454, 103, 332]
PAIRS = ((33, 263), (133, 362), (98, 327), (50, 280), (127, 356), (234, 454), (103, 332))
BROW, CHIN = 10, 152


class Seen(NamedTuple):
    """What the reader says of a portrait."""

    own: Floats  # [3] how the portrait's own head is turned, in degrees
    turns: Floats  # [N, 3] by how much the heads of frames are turned against it


Probe = Callable[[Weights], Seen | None]
"""Weights [N, 36] of frames -> what they show; None: nobody can tell."""


class Turns(Layer):
    """Of one portrait: `own` [36] its weights, `directions` handle -> [36] weights for a degree. The probe is
    run when a turned head is asked for first."""

    def __init__(self, own: Weights, directions: Mapping[str, Sequence[float]], probe: Probe) -> None:
        self.own = np.asarray(own, np.float64)
        self._ways = np.array([directions[axis] for axis in AXES], np.float64)
        self._reads = np.linalg.pinv(self._ways)  # [36, 3]
        self._probe, self._lock = probe, Lock()
        self._drawn: tuple[Floats, Floats] | None = None

    def sent(self, weights: Weights) -> Weights:
        """Weights [N, 36] that draw the turns which these ask for."""
        asked = (np.asarray(weights, np.float64) - self.own) @ self._reads
        if np.abs(asked).max(initial=0) < 1e-3:
            return weights
        given = self.given(asked)
        return np.asarray(weights + (given - asked) @ self._ways, np.float32)

    def given(self, asked: Floats) -> Floats:
        """[N, 3] degrees that the network must be given to draw `asked` [N, 3]."""
        even, odd = self._measured()
        given = asked.copy()
        for _ in range(STEPS):
            share = np.clip(given / PROBE, -1, 1)
            each = even + odd * share[..., None]  # [N, 3 asked, 3 drawn]
            short = asked - np.einsum("ni,nij->nj", given, each)
            slope = even + odd * np.where(np.abs(share) < 1, 2 * share, share)[..., None]
            given = given + np.linalg.solve(np.swapaxes(slope, 1, 2), short[..., None])[..., 0]
        return np.asarray(given)

    def _measured(self) -> tuple[Floats, Floats]:
        """c and d, [3 asked, 3 drawn] each, for a degree."""
        with self._lock:  # frames are finished on several threads
            if self._drawn is None:
                self._drawn = self._measure()
            return self._drawn

    def _measure(self) -> tuple[Floats, Floats]:
        turns = np.concatenate([np.diag(PROBE), -np.diag(PROBE)])
        seen = self._probe(np.asarray(self.own + turns @ self._ways, np.float32))
        if seen is None:
            return np.eye(3), np.zeros((3, 3))
        there, back = np.split(seen.turns / np.concatenate([PROBE, PROBE])[:, None], 2)
        even, odd = (there - back) / 2, (there + back) / 2
        along = USUAL + TRUST * (np.diag(even) / READS - USUAL)
        away = np.clip(AWAY * seen.own, -MOST_AWAY, MOST_AWAY)
        beside, beside_odd = (
            np.clip(ASIDE * part * ~np.eye(3, dtype=bool), -LEAK, LEAK) for part in (even, odd)
        )
        return np.diag(np.clip(along, *SANE)) + beside, np.diag(away) + beside_odd


def turns_of(engine: Engine, source: Source, rest: Rest, at: Callable[[int], Around]) -> tuple[Layer, ...]:
    """The layer for a portrait, of which `at` gives the crop at a size; none where the checkpoint does not
    say what turns a head, or nobody reads faces here."""
    directions = {handle.name: handle.direction for handle in engine.handles}
    if not set(AXES) <= set(directions) or face_models.why_not():
        return ()
    return (Turns(source.weights, directions, partial(shown, engine, source, rest, at)),)


def shown(
    engine: Engine, source: Source, rest: Rest, at: Callable[[int], Around], weights: Weights
) -> Seen | None:
    """How the heads of frames with these weights [N, 36] are turned, as the reader sees it."""
    sharp, seen = at(SIDE), np.ascontiguousarray(at(rest.side).inner[..., :3])
    points = _points(sharp.inner[..., :3])
    if points is None:
        return None
    axes = _axes(points)
    found = []
    for frame, row in zip(engine.decode(source, weights), weights):
        changed = anchor.change(rest, *planes(frame), row, seen)
        own = anchor.taken(sharp, *anchor.places(changed.offset, SIDE))[..., :3]
        there = _points(anchor.composed(changed, np.ascontiguousarray(own)))
        if there is None:
            return None
        found.append(angles(_turn(points, there) @ axes) - angles(axes))
    return Seen(angles(axes), np.array(found))


def angles(turn: Floats) -> Floats:
    """[3] yaw, pitch and roll in degrees of a turn [3, 3] of a face that looked straight ahead."""
    yaw = np.arctan2(-turn[0, 2], turn[2, 2])
    pitch = np.arcsin(np.clip(turn[1, 2], -1, 1))
    roll = -np.arctan2(turn[1, 0], turn[1, 1])
    return np.degrees([yaw, pitch, roll])


def _points(picture: Floats | NDArray[np.float32]) -> Floats | None:
    """[N, 3] the steady points of the face in a crop [S, S, 3] in [-1, 1]."""
    side, rgb = len(picture), from_model(np.moveaxis(picture, -1, 0))
    middle = np.full(2, (side - 1) / 2)
    mesh = face_reader.read_at(rgb, middle, face_reader.MESH_WIDER * BOX * side, 0.0)
    return mesh.points[STEADY] if mesh.presence >= PRESENT else None


def _turn(points: Floats, there: Floats) -> Floats:
    """[3, 3] the turn that takes points [N, 3], about their middle, to others (Kabsch 1976)."""
    goal, here = (place - place.mean(0) for place in (points, there))
    u, _, vt = np.linalg.svd(here.T @ goal)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    return np.asarray((u * sign) @ vt)


def _axes(points: Floats) -> Floats:
    """[3, 3] a head's right, down and back in the picture, as columns, of its steady points [N, 3]."""
    by_name = dict(zip(STEADY, points))
    across = np.mean([by_name[left] - by_name[right] for right, left in PAIRS], axis=0)
    across /= np.linalg.norm(across)
    down = by_name[CHIN] - by_name[BROW]
    down -= (down @ across) * across
    down /= np.linalg.norm(down)
    return np.stack([across, down, np.cross(across, down)], 1)
