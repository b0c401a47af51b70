# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle motion is small, smooth, repeatable and starts at nothing; emotions lie between neutral and full."""

from __future__ import annotations

import numpy as np
import pytest

from core.motion import idle
from core.wire.channels import DEFAULT_CHANNELS
from core.wire.errors import InputError
from training import factors

CHANNELS = factors.channels()
NAMES = [channel.label.lower() for channel in CHANNELS]
YAW, PITCH, BLINK = NAMES.index("yaw"), NAMES.index("pitch"), NAMES.index("blink")
EMOTIONS = {  # as a trained checkpoint might have them: neutral is not zero
    "neutral": [0.5] + [0.0] * 9,
    "happy": [0.5, 2.0] + [0.0] * 8,
    "sad": [-1.0, -1.0] + [0.0] * 8,
}


def added(seconds: float = 60.0, amplitude: float = 1.0, seed: int = 0, **more: object) -> np.ndarray:
    return idle.natural_motion(CHANNELS, round(seconds * 25), amplitude, seed, **more)  # type: ignore[arg-type]


# --- drift and blinks -----------------------------------------------------------------------------


def test_the_first_frame_is_the_portrait() -> None:
    assert not added()[0].any()
    assert np.abs(added()[1]).max() < 0.01


def test_no_amplitude_is_no_motion_and_no_blinks() -> None:
    assert not added(amplitude=0.0).any()


def test_the_same_seed_gives_the_same_motion_and_another_seed_another() -> None:
    np.testing.assert_array_equal(added(seed=3), added(seed=3))
    assert np.corrcoef(added(seed=3)[:, YAW], added(seed=4)[:, YAW])[0, 1] < 0.9


def test_the_beginning_does_not_depend_on_the_length() -> None:
    np.testing.assert_array_equal(added(60)[:250], added(10))


def test_heads_turn_by_a_few_degrees_and_smoothly() -> None:
    yaw = np.degrees(added(120)[:, YAW] * factors.POSE[0].scale)
    assert 1.0 < yaw.std() < 6.0 and np.abs(yaw).max() < 15
    assert np.abs(np.diff(yaw)).max() * 25 < 40  # degrees a second
    half = np.degrees(added(120, amplitude=0.5)[:, YAW] * factors.POSE[0].scale)
    np.testing.assert_allclose(half * 2, yaw, atol=1e-4)


def test_only_the_pose_bank_and_the_lids_move() -> None:
    moved = np.flatnonzero(np.abs(added()).max(axis=0))
    assert set(moved.tolist()) == {*range(20, 26), BLINK}


def test_lids_shut_every_few_seconds_for_a_fraction_of_one() -> None:
    lids = added(300)[:, BLINK] / CHANNELS[BLINK].soft_max
    shut = lids > 0.3
    starts = np.flatnonzero(shut[1:] & ~shut[:-1]) / 25
    assert ((np.diff(starts) > 1.8) & (np.diff(starts) < 6.3)).all() and len(starts) > 40
    assert lids.max() <= 1 and (shut.sum() / 25 / len(starts)) < 0.35
    ends = np.flatnonzero(~shut[1:] & shut[:-1])
    deepest = [lids[round(start * 25) : end + 1].max() for start, end in zip(starts, ends)]
    assert min(deepest) == pytest.approx(1.0)  # every blink is seen shut, even at 25 steps a second


def test_lids_half_closed_in_the_portrait_are_not_closed_twice() -> None:
    own = np.zeros(36, np.float32)
    own[BLINK] = 1.0
    assert (added(own=own)[:, BLINK] + 1.0).max() == pytest.approx(CHANNELS[BLINK].soft_max)


def test_a_loud_voice_moves_the_head_more_and_nods_it() -> None:
    loud = np.ones(3000, np.float32)
    quiet, voiced = added(120), added(120, energy=loud)
    assert voiced[:, YAW].std() > 1.4 * quiet[:, YAW].std()
    assert voiced[:, PITCH].mean() < quiet[:, PITCH].mean() - 0.02


def test_a_checkpoint_without_labels_drifts_gently_and_does_not_blink() -> None:
    moved = idle.natural_motion(DEFAULT_CHANNELS, 1500, 1.0)
    assert set(np.flatnonzero(np.abs(moved).max(axis=0)).tolist()) == set(range(20, 26))
    assert np.abs(moved).max() < 0.6


def test_loudness_follows_the_voice_and_silence_is_none() -> None:
    sound = np.sin(np.arange(4 * 16000) * 0.2).astype(np.float32)
    sound[:32000] = 0
    heard = idle.loudness(sound, 100)
    assert heard[:40].max() == 0 and heard[60:90].min() > 0.9
    assert not idle.loudness(np.zeros(16000, np.float32), 25).any()
    assert idle.loudness(sound[:100], 1).shape == (1,)


