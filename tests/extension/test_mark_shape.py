# SPDX-License-Identifier: GPL-3.0-or-later
"""Face marks are taken hold of and dragged, in plain arithmetic; and what makes no face is one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from core.wire.marks import COUNTS, problem

CROP = (100.0, 50.0, 400.0)
SIZE = (640.0, 480.0)


@pytest.fixture
def shape(checkout):
    return checkout("edtalk_blender.portrait.mark_shape")


@pytest.fixture
def template(checkout):
    return checkout("edtalk_blender.portrait.mark_template")


def said(marks) -> str:
    return problem({name: values.tolist() for name, values in marks.items()}, *SIZE)


def test_marks_begin_as_a_face_in_the_crop(template) -> None:
    marks = template.begun(CROP)
    assert {name: values.shape for name, values in marks.items()} == COUNTS
    assert said(marks) == ""
    for name in ("upper_lids", "lower_lids", "lips_outer"):
        assert (marks[name][:, 0] > 100).all() and (marks[name][:, 0] < 500).all()


def test_every_handle_is_found_where_it_is_and_follows_the_pointer(shape, template) -> None:
    marks = template.begun(CROP)
    marks = shape.dragged(marks, "mouth_upper", 0, -3)  # lips that touch share a place
    marks = shape.dragged(marks, "mouth_lower", 0, 3)
    for name, (x, y) in shape.handles(marks).items():
        assert shape.handle_at(marks, x, y, 1.0) == name
        moved = shape.handles(shape.dragged(marks, name, 4.0, 2.0))[name]
        down = 0.0 if name.endswith("rim") else 2.0
        assert moved == pytest.approx((x + 4, y + down), abs=1e-9), name


def test_an_eye_is_moved_whole_by_its_inside_and_a_corner_leaves_the_other(shape, template) -> None:
    marks = template.begun(CROP)
    x, y = marks["irises"][0, :2]
    assert shape.handle_at(marks, x - 11, y, 3.0) == "eye_0"
    moved = shape.dragged(marks, "eye_0", 7, -5)
    np.testing.assert_allclose(moved["upper_lids"][:9], marks["upper_lids"][:9] + (7, -5))
    np.testing.assert_allclose(moved["irises"][0], marks["irises"][0] + (7, -5, 0))
    np.testing.assert_array_equal(moved["upper_lids"][9:], marks["upper_lids"][9:])
    wider = shape.dragged(marks, "eye_1_right", 10, 0)
    np.testing.assert_array_equal(wider["lower_lids"][9], marks["lower_lids"][9])
    assert wider["lower_lids"][17, 0] == marks["lower_lids"][17, 0] + 10
    assert shape.handle_at(marks, 5, 5, 9.0) == ""


def test_what_nobody_places_follows_eyes_and_mouth_until_it_is_dragged(shape, template) -> None:
    marks = template.begun(CROP)
    lower = template.completed(shape.dragged(marks, "mouth", 0, 40))
    assert lower["chin"][0, 1] > marks["chin"][0, 1] + 30 and lower["skull"][11, 1] > marks["skull"][11, 1]
    own = shape.dragged(marks, "chin", 0, -20)
    kept = template.completed(shape.dragged(own, "mouth", 0, 40), {"chin"})
    np.testing.assert_array_equal(kept["chin"], own["chin"])


@pytest.mark.parametrize(
    ("handle", "by", "wanted"),
    [
        ("eye_0", (-400, 0), "outside the picture"),
        ("mouth", (0, 400), "outside the picture"),
        ("eye_0", (90.4, 0), "on top of each other"),
        ("eye_0", (200, 0), "crossed"),
        ("eye_1_left", (90, 0), "crossed|on top of each other"),
        ("eye_0_left", (36.16, 0), "on top of each other"),
        ("eye_1_top", (0, 45), "crossed"),
        ("eye_0_bottom", (0, -45), "crossed"),
        ("mouth_left", (160, 0), "crossed"),
        ("mouth_left", (77.7, 0), "on top of each other"),
        ("mouth_top", (0, 60), "crossed"),
        ("mouth", (0, -120), "below those of the eyes"),
        ("iris_0", (60, 0), "iris far outside"),
        ("iris_1_rim", (200, 0), "too small or too large"),
        ("mouth", (0, float("nan")), "not a number"),
        ("iris_0", (float("inf"), 0), "not a number"),
    ],
)
def test_bad_marks_are_one_sentence(shape, template, handle, by, wanted) -> None:
    import re

    found = said(shape.dragged(template.begun(CROP), handle, *by))
    assert re.search(wanted, found) and "\n" not in found and not found.endswith(".")


@pytest.mark.parametrize("change", [{"chin": []}, {"skull": [[0.0, 0.0]] * 21}])
def test_marks_that_lack_something_are_one_sentence(template, change) -> None:
    marks = {name: values.tolist() for name, values in template.begun(CROP).items()}
    assert "points" in problem(marks | change, *SIZE)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"chin": 1}', "null", "[" * 50_000])
def test_text_that_is_no_marks_is_none(shape, text) -> None:
    import json

    with pytest.raises((ValueError, TypeError, KeyError, RecursionError)):
        shape.arrays(json.loads(text))
