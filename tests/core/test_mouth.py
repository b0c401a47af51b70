# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of the mouth: nothing at rest or between closed lips, rigid teeth behind open ones, and its
knobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from core.engine.engine import Engine
from core.engine.finish import Finish
from core.engine.layers import mark_reader, mouth_mesh
from core.engine.layers.mouth import Mouth
from core.engine.layers.mouth_draw import MouthLook
from core.engine.pipeline import Portrait, prepare_portrait
from core.pictures import face_models, image
from core.pictures import picture as pictures

DEMO = Path(__file__).resolve().parents[2] / "demo"
SIZE = 384

pytestmark = pytest.mark.skipif(bool(face_models.why_not()), reason=face_models.why_not() or "never")


class Case(NamedTuple):
    """One portrait with its layer, and frames of it by name."""

    portrait: Portrait
    mouth: Mouth
    weights: dict[str, np.ndarray]
    flow: dict[str, np.ndarray]
    mask: dict[str, np.ndarray]
    picture: dict[str, np.ndarray]

    def drawn(self, name: str, **look: object) -> np.ndarray:
        how = replace(MouthLook(), **look)
        return self.mouth(self.weights[name], self.flow[name], self.mask[name], self.picture[name], how)

    def layer(self, name: str, **look: object):
        return self.mouth.layer(
            self.weights[name], self.flow[name], self.mask[name], replace(MouthLook(), **look)
        )


def case_of(engine: Engine, file: str) -> Case:
    portrait = prepare_portrait(engine, image.load(DEMO / file))
    marks = mark_reader.marks_of(portrait.picture.rgb, portrait.crop)
    assert marks is not None
    way = {handle.name: np.array(handle.direction, np.float32) for handle in engine.handles}
    sharp = np.ascontiguousarray(np.moveaxis(pictures.to_model(portrait.untouched(SIZE).rgb), 0, -1))
    mouth = Mouth(sharp, marks, portrait.weights, way, SIZE / portrait.crop.side)
    own, jaw = portrait.weights, way["jaw_open"]
    weights = {
        "rest": own,
        "press": own + way["press"],
        "half": own + 0.5 * jaw,
        "open": own + jaw,
        "turned": own + jaw + 15 * way["yaw"],
    }
    frames = dict(zip(weights, engine.decode(portrait.source, np.stack(list(weights.values())))))
    finish = Finish(replace(portrait, layers=()), SIZE)  # the frames before a mouth is drawn
    made = {name: finish(frame, weights[name])[""].rgb for name, frame in frames.items()}
    return Case(
        portrait,
        mouth,
        weights,
        {name: frame.flow.numpy() for name, frame in frames.items()},
        {name: frame.mask.numpy() for name, frame in frames.items()},
        {name: (one / np.float32(127.5) - 1).astype(np.float32) for name, one in made.items()},
    )


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.from_checkpoint(device="cpu")


@pytest.fixture(scope="module")
def shut(engine: Engine) -> Case:
    """Lips closed in the portrait."""
    return case_of(engine, "portrait.png")


@pytest.fixture(scope="module")
def smiling(engine: Engine) -> Case:
    """Teeth shown in the portrait."""
    return case_of(engine, "astronaut.png")


