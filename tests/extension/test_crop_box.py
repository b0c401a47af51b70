# SPDX-License-Identifier: GPL-3.0-or-later
"""edtalk_blender/portrait/crop_box.py: what is taken hold of, and where it goes."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def box(checkout):
    return checkout("edtalk_blender.portrait.crop_box")


SQUARE = (100.0, 50.0, 200.0)


@pytest.mark.parametrize(
    ("at", "part"),
    [
        ((100, 50), "NW"),
        ((305, 255), "SE"),
        ((200, 48), "N"),
        ((95, 150), "W"),
        ((200, 150), "MOVE"),
        ((320, 150), ""),
    ],
)
def test_a_pointer_is_on_a_handle_inside_or_outside(box, at, part) -> None:
    assert box.part_at(SQUARE, *at, 9.0) == part


def test_a_tiny_box_can_still_be_moved_by_its_middle(box) -> None:
    assert box.part_at((0.0, 0.0, 16.0), 8, 8, 50.0) == "MOVE"


@pytest.mark.parametrize("handle", ["NW", "N", "NE", "W", "E", "SW", "S", "SE"])
def test_a_dragged_handle_leaves_the_opposite_one_where_it_is(box, handle) -> None:
    right, down = box.HANDLES[handle]
    opposite = next(name for name, sign in box.HANDLES.items() if sign == (-right, -down))
    grown = box.dragged(SQUARE, handle, 30 * right, 30 * down)
    assert grown[2] == 230
    assert box.handle_at(grown, opposite) == pytest.approx(box.handle_at(SQUARE, opposite))


def test_a_corner_reaches_the_pointer_even_when_it_goes_one_way_only(box) -> None:
    assert box.dragged(SQUARE, "SE", 40, 0) == (100, 50, 240)
    assert box.dragged(SQUARE, "NW", -40, 10) == (60, 10, 240)


def test_a_box_does_not_turn_inside_out(box) -> None:
    x, y, side = box.dragged(SQUARE, "SE", -900, -900)
    assert (x, y, side) == (100, 50, box.SMALLEST)


@pytest.mark.parametrize("wild", [(-900, 20, 100), (50, 5000, 100), (0, 0, 99999), (10.4, 9.6, 3)])
def test_a_kept_box_is_one_the_server_takes(box, wild) -> None:
    from core.pictures.picture import Crop

    kept = box.kept(wild, 96, 64)
    assert all(value == round(value) for value in kept)
    Crop.of(kept).check(96, 64)


def test_a_box_that_is_fine_is_only_rounded(box) -> None:
    assert box.kept((12.3, 40.6, 30.2), 96, 128) == (12, 41, 30)


def test_the_first_guess_lies_inside_and_is_one_the_server_takes(box) -> None:
    from core.pictures.picture import Crop

    for width, height in ((640, 480), (480, 640), (64, 64)):
        x, y, side = box.first_guess(width, height)
        assert x >= 0 and y >= 0 and x + side <= width and y + side <= height
        Crop.of((x, y, side)).check(width, height)
