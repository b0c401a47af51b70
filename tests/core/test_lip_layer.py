# SPDX-License-Identifier: GPL-3.0-or-later
"""Lips of a portrait whose mouth is open close over its teeth when the weights close the mouth, and only
then."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.engine.layers.lip_layer import Lips
from core.pictures.face_marks import FaceMarks
from tests.support.marked import SIDE, S, marks_at, still

SKIN, RED, TEETH = (0.4, 0.1, -0.1), (0.5, -0.5, -0.5), (0.95, 0.95, 0.95)
ALL = np.ones((1, S, S), np.float32)


def painted(marks: FaceMarks) -> np.ndarray:
    """Skin, red lips, and teeth between them."""
    fine = SIDE * 4
    picture = np.full((fine, fine, 3), SKIN, np.float32)
    for ring, colour in ((marks.lips_outer, RED), (marks.lips_inner, TEETH)):
        cv2.fillPoly(picture, [np.round(ring[:, :2] * fine).astype(np.int32)], colour)
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def teeth(picture: np.ndarray) -> int:
    return int((np.abs(picture - np.float32(TEETH)).max(-1) < 0.4).sum())


def lips_of(marks: FaceMarks, jaw: float = 0.2) -> Lips:
    ways = np.zeros((3, 36))
    ways[0, 4], ways[1, [0, 2]], ways[2, 1] = 0.7, (1.3, 0.2), 1.4
    own = np.zeros(36, np.float32)
    own[[0, 2]] = jaw * np.array([1.3, 0.2])
    return Lips(marks, own, dict(zip(("press", "jaw_open", "wide"), ways.tolist())))


def with_(lips: Lips, press: float = 0.0, jaw: float = 0.0) -> np.ndarray:
    weights = lips.own.copy()
    weights[4] += 0.7 * press
    weights[[0, 2]] += jaw * np.array([1.3, 0.2])
    return weights.astype(np.float32)


def test_at_rest_and_with_a_wider_jaw_the_picture_comes_back_as_it_is() -> None:
    marks = marks_at(gap=0.03)
    lips, picture = lips_of(marks), painted(marks)
    for weights in (with_(lips), with_(lips, jaw=0.5), with_(lips, press=0.6, jaw=0.6)):
        np.testing.assert_array_equal(lips(weights, still(), ALL, picture), picture)


@pytest.mark.parametrize("roll", [0.0, 18.0, -30.0])
@pytest.mark.parametrize("ask", [{"press": 1.0}, {"jaw": -0.2}])
def test_no_tooth_is_left_between_lips_that_close(roll: float, ask: dict[str, float]) -> None:
    marks = marks_at(roll, gap=0.03)
    lips, picture = lips_of(marks), painted(marks)
    drawn = lips(with_(lips, **ask), still(), ALL, picture)
    assert teeth(picture) > 200
    assert teeth(drawn) < 0.04 * teeth(picture)
    far = np.hypot(*(np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2)) < 0.1 * SIDE  # above the mouth at any roll
    np.testing.assert_array_equal(drawn[far], picture[far])


def test_half_closed_lips_show_about_half() -> None:
    marks = marks_at(gap=0.03)
    picture = painted(marks)
    shown = teeth(lips_of(marks).close(0.5, still(), picture))
    assert 0.3 * teeth(picture) < shown < 0.7 * teeth(picture)


def test_they_close_where_the_head_has_gone() -> None:
    marks = marks_at(gap=0.03)
    lips, picture = lips_of(marks), painted(marks)
    moved = cv2.warpAffine(
        picture, np.float32([[1, 0, 12], [0, 1, 6]]), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE
    )
    assert teeth(lips.close(1.0, still((12 / SIDE, 6 / SIDE)), moved)) < 0.04 * teeth(moved)


def test_a_mouth_that_is_closed_in_the_portrait_is_left_alone() -> None:
    lips = lips_of(marks_at(gap=0.008))
    assert not lips.open and lips.closing(with_(lips, press=1.0)) == 0


def test_a_checkpoint_that_knows_no_press_leaves_lips_alone() -> None:
    lips = Lips(marks_at(gap=0.03), np.zeros(36, np.float32), {"jaw_open": np.eye(36)[0].tolist()})
    assert lips.closing(np.full(36, -0.5, np.float32)) == 0
