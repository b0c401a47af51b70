# SPDX-License-Identifier: GPL-3.0-or-later
"""Rest anchoring with the shipped network: at rest the picture is the portrait, and a frame depends on its
own weights and the portrait alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.engine import anchor, pipeline
from core.engine.around import around
from core.engine.engine import Engine
from core.engine.finish import Finish
from core.engine.layers.layer import Drawing, Layer
from core.engine.rest import grid, rest_of
from core.motion.motion import Motion
from core.pictures import image
from core.pictures.picture import Crop, Picture
from tests.support import small, toy_faces

DEMO = Path(__file__).parents[2] / "demo"
NAMES = ("render", "photograph", "drawing", "deep", "cut out", "no ground", "tiny", "beyond the edge")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.from_checkpoint(device="cpu")


def drawn(who: int, size: int) -> Picture:
    return Picture(toy_faces.draw(who, size, 0.0, 0.2, 0.0)[0])


def given(name: str) -> tuple[Picture, Crop | None]:
    """A picture and its crop, None where the face is found."""
    render, photo = image.load(DEMO / "portrait.png"), image.load(DEMO / "astronaut.png")
    match name:
        case "render":
            return render, None
        case "photograph":
            return photo, None
        case "drawing":
            return drawn(3, 300), Crop(20, 25, 250)
        case "deep":
            return drawn(4, 256).to_depth(16), Crop(0, 0, 256)
        case "cut out":
            y, x = np.mgrid[0:512, 0:512]
            soft = np.clip((70 - np.hypot(x - 225, y - 120)) / 8, 0, 1)
            return Picture(photo.rgb, np.rint(soft * 255).astype(np.uint8)), Crop(142, 37, 165)
        case "no ground":
            return photo, Crop(180, 70, 90)
        case "tiny":
            return drawn(5, 40), Crop(0, 0, 40)
        case _:
            return photo, Crop(150, -40, 160)


@pytest.fixture(scope="module")
def portraits(engine: Engine) -> dict[str, pipeline.Portrait]:
    return {name: pipeline.prepare_portrait(engine, *given(name)) for name in NAMES}


@pytest.fixture
def portrait(portraits: dict[str, pipeline.Portrait]) -> pipeline.Portrait:
    return portraits["render"]


def asked(engine: Engine, portrait: pipeline.Portrait, **handles: float) -> Motion:
    """One frame: the portrait's own weights and what these handles add."""
    directions = {handle.name: np.array(handle.direction, np.float32) for handle in engine.handles}
    added = sum((value * directions[name] for name, value in handles.items()), np.zeros(36, np.float32))
    return Motion((portrait.weights + added)[None], model=engine.checkpoint_id)


def frame(engine: Engine, portrait: pipeline.Portrait, motion: Motion, **more: Any) -> Picture:
    return dict(pipeline.decode(engine, portrait, motion, **more))[0]


def apart(one: Any, other: Any) -> int:
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [512, 200, 64])  # above the network's own, no multiple of it, below it
def test_at_rest_the_picture_is_the_portrait(engine, portraits, name: str, size: int) -> None:
    portrait = portraits[name]
    rest = frame(engine, portrait, asked(engine, portrait), size=size)
    untouched = portrait.untouched(size).to_depth(8)
    assert apart(rest.rgb, untouched.rgb) <= 1
    if untouched.alpha is not None:
        assert apart(rest.alpha, untouched.alpha) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_at_rest_a_pasted_picture_is_the_whole_portrait(engine, portraits, name: str) -> None:
    portrait = portraits[name]
    for depth in (8, 16):
        rest = frame(engine, portrait, asked(engine, portrait), composite="paste", depth=depth)
        whole = portrait.picture.to_depth(depth)
        assert apart(rest.rgb, whole.rgb) <= 1
        if whole.alpha is not None:
            assert apart(rest.alpha, whole.alpha) <= 1


@pytest.mark.parametrize("name", ["render", "deep"])
def test_at_rest_16_bits_are_the_portrait_within_half_a_level_of_8(engine, portraits, name: str) -> None:
    portrait = portraits[name]
    rest = frame(engine, portrait, asked(engine, portrait), size=300, depth=16)
    assert apart(rest.rgb, portrait.untouched(300, depth=16).rgb) <= 129


