# SPDX-License-Identifier: GPL-3.0-or-later
"""Mel spectrograms: what the audio networks see of a sound.

Two front ends, after the two kinds of network:
    published   Wav2Lip's mel (80 bands, hop 200 = 80 frames a second), windows of 16 frames, mirrored ends.
                Exactly the released behaviour.
    clean       the same 80 bands at hop 160, so four frames make a step; level and timbre of the recording
                are measured over the whole sound and taken out; silence beyond the ends.

Every frame is computed from its own samples alone, so any part of a spectrogram can be had without the rest.

Legend: N samples at 16 kHz, F mel frames, T steps of 1/25 s (640 samples).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.wire.channels import STEPS_PER_SECOND

RATE = 16000
SAMPLES_PER_STEP = RATE // STEPS_PER_SECOND
BANDS = 80
WINDOW = 800  # samples under one mel frame
HOP = 200  # published: 80 mel frames a second
CLEAN_HOP = 160  # clean: four mel frames a step
WINDOW_FRAMES = 16  # published: mel frames that decide one step


@functools.cache
def mel_basis() -> NDArray[Any]:
    """Filter bank [80, 401]: triangles of area one, 55 to 7600 Hz, evenly spread over Slaney's mel scale.

    That scale (Auditory Toolbox, 1998) is linear up to 1 kHz at 3 mel to 200 Hz, and logarithmic beyond, 27
    mel to a factor of 6.4.
    """
    knee, per_mel, growth = 1000.0, 200 / 3, np.log(6.4) / 27

    def to_mel(hertz: float) -> float:
        return hertz / per_mel if hertz < knee else knee / per_mel + float(np.log(hertz / knee)) / growth

    mels = np.linspace(to_mel(55), to_mel(7600), BANDS + 2)
    beyond = np.maximum(mels - knee / per_mel, 0)
    corners = np.minimum(mels * per_mel, knee) * np.exp(growth * beyond)
    hertz = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rising = (hertz - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - hertz) / np.diff(corners)[1:, None]
    triangles = np.maximum(np.minimum(rising, falling), 0)
    areas = (corners[2:] - corners[:-2]) / 2
    return np.asarray(triangles / areas[:, None], np.float32).astype(np.float64)  # as published: rounded


def mel_magnitudes(samples: NDArray[Any], first: int, last: int, hop: int, reflect: bool) -> NDArray[Any]:
    """Mel magnitudes of frames `first` to `last` - 1, frame k centred on sample k * hop; float64 [F, 80].

    The sound is pre-emphasised (y[n] = x[n] - 0.97 x[n-1]) and seen through a periodic Hann window. Beyond
    its ends it is mirrored (`reflect`, as librosa did by default before 0.10) or silent.
    """
    index = np.arange(first * hop - WINDOW // 2, (last - 1) * hop + WINDOW // 2)
    inside = (index >= 0) & (index < len(samples))
    if reflect:
        index = np.abs(index)
        index = np.where(index < len(samples), index, 2 * (len(samples) - 1) - index)
    index = index.clip(0, len(samples) - 1)
    wave = samples[index] - 0.97 * np.where(index > 0, samples[index - 1], 0.0).astype(np.float64)
    if not reflect:
        wave = wave * inside
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::hop]
    return np.asarray(np.abs(np.fft.rfft(frames * hann)) @ mel_basis().T)


def mel(samples: NDArray[Any], first: int = 0, last: int | None = None) -> NDArray[Any]:
    """Published mel spectrogram, float32 [F, 80] within -4..4 (-100..0 dB); F = 1 + N // 200 frames, 80 a
    second.

    `first` and `last` choose frames; each comes out the same whatever the choice.
    """
    last = 1 + len(samples) // HOP if last is None else last
    decibels = 20 * np.log10(np.maximum(mel_magnitudes(samples, first, last, HOP, reflect=True), 1e-5)) - 20
    return np.asarray(np.clip(8 * (decibels + 100) / 100 - 4, -4, 4), np.float32)


def window_starts(first: int, last: int) -> NDArray[Any]:
    """First mel frame of each step's window; int() truncates towards zero: -6, -3, 0, 3, 6, 9, 12, 16 ..."""
    return np.array([int(80 * (step - 2) / STEPS_PER_SECOND) for step in range(first, last)])


