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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import opened, reason
from core.sound.mel import RATE, SAMPLES_PER_STEP
from core.wire.channels import STEPS_PER_SECOND
from core.wire.errors import UnreadableAudio

SMOOTHING = np.array([0.27406862, 0.45186276, 0.27406862], np.float32)  # Gaussian of one step, three taps
SMALLEST_MP3_FRAME = 24  # bytes: 24 kHz at 8 kbit a second


def load_audio(path: str | Path) -> NDArray[Any]:
    """Any sound file, or the sound of any video file, as float32 [N] mono at 16 kHz.

    Raises:
        UnreadableAudio: missing, empty, cut off, not a sound, or a video without sound.
    """
    path = Path(path)
    try:
        with opened(path) as file:
            empty = not os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise UnreadableAudio(
            f"There is no sound file {path.name} in {path.parent}", hint="Choose the file again"
        ) from None
    except OSError as error:
        raise UnreadableAudio(
            f"{path.name} cannot be opened: {reason(error)}", hint="Choose another file"
        ) from None
    if empty:
        raise UnreadableAudio(f"{path.name} is empty", hint="Export the sound again")
    try:
        short = _wav_is_short(path) or _mp3_is_short(path)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UnreadableAudio(f"{path.name} cannot be opened: {why}", hint="Choose another file") from error
    if short:
        raise _cut_off(path)
    samples = _read_sound(path)
    if samples is None:
        samples = _read_container(path)
    if len(samples) == 0:
        raise UnreadableAudio(f"{path.name} holds no sound", hint="Export the sound again")
    return np.nan_to_num(samples, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _read_sound(path: Path) -> NDArray[Any] | None:
    """What libsndfile makes of the file, None when it is not one of its formats.

    Read and resampled in blocks: what stays in memory is the result, 4 MB a minute.
    """
    import soundfile
    import soxr

    sound, read = bytearray(), 0
    try:
        with soundfile.SoundFile(path) as file:
            rate, announced = file.samplerate, file.frames
            resampler = soxr.ResampleStream(rate, RATE, 1, dtype="float32") if rate != RATE else None
            for block in file.blocks(1 << 18, dtype="float32", always_2d=True):
                mono = block.mean(axis=1)
                read += len(mono)
                sound += (mono if resampler is None else resampler.resample_chunk(mono)).tobytes()
    except (soundfile.LibsndfileError, TypeError):  # TypeError: the name says "headerless samples"
        return None
    if read < announced:
        raise _cut_off(path)
    if resampler is not None and read:
        sound += resampler.resample_chunk(np.zeros(0, np.float32), last=True).tobytes()
        sound += bytes(max(0, 4 * math.ceil(read * RATE / rate) - len(sound)))
    return np.frombuffer(sound, np.float32)


def _cut_off(path: Path) -> UnreadableAudio:
    return UnreadableAudio(f"{path.name} is cut off", hint="Copy or export the file again")


def _wav_is_short(path: Path) -> bool:
    """Whether a WAV file ends before its header says; libsndfile passes over that in silence."""
    with path.open("rb") as file:
        head = file.read(12)
    size = int.from_bytes(head[4:8], "little")
    streamed = size in (0, 0xFFFFFFFF)  # written through a pipe, length never filled in
    return head[:4] == b"RIFF" and head[8:] == b"WAVE" and not streamed and size + 8 > path.stat().st_size + 1


def _mp3_is_short(path: Path) -> bool:
    """Whether an MP3 file lacks a part of what its first frame announces (the Xing header, which encoders
    write); libsndfile would give silence in its place, of any length. Without that header nobody can tell.
    """
    with path.open("rb") as file:
        head = file.read(10)
        tag = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(head[6:])))
        start = 10 + tag if head[:3] == b"ID3" else 0
        file.seek(start)
        frame = file.read(64).ljust(80, b"\0")
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if frame[:1] != b"\xff" or at < 0:
        return False
    announced, place = 0, at + 8
    for flag, least in ((1, SMALLEST_MP3_FRAME), (2, 1)):  # a count of frames, a count of bytes: both, or one
        if frame[at + 7] & flag:
            announced = max(announced, least * int.from_bytes(frame[place : place + 4], "big"))
            place += 4
    return announced * 0.99 > path.stat().st_size - start  # players, too, let pass what is within a hundredth


def _read_container(path: Path) -> NDArray[Any]:
    import av

    sound = bytearray()
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise UnreadableAudio(
                    f"{path.name} has no sound in it", hint="Choose a sound file, or a video with sound"
                )
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            for frame in itertools.chain(container.decode(audio=0), [None]):
                for part in resampler.resample(frame):
                    sound += np.asarray(part.to_ndarray(), np.float32).tobytes()
    except av.FFmpegError as error:
        raise UnreadableAudio(
            f"{path.name} could not be read as sound ({error.strerror})",
            hint="Use WAV, FLAC, OGG, MP3 or a video file with sound",
        ) from error
    return np.frombuffer(sound, np.float32)


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
