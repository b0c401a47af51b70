# SPDX-License-Identifier: GPL-3.0-or-later
"""core/sound/mel.py: the published spectrogram to the last digit, ours free of level and of where it is
cut."""

from __future__ import annotations

import numpy as np

from core.sound import mel
from tests.support import parity

# --- the published front end ---------------------------------------------------------------------


def test_the_published_mel_spectrogram_agrees_with_the_golden_one() -> None:
    samples = parity.given("wav_main_16k").astype(np.float32) / 32768
    parity.compare("audio", "main.mel", mel.mel(samples[:23680]))


def test_window_starts_are_cut_towards_zero() -> None:
    assert list(mel.window_starts(0, 8)) == [-6, -3, 0, 3, 6, 9, 12, 16]


def test_windows_agree_with_the_golden_ones_whole_or_in_parts() -> None:
    samples = parity.given("wav_main_16k").astype(np.float32) / 32768
    whole = mel.windows(samples)
    assert whole.shape == (37, 80, 16)
    parity.compare("audio", "main.windows_0_1_2_18_36", whole[[0, 1, 2, 18, 36]])
    parts = np.concatenate([mel.windows(samples, 0, 5), mel.windows(samples, 5, 37)])
    np.testing.assert_allclose(parts, whole, atol=1e-6)


# --- the clean front end -------------------------------------------------------------------------


def test_the_level_of_a_recording_is_taken_out() -> None:
    samples = parity.given("wav_main_16k").astype(np.float32) / 32768
    usual = np.linspace(-50, -30, mel.BANDS)
    loud, soft = (mel.features(s, mel.profile(s), usual, 0, 100) for s in (samples, samples / 8))
    assert np.abs(loud - soft).mean() < 0.02  # units of 20 dB; a bin of the histogram is 1 dB
    assert np.abs(loud - soft).max() < 0.1


def test_a_profile_does_not_depend_on_how_the_sound_is_cut() -> None:
    samples = parity.given("wav_main_16k").astype(np.float32) / 32768
    whole, cut = mel.profile(samples), mel.profile(samples, chunk=13)
    assert (whole.level, whole.frames) == (cut.level, cut.frames)
    np.testing.assert_allclose(whole.spectrum, cut.spectrum, atol=1e-9)


def test_a_whisper_of_noise_is_not_raised_to_a_speaking_level() -> None:
    hiss = 1e-5 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    assert mel.profile(hiss).level == mel.QUIETEST
    assert mel.profile(np.zeros(16000, np.float32)).level == mel.QUIETEST
