# SPDX-License-Identifier: GPL-3.0-or-later
"""Prosody: how a thing is said. Loudness, pitch, rhythm and colour of a voice, 25 rows a second.

This is what head motion and feeling are heard from, where `core.sound.mel` hears the words. The level of a
recording is measured over all of it and taken out; pitch is told both relative to the speaker's own middle
(for accents) and in absolute octaves (a raised voice).

Pitch is the strongest peak of the normalised autocorrelation within 70 to 420 Hz (after Boersma 1993,
"Accurate short-term analysis of the fundamental frequency"), which is plain numpy and quick; octave errors
are mended by a median over five windows.

Legend: N samples at 16 kHz, T steps of 1/25 s (640 samples), P = 10 features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.sound.mel import RATE, SAMPLES_PER_STEP
from core.sound.once import once

FEATURES = (
    "loudness",  # decibels below the recording's loud speech, in units of 20
    "speech",  # 0 pause .. 1 speech
    "voiced",  # 0 .. 1: how periodic the sound is
    "pitch",  # octaves above the speaker's middle; held through what has no pitch
    "pitch change",  # octaves a second, in units of 5
    "onset",  # rise of loudness, in units of 20 dB
    "silent for",  # seconds since speech, at most 2, in units of 2
    "speaking for",  # seconds since the last pause, at most 4, in units of 4
    "height",  # absolute pitch: octaves above 150 Hz; the speaker's middle where there is none
    "brightness",  # decibels above 1.5 kHz less those below, in units of 20
)
"""Name of each column; all are of the order of one."""

WINDOW = 1024  # samples under one pitch measurement: four periods of the lowest voice
LOWEST, HIGHEST = 70.0, 420.0  # hertz
PAUSE_BELOW = 25.0  # decibels below loud speech that still count as speech
QUIETEST = -55.0  # decibels of full scale: a recording without anything louder is silence


@once
def prosody(samples: NDArray[Any], steps: int, chunk: int = 1500) -> NDArray[Any]:
    """Prosody of a whole sound, float32 [steps, P]; what lies beyond its end is silence.

    Args:
        samples: [N] mono at 16 kHz.
        steps: T; row t belongs to the time from t / 25 s to (t + 1) / 25 s.
        chunk: steps measured at a time, which bounds the memory and not the result.
    """
    parts = [_measured(samples, first, min(first + chunk, steps)) for first in range(0, max(steps, 1), chunk)]
    decibels, clarity, hertz, bright = (np.concatenate(column) for column in zip(*parts))
    level = max(float(np.percentile(decibels, 95)) if steps else QUIETEST, QUIETEST)
    relative = np.clip(decibels - level, -60, 10)
    speech = _settled(np.clip((relative + PAUSE_BELOW) / 8, 0, 1), 3)
    clarity = clarity * (relative > -PAUSE_BELOW - 5)
    middle, octaves = _octaves(hertz, clarity)
    pitch = octaves - middle
    silent, speaking = _since(speech > 0.5)
    columns = (
        relative / 20,
        speech,
        clarity,
        pitch,
        np.gradient(pitch) * 5 if steps > 1 else np.zeros(steps),
        np.clip(np.diff(_settled(relative, 3), prepend=relative[:1]), 0, None) / 20,
        np.minimum(silent, 2) / 2,
        np.minimum(speaking, 4) / 4,
        octaves,
        np.clip(bright, -60, 20) / 20,
    )
    return np.asarray(np.stack(columns, axis=1), np.float32)


def _measured(samples: NDArray[Any], first: int, last: int) -> tuple[NDArray[Any], ...]:
    """Loudness (dB), clarity of pitch 0..1, pitch (Hz) and brightness (dB) of steps first..last - 1."""
    middle = np.arange(first, last) * SAMPLES_PER_STEP + SAMPLES_PER_STEP // 2
    index = middle[:, None] + np.arange(WINDOW) - WINDOW // 2
    inside = (index >= 0) & (index < len(samples))
    if not len(samples) or not len(middle):
        quiet = np.zeros(len(middle))
        return quiet - 160, quiet, quiet + 150, quiet
    waves = np.where(inside, samples[index.clip(0, len(samples) - 1)], 0).astype(np.float64)
    waves -= waves.mean(axis=1, keepdims=True)
    hann = np.hanning(WINDOW)
    spectrum = np.abs(np.fft.rfft(waves * hann, 2 * WINDOW)) ** 2
    frequency = np.fft.rfftfreq(2 * WINDOW, 1 / RATE)
    power = spectrum[:, frequency > 60].sum(axis=1) / (hann**2).sum() / WINDOW
    decibels = 10 * np.log10(np.maximum(power, 1e-16))
    high = spectrum[:, frequency > 1500].sum(axis=1)
    low = spectrum[:, (frequency > 60) & (frequency <= 1500)].sum(axis=1)
    bright = 10 * np.log10(np.maximum(high, 1e-12) / np.maximum(low, 1e-12))
    voice = spectrum * (frequency < 1500)  # harmonics beyond it blur the peak
    both = np.fft.irfft(voice, axis=1)[:, :WINDOW]
    window = np.fft.irfft(np.abs(np.fft.rfft(hann, 2 * WINDOW)) ** 2)[:WINDOW]
    shortest, longest = int(RATE / HIGHEST), int(RATE / LOWEST)
    lags = np.arange(shortest - 1, longest + 2)
    likeness = both[:, lags] / np.maximum(both[:, :1], 1e-12) * (window[0] / window[lags])
    # a little against long periods, or every second period of a clear voice would do as well
    best = 1 + np.argmax(likeness[:, 1:-1] - 0.03 * np.log2(lags[1:-1] / shortest), axis=1)
    rows = np.arange(len(likeness))
    before, here, after = (likeness[rows, best + shift] for shift in (-1, 0, 1))
    bend = before - 2 * here + after
    fine = np.where(bend < -1e-9, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0)
    hertz = RATE / (lags[best] + np.clip(fine, -1, 1))
    return decibels, np.clip((here - 0.3) / 0.5, 0, 1), hertz, bright


def _octaves(hertz: NDArray[Any], clarity: NDArray[Any]) -> tuple[float, NDArray[Any]]:
    """The speaker's middle and the track [T], both octaves above 150 Hz; what has no pitch is bridged."""
    voiced = clarity > 0.4
    if voiced.sum() < 3:
        return 0.0, np.zeros(len(hertz))
    octaves = np.log2(hertz / 150)
    middle = float(np.median(octaves[voiced]))
    # an octave too high or too low is heard as the same note
    octaves = np.where(octaves - middle > 0.9, octaves - 1, octaves)
    octaves = np.where(octaves - middle < -0.9, octaves + 1, octaves)
    places = np.flatnonzero(voiced)
    calm = np.median(
        np.lib.stride_tricks.sliding_window_view(np.pad(octaves[places], 2, mode="edge"), 5), axis=1
    )
    held = np.interp(np.arange(len(hertz)), places, calm)
    apart = np.minimum(  # steps to the nearest voiced one: in a long pause, pitch returns to the middle
        _steps_since(voiced), _steps_since(voiced[::-1])[::-1]
    )
    return middle, middle + (held - middle) * np.exp(-np.maximum(apart - 5, 0) / 10)


