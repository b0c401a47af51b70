# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle motion is that of real talkers, repeatable, and begins at nothing; emotions lie in between."""

from __future__ import annotations

import numpy as np
import pytest

from core.motion import idle
from core.motion.eyes import glances, lids
from core.motion.sway import sway
from core.sound.prosody import FEATURES
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


def degrees(track: np.ndarray, axes: tuple[str, ...] = ("yaw", "pitch", "roll")) -> np.ndarray:
    """Degrees that are asked for, which a face that can be read then turns by."""
    found = []
    for axis in axes:
        scale = next(factor.scale for factor in factors.POSE if factor.name == axis)
        found.append(np.degrees(track[:, NAMES.index(axis)] * scale))
    return np.stack(found, axis=1)


def test_heads_turn_as_the_median_talkers_do_in_the_middle_and_as_lively_ones_at_the_end() -> None:
    middle, end = (degrees(added(1800, amplitude=a)).std(axis=0) for a in (0.5, 1.0))
    np.testing.assert_allclose(middle, [3.8, 3.0, 2.8], rtol=0.1)
    np.testing.assert_allclose(end, [6.6, 4.0, 3.9], rtol=0.1)
    little = degrees(added(1800, amplitude=0.1)).std(axis=0)
    np.testing.assert_allclose(little, middle / 5, rtol=1e-3)


def test_short_takes_of_any_seed_move_like_short_clips_of_talkers() -> None:
    takes = np.array([degrees(added(8, amplitude=0.5, seed=seed)).std(axis=0) for seed in range(60)])
    np.testing.assert_allclose(np.median(takes, axis=0), [3.5, 2.7, 2.5], rtol=0.15)
    assert (takes.min(axis=0) > 1).all()
    first = degrees(added(6.4, amplitude=0.5)).std(axis=0)  # the seed that a take has unless told otherwise
    assert 3 < first[0] < 5 and 2.5 < first[1] < 4 and 2 < first[2] < 3.5


def test_the_spectrum_is_that_of_talkers_heads() -> None:
    track = degrees(added(1800, amplitude=0.5))
    power = np.square(np.abs(np.fft.rfft(track - track.mean(axis=0), axis=0))).sum(axis=1)
    hertz = np.fft.rfftfreq(len(track), 1 / 25)
    slow = power[hertz < 0.5].sum() / power.sum()
    middle = power[(hertz >= 0.5) & (hertz < 2)].sum() / power.sum()
    assert 0.55 < slow < 0.72 and 0.25 < middle < 0.42


def test_heads_hold_and_then_move() -> None:
    speed = np.abs(np.diff(sway(25 * 600, 1)[:, 0])) * 3.8
    assert (speed < 0.03).mean() > 0.25  # degrees a step
    assert 0.5 < np.percentile(speed, 95) < 2.2


def test_nothing_drifts_in_half_an_hour() -> None:
    track = degrees(added(1800, amplitude=0.5))
    assert np.abs(track).max() < 16
    minutes = track.reshape(30, -1, 3).mean(axis=1)
    assert (
        np.abs(minutes).max() < 2
        and np.abs(minutes[:10].mean(axis=0) - minutes[20:].mean(axis=0)).max() < 0.5
    )


def test_a_still_head_holds_longer_and_moves_less() -> None:
    lively, usual, still = (degrees(added(300, stillness=s)) for s in (0.0, 0.3, 1.0))
    assert lively.std() > usual.std() > 1.5 * still.std()
    speeds = [np.abs(np.diff(track, axis=0)).mean() for track in (lively, usual, still)]
    assert speeds[0] > 1.2 * speeds[1] > 1.8 * speeds[2]


def test_what_moves_are_pose_lids_and_gaze_alone() -> None:
    moved = np.flatnonzero(np.abs(added()).max(axis=0))
    gaze = {NAMES.index("gaze x"), NAMES.index("gaze y")}
    assert set(moved.tolist()) == {*range(20, 26), BLINK, *gaze}


@pytest.mark.parametrize(("amplitude", "low", "high"), [(0.02, 12, 19), (0.5, 23, 33), (1.0, 33, 46)])
def test_eyes_blink_as_often_as_talkers_do(amplitude: float, low: float, high: float) -> None:
    shut = added(1800, amplitude=amplitude)[:, BLINK] > 0.6 * CHANNELS[BLINK].soft_max
    assert low < (np.diff(shut.astype(int)) > 0).sum() / 30 < high


