# SPDX-License-Identifier: GPL-3.0-or-later
"""core/pictures/matte.py: the figure is cut from its ground, and the ground is filled where it stood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.pictures import image, matte
from core.pictures.picture import Crop, Picture

ASTRONAUT = Path(__file__).parents[2] / "demo" / "astronaut.png"
WHERE = Crop(40, 30, 120)


def doll(colour: tuple[int, int, int] = (190, 120, 90)) -> tuple[Picture, np.ndarray]:
    """A head with shoulders before a grey-blue gradient, and the truth about it."""
    y, x = np.mgrid[0:200, 0:200]
    across, down = (x - 100) / 120, (y - 30 - 0.47 * 120) / 120
    head = (across / 0.3) ** 2 + (down / 0.4) ** 2 < 1
    body = (y > 125) & (np.abs(x - 100) < 45)
    ground = np.stack([60 + x // 4, 80 + y // 4, 140 + x // 5], axis=-1)
    return Picture(np.where((head | body)[..., None], colour, ground).astype(np.uint8)), head | body


def test_a_figure_before_another_ground_is_cut_out() -> None:
    picture, truth = doll()
    found = matte.figure(picture, WHERE) / 65535
    assert found.shape == truth.shape and np.abs(found - truth)[:150].mean() < 0.02


def test_the_same_portrait_has_the_same_matte() -> None:
    photo = image.load(ASTRONAUT)
    first, second = (matte.figure(photo, Crop(142, 37, 165)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first[120, 224] == 65535 and first[40, 150] < 6000  # the face, and the wall beside her hair


def test_a_cut_out_portrait_is_its_own_matte() -> None:
    picture, truth = doll()
    own = Picture(picture.rgb, np.where(truth, 255, 0).astype(np.uint8))
    np.testing.assert_array_equal(matte.figure(own, WHERE), np.where(truth, 65535, 0))


@pytest.mark.parametrize("where", [Crop(-60, -60, 320), Crop(90, 80, 16), Crop(150, 150, 120)])
def test_any_crop_that_a_picture_allows_gives_a_matte(where: Crop) -> None:
    picture, _ = doll()
    assert matte.figure(picture, where).shape == (200, 200)


def test_the_ground_is_what_it_was_around_and_smooth_where_the_figure_stood() -> None:
    picture, _ = doll()
    cut = matte.figure(picture, WHERE)
    plain = matte.ground(picture, cut, WHERE)
    far = np.s_[:20, :]
    np.testing.assert_array_equal(plain[far], picture.rgb[far])
    middle = plain[60:110, 80:120].reshape(-1, 3).astype(int)
    assert (middle[:, 2] > middle[:, 0]).all()  # blue as the wall, nothing of the skin


def test_a_picture_that_is_all_figure_is_left_as_it_is() -> None:
    picture, _ = doll()
    full = np.full((200, 200), 65535, np.uint16)
    assert matte.ground(picture, full, WHERE) is picture.rgb