def test_without_its_own_sharpness_a_frame_at_rest_is_the_portrait_made_small_and_large_again(
    engine, portrait
) -> None:
    soft = frame(engine, portrait, asked(engine, portrait), size=512, detail_transfer=False).rgb.astype(int)
    truth = portrait.untouched(512).rgb.astype(int)
    assert np.abs(soft.mean((0, 1)) - truth.mean((0, 1))).max() < 0.5
    blocks = [picture.reshape(128, 4, 128, 4, 3).mean((1, 3)) for picture in (soft, truth)]
    assert np.abs(blocks[0] - blocks[1]).mean() < 1.5


def test_passes_at_rest_are_those_of_the_untouched_portrait(engine, portraits) -> None:
    for name in ("render", "cut out"):
        portrait = portraits[name]
        for composite in ("crop", "paste"):
            finish = Finish(portrait, 256, composite, passes=("face", "matte"))
            ((_, made),) = pipeline.layered(engine, asked(engine, portrait), finish)
            moved, still = made(), finish.at_rest()
            assert apart(moved["matte"].rgb, still["matte"].rgb) <= 1
            solid = still["face"].alpha == 255
            assert apart(moved["face"].rgb[solid], still["face"].rgb[solid]) <= 1


def test_a_small_change_of_the_weights_is_a_small_change_of_the_picture(engine, portrait) -> None:
    rest = frame(engine, portrait, asked(engine, portrait)).rgb.astype(int)
    for handle in ("yaw", "jaw_open", "blink", "smile", "gaze_x"):
        near = frame(engine, portrait, asked(engine, portrait, **{handle: 0.01})).rgb
        assert np.abs(near - rest).mean() < 0.25, handle


def test_a_frame_is_the_same_whichever_others_are_asked_for_and_on_any_number_of_threads(
    engine, portrait
) -> None:
    import cv2

    weights = portrait.weights + np.random.default_rng(0).normal(0, 0.5, (5, 36)).astype(np.float32)
    motion = Motion(weights, model=engine.checkpoint_id, numbers=np.arange(10, 15))
    together = dict(pipeline.decode(engine, portrait, motion, size=300))
    threads = cv2.getNumThreads()
    try:
        for count in (1, 3):
            cv2.setNumThreads(count)
            for number in (14, 11):
                alone = dict(pipeline.decode(engine, portrait, motion, numbers=[number], size=300))
                np.testing.assert_array_equal(alone[number].rgb, together[number].rgb)
    finally:
        cv2.setNumThreads(threads)


def test_another_engine_and_portrait_object_draw_the_same_frame(engine, portrait) -> None:
    motion = asked(engine, portrait, yaw=8.0, jaw_open=0.5)
    other = Engine.from_checkpoint(device="cpu")
    again = pipeline.prepare_portrait(other, portrait.picture, portrait.crop)
    for more in ({"size": 512}, {"composite": "paste"}):
        np.testing.assert_array_equal(
            frame(engine, portrait, motion, **more).rgb, frame(other, again, motion, **more).rgb
        )


def test_exact_and_fast_arithmetic_give_nearly_the_same_picture(engine, portrait) -> None:
    exact = Engine.from_checkpoint(device="cpu", precision="exact")
    twin = pipeline.prepare_portrait(exact, portrait.picture, portrait.crop)
    for handles in ({}, {"yaw": 12.0, "smile": 0.7}, {"blink": 1.0, "jaw_open": 0.8}):
        one = frame(engine, portrait, asked(engine, portrait, **handles)).rgb.astype(int)
        two = frame(exact, twin, asked(exact, twin, **handles)).rgb
        assert np.quantile(np.abs(one - two), 0.999) <= 4


def eyes_and_mouth(portrait: pipeline.Portrait, size: int) -> tuple[Any, Any]:
    """Rows and columns of both in the crop of the demo's portrait, a render from the front."""
    return np.s_[int(0.36 * size) : int(0.5 * size)], np.s_[int(0.6 * size) : int(0.8 * size)]


