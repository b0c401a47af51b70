# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips are read by their time stamps, upright, and previews play with their sound."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from core.pictures import video
from core.wire.errors import OutputBlocked, UnreadableAudio, UnreadableVideo


def pictures(count: int = 10, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frame k is grey level 20 + 20 k, its left half dark: brightness tells the number, darkness the
    side."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    frames[:, :, width // 2 :] = (20 + 20 * np.arange(count)).reshape(-1, 1, 1, 1)
    return list(frames)


def clip(path: Path, stamps: list[float], height: int = 48, width: int = 64) -> Path:
    """An mp4 whose frames are shown at `stamps` seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=90)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90000)
        for rgb, stamp in zip(pictures(len(stamps), height, width), stamps):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = round(stamp * 90000), Fraction(1, 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def number_of(rgb: np.ndarray) -> int:
    return round((float(rgb[:, -8:].mean()) - 20) / 20)


def voice(path: Path, seconds: float = 0.4, rate: int = 22050) -> Path:
    soundfile.write(path, 0.5 * np.sin(np.arange(int(seconds * rate)) * 0.1), rate)
    return path


# --- reading --------------------------------------------------------------------------------------


def test_frames_carry_the_times_they_are_shown_at(tmp_path: Path) -> None:
    stamps = [0.0, 0.04, 0.11, 0.2, 0.21, 0.5]  # a varying rate
    frames = list(video.read(clip(tmp_path / "varying.mp4", stamps)))
    assert [number_of(frame.rgb) for frame in frames] == list(range(6))
    np.testing.assert_allclose([frame.seconds for frame in frames], stamps, atol=1e-4)


def test_time_starts_at_the_first_picture(tmp_path: Path) -> None:
    frames = list(video.read(clip(tmp_path / "late.mp4", [3.0, 3.04, 3.08])))
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.04, 0.08], atol=1e-4)


def test_frames_denser_than_needed_are_passed_over(tmp_path: Path) -> None:
    path = clip(tmp_path / "fast.mp4", [k / 60 for k in range(10)])
    assert [number_of(frame.rgb) for frame in video.read(path, densest=0.024)] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_rotated_clip_comes_in_upright(tmp_path: Path, quarters: int) -> None:
    path = clip(tmp_path / "phone.mp4", [0, 0.04])
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][
        quarters
    ]  # turn clockwise by this many quarters when shown
    fixed = [cosine, sine, 0, -sine, cosine, 0, 0, 0]
    matrix = b"".join(struct.pack(">i", value << 16) for value in fixed) + struct.pack(">i", 1 << 30)
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # version, flags, times, ids and volume come before the matrix
    data[start : start + 36] = matrix
    path.write_bytes(bytes(data))
    shown = next(iter(video.read(path))).rgb
    assert shown.shape == ((48, 64, 3), (64, 48, 3))[quarters % 2]
    dark = {0: shown[:, :8], 1: shown[:8], 2: shown[:, -8:], 3: shown[-8:]}[quarters]
    assert dark.mean() < 5 < 15 < shown.mean() * 2


MATRICES = {  # rows that say where right and down of the stored picture go to -> what is done to it
    "mirrored": ((-1, 0), (0, 1), lambda a: a[:, ::-1]),
    "upside down": ((1, 0), (0, -1), lambda a: a[::-1]),
    "turned and mirrored": ((0, 1), (1, 0), lambda a: a.transpose(1, 0, 2)),
    "turned and mirrored the other way": ((0, -1), (-1, 0), lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
}


@pytest.mark.parametrize("kind", sorted(MATRICES))
def test_a_mirrored_clip_comes_in_as_it_is_shown(tmp_path: Path, kind: str) -> None:
    right, down, done = MATRICES[kind]
    rows, columns = np.mgrid[0:48, 0:64]
    levels = np.stack([columns * 4, rows * 5, 0 * rows], -1).astype(np.uint8)
    video.write_preview(tmp_path / "phone.mp4", [levels] * 3, 25)
    plain = next(iter(video.read(tmp_path / "phone.mp4"))).rgb
    data = bytearray((tmp_path / "phone.mp4").read_bytes())
    start = data.index(b"tkhd") + 44
    fixed = (right[0], right[1], 0, down[0], down[1], 0, 0, 0)
    data[start : start + 36] = struct.pack(">9i", *(value << 16 for value in fixed), 1 << 30)
    (tmp_path / "phone.mp4").write_bytes(bytes(data))
    np.testing.assert_array_equal(next(iter(video.read(tmp_path / "phone.mp4"))).rgb, done(plain))


@pytest.mark.parametrize(
    ("shape", "size"), [((2, 1), (48, 128)), ((1, 2), (96, 64)), ((4, 3), (48, 85)), ((99, 1), (48, 64))]
)
def test_pixels_that_are_not_square_are_made_so(
    tmp_path: Path, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    with av.open(str(tmp_path / "wide.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(*shape)
        for rgb in pictures(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    assert {frame.rgb.shape[:2] for frame in video.read(tmp_path / "wide.mp4")} == {size}


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.97])
def test_a_clip_that_was_cut_off_is_one_sentence(tmp_path: Path, share: float) -> None:
    clip(tmp_path / "talk.mp4", [k / 25 for k in range(50)])  # its index comes last, as cameras write it
    data = (tmp_path / "talk.mp4").read_bytes()
    (tmp_path / "talk.mp4").write_bytes(data[: round(share * len(data))])
    with pytest.raises(UnreadableVideo) as caught:
        list(video.read(tmp_path / "talk.mp4"))
    assert caught.value.hint


def test_info_tells_size_length_and_sound(tmp_path: Path) -> None:
    video.write_preview(tmp_path / "talk.mp4", pictures(10), 25, voice(tmp_path / "voice.wav"))
    about = video.info(tmp_path / "talk.mp4")
    assert (about.width, about.height, about.rate, about.has_sound) == (64, 48, 25.0, True)
    assert about.seconds == pytest.approx(0.4, abs=0.01)


# --- bad input: one sentence each -----------------------------------------------------------------


def test_what_is_no_clip_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a clip")
    voice(tmp_path / "voice.wav")
    whole = clip(tmp_path / "whole.mp4", [0, 0.04, 0.08]).read_bytes()
    (tmp_path / "headless.mp4").write_bytes(whole[: len(whole) // 2])  # the index is at the end
    for name, sentence in {
        "nowhere.mp4": "There is no clip",
        "empty.mp4": "is empty",
        "text.mp4": "not a clip, or is damaged",
        "voice.wav": "is a sound file",
        "headless.mp4": "not a clip, or is damaged",
    }.items():
        with pytest.raises(UnreadableVideo, match=sentence):
            list(video.read(tmp_path / name))


def test_a_clip_that_breaks_off_says_where(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 48, 64, 3), dtype=np.uint8)
    video.write_preview(tmp_path / "whole.mp4", noise, 25)  # its index is at the front
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableVideo, match=r"breaks off after [12]\.\d of 4\.0 seconds"):
        list(video.read(tmp_path / "cut.mp4"))


# --- the preview ----------------------------------------------------------------------------------


def test_a_preview_plays_its_frames_and_its_sound_in_time(tmp_path: Path) -> None:
    voice(tmp_path / "voice.wav", seconds=2.0)
    assert video.write_preview(tmp_path / "talk.mp4", pictures(10), 25, tmp_path / "voice.wav") == 10
    assert [number_of(frame.rgb) for frame in video.read(tmp_path / "talk.mp4")] == list(range(10))
    with av.open(str(tmp_path / "talk.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert samples.shape[1] / 48000 == pytest.approx(0.4, abs=0.05)  # cut to the pictures
    assert np.abs(samples[:, 2000:15000]).max() > 0.3
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_a_preview_may_be_played_while_it_loads(tmp_path: Path) -> None:
    video.write_preview(tmp_path / "talk.mp4", pictures(3), 29.97)
    data = (tmp_path / "talk.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert video.info(tmp_path / "talk.mp4").rate == pytest.approx(29.97, abs=0.01)


def test_odd_sizes_and_short_sounds_are_no_trouble(tmp_path: Path) -> None:
    voice(tmp_path / "short.wav", seconds=0.05)
    video.write_preview(tmp_path / "odd.mp4", pictures(8, 47, 63), 24, tmp_path / "short.wav")
    assert len(list(video.read(tmp_path / "odd.mp4"))) == 8


def test_a_preview_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputBlocked):
        video.write_preview(tmp_path / "nowhere" / "talk.mp4", pictures(3), 25)
    (tmp_path / "noise.wav").write_text("no sound")
    with pytest.raises(UnreadableAudio, match="holds no sound"):
        video.write_preview(tmp_path / "talk.mp4", pictures(3), 25, tmp_path / "noise.wav")
    with pytest.raises(ValueError, match="at least one frame"):
        video.write_preview(tmp_path / "talk.mp4", [], 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noise.wav"]
