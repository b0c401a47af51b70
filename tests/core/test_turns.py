# SPDX-License-Identifier: GPL-3.0-or-later
"""A head turns as far as was asked, and about no other axis."""

from __future__ import annotations

import numpy as np
import pytest

from core.engine import turns
from core.engine.engine import Engine
from core.engine.portrait import prepare_portrait
from core.engine.turns import PROBE, Seen, Turns
from core.pictures import face_models
from core.pictures.picture import Crop, Picture
from core.wire.channels import CHANNELS

needs_reader = pytest.mark.skipif(
    bool(face_models.why_not()), reason="the networks that read faces are not here"
)
WAYS = {axis: tuple(np.eye(len(CHANNELS))[20 + n] * 0.07) for n, axis in enumerate(turns.AXES)}
OWN = np.linspace(-0.2, 0.2, len(CHANNELS)).astype(np.float32)
GAINS = np.array([[0.86, 0.05, 0.0], [0.02, 0.7, 0.03], [0.1, -0.2, 0.975]])


def drawn(weights: np.ndarray) -> np.ndarray:
    """What a network draws that turns by `GAINS`: degrees [N, 3]."""
    return (weights[:, 20:23] - OWN[20:23]) / 0.07 @ GAINS


def turned() -> Turns:
    def probe(weights: np.ndarray) -> Seen:
        along = drawn(weights)
        along[[0, 3], 0] *= turns.READS[0]  # our reader sees these so, by its own gains
        along[[1, 4], 1] *= turns.READS[1]
        return Seen(np.zeros(3), along)

    return Turns(OWN, WAYS, probe)


def asking(degrees: list[float]) -> np.ndarray:
    rows = np.repeat(OWN[None], 1, axis=0)
    rows[0, 20:23] += 0.07 * np.array(degrees, np.float32)
    return rows


@pytest.mark.parametrize("degrees", [[0, 0, 15], [0, 0, -20], [0, 0, 4]])
def test_a_tilt_is_as_large_as_asked_and_neither_turns_nor_nods(degrees: list[float]) -> None:
    np.testing.assert_allclose(drawn(turned().sent(asking(degrees)))[0], degrees, atol=0.15)


@pytest.mark.parametrize("degrees", [[15, 0, 0], [-8, 0, 0], [0, 10, 0], [0, -12, 0], [6, -4, 9]])
def test_turns_and_nods_come_nearer_to_what_is_asked(degrees: list[float]) -> None:
    plain, better = (drawn(rows)[0] - degrees for rows in (asking(degrees), turned().sent(asking(degrees))))
    assert np.linalg.norm(better) < 0.5 * np.linalg.norm(plain)


def test_weights_that_turn_nothing_are_not_touched_and_nothing_is_measured() -> None:
    def probe(weights: np.ndarray) -> Seen:
        raise AssertionError("nobody asked")

    rows = np.repeat(OWN[None], 3, axis=0)
    rows[:, 0] += 1
    np.testing.assert_array_equal(Turns(OWN, WAYS, probe).sent(rows), rows)


def test_a_face_that_nobody_can_read_turns_as_its_network_does() -> None:
    rows = asking([10, -5, 3])
    np.testing.assert_allclose(Turns(OWN, WAYS, lambda weights: None).sent(rows), rows, atol=1e-6)


def test_every_step_of_a_turn_leads_on_without_a_jump() -> None:
    rows = np.concatenate([asking([yaw, 0, 0]) for yaw in np.linspace(-30, 30, 121)])
    given = turned().sent(rows)[:, 20]
    steps = np.diff(given)
    assert (steps > 0).all()
    assert steps.max() < 1.8 * steps.min()


def test_angles_of_a_turn_are_to_the_right_up_and_counter_clockwise() -> None:
    c, s = np.cos(0.2), np.sin(0.2)
    right = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    clockwise = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    np.testing.assert_allclose(turns.angles(right), [np.degrees(0.2), 0, 0], atol=1e-9)
    np.testing.assert_allclose(turns.angles(clockwise), [0, 0, -np.degrees(0.2)], atol=1e-9)


@needs_reader
def test_the_reader_sees_a_rendered_head_turn_and_the_layer_asks_for_more_where_less_is_drawn() -> None:
    from training.factors import Factors
    from training.heads.render import HeadRenderer

    renderer = HeadRenderer(256)
    person = renderer.person(500_000)
    picture = renderer.draw(person, Factors.neutral())
    person.release()
    engine = Engine.from_checkpoint(device="cpu")
    portrait = prepare_portrait(engine, Picture(picture), Crop(0, 0, 256))
    layer = portrait.layers[0]
    assert isinstance(layer, Turns)
    ways = {handle.name: np.array(handle.direction) for handle in engine.handles}
    asked = np.array([[value if n == axis else 0 for n in range(3)] for axis, value in enumerate(PROBE)])
    rows = portrait.weights + asked @ np.stack([ways[axis] for axis in turns.AXES])
    seen = turns.shown(engine, portrait.source, portrait.rest, portrait.at, rows.astype(np.float32))
    assert seen is not None
    assert (np.diag(seen.turns) > 0.6 * np.array(PROBE)).all()
    given = layer.given(asked.astype(float))
    assert (np.abs(given - asked) < 0.7 * np.array(PROBE)).all()
