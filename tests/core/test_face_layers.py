# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers in the whole way from weights to pictures: they draw what is asked, and nothing at rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.checkpoints.checkpoint import default_checkpoint
from core.engine.engine import Engine
from core.engine.finish import Finish
from core.engine.portrait import Portrait, prepare_portrait
from core.pictures import face_models, image
from core.wire.channels import CHANNELS

DEMO = Path(__file__).parents[2] / "demo"
pytestmark = [
    pytest.mark.skipif(not default_checkpoint().is_file(), reason="the model is not here"),
    pytest.mark.skipif(bool(face_models.why_not()), reason="the networks that read faces are not here"),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.from_checkpoint(device="cpu")


@pytest.fixture(scope="module", params=["portrait.png", "astronaut.png"])
def portrait(engine: Engine, request: pytest.FixtureRequest) -> Portrait:
    return prepare_portrait(engine, image.load(DEMO / request.param))


def drawn(engine: Engine, portrait: Portrait, size: int = 256, **asked: float) -> np.ndarray:
    weights = portrait.weights.copy()
    for handle in engine.handles:
        weights += np.float32(asked.get(handle.name, 0)) * np.array(handle.direction, np.float32)
    finish = Finish(portrait, size)
    (frame,) = engine.decode(portrait.source, finish.sent(weights[None]))
    return finish(frame, weights)[""].rgb.astype(int)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())


def test_a_real_face_has_layers_and_at_rest_they_change_nothing(engine: Engine, portrait: Portrait) -> None:
    assert portrait.layers
    bare = replace(portrait, layers=())
    assert apart(drawn(engine, portrait), drawn(engine, bare)) == 0
    true = portrait.untouched(256).rgb.astype(int)
    assert np.abs(drawn(engine, portrait) - true).mean() < 1.0


@pytest.mark.parametrize("asked", [{"blink": 1.0}, {"gaze_x": 12.0}, {"jaw_open": 0.8}])
def test_a_layer_draws_what_is_asked_for(engine: Engine, portrait: Portrait, asked: dict[str, float]) -> None:
    bare = replace(portrait, layers=())
    assert apart(drawn(engine, portrait, **asked), drawn(engine, bare, **asked)) > 20
    assert apart(drawn(engine, portrait, **asked), drawn(engine, portrait)) > 20


def test_the_network_gets_no_blink_that_is_drawn_already(engine: Engine, portrait: Portrait) -> None:
    blink = next(np.array(handle.direction) for handle in engine.handles if handle.name == "blink")
    weights = (portrait.weights + blink).astype(np.float32)
    sent = Finish(portrait).sent(weights[None])[0]
    channel = CHANNELS[int(np.abs(blink).argmax())]
    assert abs(sent - portrait.weights).max() < 0.2 * abs(blink).max(), channel


def test_frames_do_not_depend_on_those_before_nor_on_the_size_asked_in_between(
    engine: Engine, portrait: Portrait
) -> None:
    first = drawn(engine, portrait, jaw_open=0.7, blink=0.5)
    drawn(engine, portrait, size=320, jaw_open=0.2)
    drawn(engine, portrait, smile=1.0)
    assert apart(first, drawn(engine, portrait, jaw_open=0.7, blink=0.5)) == 0