def upper_light(case: Case, **look: object) -> float:
    """Mean level of the upper half of the opening, where the upper row hangs."""
    layer = case.layer("open", **look)
    return float(layer.rgb[: len(layer.rgb) // 2][layer.share[: len(layer.rgb) // 2] > 0.5].mean())


# --- when it shows --------------------------------------------------------------------------------


def test_at_rest_the_picture_comes_back_as_it_is(shut: Case, smiling: Case) -> None:
    for case in (shut, smiling):
        np.testing.assert_array_equal(case.drawn("rest"), case.picture["rest"])


def test_nothing_leaks_through_lips_that_are_pressed_together(shut: Case) -> None:
    layer = shut.layer("press")
    assert layer is None or (layer.share > 0.05).sum() == 0


def test_an_open_mouth_gets_an_inside_and_nothing_else_changes(shut: Case) -> None:
    before = shut.picture["open"].copy()
    drawn = shut.drawn("open")
    layer = shut.layer("open")
    assert (layer.share > 0.5).sum() > 0.002 * SIZE**2
    changed = np.abs(drawn - before).max(-1) > 0
    height, width = layer.share.shape
    changed[layer.top : layer.top + height, layer.left : layer.left + width] = False
    assert not changed.any()
    np.testing.assert_array_equal(shut.picture["open"], before)  # what was handed in stays


def test_it_opens_with_the_mouth(shut: Case) -> None:
    half, full = (shut.layer(name).share.sum() for name in ("half", "open"))
    assert 0 < half < full


def test_teeth_are_brighter_than_the_dark_behind_them(shut: Case) -> None:
    layer = shut.layer("open")
    light = (layer.rgb @ np.float32([0.3, 0.59, 0.11]))[layer.share > 0.5]
    assert np.percentile(light, 98) > 2 * np.percentile(light, 10)


# --- where the teeth are --------------------------------------------------------------------------


def test_the_upper_row_keeps_to_the_skull_and_the_lower_goes_with_the_jaw(shut: Case) -> None:
    mesh, place = mouth_mesh.load(), shut.mouth.place
    seen = {}
    for name in ("half", "open"):
        pose = place.in_frame(shut.weights[name], shut.flow[name])
        seen[name] = place.project(place.vertices(pose), pose)[0]
    teeth = mesh.kind == mouth_mesh.TOOTH
    moved = np.linalg.norm(seen["open"] - seen["half"], axis=1)
    assert moved[teeth & ~mesh.low].max() < 0.006 * SIZE
    front = teeth & mesh.low & (np.abs(mesh.vertices[:, 0]) < 0.1)
    assert (seen["open"] - seen["half"])[front, 1].mean() > 0.012 * SIZE


def test_a_turned_head_turns_its_teeth(shut: Case) -> None:
    """To picture right: the row at picture left comes nearer, and is seen wider."""
    mesh, place = mouth_mesh.load(), shut.mouth.place
    upper = (mesh.kind == mouth_mesh.TOOTH) & ~mesh.low
    left, middle, right = (
        upper & (np.abs(mesh.vertices[:, 0] - x) < 0.04) & (mesh.vertices[:, 2] < mesh.edge[2] + 0.25)
        for x in (-0.2, 0.0, 0.2)
    )
    wide = {}
    for name in ("open", "turned"):
        pose = place.in_frame(shut.weights[name], shut.flow[name])
        x = place.project(place.vertices(pose), pose)[0][:, 0]
        wide[name] = (x[middle].mean() - x[left].mean()) / (x[right].mean() - x[middle].mean())
    assert wide["turned"] > wide["open"] + 0.15


def test_teeth_that_a_portrait_shows_are_taken_from_it_and_lips_that_are_shut_give_none(
    shut: Case, smiling: Case
) -> None:
    assert shut.mouth.own is None and smiling.mouth.own is not None
    auto, template = (smiling.layer("open", teeth=teeth).rgb for teeth in ("auto", "template"))
    assert np.abs(auto - template).max() > 40
    rest = smiling.portrait.untouched(SIZE).rgb.astype(float)
    own = smiling.mouth.own
    inner = own.share > 0.97
    assert np.abs(own.rgb - rest).max(-1)[inner].mean() < 8


# --- knobs ----------------------------------------------------------------------------------------


def test_off_leaves_the_mouth_to_the_network(shut: Case) -> None:
    np.testing.assert_array_equal(shut.drawn("open", teeth="off"), shut.picture["open"])


def test_each_knob_does_what_it_says(shut: Case) -> None:
    plain = shut.layer("open").rgb
    teeth = plain @ np.float32([0.3, 0.59, 0.11]) > np.percentile(plain @ np.float32([0.3, 0.59, 0.11]), 92)
    assert shut.layer("open", brightness=0.6).rgb[teeth].mean() < 0.8 * plain[teeth].mean()
    warm = shut.layer("open", warmth=1.0).rgb[teeth].mean(0) / plain[teeth].mean(0)
    assert warm[0] > 1.02 > 0.95 > warm[2]
    assert shut.layer("open", gums=0.5).rgb.mean() < plain.mean()
    assert shut.layer("open", depth=0.2).rgb.mean() > plain.mean() > shut.layer("open", depth=1.8).rgb.mean()
    assert upper_light(shut, height=2.0) < upper_light(shut) < upper_light(shut, height=-2.0)
    assert np.abs(shut.layer("open", size=1.3).rgb - plain).max() > 20


def test_own_alone_draws_no_template(smiling: Case, shut: Case) -> None:
    bare = shut.layer("open", teeth="own").rgb.max()
    assert bare < shut.layer("open").rgb.max() - 30  # none of its own: tongue and dark


# --- steadiness -----------------------------------------------------------------------------------


def test_a_frame_depends_on_nothing_but_itself_whatever_the_threads(smiling: Case) -> None:
    before, alone = cv2.getNumThreads(), smiling.drawn("open")
    try:
        for threads, other in ((1, "turned"), (4, "half")):
            cv2.setNumThreads(threads)
            smiling.drawn(other)
            np.testing.assert_array_equal(smiling.drawn("open"), alone)
    finally:
        cv2.setNumThreads(before)
