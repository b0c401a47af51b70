# SPDX-License-Identifier: GPL-3.0-or-later
"""Prosody: known sounds are heard as what they are."""

from __future__ import annotations

import numpy as np
import pytest

from core.sound.prosody import FEATURES, emphasis, prosody

RATE = 16000


def voice(hertz: np.ndarray, loud: float = 0.3) -> np.ndarray:
    """A buzz of ten harmonics whose pitch follows `hertz` [N]."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return (loud / 4 * sum(np.sin(k * phase) / k for k in range(1, 11))).astype(np.float32)


def column(table: np.ndarray, name: str) -> np.ndarray:
    return table[:, FEATURES.index(name)]


@pytest.mark.parametrize("hertz", [90.0, 130.0, 210.0, 330.0])
def test_the_pitch_of_a_steady_voice_is_heard_whatever_its_height(hertz: float) -> None:
    heard = prosody(voice(np.full(RATE, hertz)), 25)
    inner = heard[2:-2]
    assert np.abs(column(inner, "height") - np.log2(hertz / 150)).max() < 0.03
    assert column(inner, "voiced").min() > 0.8


def test_a_rising_voice_rises_and_a_hiss_has_no_pitch() -> None:
    heard = prosody(voice(np.linspace(120, 200, 2 * RATE)), 50)
    assert np.corrcoef(column(heard, "pitch"), np.arange(50))[0, 1] > 0.98
    assert column(heard, "pitch change")[5:-5].mean() > 0
    hiss = np.random.default_rng(0).normal(size=RATE).astype(np.float32) * 0.1
    assert column(prosody(hiss, 25), "voiced").mean() < 0.3


def test_a_pause_is_told_from_speech_and_its_length_is_counted() -> None:
    sound = np.concatenate([voice(np.full(RATE, 150)), np.zeros(RATE, np.float32), voice(np.full(RATE, 150))])
    heard = prosody(sound, 75)
    assert column(heard, "speech")[3:22].min() > 0.9
    assert column(heard, "speech")[28:47].max() < 0.1
    assert column(heard, "silent for")[45] == pytest.approx(20 / 25 / 2, abs=0.06)
    assert column(heard, "speaking for")[70] == pytest.approx(20 / 25 / 4, abs=0.06)
    assert column(heard, "onset")[50:53].max() > 0.3


def test_loudness_does_not_depend_on_the_level_of_the_recording() -> None:
    sound = voice(np.full(2 * RATE, 140)) * np.linspace(0.2, 1, 2 * RATE).astype(np.float32)
    loud, soft = prosody(sound, 50), prosody(sound * 0.05, 50)
    np.testing.assert_allclose(loud, soft, atol=1e-3)


def test_parts_give_what_the_whole_gives() -> None:
    rng = np.random.default_rng(1)
    sound = voice(150 + 40 * np.sin(np.arange(4 * RATE) / 3000)) + rng.normal(size=4 * RATE) * 0.003
    sound = sound.astype(np.float32)
    np.testing.assert_allclose(prosody(sound, 100, chunk=7), prosody(sound, 100), atol=1e-6)


def test_silence_and_hardly_any_sound_are_finite() -> None:
    for samples, steps in (
        (np.zeros(0, np.float32), 3),
        (np.zeros(640, np.float32), 1),
        (voice(np.full(700, 99.0)), 2),
    ):
        heard = prosody(samples, steps)
        assert heard.shape == (steps, len(FEATURES))
        assert np.isfinite(heard).all()
    assert column(prosody(np.zeros(RATE, np.float32), 25), "speech").max() == 0


def test_what_stands_out_is_emphasised_and_a_pause_is_not() -> None:
    time = np.arange(4 * RATE) / RATE
    high = (time > 2.0) & (time < 2.3)
    sound = voice(np.where(high, 190.0, 140.0)) * np.where(high, 1.0, 0.4)
    sound[: RATE // 2] = 0
    found = emphasis(prosody(sound.astype(np.float32), 100))
    assert found.shape == (100, 2)
    assert (found[52:56] > 1.5).all()
    assert np.abs(found[20:45]).max() < 1.5
    assert np.abs(found[:8]).max() < 0.2
