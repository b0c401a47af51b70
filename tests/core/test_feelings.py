# SPDX-License-Identifier: GPL-3.0-or-later
"""What feelings move besides what the network draws of them."""

from __future__ import annotations

import numpy as np
import pytest

from core.engine.layers import feelings, skin
from core.engine.layers.feelings import EXPRESSION, FEELINGS, Feelings
from core.wire.channels import CHANNELS, EMOTIONS

PRESETS = {
    name: [1.5 if n == index and name != "neutral" else 0.0 for n in range(10)]
    for index, name in enumerate(EMOTIONS)
}
NAMES = ("jaw_open", "wide", "press", "pucker")
WAYS = {name: tuple(np.eye(len(CHANNELS))[n]) for n, name in enumerate(NAMES)}
OWN = np.zeros(len(CHANNELS), np.float32)
OWN[EXPRESSION.start + EMOTIONS.index("disgusted")] = 1.2  # as the smile of a photograph is misread


def feeling(own: np.ndarray = OWN, opened: float = 0.0) -> Feelings:
    return Feelings(own, PRESETS, WAYS, opened)


def asking(name: str, amount: float = 1.0, own: np.ndarray = OWN) -> np.ndarray:
    row = own.copy()
    row[EXPRESSION] = amount * np.array(PRESETS[name]) + (1 - amount) * own[EXPRESSION]
    return row[None]


def felt(name: str, amount: float = 1.0) -> dict[str, float]:
    made = feeling()
    return dict(zip(made.names, made.felt(asking(name, amount))[0]))


def test_at_the_portraits_own_weights_nothing_is_felt_and_nothing_else_is_sent() -> None:
    made = feeling()
    assert not made.felt(OWN[None]).any()
    assert made.sent(OWN[None]) is not None
    np.testing.assert_array_equal(made.sent(OWN[None])[0], OWN)
    assert not any(made.skin(made.felt(OWN[None])[0], 0.0).values())


@pytest.mark.parametrize("name", sorted(FEELINGS))
def test_a_feeling_is_felt_wholly_whatever_the_portrait_is_read_to_have_of_it(name: str) -> None:
    found = felt(name)
    assert found[name] > (0.49 if name == "disgusted" else 0.99)
    assert all(amount < 1e-6 for other, amount in found.items() if other != name)


def test_a_neutral_face_stays_neutral_although_the_portrait_is_misread() -> None:
    sent = feeling().sent(asking("neutral"))[0]
    np.testing.assert_allclose(sent[EXPRESSION], 0.85 * OWN[EXPRESSION], atol=1e-6)


@pytest.mark.parametrize("name", ["fear", "surprised", "happy"])
def test_fear_surprise_and_a_full_smile_open_the_jaw(name: str) -> None:
    assert feeling().sent(asking(name))[0, 0] > 0.25


def test_a_smile_parts_the_lips_late_and_those_that_are_open_not_at_all() -> None:
    assert feeling().sent(asking("happy", 0.3))[0, 0] == 0
    assert feeling().sent(asking("happy", 0.6))[0, 0] > 0.1
    assert feeling(opened=1.0).sent(asking("happy"))[0, 0] == 0


@pytest.mark.parametrize("name", ["fear", "surprised", "happy"])
def test_lips_that_are_pressed_for_an_m_stay_so_whatever_is_felt(name: str) -> None:
    rows = asking(name)
    rows[0, NAMES.index("press")] += 0.7
    assert feeling().sent(rows)[0, 0] == 0


def test_contempt_is_one_sided() -> None:
    made = feeling()
    units = made.skin(made.felt(asking("contempt"))[0], 0.0)
    moved = {unit for unit, amount in units.items() if amount > 0}
    assert moved and all(unit.startswith(("left_", "right_")) for unit in moved)


def test_a_checkpoint_without_emotions_or_handles_feels_nothing() -> None:
    made = Feelings(OWN, {}, {})
    rows = OWN[None] + 1
    np.testing.assert_array_equal(made.sent(rows), rows)
    assert made.felt(rows).shape == (1, 0)
    assert made.lids(made.felt(rows)[0]) == 0


def test_every_unit_of_every_feeling_is_known_and_no_place_can_fold_the_skin() -> None:
    for one in FEELINGS.values():
        for unit, amount in one.skin.items():
            for place in skin.UNITS[unit]:
                ways = np.abs(np.array(place.way)) * amount / np.array(place.size)
                assert ways.max() < 0.9, unit  # a Gaussian folds from 1.65 of its width
    assert feelings.PRESS in feelings.MOUTH