# --- emotions -------------------------------------------------------------------------------------


def track(text: str, own: float = 0.0, count: int = 100) -> np.ndarray:
    return idle.emotion_track(text, EMOTIONS, np.full(10, own, np.float32), count)


def test_no_emotion_leaves_the_portraits_own_expression() -> None:
    np.testing.assert_array_equal(track("", 0.7), np.full((100, 10), 0.7, np.float32))


def test_full_intensity_is_the_emotion_itself() -> None:
    np.testing.assert_allclose(track("happy")[50, :2], [0.5, 2.0])
    np.testing.assert_allclose(track("happy", own=0.9)[50, :2], [0.5, 2.0])


def test_a_mix_lies_between_neutral_and_the_emotions() -> None:
    np.testing.assert_allclose(
        track("happy:0.8+sad:0.2")[0, :2], [0.5 + 0.2 * -1.5, 0.8 * 2 - 0.2], rtol=1e-6
    )
    np.testing.assert_allclose(track("happy:0.8,sad:0.2"), track("happy:0.8+sad:0.2"))
    np.testing.assert_allclose(
        track("happy:0.5", own=1.0)[0, :2], [0.5 * 1.0 + 0.5 * 0.5, 0.5 * 1.0 + 0.5 * 2.0]
    )


def test_channels_that_no_emotion_uses_stay_the_portraits() -> None:
    np.testing.assert_array_equal(track("sad", own=0.4)[:, 2:], np.full((100, 8), 0.4, np.float32))


def test_keys_are_reached_at_their_times_and_left_softly() -> None:
    line = track("0:neutral,2:happy:1,3:happy:0.5+sad:0.5")
    np.testing.assert_allclose(line[0, :2], [0.5, 0])
    np.testing.assert_allclose(line[25, :2], [0.5, 1.0], atol=1e-6)
    np.testing.assert_allclose(line[50, :2], [0.5, 2.0])
    np.testing.assert_allclose(line[75:, :2], np.broadcast_to([-0.25, 0.5], (25, 2)), atol=1e-6)
    assert np.abs(np.diff(line, axis=0)).max() < 0.1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("joyful", "no emotion 'joyful'"),
        ("happy:2", "between 0 and 1"),
        ("happy:much", "between 0 and 1"),
        ("0:happy,sad", "begin with a time"),
        ("2:happy,1:sad", "times must rise"),
        ("1:", "no emotion ''"),
    ],
)
def test_an_emotion_that_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        track(text)
    assert caught.value.hint


# --- heads drawn to speech, and feelings ----------------------------------------------------------


def spoken(amplitude: float = 0.5, blinks: tuple[float, ...] = (1.0, 3.0), **more: object) -> np.ndarray:
    pose = np.ones((125, 6), np.float32)
    return idle.spoken_motion(CHANNELS, pose, blinks, amplitude, **more)  # type: ignore[arg-type]


def test_a_drawn_head_begins_at_the_portrait_and_reaches_its_size() -> None:
    track = spoken()
    assert not track[0].any()
    full = [
        0.5 * idle.SPOKEN * CHANNELS[column].soft_max * idle.DRIFT[NAMES[column]] for column in (YAW, PITCH)
    ]
    np.testing.assert_allclose(track[60, [YAW, PITCH]], full, rtol=1e-5)
    np.testing.assert_allclose(spoken(1.0)[60, YAW], 2 * full[0], rtol=1e-5)
    assert not spoken(0.0).any()


def test_drawn_blinks_shut_the_lids_when_they_should() -> None:
    lids = spoken()[:, BLINK] / CHANNELS[BLINK].soft_max
    assert lids[25:32].max() == lids[75:82].max() == 1.0
    assert not lids[:25].any() and not lids[35:75].any() and not lids[85:].any()
    half = np.zeros(36, np.float32)
    half[BLINK] = 0.5
    assert spoken(own=half)[:, BLINK].max() == pytest.approx(CHANNELS[BLINK].soft_max - 0.5)
    assert spoken(blinks=())[:, BLINK].max() == 0


def test_felt_shares_mix_as_named_emotions_do() -> None:
    own = np.linspace(0.1, 1.0, 10).astype(np.float32)
    shares = np.repeat(np.array([[0.6, 0.2, 0.9]], np.float32), 60, axis=0)
    felt = idle.felt_track(shares[:, :2], ("happy", "sad"), EMOTIONS, own)
    named = idle.emotion_track("happy:0.6+sad:0.2", EMOTIONS, own, 60)
    np.testing.assert_allclose(felt[0], own, atol=1e-6)  # a face has felt nothing yet
    np.testing.assert_allclose(felt[40:], named[40:], atol=1e-6)
    unknown = idle.felt_track(shares, ("happy", "sad", "awe"), EMOTIONS, own)
    np.testing.assert_allclose(unknown, felt, atol=1e-6)  # no preset, no change
