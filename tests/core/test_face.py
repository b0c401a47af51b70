# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces are found where they are, framed as in training, and pasted back without a seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.pictures import face, image
from core.pictures.face import FaceBox
from core.pictures.image import Crop, Picture
from core.wire.errors import NoFace, SeveralFaces

ASTRONAUT = Path(__file__).parents[2] / "demo" / "astronaut.png"
EYES, CHIN = (222, 104), (226, 163)  # between the eyes, and the chin, in the photograph


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return image.load(ASTRONAUT).rgb


@pytest.fixture(scope="module")
def found(photo: np.ndarray) -> FaceBox:
    return face.find_face(photo)


# --- finding --------------------------------------------------------------------------------------


def test_the_one_face_of_a_photograph_is_found(found: FaceBox) -> None:
    assert (
        found.x < EYES[0] < found.x + found.width
        and found.y < EYES[1] < CHIN[1] <= found.y + found.height + 8
    )
    assert found.votes >= 3


@pytest.mark.parametrize("factor", [0.25, 3.0])
def test_size_does_not_matter(photo: np.ndarray, found: FaceBox, factor: float) -> None:
    import cv2

    scaled = face.find_face(cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    assert scaled.middle == pytest.approx(np.multiply(found.middle, factor), abs=0.06 * found.width * factor)
    assert scaled.width == pytest.approx(found.width * factor, rel=0.15)


def test_a_dark_16_bit_picture_is_searched_too(photo: np.ndarray, found: FaceBox) -> None:
    dark = (photo.astype(np.float32) * 40).astype(np.uint16)
    assert face.find_face(dark).middle == pytest.approx(found.middle, abs=0.1 * found.width)


def test_a_picture_without_a_face_says_so_and_what_to_do() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    for picture in (noise, np.full((100, 300, 3), 128, np.uint8)):
        with pytest.raises(NoFace, match="No face was found in wall") as caught:
            face.find_face(picture, name="wall.png")
        assert "crop by hand" in caught.value.hint


def test_two_faces_are_a_question_and_a_number_answers_it(photo: np.ndarray) -> None:
    pair = np.concatenate([photo[:256, 96:352], photo[:256, 352:95:-1]], axis=1)
    with pytest.raises(SeveralFaces, match="2 faces were found in pair") as caught:
        face.find_face(pair, name="pair.png")
    assert "counted from the left" in caught.value.hint and not any(c.isdigit() for c in caught.value.hint)
    left, right = face.find_face(pair, 0), face.find_face(pair, 1)
    assert left.middle[0] < 256 < right.middle[0]
    with pytest.raises(NoFace, match="Only 2 faces were found in pair"):
        face.find_face(pair, 2, name="pair.png")


def test_a_bystander_far_smaller_than_the_face_is_no_second_face(photo: np.ndarray) -> None:
    import cv2

    group = cv2.resize(photo[:256, 96:352], (768, 768), interpolation=cv2.INTER_CUBIC)
    group[:200, -200:] = cv2.resize(photo[20:220, 120:320], (200, 200))
    assert len(face.find_faces(group)) == 1


# --- framing --------------------------------------------------------------------------------------


def test_the_crop_frames_the_face_as_in_training(photo: np.ndarray, found: FaceBox) -> None:
    where = face.crop_from_face(found, photo.shape)
    assert found.width / where.side == pytest.approx(face.FACE_SHARE, abs=0.01)
    assert (EYES[0] - where.x) / where.side == pytest.approx(0.5, abs=0.06)
    assert 0.3 < (EYES[1] - where.y) / where.side < 0.48  # eyes above the middle
    assert 0.68 < (CHIN[1] - where.y) / where.side < 0.9


def test_a_tight_portrait_keeps_its_borders_when_training_has_seen_that_size() -> None:
    tight = FaceBox(45, 42, 158, 158, 3)  # a picture cropped the way the paper's data are
    assert face.crop_from_face(tight, (256, 256)) == Crop(0, 0, 256)


def test_a_far_too_tight_portrait_reaches_over_its_borders_evenly() -> None:
    where = face.crop_from_face(FaceBox(0, 0, 200, 200, 3), (200, 200))
    assert where.side == round(200 / face.FACE_SHARE / face.MOST_SHRINK)
    assert where.x < 0 and where.x + where.side > 200
    where.check(200, 200)


def test_a_face_in_a_corner_moves_the_crop_only_a_little() -> None:
    middle = face.crop_from_face(FaceBox(200, 200, 60, 60, 3), (600, 600))
    corner = face.crop_from_face(FaceBox(5, 5, 60, 60, 3), (600, 600))
    shift = (corner.x + 195) - middle.x, (corner.y + 195) - middle.y
    assert (
        0 < shift[0] <= face.MOST_SHIFT * middle.side + 1
        and 0 < shift[1] <= face.MOST_SHIFT * middle.side + 1
    )


# --- pasting back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [Crop(30, 20, 64), Crop(-20, -8, 64), Crop(80, 60, 64)])
def test_pasting_the_untouched_crop_back_changes_nothing(where: Crop) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)
    whole = Picture(noise, noise[..., 0])
    again = face.paste_back(whole, image.crop(whole, where, where.side), where)
    np.testing.assert_array_equal(again.rgb, whole.rgb)
    np.testing.assert_array_equal(again.alpha, whole.alpha)


def test_the_border_of_a_pasted_face_has_no_seam() -> None:
    grey, white = np.full((100, 100, 3), 100, np.uint8), np.full((60, 60, 3), 200, np.uint8)
    pasted = face.paste_back(Picture(grey), Picture(white), Crop(20, 20, 60)).rgb[..., 0].astype(int)
    assert pasted[50, 50] == 200 and pasted[19, 50] == 100 and pasted[20, 50] <= 106
    assert np.abs(np.diff(pasted, axis=0)).max() < 45 and np.abs(np.diff(pasted, axis=1)).max() < 45
    np.testing.assert_array_equal(grey, 100)  # the portrait itself is not touched


def test_a_face_at_the_pictures_own_border_does_not_fade_there() -> None:
    grey, white = np.full((100, 100, 3), 100, np.uint8), np.full((60, 60, 3), 200, np.uint8)
    pasted = face.paste_back(Picture(grey), Picture(white), Crop(-5, 30, 60)).rgb[..., 0]
    assert pasted[60, 0] == 200 and pasted[60, 54] <= 106


def test_16_bit_portraits_are_pasted_in_16_bits() -> None:
    deep = Picture(np.full((100, 100, 3), 1000, np.uint16))
    pasted = face.paste_back(deep, Picture(np.full((60, 60, 3), 1003, np.uint16)), Crop(20, 20, 60))
    assert pasted.rgb.dtype == np.uint16 and pasted.rgb[50, 50, 0] == 1003
    with pytest.raises(ValueError, match="60 pixel uint16 face"):
        face.paste_back(deep, Picture(np.zeros((60, 60, 3), np.uint8)), Crop(20, 20, 60))
