# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech is told from what else a recording holds by the recording's own floor."""

from __future__ import annotations

import numpy as np
import pytest

from core.sound.voice_activity import spoken
from training.speech import augment

STEP = 640
SPEECH = slice(50, 125)  # of 200 steps


def voice(pitch: float = 140.0) -> np.ndarray:
    """Eight seconds in which somebody says vowels for three, four syllables a second."""
    time = np.arange(75 * STEP) / 16000
    tones = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, int(6000 / pitch)))
    sound = np.zeros(200 * STEP)
    sound[50 * STEP : 125 * STEP] = 0.1 * tones * (0.05 + np.abs(np.sin(2 * np.pi * 2 * time)))
    return sound.astype(np.float32)


def right(samples: np.ndarray) -> float:
    """Share of the steps that are told rightly, those within 0.12 s of either end of the speech aside."""
    truth = np.zeros(200, bool)
    truth[SPEECH] = True
    sure = np.ones(200, bool)
    sure[47:54] = sure[122:129] = False
    return float((spoken(samples, 200) == truth)[sure].mean())


def hum(samples: np.ndarray) -> np.ndarray:
    time = np.arange(len(samples)) / 16000
    return samples + sum(0.05 / k * np.sin(2 * np.pi * 50 * k * time) for k in range(1, 8))


def hiss(samples: np.ndarray) -> np.ndarray:
    return samples + np.random.default_rng(1).normal(0, 0.01, len(samples))


def fan(samples: np.ndarray) -> np.ndarray:
    brown = np.cumsum(np.random.default_rng(2).normal(0, 1, len(samples)))
    return (
        samples
        + 0.02 * (brown - brown.mean()) / brown.std()
        + 0.003 * np.random.default_rng(3).normal(size=len(samples))
    )


def phone(samples: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(samples + np.random.default_rng(4).normal(0, 1e-3, len(samples)))
    hertz = np.fft.rfftfreq(len(samples), 1 / 16000)
    return np.fft.irfft(spectrum * ((hertz > 300) & (hertz < 3400)), len(samples))


def clipped(samples: np.ndarray) -> np.ndarray:
    return np.clip(20 * samples, -0.9, 0.9)


def tone(samples: np.ndarray) -> np.ndarray:
    chord = sum(np.sin(2 * np.pi * f * np.arange(len(samples)) / 16000) for f in (220, 277, 330, 440, 554))
    return samples + 0.01 * chord


def far_away(samples: np.ndarray) -> np.ndarray:
    return 0.003 * samples


@pytest.mark.parametrize("spoil", [np.asarray, hum, hiss, fan, phone, clipped, tone, far_away])
@pytest.mark.parametrize("pitch", [75.0, 140.0, 330.0], ids=["very low", "middle", "child"])
def test_speech_is_found_under_what_spoils_a_recording(spoil, pitch: float) -> None:
    assert right(spoil(voice(pitch)).astype(np.float32)) > 0.94


@pytest.mark.parametrize("level", [0.0, 1e-4, 1e-2, 0.3])
def test_steady_noise_of_any_level_is_nobody(level: float) -> None:
    noise = level * np.random.default_rng(5).normal(size=200 * STEP)
    assert not spoken(noise.astype(np.float32), 200).any()


def test_a_click_is_no_speech_and_a_stop_consonant_no_pause() -> None:
    sound = voice()
    sound[20 * STEP : 20 * STEP + 60] = 0.5
    assert not spoken(sound, 200)[:45].any()
    sound = voice()
    sound[80 * STEP : 82 * STEP] = 0
    assert spoken(sound, 200)[60:115].all()


def test_the_answer_depends_on_neither_chunks_nor_a_longer_take() -> None:
    sound = hiss(voice()).astype(np.float32)
    np.testing.assert_array_equal(spoken(sound, 200, chunk=333), spoken(sound, 200))
    longer = spoken(sound, 260)
    np.testing.assert_array_equal(longer[:200], spoken(sound, 200))
    assert not longer[200:].any()
    assert spoken(sound[:100], 1).shape == (1,) and not len(spoken(sound, 0))


def test_a_breath_alone_is_softer_than_speech() -> None:
    sound = hiss(voice()).astype(np.float32)
    breath = 0.004 * augment.breath(15 * STEP, np.random.default_rng(0))
    sound[150 * STEP : 165 * STEP] += breath
    assert spoken(sound, 200)[145:170].mean() < 0.5