def windows(samples: NDArray[Any], first: int = 0, last: int | None = None) -> NDArray[Any]:
    """Published network input of steps `first` to `last` - 1: float32 [T, 80, 16], frames beyond the ends
    repeated."""
    last = len(samples) // SAMPLES_PER_STEP if last is None else last
    samples = samples[: len(samples) // SAMPLES_PER_STEP * SAMPLES_PER_STEP]
    index = window_starts(first, last)[:, None] + np.arange(WINDOW_FRAMES)  # [T, 16]
    index = index.clip(0, len(samples) // HOP)
    start = int(index.min())
    frames = mel(samples, start, int(index.max()) + 1)[index - start]  # [T, 16, 80]
    return np.ascontiguousarray(frames.transpose(0, 2, 1))


# --- clean front end ------------------------------------------------------------------------------

QUIETEST = -55.0
"""Level (dB, as in `Profile`) below which a recording counts as silence and is not amplified to a speaking
level."""
RANGE = 70.0
"""Decibels below the level of speech that are told apart; whatever is softer is silence."""
STEADY = 200
"""Frames (2 s) of speech after which half of the average spectrum is believed to be the recording's own."""


@dataclass(frozen=True)
class Profile:
    """What a recording sounds like, measured over all of it, to be taken out before the network listens.

    Attributes:
        level: loudness of its louder speech (95th percentile of frame energy, dB).
        spectrum: float64 [80], mean decibels of the speaking frames, relative to `level`.
        frames: how many frames the mean is made of.
    """

    level: float
    spectrum: NDArray[Any]
    frames: int


def _decibels(samples: NDArray[Any], first: int, last: int) -> NDArray[Any]:
    magnitudes = mel_magnitudes(samples, first, last, CLEAN_HOP, reflect=False)
    return np.asarray(20 * np.log10(np.maximum(magnitudes, 1e-7)))


def profile(samples: NDArray[Any], chunk: int = 4000) -> Profile:
    """Measure a recording. A histogram of loudness with the summed spectrum of each bin makes one pass
    enough."""
    low, bins = -160, 240  # 1 dB each
    count, total = np.zeros(bins), np.zeros((bins, BANDS))
    frames = 1 + len(samples) // CLEAN_HOP
    for first in range(0, frames, chunk):
        decibels = _decibels(samples, first, min(first + chunk, frames))
        energy = 10 * np.log10((10 ** (decibels / 10)).sum(axis=1))
        place = np.clip(energy - low, 0, bins - 1).astype(int)
        np.add.at(count, place, 1)
        np.add.at(total, place, decibels)
    top = int(np.searchsorted(np.cumsum(count), 0.95 * frames))
    level = max(low + top + 0.5, QUIETEST)
    speaking = np.arange(bins) + low + 0.5 > level - 30
    heard = int(count[speaking].sum())
    return Profile(level, total[speaking].sum(axis=0) / max(heard, 1) - level, heard)


def features(
    samples: NDArray[Any], about: Profile, usual: NDArray[Any], first: int, last: int
) -> NDArray[Any]:
    """Clean network input: float32 [F, 80] of frames `first` to `last` - 1 (which may lie beyond the ends).

    Decibels relative to the recording's level, less its average spectrum, in units of 20 dB. The average of
    a short recording says more about the words than about the voice, so it is trusted by its length
    (`STEADY`) and `usual` [80], the average over the training voices, makes up the rest.
    """
    relative = np.clip(_decibels(samples, first, last) - about.level, -RANGE, RANGE)
    trust = about.frames / (about.frames + STEADY)
    return np.asarray((relative - usual - trust * (about.spectrum - usual)) / 20, np.float32)
