# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound that ends before it says is refused in every container that says; lengths never filled in are not
believed, and absurd ones cost nothing."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from core.sound import audio
from core.wire.errors import UnreadableAudio

RATE = 16000
VOICE = (0.4 * np.sin(np.arange(4 * RATE) * 0.11) * (1 + np.sin(np.arange(4 * RATE) * 0.001))).astype(
    np.float32
)

BY_SOUNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
BY_FFMPEG = {  # suffix -> format, codec, options
    "opus": ("ogg", "libopus", {}),
    "m4a": ("ipod", "aac", {}),
    "fast.mp4": ("mp4", "aac", {"movflags": "+faststart"}),
    "pieces.mp4": ("mp4", "aac", {"movflags": "+frag_keyframe+empty_moov+default_base_moof"}),
    "mov": ("mov", "pcm_s16le", {}),
    "mka": ("matroska", "flac", {}),
    "webm": ("webm", "libopus", {}),
    "avi": ("avi", "pcm_s16le", {}),
}


def make(folder: Path, kind: str) -> Path:
    path = folder / f"voice.{kind}"
    if kind in BY_SOUNDFILE:
        form, subtype = BY_SOUNDFILE[kind]
        soundfile.write(path, VOICE, RATE, subtype, format=form)
        return path
    form, codec, options = BY_FFMPEG[kind]
    with av.open(str(path), "w", format=form, options=options) as container:
        rate = 48000 if codec == "libopus" else RATE
        stream = container.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(
            format=stream.format.name if stream.format else "s16", rate=rate, layout="mono"
        )
        frame = av.AudioFrame.from_ndarray((VOICE * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", [*BY_SOUNDFILE, *BY_FFMPEG])
def test_whole_sounds_are_read_and_those_that_end_too_soon_refused(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind)
    assert abs(len(audio.load_audio(path)) - len(VOICE)) < 0.15 * RATE
    data = path.read_bytes()
    for share in (0.02, 0.3, 0.5, 0.9, 0.97):
        path.write_bytes(data[: round(share * len(data))])
        with pytest.raises(UnreadableAudio) as caught:
            audio.load_audio(path)
        assert caught.value.hint, share


@pytest.mark.parametrize("kind", ["wav", "aiff", "flac", "mp3", "ogg", "m4a", "caf"])
def test_what_somebody_put_behind_a_sound_does_no_harm(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind)
    before = audio.load_audio(path)
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert len(audio.load_audio(path)) >= len(before)


# --- lengths that a crashed recorder left at 0 ---------------------------------------------------


def zeroed(path: Path, kind: str, outer: bool) -> None:
    data = bytearray(path.read_bytes())
    if kind == "au":
        data[8:12] = bytes(4)
    else:
        place = data.index({"wav": b"data", "rf64": b"data", "aiff": b"SSND"}[kind])
        data[place + 4 : place + 8] = bytes(4)
        if outer:
            data[4:8] = bytes(4)
        if kind == "aiff":
            common = data.index(b"COMM")
            data[common + 10 : common + 14] = bytes(4)
        if kind == "rf64":
            data[20:44] = bytes(24)
    path.write_bytes(data)


@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "rf64"])
def test_a_recording_whose_length_was_never_filled_in_is_read_to_its_end(
    tmp_path: Path, kind: str, outer: bool
) -> None:
    path = make(tmp_path, kind)
    whole = audio.load_audio(path)
    zeroed(path, kind, outer)
    np.testing.assert_array_equal(audio.load_audio(path)[: len(whole)], whole)


def test_a_sound_that_really_holds_nothing_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.float32), RATE)
    with pytest.raises(UnreadableAudio, match="holds no sound"):
        audio.load_audio(tmp_path / "none.wav")
    data = (tmp_path / "none.wav").read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO"
    (tmp_path / "none.wav").write_bytes(data)
    with pytest.raises(UnreadableAudio, match="holds no sound"):
        audio.load_audio(tmp_path / "none.wav")


# --- absurd numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 999, 2**31 - 1])
def test_absurd_rates_are_refused_by_the_header(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "odd.wav", VOICE, RATE)
    data = bytearray((tmp_path / "odd.wav").read_bytes())
    data[24:28] = struct.pack("<I", rate)
    (tmp_path / "odd.wav").write_bytes(data)
    with pytest.raises(UnreadableAudio) as caught:
        audio.load_audio(tmp_path / "odd.wav")
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["flac", "wav"])
def test_very_long_sounds_are_refused_before_they_are_read(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path, kind)
    monkeypatch.setattr(audio, "LONGEST", 3.9)
    monkeypatch.setattr(audio._Mono, "add", lambda self, block: pytest.fail("it was read"))
    with pytest.raises(UnreadableAudio, match="lasts over"):
        audio.load_audio(path)


@pytest.mark.parametrize("kind", ["mka", "opus"])
def test_a_length_that_no_header_tells_is_noticed_on_the_way(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path, kind)
    monkeypatch.setattr(audio, "LONGEST", 3.0)
    with pytest.raises(UnreadableAudio, match="lasts over"):
        audio.load_audio(path)
