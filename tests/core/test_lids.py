# SPDX-License-Identifier: GPL-3.0-or-later
"""Lids slide over the eye and irises turn behind them, where the marks are, and nowhere else."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.engine.layers.carried import carried
from core.engine.layers.eye_motion import Asked, EyeMotion
from core.engine.layers.lids import BALL, Lids
from core.pictures.face_marks import SHAPES, FaceMarks
from core.wire.errors import InputError
from tests.support.marked import SIDE, WIDE, S, marks_at, still

SKIN, WHITE, IRIS = (0.4, 0.1, -0.1), (0.9, 0.9, 0.9), (-0.9, -0.2, 0.9)


def painted(marks: FaceMarks) -> np.ndarray:
    """Skin with a faint pattern, white balls and blue irises inside the lids."""
    fine = SIDE * 4
    picture = np.full((fine, fine, 3), SKIN, np.float32)
    picture += 0.05 * np.sin(np.mgrid[0:fine, 0:fine][1] / 23)[..., None].astype(np.float32)
    for upper, lower, (x, y, radius) in zip(marks.upper_lids, marks.lower_lids, marks.irises):
        hole, disc = np.zeros((fine, fine), np.uint8), np.zeros((fine, fine), np.uint8)
        cv2.fillPoly(hole, [np.round(np.concatenate([upper, lower[::-1]]) * fine).astype(np.int32)], 1)
        cv2.circle(disc, (round(x * fine), round(y * fine)), round(radius * fine), 1, -1)
        picture[hole > 0] = WHITE
        picture[(hole & disc) > 0] = IRIS
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def motion() -> EyeMotion:
    ways = np.zeros((4, 36))
    ways[0, [33, 35]], ways[1, 34], ways[2, 35], ways[3, 30] = (1.3, 0.3), 0.15, 0.27, 1.0
    own = np.linspace(-0.2, 0.2, 36).astype(np.float32)
    return EyeMotion(own, dict(zip(("blink", "gaze_x", "gaze_y", "smile"), ways.tolist())))


def like(picture: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    return np.abs(picture - np.array(colour, np.float32)).max(-1) < 0.25


def iris_middle(picture: np.ndarray) -> np.ndarray:
    """Of the eye at picture left, weighted by how blue a pixel is."""
    blue = np.clip((picture[:, : SIDE // 2, 2] - picture[:, : SIDE // 2, 0]) / 1.8 - 0.5, 0, 0.5)
    y, x = np.mgrid[0:SIDE, 0 : SIDE // 2]
    return np.array([(x * blue).sum(), (y * blue).sum()]) / blue.sum()


# --- lids -----------------------------------------------------------------------------------------


def test_without_blink_and_gaze_the_picture_comes_back_as_it_is() -> None:
    marks = marks_at()
    picture, own = painted(marks), motion()
    drawn = Lids(marks, own)(own.own, still(), np.ones((1, S, S), np.float32), picture)
    np.testing.assert_array_equal(drawn, picture)


@pytest.mark.parametrize("roll", [0.0, 20.0, -35.0])
def test_a_shut_lid_leaves_nothing_of_the_eye_and_a_half_shut_one_half(roll: float) -> None:
    marks = marks_at(roll)
    picture, lids = painted(marks), Lids(marks, motion())
    eyes = {b: (like(d, WHITE) | like(d, IRIS)).sum() for b in (0.0, 0.5, 1.0)
            for d in [lids.draw(Asked((b, b)), still(), picture)]}  # fmt: skip
    assert eyes[1.0] < 0.02 * eyes[0.0]
    assert 0.35 < eyes[0.5] / eyes[0.0] < 0.65


def test_a_wink_moves_nothing_of_the_other_eye_and_nothing_far_from_its_own() -> None:
    marks = marks_at()
    picture = painted(marks)
    drawn = Lids(marks, motion()).draw(Asked((1.0, 0.0)), still(), picture)
    changed = np.abs(drawn - picture).max(-1) > 0
    rows, columns = np.nonzero(changed)
    assert columns.max() < SIDE / 2 and rows.min() > 0.28 * SIDE and rows.max() < 0.52 * SIDE
    np.testing.assert_array_equal(picture, painted(marks))  # what was handed in stays


def test_lids_go_with_the_head() -> None:
    marks = marks_at()
    picture, shift = painted(marks), (8 / SIDE, -4 / SIDE)
    moved = cv2.warpAffine(
        picture, np.float32([[1, 0, 8], [0, 1, -4]]), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE
    )
    lids = Lids(marks, motion())
    there = lids.draw(Asked((0.6, 0.6), (5.0, 2.0)), still(shift), moved)
    here = lids.draw(Asked((0.6, 0.6), (5.0, 2.0)), still(), picture)
    inner = np.s_[20:-20, 20:-20]
    back = cv2.warpAffine(
        there, np.float32([[1, 0, -8], [0, 1, 4]]), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE
    )
    assert np.abs(back - here)[inner].max() < 0.06


def test_an_eye_that_is_shut_in_the_portrait_is_left_alone() -> None:
    marks = marks_at(open_=0.1)
    picture = painted(marks)
    drawn = Lids(marks, motion()).draw(Asked((1.0, 1.0), (9.0, 5.0)), still(), picture)
    np.testing.assert_array_equal(drawn, picture)


# --- irises ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("gaze", [(10.0, 0.0), (-15.0, 0.0), (0.0, 5.0), (6.0, 4.0)])
def test_an_iris_moves_by_the_sine_of_the_angle_and_no_skin_comes_into_the_eye(
    gaze: tuple[float, float],
) -> None:
    marks = marks_at()
    picture = painted(marks)
    drawn = Lids(marks, motion()).draw(Asked(gaze=gaze), still(), picture)
    went = iris_middle(drawn) - iris_middle(picture)
    wanted = np.sin(np.radians(gaze)) * (1, -1) * BALL * WIDE * SIDE
    assert went[0] == pytest.approx(wanted[0], abs=0.6)
    assert went[1] * wanted[1] > 0 or wanted[1] == 0  # the lids cut the disc, so less of it is seen
    ball = like(picture, WHITE) | like(picture, IRIS)
    core = cv2.erode(ball.astype(np.uint8), np.ones((5, 5))) > 0
    assert not like(drawn, SKIN)[core].any()


def test_a_lowered_gaze_takes_the_upper_lid_along() -> None:
    marks = marks_at()
    picture = painted(marks)
    drawn = Lids(marks, motion()).draw(Asked(gaze=(0.0, -16.0)), still(), picture)
    top = [
        np.nonzero((like(p, WHITE) | like(p, IRIS))[:, round(0.35 * SIDE)])[0].min() for p in (picture, drawn)
    ]
    assert top[1] >= top[0] + 2


# --- weights --------------------------------------------------------------------------------------


def test_blink_and_gaze_are_read_off_the_weights_and_taken_out_for_the_network() -> None:
    eyes = motion()
    weights = eyes.own.copy()
    weights[33] += 1.3 * 0.7
    weights[34] += 0.15 * -6
    weights[35] += 0.3 * 0.7 + 0.27 * 4
    weights[[3, 20, 30]] += 0.8
    asked = eyes.asked(weights)
    assert asked.blink == pytest.approx((0.7, 0.7), abs=1e-5) and asked.gaze == pytest.approx(
        (-6, 4), abs=1e-4
    )
    quiet = eyes.quiet(weights)
    np.testing.assert_allclose(quiet[33:36], eyes.own[33:36], atol=1e-6)
    np.testing.assert_array_equal(quiet[:33], weights[:33])
    assert not any(eyes.asked(quiet).blink) or max(eyes.asked(quiet).blink) < 1e-6


def test_an_eye_opened_wider_than_the_portraits_stays_with_the_network() -> None:
    eyes = motion()
    wide = eyes.own.copy()
    wide[33] -= 0.5
    assert eyes.asked(wide).blink == (0.0, 0.0)
    assert eyes.quiet(wide)[33] == wide[33]


def test_a_checkpoint_without_a_blink_keeps_its_own_eyes() -> None:
    eyes = EyeMotion(
        np.zeros(36, np.float32), {"smile": np.eye(36)[30].tolist(), "gaze_x": np.eye(36)[34].tolist()}
    )
    weights = np.full(36, 0.7, np.float32)
    assert not eyes.reads and eyes.asked(weights) == Asked()
    np.testing.assert_array_equal(eyes.quiet(weights), weights)


# --- marks ----------------------------------------------------------------------------------------


def test_points_are_carried_to_where_the_frame_shows_them() -> None:
    y, x = np.meshgrid(*[(np.arange(S) + 0.5) / S] * 2, indexing="ij")

    def read_at(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack([x + 0.03 * np.sin(5 * y), y - 0.05 * x + 0.01 * np.cos(6 * x)])

    flow = (read_at(x, y) * 2 - 1).astype(np.float32)
    seen = np.random.default_rng(1).uniform(0.2, 0.8, (40, 2))
    found = carried(flow, read_at(*seen.T).T)
    assert np.abs(found - seen).max() * 512 < 0.1


def test_marks_survive_json() -> None:
    marks = replace(marks_at(7.0), certainty=0.93)
    again = FaceMarks.from_json(json.loads(json.dumps(marks.to_json())))
    for name in SHAPES:
        np.testing.assert_allclose(getattr(again, name), getattr(marks, name), atol=1e-6)
    assert again.certainty == pytest.approx(0.93)


@pytest.mark.parametrize(
    "part, value, says",
    [
        ("irises", [[0, 0, 1]], "shape"),
        ("chin", [[0.5, 9.0, 0.0]] * 5, "far outside"),
        ("chin", [[0.5, float("nan"), 0.0]] * 5, "far outside"),
        ("brows", "here", "no number"),
        ("nose", [], "nose"),
        ("certainty", None, "no number"),
    ],
)
def test_marks_that_are_none_are_refused_in_one_sentence(part: str, value: object, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        FaceMarks.from_json({**marks_at().to_json(), part: value})
    assert caught.value.hint