def _since(speech: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Seconds since speech, and seconds since a pause of 0.2 s, at each step."""
    silent = _steps_since(speech)
    pause = silent >= 5
    return silent / 25, np.minimum(_steps_since(pause), np.arange(1, len(speech) + 1)) / 25


def _steps_since(event: NDArray[np.bool_]) -> NDArray[Any]:
    """How many steps ago the event last was; large before the first."""
    places = np.where(event, np.arange(len(event)), -(10**4))
    return np.arange(len(event)) - np.maximum.accumulate(places) if len(event) else np.zeros(0)


def _settled(values: NDArray[Any], width: int) -> NDArray[Any]:
    """A short moving average with held ends."""
    padded = np.pad(values, width // 2, mode="edge") if len(values) else values
    return np.convolve(padded, np.full(width, 1 / width), "valid") if len(values) else values


def emphasis(heard: NDArray[Any]) -> NDArray[np.float32]:
    """How far each step stands out of the speech around it, in loudness and in pitch: [T, P] -> [T, 2].

    Both are in deviations of some three seconds of speech; 0 in pauses.
    """
    speech = heard[:, FEATURES.index("speech")].astype(np.float64)
    columns = []
    for name in ("loudness", "pitch"):
        values = heard[:, FEATURES.index(name)].astype(np.float64)
        weight = speech * (heard[:, FEATURES.index("voiced")] if name == "pitch" else 1.0) + 1e-6
        mean = _around(values * weight) / _around(weight)
        spread = np.sqrt(_around((values - mean) ** 2 * weight) / _around(weight))
        columns.append((values - mean) / (spread + 0.04) * np.minimum(speech, weight + 0.5))
    return np.asarray(np.clip(np.stack(columns, axis=1), -3, 4), np.float32)


def _around(values: NDArray[Any]) -> NDArray[Any]:
    """A Gaussian of 1.3 s deviation."""
    kernel = np.exp(-0.5 * (np.arange(-80, 81) / 32) ** 2)
    return np.convolve(np.pad(values, 80, mode="edge"), kernel / kernel.sum(), "valid")
