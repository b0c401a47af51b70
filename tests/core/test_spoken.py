# SPDX-License-Identifier: GPL-3.0-or-later
"""In silence the mouth is the portrait's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.engine import pipeline
from core.engine.engine import Engine
from core.engine.spoken import spoken, spoken_mouth
from core.pictures import image
from core.pictures.picture import Crop
from core.wire.channels import BANK_SLICES
from tests.support import small

RATE = 16000
MOUTH = BANK_SLICES["mouth"]


def voice(*parts: tuple[float, float]) -> np.ndarray:
    """Noise of these seconds and levels in decibels, one after the other."""
    rng = np.random.default_rng(0)
    made = [rng.normal(0, 10 ** (level / 20), round(seconds * RATE)) for seconds, level in parts]
    return np.concatenate(made).astype(np.float32)


def test_between_two_sentences_nothing_is_said() -> None:
    share = spoken(voice((1, -20), (2, -75), (1, -20)), 100)
    assert share.shape == (100,) and share.dtype == np.float32
    assert share[:24].min() > 0.95 and share[42:58].max() < 0.01 and share[76:].min() > 0.95
    assert np.abs(np.diff(share)).max() < 0.2


def test_a_short_pause_and_a_soft_consonant_do_not_bring_the_portraits_mouth_back() -> None:
    assert spoken(voice((1, -20), (0.2, -75), (1, -20)), 55).min() > 0.95
    assert spoken(voice((1, -20), (0.5, -50), (1, -20)), 62).min() > 0.95


@pytest.mark.parametrize("noise", [-45.0, -70.0])
def test_a_room_is_not_a_voice(noise: float) -> None:
    share = spoken(voice((1, -4), (2, noise), (1, -4)), 100)
    assert share[45:55].max() < 0.05 < 0.95 < share[:20].min()


@pytest.mark.parametrize("samples", [np.zeros(8000), np.zeros(100), np.zeros(0), voice((1, -90))])
def test_silence_and_no_sound_at_all_leave_the_portraits_own_mouth(samples: np.ndarray) -> None:
    heard, own = np.ones((12, 20), np.float32), np.full(20, 0.25, np.float32)
    np.testing.assert_array_equal(
        spoken_mouth(heard, own, samples.astype(np.float32)), np.repeat(own[None], 12, 0)
    )


def test_after_the_end_of_the_sound_the_portraits_mouth_comes_back_and_a_short_word_is_heard() -> None:
    share = spoken(voice((0.4, -75), (0.6, -20)), 45)
    assert share[10:24].min() > 0.95 and share[-6:].max() < 0.01
    assert spoken(voice((0.5, -75), (0.2, -20), (0.5, -75)), 30)[13:17].min() > 0.95


def test_an_analysis_of_a_silent_sound_is_the_portrait(tmp_path: Path) -> None:
    from core.models.audio_to_mouth import AudioToMouthConfig, build

    listener = build(AudioToMouthConfig(width=16, blocks=1)).eval()
    engine = Engine(small.model("clean", 64), "cpu", "small-1", audio_to_mouth=listener)
    photo = image.load(Path(__file__).parents[2] / "demo" / "astronaut.png")
    portrait = pipeline.prepare_portrait(engine, photo, Crop(142, 37, 165))
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    made = pipeline.analyze(engine, portrait, audio=tmp_path / "silence.wav").motion
    np.testing.assert_array_equal(made.weights, np.repeat(portrait.weights[None], 25, 0))
