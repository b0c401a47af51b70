# SPDX-License-Identifier: GPL-3.0-or-later
"""A take moves each part of the face as strongly as is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from core.engine.strength import strengthened
from core.wire.channels import BANK_SLICES, DEFAULT_CHANNELS, PARTS
from core.wire.errors import InputError
from server.commands.animate import _strengths
from training import factors

CHANNELS = factors.channels()
BLINK = [channel.label.lower() for channel in CHANNELS].index("blink")
OWN = np.full(36, 0.2, np.float32)
TAKE = OWN + np.linspace(0, 0.4, 20 * 36, dtype=np.float32).reshape(20, 36)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.5])
def test_one_part_goes_its_share_of_the_way_and_the_others_stay(part: str, strength: float) -> None:
    changed = strengthened(TAKE, OWN, CHANNELS, [strength if name == part else 1.0 for name in PARTS])
    mine = np.zeros(36, bool)
    mine[BLINK if part == "blink" else BANK_SLICES[part]] = True
    mine[BLINK] &= part == "blink"
    unused = np.array([not channel.used for channel in CHANNELS])
    np.testing.assert_array_equal(changed[:, ~mine], TAKE[:, ~mine])
    free = mine & ~unused
    np.testing.assert_allclose(changed[:, free] - OWN[free], strength * (TAKE - OWN)[:, free], atol=1e-6)


def test_a_strength_of_one_is_the_take_itself() -> None:
    assert strengthened(TAKE, OWN, CHANNELS, [1.0] * len(PARTS)) is TAKE


def test_lids_that_are_shut_are_not_shut_twice_and_what_was_beyond_its_range_may_stay_there() -> None:
    take = np.repeat(OWN[None], 3, axis=0)
    shut = take[1, BLINK] = CHANNELS[BLINK].soft_max
    beyond = take[2, 20] = CHANNELS[20].soft_max + 1
    changed = strengthened(take, OWN, CHANNELS, [1, 2, 1, 2])
    assert changed[1, BLINK] == pytest.approx(shut) and changed[2, 20] == pytest.approx(beyond)


def test_a_checkpoint_without_labels_has_no_lids_of_its_own() -> None:
    changed = strengthened(TAKE, OWN, DEFAULT_CHANNELS, [1, 1, 1, 0])
    np.testing.assert_allclose(changed, TAKE)


@pytest.mark.parametrize("text", ["mouth", "mouth=", "nose=1", "blink=-1", "pose=2.1", "pose=nan", "=1"])
def test_a_strength_that_cannot_be_read_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        _strengths([text])
    assert "mouth, pose, expression, blink" in caught.value.hint


def test_strengths_of_the_command_line_are_in_the_messages_order() -> None:
    assert _strengths([]) == (1, 1, 1, 1)
    assert _strengths(["blink=0", "mouth = 0.5"]) == (0.5, 1, 1, 0)
