# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound into mouth weights: reading files, mel spectrograms, and running the audio network step by step.

Two front ends, after the two kinds of network:
    published   Wav2Lip's mel (80 bands, hop 200 = 80 frames a second), windows of 16 frames, reflecting ends,
                floor(samples / 640) steps, smoothing with zeros beyond the ends. Exactly the released
                behaviour.
    clean       the same 80 bands at hop 160, so four frames make a step; level and timbre of the recording
                are measured over the whole sound and taken out; silence beyond the ends; ceil(samples /
                640) steps, so that the last sound is covered; no smoothing, the network having learned
                smooth motion.

Every mel frame is computed from its own samples alone. Sound of any length is therefore worked through in
chunks, in constant memory beside the samples themselves, with the same result.

Legend: N samples at 16 kHz, F mel frames, T steps of 1/25 s (640 samples).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.wire.channels import STEPS_PER_SECOND
from core.wire.errors import UnreadableAudio

if TYPE_CHECKING:
    from core.models.audio_to_mouth import AudioToMouth

RATE = 16000
SAMPLES_PER_STEP = RATE // STEPS_PER_SECOND
BANDS = 80
WINDOW = 800  # samples under one mel frame
HOP = 200  # published: 80 mel frames a second
CLEAN_HOP = 160  # clean: four mel frames a step
WINDOW_FRAMES = 16  # published: mel frames that decide one step
SMOOTHING = np.array([0.27406862, 0.45186276, 0.27406862], np.float32)  # Gaussian of one step, three taps


# --- files ----------------------------------------------------------------------------------------


def load_audio(path: str | Path) -> NDArray[Any]:
    """Any sound file, or the sound of any video file, as float32 [N] mono at 16 kHz.

    Raises:
        UnreadableAudio: missing, empty, cut off, not a sound, or a video without sound.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableAudio(
            f"There is no sound file {path.name} in {path.parent}", hint="Choose the file again"
        )
    if path.stat().st_size == 0:
        raise UnreadableAudio(f"{path.name} is empty", hint="Export the sound again")
    samples = _read_sound(path)
    if samples is None:
        samples = _read_container(path)
    if len(samples) == 0:
        raise UnreadableAudio(f"{path.name} holds no sound", hint="Export the sound again")
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)


def _read_sound(path: Path) -> NDArray[Any] | None:
    """What libsndfile makes of the file, None when it is not one of its formats."""
    import librosa
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate, announced = file.samplerate, file.frames
            blocks = [block.mean(axis=1) for block in file.blocks(1 << 18, dtype="float32", always_2d=True)]
    except (soundfile.LibsndfileError, TypeError):  # TypeError: the name says "headerless samples"
        return None
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if len(samples) < announced or _riff_is_short(path):
        raise UnreadableAudio(f"{path.name} is cut off", hint="Copy or export the file again")
    if rate != RATE and len(samples):
        samples = librosa.resample(samples, orig_sr=rate, target_sr=RATE)
    return np.asarray(samples, np.float32)


def _riff_is_short(path: Path) -> bool:
    """Whether a WAV file ends before its header says; libsndfile passes over that in silence."""
    with path.open("rb") as file:
        head = file.read(12)
    size = int.from_bytes(head[4:8], "little")
    streamed = size in (0, 0xFFFFFFFF)  # written through a pipe, length never filled in
    return head[:4] == b"RIFF" and head[8:] == b"WAVE" and not streamed and size + 8 > path.stat().st_size + 1


def _read_container(path: Path) -> NDArray[Any]:
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise UnreadableAudio(
                    f"{path.name} has no sound in it", hint="Choose a sound file, or a video with sound"
                )
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
            frames += resampler.resample(None)
    except av.FFmpegError as error:
        raise UnreadableAudio(
            f"{path.name} could not be read as sound ({error.strerror})",
            hint="Use WAV, FLAC, OGG, MP3 or a video file with sound",
        ) from error
    parts = [np.asarray(frame.to_ndarray(), np.float32).reshape(-1) for frame in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


# --- mel spectrogram ------------------------------------------------------------------------------


@functools.cache
def mel_basis() -> NDArray[Any]:
    """Filter bank [80, 401]: Slaney scale and area normalisation, 55 to 7600 Hz."""
    import librosa

    return np.asarray(
        librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=BANDS, fmin=55, fmax=7600), np.float64
    )


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


# --- mouth ----------------------------------------------------------------------------------------


def step_count(samples: NDArray[Any], kind: str) -> int:
    """Steps that a sound gives: whole ones ("published"), or enough to cover all of it ("clean").

    Raises:
        UnreadableAudio: shorter than one step.
    """
    if len(samples) < SAMPLES_PER_STEP:
        raise UnreadableAudio(
            f"The sound lasts {1000 * len(samples) / RATE:.0f} ms, less than one step of motion "
            f"({1000 // STEPS_PER_SECOND} ms)",
            hint="Use a longer sound",
        )
    whole = len(samples) // SAMPLES_PER_STEP
    return whole if kind == "published" else -(-len(samples) // SAMPLES_PER_STEP)


def smooth(track: NDArray[Any], ends: str) -> NDArray[Any]:
    """A light Gaussian over time, [T, C] -> [T, C].

    Args:
        ends: "zero" (published; the first and last step lose a quarter of their strength), "edge" (the end
            values go on) or "none" (no smoothing).
    """
    if ends == "none":
        return track
    padded = np.pad(track, ((1, 1), (0, 0)), mode="constant" if ends == "zero" else "edge")
    shifted = np.stack([padded[i : i + len(track)] for i in range(len(SMOOTHING))])
    return np.tensordot(SMOOTHING, shifted, axes=1)


def mouth_from_audio(net: AudioToMouth, samples: NDArray[Any], chunk: int = 500) -> NDArray[Any]:
    """Mouth weights of a whole sound, one row a step.

    Args:
        net: a network in evaluation mode, on any device.
        samples: float32 [N] mono at 16 kHz, of any length from one step on.
        chunk: steps worked on at a time; it changes memory, not the result.
    Returns:
        float32 [T, 20]. Row t belongs to the time from t / 25 s to (t + 1) / 25 s.
    Raises:
        UnreadableAudio: shorter than one step.
    """
    steps = step_count(samples, net.config.kind)
    listen = net.listener(samples)
    parts = [listen(first, min(first + chunk, steps)) for first in range(0, steps, chunk)]
    return smooth(np.concatenate(parts), net.config.smoothing).astype(np.float32)