def test_a_blink_closes_in_two_steps_is_shut_for_two_and_opens_in_about_four() -> None:
    closed = lids([1.0, 3.0, 5.0, 7.0], 250, np.random.default_rng(0))
    for start in (25, 75, 125, 175):
        assert closed[start] == 0 and 0 < closed[start + 1] < 1
        assert closed[start + 2] == closed[start + 3] == 1
        assert 3 <= ((closed[start + 4 : start + 12] > 0) & (closed[start + 4 : start + 12] < 1)).sum() <= 5
        assert (np.diff(closed[start + 3 : start + 12]) <= 0).all()
    assert closed.max() == 1 and not closed[:25].any()
    assert lids([9.96], 250, np.random.default_rng(0)).shape == (250,)


def test_eyes_rest_jump_in_one_step_and_come_back() -> None:
    look = glances(25 * 600, np.random.default_rng(0))
    jumps = np.abs(np.diff(look, axis=0)).max(axis=1) > 0
    assert not look[0].any() and 1 < jumps.sum() / 600 < 2.5  # a second
    assert np.median(np.abs(look[:, 0])) < 1.2 and 0.02 < (np.abs(look[:, 0]) > 4).mean() < 0.2
    assert np.abs(look[:, 0]).max() < 10 and abs(look[:, 0].mean()) < 0.5


def test_eyes_stay_with_the_viewer_while_the_head_turns() -> None:
    track = added(600, amplitude=0.5)
    assert np.corrcoef(track[:, YAW], track[:, NAMES.index("gaze x")])[0, 1] < -0.3


def test_lids_half_closed_in_the_portrait_are_not_closed_twice() -> None:
    own = np.zeros(36, np.float32)
    own[BLINK] = 1.0
    assert (added(own=own)[:, BLINK] + 1.0).max() == pytest.approx(CHANNELS[BLINK].soft_max)


def spoken_to(pitch: np.ndarray) -> np.ndarray:
    """Prosody of a voice that speaks all the time at this pitch, in octaves."""
    table = np.zeros((len(pitch), len(FEATURES)), np.float32)
    table[:, FEATURES.index("speech")] = table[:, FEATURES.index("voiced")] = 1
    table[:, FEATURES.index("pitch")] = pitch
    return table


def test_the_head_rises_a_little_with_the_voice() -> None:
    tune = 0.2 * np.sin(np.arange(25 * 120) * 0.1)
    with_voice, without = (added(120, amplitude=0.5, heard=spoken_to(p)) for p in (tune, 0 * tune))
    up = degrees(with_voice - without)[:, 1]
    assert np.corrcoef(up[50:], tune[50:])[0, 1] > 0.9 and 0.3 < up.std() < 0.8
    assert 0.05 < np.corrcoef(degrees(with_voice)[:, 1], tune)[0, 1] < 0.4


def test_a_head_moves_less_in_a_pause() -> None:
    silent = spoken_to(np.zeros(25 * 600))
    silent[:, FEATURES.index("speech")] = 0
    speeds = [
        np.abs(np.diff(degrees(added(600, amplitude=0.5, heard=heard)), axis=0)).mean()
        for heard in (silent, spoken_to(np.zeros(25 * 600)))
    ]
    assert 0.65 < speeds[0] / speeds[1] < 0.95


def test_accents_raise_the_brows_a_little_where_the_checkpoint_has_a_handle_for_it() -> None:
    heard = spoken_to(0.25 * np.sin(np.arange(1500) * 0.12) ** 9)
    heard[:, FEATURES.index("loudness")] = 0.3 * np.sin(np.arange(1500) * 0.12) ** 9
    direction = np.zeros(36)
    direction[26] = 2.0
    brows = added(60, amplitude=0.5, heard=heard, brow_up=direction)[:, 26] / 2
    assert 0.1 < brows.max() < 0.45 and brows.min() == 0 and (brows > 0).mean() < 0.6
    assert not added(60, amplitude=0.5, heard=heard)[:, 26].any()
    assert not added(60, amplitude=0.5, brow_up=direction)[:, 26].any()


def test_a_flow_that_hears_the_voice_is_added_to_the_head() -> None:
    flow = np.zeros((1500, 6), np.float32)
    flow[:, 1] = np.sin(np.arange(1500) * 0.2)
    more = added(60, amplitude=0.5, drawn=flow) - added(60, amplitude=0.5)
    assert np.corrcoef(more[50:, PITCH], flow[50:, 1])[0, 1] > 0.99
    assert not more[:, YAW].any()


def test_a_checkpoint_without_labels_drifts_gently_and_does_not_blink() -> None:
    moved = idle.natural_motion(DEFAULT_CHANNELS, 1500, 1.0)
    assert set(np.flatnonzero(np.abs(moved).max(axis=0)).tolist()) == set(range(20, 26))
    assert np.abs(moved).max() < 0.6 and np.abs(moved[:, 20:26]).std() > 0.01


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