def test_an_opened_mouth_is_dark_and_the_eyes_stay_the_portraits(engine, portrait) -> None:
    rest, wide = (
        frame(engine, portrait, asked(engine, portrait, jaw_open=value)).rgb.astype(int) for value in (0, 1)
    )
    eyes, mouth = eyes_and_mouth(portrait, 512)
    middle = np.s_[:, 220:290]
    darker = (rest - wide).mean(-1)
    assert (darker[mouth][middle] > 40).sum() > 500
    assert np.abs(rest - wide)[eyes].mean() < 3


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_lids_shut_as_far_as_the_network_shuts_them(engine, portrait, share: float) -> None:
    motion = asked(engine, portrait, blink=share)
    rest, shut = frame(engine, portrait, asked(engine, portrait)).rgb, frame(engine, portrait, motion).rgb
    own, network = (
        next(iter(engine.decode(portrait.source, rows))).image
        for rows in (portrait.weights[None], motion.weights)
    )
    moved = (network - own).abs().mean(0).numpy() * 127.5
    made = anchor.sized(np.abs(shut.astype(np.float32) - rest).mean(-1), 128)
    eyes = portrait.rest.eyes > 0.9
    assert eyes.any() and made[eyes].mean() > 0.8 * moved[eyes].mean()


def test_the_eyes_are_found_by_a_blink_and_nothing_else_is_taken_for_them(portrait) -> None:
    eyes = portrait.rest.eyes
    rows, columns = np.nonzero(eyes > 0.5)
    assert 0.3 < rows.mean() / 128 < 0.55 and rows.std() / 128 < 0.06
    assert (columns < 64).any() and (columns > 64).any() and (eyes > 0.5).mean() < 0.1


def test_the_figure_is_what_goes_along_with_the_head(portraits) -> None:
    for name in ("render", "photograph"):
        found = portraits[name].rest.figure
        own = portraits[name].figure(128).inner[..., 0]
        assert found is not None
        head = np.s_[:80]  # below, shoulders go along with nothing
        assert (np.minimum(found, own)[head].sum() / np.maximum(found, own)[head].sum()) > 0.7
    assert portraits["no ground"].rest.figure is None


def test_a_network_without_a_blink_or_a_matching_size_is_anchored_too() -> None:
    for arithmetic, side in (("clean", 64), ("published", 32)):
        torch.manual_seed(2)
        toy = Engine(small.model(arithmetic, side), "cpu", "toy-1")
        portrait = pipeline.prepare_portrait(toy, drawn(2, 160), Crop(0, 0, 160))
        known = portrait.rest
        assert known.blink is None and known.figure is None and not known.eyes.any()
        rest = Motion(portrait.weights[None], model="toy-1")
        assert apart(frame(toy, portrait, rest, size=160).rgb, portrait.untouched(160).rgb) <= 1


# --- places -----------------------------------------------------------------------------------------


def test_a_shift_by_one_pixel_of_the_network_moves_the_portrait_by_its_size_in_the_output(portrait) -> None:
    rest = replace(portrait.rest, figure=None)  # else the ground would keep still
    flow = rest.drift + grid(128)
    shifted = np.roll(flow, 1, axis=1)  # what stood left by a pixel stands here: all moves to the right
    shifted[:, 0] = shifted[:, 1] - (flow[:, 1] - flow[:, 0])
    image, mask = (np.roll(plane, 1, axis=1) for plane in (rest.image, rest.mask))
    changed = anchor.change(rest, image, shifted, mask, rest.weights, portrait.at(128).inner)
    inner = np.s_[20:108, 20:108]
    np.testing.assert_allclose(changed.offset[inner][..., 0], -2 / 128, atol=4e-4)
    np.testing.assert_allclose(changed.offset[inner][..., 1], 0, atol=4e-4)
    x, y = anchor.places(changed.offset, 512)
    own = anchor.taken(portrait.at(512), x, y)
    part, source = np.s_[100:400, 100:400], np.s_[100:400, 96:396]
    made = anchor.composed(changed, own)
    assert np.abs(made[part] - portrait.at(512).inner[source]).mean() * 127.5 < 1


