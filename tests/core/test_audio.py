# SPDX-License-Identifier: GPL-3.0-or-later
"""core/sound/audio.py: files of every kind become the same samples, and sound becomes steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.sound import audio, mel
from core.wire.errors import UnreadableAudio


def tone(rate: int = 16000, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def pitch(samples: np.ndarray) -> float:
    """Strongest frequency in Hz, at 16 kHz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * mel.RATE / len(samples))


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("telephone.wav", 8000, 1, "PCM_16"),
        ("old.wav", 11025, 1, "PCM_U8"),
        ("stereo.wav", 44100, 2, "PCM_24"),
        ("film.wav", 48000, 6, "PCM_32"),
        ("float.wav", 48000, 1, "FLOAT"),
        ("small.mp3", 44100, 2, "MPEG_LAYER_III"),
        ("whole.flac", 96000, 2, "PCM_24"),
        ("free.ogg", 22050, 1, "VORBIS"),
        ("apple.aiff", 32000, 2, "PCM_16"),
    ],
)
def test_every_rate_width_and_format_becomes_16_khz_mono(
    tmp_path: Path, name: str, rate: int, channels: int, subtype: str
) -> None:
    path = tmp_path / name
    soundfile.write(path, np.tile(tone(rate)[:, None], (1, channels)), rate, subtype=subtype)
    samples = audio.load_audio(path)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) == pytest.approx(8000, abs=1200 if name.endswith("mp3") else 2)
    assert pitch(samples) == pytest.approx(440, abs=3)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.03)


def test_channels_that_cancel_each_other_do_not_silence_the_voice(tmp_path: Path) -> None:
    """A cable with its poles exchanged, in all of the file or in a part, alone or beside a silent channel."""
    quiet = np.zeros_like(tone())
    hum = 0.05 * np.sin(np.arange(len(quiet)) * 0.02).astype(np.float32)
    for name, channels in {
        "turned": [tone(), -tone()],
        "turned and softer": [tone(), -0.8 * tone()],
        "turned over a hum": [tone() + hum, hum - tone()],
        "turned beside silence": [tone(), -tone(), quiet],
    }.items():
        soundfile.write(tmp_path / f"{name}.wav", np.stack(channels, axis=1), 16000)
        heard = audio.load_audio(tmp_path / f"{name}.wav")
        assert abs(np.corrcoef(heard, tone())[0, 1]) > 0.97 and np.abs(heard).max() > 0.4, name


def test_channels_that_only_differ_are_mixed(tmp_path: Path) -> None:
    other = np.random.default_rng(0).normal(0, 0.2, len(tone())).astype(np.float32)
    soundfile.write(tmp_path / "apart.wav", np.stack([tone(), other], axis=1), 16000, "FLOAT")
    np.testing.assert_allclose(audio.load_audio(tmp_path / "apart.wav"), (tone() + other) / 2, atol=1e-6)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_the_sound_of_a_video_file_is_found(tmp_path: Path, container: str) -> None:
    path = tmp_path / f"clip.{container}"
    write_clip(path, tone(48000))
    samples = audio.load_audio(path)
    assert len(samples) == pytest.approx(8000, abs=1500)
    assert pitch(samples) == pytest.approx(440, abs=3)


def write_clip(path: Path, sound: np.ndarray | None) -> None:
    """Five black pictures, with AAC sound at 48 kHz if there is any."""
    import av

    with av.open(str(path), "w") as clip:
        pictures = clip.add_stream("mpeg4", rate=25)
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        voice = clip.add_stream("aac", rate=48000, layout="mono") if sound is not None else None
        for _ in range(5):
            clip.mux(pictures.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        clip.mux(pictures.encode())
        if voice is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate = 48000
            clip.mux(voice.encode(frame))
            clip.mux(voice.encode())


def test_a_video_without_sound_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "silent film.mp4"
    write_clip(path, None)
    with pytest.raises(UnreadableAudio, match=r"silent film\.mp4 has no sound in it"):
        audio.load_audio(path)


def test_a_missing_file_an_empty_file_and_a_text_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UnreadableAudio, match=r"no sound file gone\.wav"):
        audio.load_audio(tmp_path / "gone.wav")
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(UnreadableAudio, match=r"empty\.wav is empty"):
        audio.load_audio(tmp_path / "empty.wav")
    for name in ("letter.wav", "letter.mp3", "letter.raw", "letter.mp4"):
        (tmp_path / name).write_text("Dear animator,\n" * 200)
        with pytest.raises(UnreadableAudio, match=name):
            audio.load_audio(tmp_path / name)
    with pytest.raises(UnreadableAudio):
        audio.load_audio(tmp_path)


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0, np.float32), 16000)
    with pytest.raises(UnreadableAudio, match="holds no sound"):
        audio.load_audio(tmp_path / "nothing.wav")


