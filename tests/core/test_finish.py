# SPDX-License-Identifier: GPL-3.0-or-later
"""core/engine/finish.py: the passes fit the picture, and each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.engine import pipeline
from core.engine.engine import Engine
from core.engine.finish import PICTURE, Finish
from core.motion.motion import Motion
from core.pictures import image
from core.pictures.picture import Crop, Picture
from tests.support import small
from training import factors

ASTRONAUT = Path(__file__).parents[2] / "demo" / "astronaut.png"
CROP = Crop(142, 37, 165)
ALL = ("face", "matte", "plate")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(1)
    return Engine(small.model("clean", 64), "cpu", "small-1", factors.channels(), factors.emotions())


@pytest.fixture(scope="module")
def portrait(engine: Engine) -> pipeline.Portrait:
    return pipeline.prepare_portrait(engine, image.load(ASTRONAUT), CROP)


@pytest.fixture(scope="module")
def motion(portrait: pipeline.Portrait) -> Motion:
    weights = portrait.weights + np.random.default_rng(0).normal(0, 1, (2, 36)).astype(np.float32)
    return Motion(weights, model="small-1", numbers=np.arange(10, 12))


def made(engine: Engine, motion: Motion, finish: Finish) -> dict[int, dict[str, Picture]]:
    return {number: frame() for number, frame in pipeline.layered(engine, motion, finish)}


@pytest.mark.parametrize(("composite", "shape"), [("crop", (96, 96)), ("paste", (512, 512))])
def test_every_pass_has_the_size_of_the_picture(engine, portrait, motion, composite, shape) -> None:
    finish = Finish(portrait, 96, composite, depth=16, passes=ALL)
    for pictures in (*made(engine, motion, finish).values(), finish.at_rest()):
        assert list(pictures) == [PICTURE, "face", "matte"]
        assert {picture.rgb.shape[:2] for picture in pictures.values()} == {shape}
        assert {picture.rgb.dtype for picture in pictures.values()} == {np.dtype(np.uint16)}
    assert finish.plate().rgb.shape[:2] == shape and finish.plate().depth == 16


@pytest.mark.parametrize("composite", ["crop", "paste"])
def test_the_picture_is_the_same_with_and_without_passes(engine, portrait, motion, composite) -> None:
    alone = dict(pipeline.decode(engine, portrait, motion, size=96, composite=composite))
    beside = made(engine, motion, Finish(portrait, 96, composite, passes=ALL))
    for number, picture in alone.items():
        np.testing.assert_array_equal(beside[number][PICTURE].rgb, picture.rgb)


def test_the_matte_is_the_faces_alpha_and_the_colour_under_it_is_straight(engine, portrait, motion) -> None:
    pictures = made(engine, motion, Finish(portrait, 96, "paste", passes=("matte", "face")))[10]
    np.testing.assert_array_equal(pictures["matte"].rgb[..., 1], pictures["face"].alpha)
    solid = pictures["face"].alpha == 255
    assert solid.any()
    np.testing.assert_array_equal(pictures["face"].rgb[solid], pictures[PICTURE].rgb[solid])


def test_the_edge_of_the_face_has_no_rim_of_the_ground_it_stood_before(engine, motion) -> None:
    photo = image.load(ASTRONAUT).rgb
    y, x = np.mgrid[0:512, 0:512]
    soft = np.clip(1 - (np.hypot(x - 224, y - 115) - 50) / 12, 0, 1)
    green = np.array([0, 255, 0])
    mixed = np.rint(photo * soft[..., None] + green * (1 - soft[..., None])).astype(np.uint8)
    cut = pipeline.prepare_portrait(engine, Picture(mixed, np.rint(soft * 255).astype(np.uint8)), CROP)
    face = Finish(cut, 165, passes=("face",)).at_rest()["face"]
    half = (face.alpha > 20) & (face.alpha < 128)
    greenness = face.rgb[half].astype(int)
    before = mixed[37 : 37 + 165, 142 : 142 + 165][half].astype(int)
    assert (before[:, 1] - before[:, 0]).mean() > 60
    assert (greenness[:, 1] - greenness[:, 0]).mean() < 15


def test_face_over_plate_is_the_picture_where_the_figure_is_and_the_portrait_outside(
    engine, portrait, motion
) -> None:
    finish = Finish(portrait, 96, "paste", passes=ALL)
    pictures, plate = made(engine, motion, finish)[11], finish.plate()
    share = pictures["face"].alpha[..., None] / 255
    over = pictures["face"].rgb * share + plate.rgb * (1 - share)
    solid = share[..., 0] == 1
    assert solid.sum() > 5000
    np.testing.assert_array_equal(over[solid], pictures[PICTURE].rgb[solid])
    outside = np.ones((512, 512), bool)
    outside[CROP.y : CROP.y + CROP.side, CROP.x : CROP.x + CROP.side] = False
    np.testing.assert_array_equal(over[outside], portrait.picture.rgb[outside])


def test_the_matte_moves_with_the_head(engine, portrait, motion) -> None:
    pictures = made(engine, motion, Finish(portrait, 96, passes=("matte",)))
    first, second = (pictures[number]["matte"].rgb.astype(int) for number in (10, 11))
    assert np.abs(first - second).mean() > 0.1


def test_a_cut_out_portrait_leaves_an_empty_plate(engine, motion) -> None:
    photo = image.load(ASTRONAUT).rgb
    alpha = np.zeros(photo.shape[:2], np.uint8)
    alpha[80:160, 185:265] = 255
    cut = pipeline.prepare_portrait(engine, Picture(photo, alpha), CROP)
    finish = Finish(cut, 96, passes=ALL)
    assert not finish.plate().alpha.any()
    face = made(engine, motion, finish)[10]
    np.testing.assert_allclose(face["face"].alpha.astype(int), face[PICTURE].alpha, atol=1)