def test_ground_keeps_still_while_the_head_turns(engine, portrait) -> None:
    import cv2

    assert portrait.rest.figure is not None
    rest, turned = (
        frame(engine, portrait, asked(engine, portrait, yaw=value)).rgb.astype(int) for value in (0, 12)
    )
    ground = (anchor.sized(portrait.rest.figure, 512) == 0).astype(np.uint8)
    far = cv2.erode(ground, np.ones((61, 61))) > 0
    assert far.sum() > 10000
    changed = np.abs(rest - turned).mean(-1)
    assert changed[far].mean() < 0.5 < changed.mean()


def test_what_a_moving_head_brings_in_from_above_the_crop_is_the_whole_pictures(engine) -> None:
    photo = image.load(DEMO / "astronaut.png").rgb.copy()
    photo[:37] = (0, 200, 0)  # above the crop
    portrait = pipeline.prepare_portrait(engine, Picture(photo), Crop(142, 37, 165))
    wide = portrait.at(330)
    assert (wide.picture[: wide.margin - 4, wide.margin : -wide.margin, 1] > 0.5).mean() > 0.9
    greens = []
    for pitch in (-20.0, 20.0):
        top = frame(engine, portrait, asked(engine, portrait, pitch=pitch), size=330).rgb[:12].astype(int)
        greens.append((top[..., 1] - top[..., [0, 2]].max(-1) > 60).mean())
    assert max(greens) > 0.1


def test_beyond_the_picture_it_is_mirrored_and_softened() -> None:
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[::2] = 200
    inner = lines[:32, 16:48].astype(np.float32) / 255
    made = around(lines, Crop(16, 0, 32), inner)
    assert made.margin == 8 and made.size == 32 and made.picture.shape == (48, 48, 3)
    np.testing.assert_array_equal(made.inner, inner)
    np.testing.assert_allclose(made.picture[8:40, :8], lines[:32, 8:16] / 255, atol=1e-6)
    contrast = [float(np.ptp(made.picture[rows, 16:32])) for rows in (np.s_[0:2], np.s_[6:8])]
    assert contrast[0] < 0.6 * contrast[1] and made.picture[:8].mean() == pytest.approx(100 / 255, abs=0.03)


# --- layers -----------------------------------------------------------------------------------------


class Painted(Layer):
    """Draws a square, reads the portrait two pixels to the right, and keeps the blink to itself."""

    def sent(self, weights: np.ndarray) -> np.ndarray:
        weights = weights.copy()
        weights[:, 33] = 0
        return weights

    def bend(self, drawing: Drawing) -> None:
        drawing.x += 2

    def paint(self, drawing: Drawing) -> None:
        assert drawing.picture is not None and drawing.weights.shape == (36,)
        drawing.picture[8:16, 8:16, :3] = 1
        self.asked = float(drawing.weights[33])


def test_layers_bend_paint_and_take_weights_from_the_network(engine, portrait) -> None:
    layer = Painted()
    layered = replace(portrait, layers=(layer,), _sharp={}, _figures={})
    at_rest = asked(engine, portrait)
    motion = Motion(at_rest.weights + np.eye(36, dtype=np.float32)[33], model=engine.checkpoint_id)
    still = Motion(layer.sent(at_rest.weights), model=engine.checkpoint_id)
    with_it, without = frame(engine, layered, motion).rgb, frame(engine, portrait, still).rgb
    assert (with_it[8:16, 8:16] == 255).all() and layer.asked == motion.weights[0, 33]
    inner = np.s_[100:400, 100:400], np.s_[100:400, 102:402]
    assert np.abs(with_it[inner[0]].astype(int) - without[inner[1]]).mean() < 0.6


def test_a_network_that_draws_somebody_else_paints_eyes_and_mouth_alone(engine, portrait) -> None:
    drawn = portrait.rest.image
    like, unlike = (rest_of(engine, portrait.source, seen) for seen in (drawn, -drawn))
    assert like.painted is not None and unlike.painted is not None
    assert like.painted.min() == 1
    assert (unlike.painted >= unlike.eyes).all()
    flat = np.abs(drawn).mean(-1) < 0.05  # there the opposite is much the same
    assert (unlike.painted[~flat] < 0.05).mean() > 0.4
    assert rest_of(engine, portrait.source).painted is None