@pytest.mark.parametrize("name", ["cut.wav", "cut.flac"])
@pytest.mark.parametrize("share", [0.01, 0.6])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    whole = tmp_path / f"whole{Path(name).suffix}"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32000)
    soundfile.write(whole, noise, 16000)
    data = whole.read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableAudio, match=name):
        audio.load_audio(tmp_path / name)


@pytest.mark.parametrize("tagged", [False, True])
def test_a_truncated_mp3_is_refused_when_it_says_how_long_it_is(tmp_path: Path, tagged: bool) -> None:
    path, cut = tmp_path / "whole.mp3", tmp_path / "cut.mp3"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32000)
    soundfile.write(path, noise, 16000)  # with a Xing header
    tag = b"ID3\x04\0\0" + bytes([0, 0, 2, 100]) + bytes(2 * 128 + 100)
    data = (tag if tagged else b"") + path.read_bytes()
    path.write_bytes(data)
    assert len(audio.load_audio(path)) == pytest.approx(32000, abs=2400)
    cut.write_bytes(data[: int(len(data) * 0.6)])
    with pytest.raises(UnreadableAudio, match=r"cut\.mp3 is cut off"):
        audio.load_audio(cut)
    lie = bytearray(data)
    at = lie.index(b"Xing")
    lie[at + 7 : at + 12] = b"\1\xff\xff\xff\xff"  # announces years of sound
    cut.write_bytes(lie)
    with pytest.raises(UnreadableAudio, match=r"cut\.mp3 is cut off"):
        audio.load_audio(cut)


@pytest.mark.parametrize("name", ["piped.wav", "piped.flac"])
def test_a_file_written_through_a_pipe_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, tone(), 16000)
    data = bytearray(path.read_bytes())
    if name.endswith("wav"):  # a program that cannot go back leaves the lengths open
        data[4:8] = b"\xff" * 4
        at = data.index(b"data") + 4
        data[at : at + 4] = b"\xff" * 4
    else:
        data[21] &= 0xF0
        data[22:26] = b"\0" * 4
    path.write_bytes(bytes(data))
    assert len(audio.load_audio(path)) == 8000


def test_samples_that_are_not_numbers_become_silence(tmp_path: Path) -> None:
    sound = tone()
    sound[100:200] = np.nan
    soundfile.write(tmp_path / "odd.wav", sound, 16000, subtype="FLOAT")
    assert np.isfinite(audio.load_audio(tmp_path / "odd.wav")).all()


# --- steps ---------------------------------------------------------------------------------------


def test_published_smoothing_loses_strength_at_the_ends_and_ours_does_not() -> None:
    steady = np.ones((6, 20), np.float32)
    published = audio.smooth(steady, "zero")
    assert published[0, 0] == pytest.approx(0.72593138)
    assert published[1, 0] == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(audio.smooth(steady, "edge"), 1.0, atol=1e-6)
    assert audio.smooth(steady, "none") is steady


@pytest.mark.parametrize(("samples", "published", "clean"), [(640, 1, 1), (1600, 2, 3), (16000, 25, 25)])
def test_published_steps_are_whole_and_clean_steps_cover_the_last_sound(
    samples: int, published: int, clean: int
) -> None:
    sound = np.zeros(samples, np.float32)
    assert audio.step_count(sound, "published") == published
    assert audio.step_count(sound, "clean") == clean


@pytest.mark.parametrize("kind", ["published", "clean"])
def test_a_sound_shorter_than_a_step_is_refused_in_milliseconds(kind: str) -> None:
    with pytest.raises(UnreadableAudio, match="lasts 20 ms, less than one step"):
        audio.step_count(np.zeros(320, np.float32), kind)


def test_a_long_sound_is_resampled_in_blocks_as_in_one_piece(tmp_path: Path) -> None:
    import soxr

    samples = np.random.default_rng(0).normal(size=3 * (1 << 18) + 77).astype(np.float32) * 0.1
    for rate in (22050, 44100):
        soundfile.write(tmp_path / "long.wav", samples, rate, subtype="FLOAT")
        whole = soxr.resample(samples, rate, audio.RATE)
        heard = audio.load_audio(tmp_path / "long.wav")
        assert len(heard) == -(-len(samples) * audio.RATE // rate)
        np.testing.assert_allclose(heard[: len(whole)], whole[: len(heard)], atol=1e-6)
