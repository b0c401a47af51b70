# SPDX-License-Identifier: GPL-3.0-or-later
"""A mouth that the network does not open is opened by its marks; and what is doubtful about faces is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.engine.layers.drawn_mouth import DrawnMouth
from core.pictures.face import FaceBox
from core.pictures.face_doubts import doubts
from core.pictures.face_marks import FaceMarks
from core.pictures.picture import Crop
from core.wire.channels import BANK_SLICES
from core.wire.errors import InputError
from tests.support.marked import SIDE, marks_at, still

OWN = np.linspace(-0.2, 0.2, 36).astype(np.float32)
WAYS = {"jaw_open": np.eye(36)[0], "press": np.eye(36)[1], "wide": np.eye(36)[2], "pucker": np.eye(36)[3]}


def picture() -> np.ndarray:
    """Rows and columns that tell where a pixel came from."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE * 2 - 1
    return np.stack([x, y, 0 * x], -1)


@pytest.fixture
def mouth() -> DrawnMouth:
    return DrawnMouth(marks_at(), OWN, {name: tuple(way) for name, way in WAYS.items()})


def weights(**handles: float) -> np.ndarray:
    return (OWN + sum(value * WAYS[name] for name, value in handles.items())).astype(np.float32)


def test_at_rest_nothing_is_moved(mouth) -> None:
    made, opening = mouth(OWN, still(), picture())
    assert opening is None and (made == picture()).all()


def test_an_opened_jaw_shows_the_inside_and_takes_the_lower_lip_down(mouth) -> None:
    half, open_ = (mouth(weights(jaw_open=jaw), still(), picture()) for jaw in (0.5, 1.0))
    assert half[1] is not None and open_[1] is not None
    assert open_[1].drop > half[1].drop > 0 and open_[1].share.sum() > half[1].share.sum()
    below = round(marks_at().lips_outer[15, 1] * SIDE + open_[1].drop * 0.5)
    assert open_[0][below, SIDE // 2, 1] < picture()[below, SIDE // 2, 1]  # it came from above
    assert np.isfinite(open_[0]).all() and (open_[0][: SIDE // 3] == picture()[: SIDE // 3]).all()


def test_pressed_lips_stay_shut_and_pucker_makes_the_mouth_narrow(mouth) -> None:
    _, opening = mouth(weights(jaw_open=0.5, press=0.6), still(), picture())
    assert opening is None
    made, _ = mouth(weights(pucker=1.0), still(), picture())
    row = round(marks_at().lips_outer[0, 1] * SIDE)
    left = round(marks_at().lips_outer[0, 0] * SIDE)
    assert made[row, left, 0] < picture()[row, left, 0] - 0.02  # the corner has moved inwards


def test_the_network_gets_the_portraits_own_mouth(mouth) -> None:
    sent = mouth.sent(weights(jaw_open=1.0)[None] + 1)
    np.testing.assert_array_equal(sent[0, BANK_SLICES["mouth"]], OWN[BANK_SLICES["mouth"]])
    assert (sent[0, BANK_SLICES["pose"]] != OWN[BANK_SLICES["pose"]]).all()


@pytest.mark.parametrize("shift", [(2.0, 0.0), (0.0, 0.49), (-0.6, -0.6)])
def test_a_mouth_that_is_moved_out_of_the_crop_raises_nothing(mouth, shift) -> None:
    made, _ = mouth(weights(jaw_open=1.2, wide=1.0), still(shift), picture())
    assert made.shape == picture().shape and np.isfinite(made).all()


# ------------------------------------------------------------------------------------- marks and doubts


def test_marks_go_to_pixels_and_back() -> None:
    where = Crop(100, 40, 300)
    points = marks_at().points(where)
    again = FaceMarks.placed(points, where, (480, 640, 3))
    for name in ("lips_outer", "upper_lids", "irises", "chin", "skull"):
        np.testing.assert_allclose(getattr(again, name), getattr(marks_at(), name), atol=1e-5)
    with pytest.raises(InputError, match="outside the picture"):
        FaceMarks.placed(points, where, (200, 640, 3))


def box(x: float, y: float = 100.0, width: float = 100.0, doubt: str = "") -> FaceBox:
    return FaceBox(x, y, width, width, 5, doubt)


@pytest.mark.parametrize(
    ("faces", "wanted"),
    [
        ([box(200)], []),
        ([box(100), box(500)], []),
        ([], ["Place Marks"]),
        ([box(100), box(220)], ["near each other"]),
        ([box(-20)], ["left edge"]),
        ([box(100, -30)], ["upper edge"]),
        ([box(100, 420)], ["lower edge"]),
        ([box(100), box(220), box(560)], ["Face 3 of a.png is cut by the right", "Faces 1 and 2"]),
        ([box(200, doubt="may be none")], ["may be none"]),
    ],
)
def test_doubtful_faces_are_told_one_sentence_each(faces, wanted) -> None:
    found = doubts((480, 640, 3), faces, [None] * len(faces), "a.png")
    assert len(found) == len(wanted)
    for said, words in zip(found, wanted, strict=True):
        assert words in said and "\n" not in said


def test_a_profile_is_told_by_the_nose_between_the_eyes() -> None:
    skull = np.zeros((21, 3))
    skull[0, :2], skull[3, :2] = (0.4, 0.4), (0.6, 0.4)
    for nose, count in ((0.5, 0), (0.45, 0), (0.40, 1), (0.66, 1)):
        skull[9, :2] = nose, 0.5
        said = doubts((480, 640, 3), [box(200)], [replace(marks_at(), skull=skull)], "a.png")
        assert len(said) == count, nose
