# SPDX-License-Identifier: GPL-3.0-or-later
"""core/wire/mixing.py: total = generated + emotions + handles, the same for numbers and for whole takes."""

from __future__ import annotations

import numpy as np
import pytest

from core.wire.channels import BANK_SLICES, CHANNELS, EMOTIONS, Handle
from core.wire.mixing import emotional, mix

FIRST = BANK_SLICES["expression"].start
PRESETS = {
    name: [0.1 * (i + 1) * (k - 3) if i < 7 else 0.2 for i in range(10)] for k, name in enumerate(EMOTIONS)
}
DIRECTIONS = (
    Handle("yaw", "Yaw", "", "deg", tuple(0.5 * (i == 20) for i in range(36)), -30.0, 30.0),
    Handle("smile", "Smile", "", "", tuple(0.3 if i in (1, 30) else 0.0 for i in range(36)), 0.0, 1.0),
)
GENERATED = [0.01 * i - 0.1 for i in range(36)]


def total(emotions: dict[str, float], handles: dict[str, float] | None = None) -> np.ndarray:
    return np.array(mix(GENERATED, emotions, handles or {}, PRESETS, DIRECTIONS))


def test_sliders_at_zero_leave_the_generated_weights_as_they_are() -> None:
    zeros = dict.fromkeys(EMOTIONS, 0.0), dict.fromkeys(("yaw", "smile"), 0.0)
    assert mix(GENERATED, *zeros, PRESETS, DIRECTIONS) == GENERATED
    assert mix(GENERATED, {}, {}, PRESETS, DIRECTIONS) == GENERATED


def test_an_emotion_counts_from_neutral() -> None:
    added = total({"happy": 1.0}) - GENERATED
    expected = np.subtract(PRESETS["happy"], PRESETS["neutral"])
    assert np.allclose(added[FIRST:], expected) and not added[:FIRST].any()
    assert np.allclose(total({"happy": 0.25}) - GENERATED, added / 4)


def test_half_of_two_emotions_is_the_mean_of_both() -> None:
    both = (total({"happy": 1.0}) + total({"angry": 1.0})) / 2
    assert np.allclose(total({"happy": 0.5, "angry": 0.5}), both)


def test_the_neutral_slider_takes_the_generated_expression_away_but_not_the_blink() -> None:
    calm = total({"neutral": 1.0})
    assert np.allclose(calm[FIRST : FIRST + 7], PRESETS["neutral"][:7])
    assert calm[FIRST + 7 :].tolist() == GENERATED[FIRST + 7 :]
    assert np.allclose(total({"neutral": 0.5}), (calm + GENERATED) / 2)


def test_neutral_then_an_emotion_is_that_emotion() -> None:
    assert np.allclose(total({"neutral": 1.0, "sad": 1.0})[FIRST : FIRST + 7], PRESETS["sad"][:7])


def test_handles_add_their_direction_in_their_unit() -> None:
    added = total({}, {"yaw": 20.0, "smile": -1.0}) - GENERATED
    assert added[20] == pytest.approx(10.0)
    assert added[1] == added[30] == pytest.approx(-0.3)
    assert np.count_nonzero(np.abs(added) > 1e-12) == 3


def test_a_checkpoint_without_emotions_and_handles_has_none_to_mix() -> None:
    assert mix(GENERATED, {"happy": 1.0, "neutral": 1.0}, {"yaw": 9.0}, {}, ()) == GENERATED


def test_emotional_channels_are_those_in_which_emotions_differ() -> None:
    assert emotional(PRESETS) == list(range(7))
    assert emotional({}) == []


def test_a_whole_take_at_once_is_each_frame_by_itself() -> None:
    random = np.random.default_rng(0)
    take = random.normal(size=(50, 36))
    emotions = {name: random.random(50) for name in EMOTIONS}
    handles = {"yaw": random.normal(size=50), "smile": random.random(50)}
    before = take.copy()
    whole = np.stack(mix(take.T, emotions, handles, PRESETS, DIRECTIONS), axis=1)
    for t in range(50):
        alone = mix(
            take[t].tolist(),
            {name: float(values[t]) for name, values in emotions.items()},
            {name: float(values[t]) for name, values in handles.items()},
            PRESETS,
            DIRECTIONS,
        )
        assert np.allclose(whole[t], alone, atol=1e-12)
    assert (take == before).all()


def test_weights_that_are_not_36_are_refused() -> None:
    with pytest.raises(ValueError, match=str(len(CHANNELS))):
        mix([0.0] * 35, {}, {}, PRESETS, DIRECTIONS)
