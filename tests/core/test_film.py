# SPDX-License-Identifier: GPL-3.0-or-later
"""Films: codecs, colour, size, time, sound in step, and nothing half-written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from core.pictures import film
from core.wire.errors import InputError, OutputBlocked, UnreadableAudio

RATE = 24000 / 1001


def pictures(count: int = 24, height: int = 64, width: int = 96, alpha: bool = False) -> list[np.ndarray]:
    """Smooth colours that move."""
    y, x = np.mgrid[:height, :width]
    made = []
    for n in range(count):
        planes = [255 * ((x + 4 * n) % width) / width, 255 * y / height, np.full_like(x, 40 + 3 * n)]
        planes += [255 * x / width] if alpha else []
        made.append(np.stack(planes, -1).astype(np.uint8))
    return made


def click(path: Path, at: float, seconds: float = 3.0, rate: int = 16000) -> Path:
    samples = np.zeros(round(seconds * rate), np.float32)
    samples[round(at * rate) : round(at * rate) + 160] = 0.9
    soundfile.write(path, samples, rate)
    return path


def decoded(path: Path, form: str = "rgb24") -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=form) for frame in container.decode(video=0)]


def heard_at(path: Path) -> float:
    """Seconds at which the sound of a film is loudest."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        parts = [frame.to_ndarray() for frame in container.decode(stream)]
        samples = np.concatenate([part.reshape(part.shape[0], -1).max(0) for part in parts]).astype(float)
        per_second = stream.rate * (2 if stream.codec_context.format.is_packed else 1)
        return float(np.abs(samples).argmax()) / per_second


@pytest.mark.parametrize(
    ("form", "codecs", "pixels"),
    [
        ("mp4", ("h264", "aac"), "yuv420p"),
        ("prores", ("prores", "pcm_s16le"), "yuv444p12le"),
        ("ffv1", ("ffv1", "flac"), "bgr0"),
    ],
)
def test_a_film_says_what_it_holds_and_its_colours_are_those_of_the_frames(
    tmp_path: Path, form: str, codecs: tuple[str, str], pixels: str
) -> None:
    made, out = pictures(), tmp_path / f"film{film.FORMS[form].suffix}"
    assert film.write(out, made, RATE, form, click(tmp_path / "click.wav", 0.5)) == 24
    with av.open(str(out)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, sound.codec_context.name) == codecs
        assert (picture.width, picture.height, picture.average_rate) == (96, 64, Fraction(24000, 1001))
        assert picture.codec_context.pix_fmt == pixels
        assert (picture.codec_context.colorspace, picture.codec_context.color_range) == (
            (1, 1) if film.FORMS[form].yuv else (0, 2)
        )
        assert abs(container.duration / 1e6 - 24 / RATE) < 1 / RATE
    for shown, true in zip(decoded(out), made, strict=True):
        assert np.abs(shown.mean((0, 1)) - true.mean((0, 1))).max() < 3
    assert heard_at(out) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("form", ["prores", "ffv1"])
def test_alpha_is_kept_straight(tmp_path: Path, form: str) -> None:
    made, out = pictures(6, alpha=True), tmp_path / f"film{film.FORMS[form].suffix}"
    film.write(out, made, 25, form)
    for shown, true in zip(decoded(out, "rgba"), made, strict=True):
        assert np.abs(shown.astype(int) - true).mean() < 1.5


@pytest.mark.parametrize("since", [0.4, 0.0, -0.25])
def test_the_sound_is_in_step_wherever_it_begins(tmp_path: Path, since: float) -> None:
    film.write(tmp_path / "f.mp4", pictures(50), 25, "mp4", click(tmp_path / "c.wav", 1.0), since)
    assert heard_at(tmp_path / "f.mp4") == pytest.approx(1.0 - since, abs=0.03)


@pytest.mark.parametrize(("height", "width"), [(63, 95), (64, 95), (33, 32)])
def test_odd_sides_are_made_even_by_repeating_the_last_row(tmp_path: Path, height: int, width: int) -> None:
    made = pictures(4, height, width)
    film.write(tmp_path / "f.mp4", made, 25)
    shown = decoded(tmp_path / "f.mp4")[0]
    assert shown.shape[:2] == (height + height % 2, width + width % 2)
    film.write(tmp_path / "f.mkv", made, 25, "ffv1")
    assert np.array_equal(decoded(tmp_path / "f.mkv")[0], made[0])


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [
        (23.976, Fraction(24000, 1001)),
        (30 / 1.001, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (25, Fraction(25)),
        (12.5, Fraction(25, 2)),
        (24, Fraction(24)),
    ],
)
def test_rates_are_stated_exactly(rate: float, wanted: Fraction) -> None:
    assert film.fraction(rate) == wanted


def test_what_goes_wrong_leaves_nothing_behind_and_the_old_film_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "f.mp4"
    out.write_bytes(b"the film of yesterday")
    mixed = [*pictures(3), *pictures(1, 32, 32)]
    with pytest.raises(InputError, match="Frame 4 of the film is 32 x 32 pixels, those before it 96 x 64"):
        film.write(out, mixed, 25)
    with pytest.raises(InputError, match="no frames"):
        film.write(out, [], 25)
    (tmp_path / "no.wav").write_bytes(b"RIFF this is no sound")
    with pytest.raises(UnreadableAudio):
        film.write(out, pictures(2), 25, "mp4", tmp_path / "no.wav")

    def cancelled():
        yield from pictures(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film.write(out, cancelled(), 25)
    assert out.read_bytes() == b"the film of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.mp4", "no.wav"]
    with pytest.raises(OutputBlocked):
        film.write(tmp_path / "nowhere" / "deep" / "f.mp4", pictures(2), 25)


def test_a_voice_shorter_than_the_pictures_ends_before_them(tmp_path: Path) -> None:
    film.write(tmp_path / "f.mp4", pictures(50), 25, "mp4", click(tmp_path / "c.wav", 0.2, seconds=0.5))
    with av.open(str(tmp_path / "f.mp4")) as container:
        assert abs(container.duration / 1e6 - 2.0) < 0.05
