# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound files of every kind as samples, and how steps lie in a sound.

A published network gives floor(samples / 640) steps, smoothed with zeros beyond the ends, exactly as
released. A clean one gives ceil(samples / 640), so that the last sound is covered, and is not smoothed,
having learned smooth motion.

Legend: N samples at 16 kHz, T steps of 1/25 s (640 samples).
"""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.files import opened, reason
from core.sound import announced
from core.sound.mel import RATE, SAMPLES_PER_STEP
from core.wire.channels import STEPS_PER_SECOND
from core.wire.errors import UnreadableAudio

SMOOTHING = np.array([0.27406862, 0.45186276, 0.27406862], np.float32)  # Gaussian of one step, three taps
BLOCK = 1 << 18  # samples that are read at once, of all channels together
UNKNOWN = 1 << 48  # libsndfile's word for a length that the file does not say is larger
SLOWEST, FASTEST = 1000, 1_000_000  # samples a second
MOST_CHANNELS = 256
LONGEST = 3 * 3600.0  # seconds; some 700 MB of samples
CANCELLED = 0.25  # share of the power of unrelated channels; less is left only where they cancel


def load_audio(path: str | Path) -> NDArray[Any]:
    """Any sound file, or the sound of any video file, as float32 [N] mono at 16 kHz.

    Channels are averaged; where they cancel each other, the loudest is taken. A recording whose length was
    never filled in is read to the end of the file.

    Raises:
        UnreadableAudio: missing, empty, cut off, too long, not a sound, or a video without sound.
    """
    path = Path(path)
    try:
        with opened(path) as file:
            return _samples(file, path)
    except FileNotFoundError:
        raise UnreadableAudio(
            f"There is no sound file {path.name} in {path.parent}", hint="Choose the file again"
        ) from None
    except OSError as error:
        raise UnreadableAudio(
            f"{path.name} cannot be opened: {reason(error)}", hint="Choose another file"
        ) from None


def _samples(file: BinaryIO, path: Path) -> NDArray[Any]:
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise UnreadableAudio(f"{path.name} is empty", hint="Export the sound again")
    if announced.is_cut_off(file, size):
        raise _cut_off(path)
    samples = _read_sound(announced.repaired(file, size), path)
    if samples is None:
        file.seek(0)
        samples = _read_container(file, path)
    if len(samples) == 0:
        raise UnreadableAudio(f"{path.name} holds no sound", hint="Export the sound again")
    return np.nan_to_num(samples, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _read_sound(stream: BinaryIO, path: Path) -> NDArray[Any] | None:
    """What libsndfile makes of the file, None when it is not one of its formats.

    Read and resampled in blocks: what stays in memory is the result, 4 MB a minute.
    """
    import soundfile

    try:
        with soundfile.SoundFile(stream) as file:
            length = file.frames if file.frames < UNKNOWN else None
            _check_extent(path, file.samplerate, file.channels, (length or 0) / file.samplerate)
            block = max(1, BLOCK // file.channels)
            sound = _Mono(path, file.samplerate)
            for part in file.blocks(block, dtype="float32", always_2d=True):
                sound.add(part)
    except soundfile.LibsndfileError:
        return None
    if length is not None and sound.read < length:
        raise _cut_off(path)
    return sound.finished()


class _Mono:
    """Blocks of several channels, brought together to one at 16 kHz."""

    def __init__(self, path: Path, rate: int) -> None:
        import soxr

        self.read = 0
        self._path, self._rate, self._sound = path, rate, bytearray()
        self._resampler = soxr.ResampleStream(rate, RATE, 1, dtype="float32") if rate != RATE else None

    def add(self, block: NDArray[Any]) -> None:
        """[N, C] float32; N samples of some seconds, so that what cancels is told from what only differs."""
        mono = together(block)
        self.read += len(mono)
        _check_seconds(self._path, self.read / self._rate)
        mono = mono if self._resampler is None else self._resampler.resample_chunk(mono)
        self._sound += mono.tobytes()

    def finished(self) -> NDArray[Any]:
        """All samples [N] at 16 kHz."""
        if self._resampler is not None and self.read:
            rest = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            self._sound += rest.tobytes()
            self._sound += bytes(max(0, 4 * math.ceil(self.read * RATE / self._rate) - len(self._sound)))
        return np.frombuffer(self._sound, np.float32)


def together(block: NDArray[Any]) -> NDArray[np.float32]:
    """Channels [N, C] as one [N]: their mean, or the loudest of them where the mean loses most of what they
    hold because they cancel each other (a cable with its poles exchanged, mid and side)."""
    mono = np.asarray(block.mean(axis=1), np.float32)
    if block.shape[1] == 1:
        return mono
    powers = np.einsum("nc,nc->c", block, block, dtype=np.float64)
    unrelated = powers.sum() / block.shape[1] ** 2  # what the mean of unrelated channels would have
    if np.isfinite(unrelated) and np.square(mono, dtype=np.float64).sum() < CANCELLED * unrelated:
        return np.ascontiguousarray(block[:, int(powers.argmax())], np.float32)
    return mono


def _check_extent(path: Path, rate: float, channels: int, seconds: float) -> None:
    """Refuse by what the header says, before anything is read. Raises UnreadableAudio."""
    if not SLOWEST <= rate <= FASTEST or not 1 <= channels <= MOST_CHANNELS:
        raise UnreadableAudio(
            f"{path.name} has {rate:g} samples a second on {channels} channels, which is no sound that can "
            "be read",
            hint="Export it with 48000 samples a second",
        )
    _check_seconds(path, seconds)


def _check_seconds(path: Path, seconds: float) -> None:
    if seconds > LONGEST:
        raise UnreadableAudio(
            f"{path.name} lasts over {LONGEST / 3600:g} hours",
            hint="Cut it into shots of some minutes",
        )


def _cut_off(path: Path) -> UnreadableAudio:
    return UnreadableAudio(f"{path.name} is cut off", hint="Copy or export the file again")


def _read_container(file: BinaryIO, path: Path) -> NDArray[Any]:
    """What FFmpeg makes of it, resampled before the channels are brought together."""
    import av

    sound, waiting, count = _Mono(path, RATE), [], 0
    try:
        with av.open(file, metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise UnreadableAudio(
                    f"{path.name} has no sound in it", hint="Choose a sound file, or a video with sound"
                )
            stream = container.streams.audio[0]
            if stream.codec_context is not None:
                seconds = float(stream.duration * stream.time_base) if stream.duration else 0.0
                _check_extent(path, stream.codec_context.rate, stream.codec_context.channels, seconds)
            resampler = av.AudioResampler(format="fltp", rate=RATE)
            for frame in itertools.chain(container.decode(stream), [None]):
                for part in resampler.resample(frame):
                    waiting.append(part.to_ndarray().T)
                    count += part.samples
                if waiting and (count >= BLOCK // waiting[0].shape[1] or frame is None):
                    sound.add(np.concatenate(waiting))
                    waiting, count = [], 0
    except (
        av.FFmpegError,
        ValueError,
        IndexError,
        AttributeError,
    ) as error:  # broken streams raise them all
        why = getattr(error, "strerror", None) or "it is no sound, or is damaged"
        raise UnreadableAudio(
            f"{path.name} could not be read as sound ({why})",
            hint="Use WAV, FLAC, OGG, MP3 or a video file with sound",
        ) from error
    return sound.finished()


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
