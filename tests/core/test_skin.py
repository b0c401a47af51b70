# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin that feelings move, on a face of known marks."""

from __future__ import annotations

import numpy as np
import pytest

from core.engine.layers.skin import UNITS, Skin
from core.engine.rest import grid
from core.pictures.face_marks import SHAPES, FaceMarks

S, H = 64, 256


def marks() -> FaceMarks:
    """A plain face: eyes at a third, mouth at two thirds."""
    made = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    for side, (low, high) in enumerate(((0.3, 0.44), (0.56, 0.7))):
        x = np.linspace(low, high, 9)
        bow = 0.03 * np.sin(np.linspace(0, np.pi, 9))
        made["upper_lids"][side] = np.column_stack([x, 0.4 - bow])
        made["lower_lids"][side] = np.column_stack([x, 0.4 + bow])
        made["brows"][side] = np.column_stack([np.linspace(low, high, 5), np.full(5, 0.32)])
        made["irises"][side] = ((low + high) / 2, 0.4, 0.03)
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    for name, size in (("lips_outer", 0.04), ("lips_inner", 0.01)):
        made[name][:, :2] = np.column_stack([0.5 - 0.1 * np.cos(turn), 0.68 - size * np.sin(turn)])
    made["skull"][:, :2] = (0.5, 0.5)
    made["skull"][17, :2], made["skull"][18, :2] = (0.35, 0.55), (0.65, 0.55)
    made["skull"][12, :2], made["skull"][13, :2] = (0.46, 0.57), (0.54, 0.57)
    made["chin"][:, :2] = (0.5, 0.8)
    return FaceMarks(**made)


FLOW = np.ascontiguousarray(np.moveaxis(grid(S), -1, 0))
RAMP = np.ascontiguousarray(
    np.repeat(np.moveaxis(np.mgrid[0:H, 0:H].astype(np.float32), 0, -1), 2, -1)[..., :3]
)


def moved(unit: str, amount: float = 1.0) -> np.ndarray:
    """[H, H, 2] down and right: by how many pixels what a place shows was moved."""
    shown = Skin(marks())({unit: amount}, FLOW, RAMP)
    return np.stack([RAMP[..., 0] - shown[..., 0], RAMP[..., 2] - shown[..., 2]], -1)


def test_nothing_asked_gives_the_same_picture_back() -> None:
    assert Skin(marks())({}, FLOW, RAMP) is RAMP
    assert Skin(marks())({"corners_up": 0.0}, FLOW, RAMP) is RAMP


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_a_unit_moves_its_own_part_smoothly_and_leaves_the_rest_to_the_bit(unit: str) -> None:
    found = moved(unit)
    assert 0.5 < np.abs(found).max() < 0.12 * H
    assert not found[:20].any() and not found[-10:].any()
    assert max(np.abs(np.diff(found, axis=axis)).max() for axis in (0, 1)) < 0.9  # nothing folds or tears


def test_units_go_the_way_of_their_names() -> None:
    corner = (round(0.68 * H), round(0.6 * H))
    assert moved("corners_up")[corner][0] < -1 < 1 < moved("corners_down")[corner][0]
    assert moved("corners_out")[corner][1] > 1
    assert moved("brows_down")[round(0.31 * H), round(0.56 * H)][0] > 1


def test_both_sides_move_alike_but_for_units_of_one_side() -> None:
    both = moved("corners_up")[..., 0]
    np.testing.assert_allclose(both, both[:, ::-1], atol=0.25)
    one = moved("left_corner_up")[..., 0]
    assert one[:, H // 2 :].min() < 3 * one[:, : H // 2 - 10].min()
    brow = moved("right_brow_up")[..., 0]
    assert brow[:, : H // 2].min() < 3 * brow[:, H // 2 + 10 :].min()
