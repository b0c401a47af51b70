# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads made by rule: they nod on stress, settle in pauses, blink at the ends of phrases."""

from __future__ import annotations

import numpy as np
import pytest

from core.sound.prosody import FEATURES, prosody
from training.evaluation.head_motion import average, blinks_at_ends, measure
from training.speech.gestures import UNIT, accents, gestures, usual_nods
from training.speech.talks import Talk
from training.speech.visemes import timed

RATE = 16000


def stressed_talk(seconds: float = 24.0) -> Talk:
    """Syllables of a quarter second, every fifth one loud and high, and a pause every six seconds."""
    time = np.arange(int(seconds * RATE)) / RATE
    syllable = (time / 0.25).astype(int)
    stressed, pause = syllable % 5 == 2, time % 6 > 4.6
    pitch = np.where(stressed, 170.0, 130.0)
    loud = np.where(stressed, 0.5, 0.15) * np.sin(np.pi * (time % 0.25) / 0.25) * ~pause
    wave = loud * sum(np.sin(k * 2 * np.pi * np.cumsum(pitch) / RATE) / k for k in range(1, 8)) / 3
    rows = [("aa", at, at + 0.25) for at in np.arange(0, seconds, 0.25) if at % 6 < 4.5]
    heard = prosody(wave.astype(np.float32), int(seconds * 25))
    return Talk(timed(rows), heard, heard, usual_nods(timed(rows), heard))


@pytest.fixture(scope="module")
def talk() -> Talk:
    return stressed_talk()


def many(talk: Talk, stillness: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    drawn = [gestures(talk.visemes, talk.clean, stillness, np.random.default_rng(seed)) for seed in range(24)]
    return [pose for pose, _ in drawn], [begin for _, begin in drawn]


def test_loud_high_syllables_are_the_stressed_ones(talk: Talk) -> None:
    found = accents(talk.visemes, talk.clean)
    strong = {round((middle - 0.125) / 0.25) % 5 for middle, strength in found if strength > 1.0}
    assert strong == {2}


def test_heads_nod_on_stress_and_settle_in_pauses(talk: Talk) -> None:
    poses, _ = many(talk, 0.2)
    numbers = average(poses, [talk] * len(poses))
    assert numbers["nod"] > 0.4
    assert numbers["rest"] < 0.8
    assert 1.0 < numbers["yaw"] < 8.0
    deaf = [np.roll(pose, 9 + 12 * i, axis=0) for i, pose in enumerate(poses)]
    assert numbers["nod"] > 3 * abs(average(deaf, [talk] * len(deaf))["nod"])


def test_a_still_speaker_moves_less_and_nobody_breaks_their_neck(talk: Talk) -> None:
    speeds = [average(many(talk, s)[0], [talk] * 24)["speed"] for s in (0.0, 0.5, 1.0)]
    assert speeds[0] > 1.3 * speeds[1] > 1.6 * speeds[2] > 0
    farthest = np.abs(np.stack(many(talk, 0.0)[0])).max(axis=(0, 1)) * UNIT
    assert (farthest[:3] < (25, 16, 14)).all()


def test_blinks_come_where_phrases_end_and_some_twenty_times_a_minute(talk: Talk) -> None:
    _, begins = many(talk, 0.5)
    numbers = blinks_at_ends(begins, [talk] * len(begins))
    assert 10 < numbers["blinks a minute"] < 32
    assert numbers["at ends"] > 1.5
    apart = np.concatenate([np.diff(np.flatnonzero(begin)) for begin in begins])
    assert apart.min() >= 10


def test_the_same_seed_makes_the_same_head_and_another_another(talk: Talk) -> None:
    one, again, other = (
        gestures(talk.visemes, talk.clean, 0.3, np.random.default_rng(seed))[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.5


def test_a_head_that_does_not_move_has_no_nod_and_no_speed(talk: Talk) -> None:
    numbers = measure(np.zeros((len(talk), 6)), talk)
    assert numbers["nod"] == numbers["speed"] == numbers["jerk"] == 0


def test_nobody_speaking_is_no_reason_to_fail() -> None:
    heard = prosody(np.zeros(3 * RATE, np.float32), 75)
    pose, begins = gestures(np.zeros((0, 3)), heard, 0.5, np.random.default_rng(0))
    assert pose.shape == (75, 6)
    assert begins.shape == (75,)
    assert np.isfinite(pose).all()
    assert heard[:, FEATURES.index("speech")].max() == 0
