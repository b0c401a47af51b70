# SPDX-License-Identifier: GPL-3.0-or-later
"""Other throats, moods, rooms and microphones for the few voices that synthesisers have.

Each function takes and returns an `Utterance` or samples; choices come from the generator handed in.
Resampling is the one that matters most: it moves the formants as a longer or shorter throat would, and
without it a network trained on men hears nothing in a woman's voice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.wire.channels import STEPS_PER_SECOND
from training.speech.synth import RATE, Utterance, resampled

Samples = NDArray[np.float32]


def resized(utterance: Utterance, factor: float) -> Utterance:
    """The same speech from a throat 1/`factor` as long: faster, higher, formants and timings scaled alike."""
    samples = resampled(utterance.samples, factor, "LQ")
    visemes = utterance.visemes.copy()
    visemes[:, 1:] /= factor
    return Utterance(samples, visemes)


def effort(
    utterance: Utterance, rng: np.random.Generator, depth: float = 1.0
) -> tuple[Samples, NDArray[Any]]:
    """Louder and softer stretches, and how widely the mouth moves in them.

    A slow random walk of about ±6 dB multiplies the sound; each decibel moves articulation by 3.5 %, so a
    network learns that a raised voice opens the mouth further.

    Returns:
        samples float32 [N], and the factor of articulation [steps] for `visemes.mouth_track`, around 1.
    """
    steps = -(-len(utterance.samples) // (RATE // STEPS_PER_SECOND))
    knots = max(2, steps // 12 + 2)
    decibels = np.interp(
        np.linspace(0, knots - 1, steps), np.arange(knots), rng.normal(0, 4.0 * depth, knots)
    )
    decibels = np.clip(decibels, -12, 8)
    at = np.arange(len(utterance.samples)) / (RATE // STEPS_PER_SECOND) - 0.5
    gain = 10 ** (np.interp(at, np.arange(steps), decibels) / 20)
    return (utterance.samples * gain).astype(np.float32), np.clip(1 + 0.035 * decibels, 0.5, 1.3)


def coloured(samples: Samples, rng: np.random.Generator, decibels: float = 6.0) -> Samples:
    """A random smooth frequency response of a few decibels, a tilt and sometimes the band of a telephone."""
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE)
    octaves = np.log2(np.maximum(frequency, 40) / 40)  # 0 at 40 Hz, 7.6 at 8 kHz
    response = np.interp(octaves, np.arange(9), rng.normal(0, decibels / 2, 9)) + rng.normal(0, 1.2) * (
        octaves - 4
    )
    if rng.random() < 0.25:
        low, high = rng.uniform(80, 350), rng.uniform(3000, 7000)
        response -= 40 * np.clip(np.log2(low / np.maximum(frequency, 1)), 0, 1)
        response -= 40 * np.clip(np.log2(np.maximum(frequency, 1) / high) * 3, 0, 1)
    return np.fft.irfft(spectrum * 10 ** (response / 20), len(samples)).astype(np.float32)


def noise(count: int, rng: np.random.Generator) -> Samples:
    """Steady noise of random colour, with a hum or a slow swell now and then; RMS 1."""
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    shape = np.maximum(frequency, 30) ** -rng.uniform(0, 1.2)
    wave = np.fft.irfft(shape * np.fft.rfft(rng.standard_normal(count)), count)
    wave /= wave.std() + 1e-12
    time = np.arange(count) / RATE
    if rng.random() < 0.3:
        base = rng.choice([50, 60, 100, 120]) * rng.uniform(0.98, 1.02)
        wave = wave + sum(
            rng.uniform(0, 1) * np.sin(2 * np.pi * base * k * time + rng.uniform(0, 6)) for k in range(1, 5)
        )
    if rng.random() < 0.4:
        wave = wave * (1 + 0.6 * np.sin(2 * np.pi * rng.uniform(0.1, 1.5) * time + rng.uniform(0, 6)))
    return np.asarray(wave / (wave.std() + 1e-12), np.float32)


def breath(count: int, rng: np.random.Generator) -> Samples:
    """An audible breath: noise of 0.4 to 4 kHz that swells and fades; peak about 1. The lips stay still in
    it."""
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    band = np.exp(-0.5 * (np.log2(np.maximum(frequency, 1) / rng.uniform(700, 2500)) / 0.9) ** 2)
    wave = np.fft.irfft(band * np.fft.rfft(rng.standard_normal(count)), count)
    swell = np.sin(np.pi * np.linspace(0, 1, count)) ** rng.uniform(0.7, 2)
    return np.asarray(wave / (3 * wave.std() + 1e-12) * swell, np.float32)


def reverberated(samples: Samples, rng: np.random.Generator) -> Samples:
    """A room: direct sound plus a decaying tail of 0.1 to 0.6 s, of which little is heard before it fades."""
    seconds, wet = rng.uniform(0.1, 0.6), rng.uniform(0.03, 0.3)
    count = int(seconds * RATE)
    tail = rng.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
    tail *= wet / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    size = 1 << (len(samples) + count - 1).bit_length()
    wave = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
    return wave[: len(samples)].astype(np.float32)


def coded(samples: Samples, rng: np.random.Generator) -> Samples:
    """Eight-bit mu-law, as on a telephone line, at a random level."""
    peak = np.abs(samples).max() * rng.uniform(1, 4) + 1e-9
    pressed = np.sign(samples) * np.log1p(255 * np.abs(samples) / peak) / np.log(256)
    pressed = np.round(pressed * 127) / 127
    return np.asarray(np.sign(pressed) * peak * (256 ** np.abs(pressed) - 1) / 255, np.float32)


def recorded(samples: Samples, rng: np.random.Generator) -> Samples:
    """A random recording of a clean sound: colour, room, noise 8 to 50 dB below the speech, codec, level."""
    if rng.random() < 0.8:
        samples = coloured(samples, rng)
    if rng.random() < 0.4:
        samples = reverberated(samples, rng)
    loudness = float(np.sqrt(np.square(samples).mean())) + 1e-6
    if rng.random() < 0.8:
        samples = samples + noise(len(samples), rng) * loudness * 10 ** (-rng.uniform(8, 50) / 20)
    if rng.random() < 0.15:
        samples = coded(samples, rng)
    level = 10 ** (rng.uniform(-40, -10) / 20)
    return np.clip(samples * level / loudness, -1, 1).astype(np.float32)
