# SPDX-License-Identifier: GPL-3.0-or-later
"""training/evaluation/hearing.py: listeners whose faults are known get the marks they deserve."""

from __future__ import annotations

import numpy as np
import pytest

from core.models.audio_to_mouth import CLEAN, FULL, AudioToMouth, Listener
from training.evaluation.hearing import lost_spread, measure
from training.speech.corpus import Recordings
from training.speech.visemes import UNITS, mouth_track, timed

STEPS = 60


class Knowing(AudioToMouth):
    """Hears nothing: it knows the one sentence there is, and tells it late or without its closures."""

    def __init__(self, late: int = 0, lazy: bool = False) -> None:
        super().__init__(CLEAN)
        track = np.roll(mouth_track(sentence(), STEPS), late, axis=0)
        if lazy:
            track[:, UNITS.index("press")] *= 0.4
        self.told = np.pad(FULL * track, ((0, 0), (0, 8)))

    def listener(self, samples: np.ndarray) -> Listener:
        return lambda first, last: self.told[first:last]


def sentence() -> np.ndarray:
    names = ["silence", "p", "aa", "t", "p", "iy", "f", "ao", "p", "uw", "s", "ae"]
    return timed([(name, 0.3 + 0.14 * i, 0.3 + 0.14 * (i + 1)) for i, name in enumerate(names)])


def voice() -> Recordings:
    samples, visemes = np.zeros(STEPS * 640, np.int16), sentence()
    return Recordings("known", samples, np.array([len(samples)]), visemes, np.array([len(visemes)]))


def test_the_truth_gets_full_marks() -> None:
    marks = measure(Knowing(), voice(), 1)
    assert marks["r_jaw_open"] == pytest.approx(1)
    assert marks["R2_press"] == pytest.approx(1)
    assert marks["closed"] == 1
    assert abs(marks["lag_ms"]) < 10


@pytest.mark.parametrize("late", [-1, 1, 2])
def test_a_track_that_comes_late_has_a_positive_lag(late: int) -> None:
    assert measure(Knowing(late), voice(), 1)["lag_ms"] == pytest.approx(40 * late, abs=10)


def test_motion_that_is_too_small_asks_for_gain_within_bounds() -> None:
    assert lost_spread(Knowing(), [voice()], 1) == pytest.approx(1)
    timid = Knowing()
    timid.told *= 0.8
    gain = lost_spread(timid, [voice(), voice()], 1)
    assert gain[UNITS.index("jaw_open")] == pytest.approx(1.25, rel=1e-3)
    assert gain[UNITS.index("jaw_side")] == 1  # nobody moves it
    timid.told *= 0.5
    assert lost_spread(timid, [voice()], 1).max() == pytest.approx(1.35)


def test_closures_that_stay_open_are_counted_as_missed() -> None:
    marks = measure(Knowing(lazy=True), voice(), 1)
    assert marks["closed"] == 0
    assert marks["r_press"] == pytest.approx(1)  # the shape is right, only too weak
