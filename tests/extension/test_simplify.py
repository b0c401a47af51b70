# SPDX-License-Identifier: GPL-3.0-or-later
"""Simplify Curves on a take of real speech with the model that ships: its tolerance is held by the
pictures, and most keys go.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.engine import pipeline
from core.engine.engine import Engine
from core.engine.sensitivity import sensitivity
from core.pictures import image

DEMO = Path(__file__).resolve().parents[2] / "demo"
SIDE, TOLERANCE = 512, 0.5  # pixels

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def take():
    """Engine, portrait, the weights of the demo's line, and the pixels that a unit of each weight is."""
    engine = Engine.from_checkpoint(device="cpu")
    portrait = pipeline.prepare_portrait(engine, image.load(DEMO / "portrait.png"))
    emotion = "0:neutral,2:neutral,2.8:happy:0.7,4.2:happy:0.5,5.2:surprised"
    motion = pipeline.analyze(
        engine, portrait, audio=DEMO / "voice.wav", idle_amplitude=1.0, emotion=emotion
    ).motion
    return engine, portrait, motion.weights.astype(np.float64), sensitivity(engine, portrait.source) * SIDE


def simplified(checkout, weights: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, int]:
    """The weights after Simplify Curves, and the keys that are left."""
    tools, times = checkout("edtalk_blender.curves.arithmetic"), np.arange(len(weights), dtype=np.float64)
    free = np.ones(len(times), bool)
    curves = [tools.Polyline(times, column, free, scale) for column, scale in zip(weights.T, pixels)]
    kept = tools.simplify(curves, TOLERANCE)
    columns = [np.interp(times, times[keep], column[keep]) for column, keep in zip(weights.T, kept)]
    return np.stack(columns, axis=1), int(sum(keep.sum() for keep in kept))


def test_most_keys_of_the_demo_go_and_no_point_moves_farther_than_allowed(checkout, take) -> None:
    engine, portrait, weights, pixels = take
    after, keys = simplified(checkout, weights, pixels)
    assert keys < weights.size / 3
    assert (np.abs(after - weights) * pixels).sum(axis=1).max() <= TOLERANCE + 1e-9
    frames = np.linspace(0, len(weights) - 1, 10).astype(int)
    there = engine.decode(portrait.source, after[frames].astype(np.float32))
    here = engine.decode(portrait.source, weights[frames].astype(np.float32))
    for one, other in zip(there, here):
        moved = ((one.flow.float() - other.flow.float()).pow(2).sum(0).sqrt() * other.mask[0].float()).max()
        # bfloat16 places are no finer than this in a picture of this size
        assert float(moved) / 2 * SIDE <= TOLERANCE + 0.25
