# SPDX-License-Identifier: GPL-3.0-or-later
"""Several computers draw one motion into one folder without Blender, and the film of it afterwards: the files
are the same, byte for byte, whoever made them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from core.motion.motion import Motion
from server import cli
from tests.support.makers import sound
from tests.support.toy import ROOT

pytestmark = pytest.mark.slow
Say = pytest.CaptureFixture[str]


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    """A second of random weights."""
    weights = np.random.default_rng(0).normal(size=(25, 36)).astype(np.float32)
    path = tmp_path / "motion.npz"
    Motion(weights).save(path)
    return path


@pytest.fixture
def decode(portrait: Path, motion: Path, tiny_checkpoint: Path) -> list[str]:
    words = ["decode", "--source", portrait, "--motion", motion, "--checkpoint", tiny_checkpoint]
    return [*map(str, words), "--crop", "16", "0", "64", "--size", "64", "--device", "cpu", "--quiet"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("take.*")}


@pytest.mark.parametrize("form", ["png", "exr"])
def test_workers_make_the_files_that_one_would_have_made(
    decode: list[str], tmp_path: Path, form: str
) -> None:
    assert cli.main([*decode, "--format", form, "--out", str(tmp_path / "one")]) == 0
    command = [sys.executable, "-m", "server.cli", *decode, "--format", form, "--out", str(tmp_path / "all")]
    workers = [subprocess.Popen([*command, "--part", f"{part}/3"], cwd=ROOT) for part in (1, 2, 3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    one, together = contents(tmp_path / "one"), contents(tmp_path / "all")
    assert sorted(one) == [f"take.{number:04d}.{form}" for number in range(1, 26)]
    assert one == together


def test_workers_of_any_number_of_cores_make_the_same_files(motion: Path, tmp_path: Path) -> None:
    """By the model that ships and its own size: threads split only what is large."""
    words = ["decode", "--source", str(ROOT / "demo" / "portrait.png"), "--motion", str(motion)]
    command = [sys.executable, "-m", "server.cli", *words, "--frames", "1-4", "--device", "cpu", "--quiet"]
    made = []
    for threads in ("1", "2", "3"):
        folder, here = tmp_path / threads, {**os.environ, "OMP_NUM_THREADS": threads}
        subprocess.run([*command, "--out", str(folder)], cwd=ROOT, env=here, check=True)
        made.append(contents(folder))
    assert len(made[0]) == 4 and made[0] == made[1] == made[2]


def test_only_the_frames_that_were_asked_for_are_drawn(decode: list[str], tmp_path: Path) -> None:
    assert cli.main([*decode, "--out", str(tmp_path / "some"), "--frames", "3,7-9", "--part", "2/2"]) == 0
    assert sorted(contents(tmp_path / "some")) == ["take.0008.png", "take.0009.png"]
    assert cli.main([*decode, "--out", str(tmp_path / "all")]) == 0
    alone, among = contents(tmp_path / "some"), contents(tmp_path / "all")
    assert all(among[name] == data for name, data in alone.items())


def test_frames_that_the_motion_lacks_are_one_sentence(
    decode: list[str], tmp_path: Path, capsys: Say
) -> None:
    assert cli.main([*decode, "--out", str(tmp_path / "none"), "--frames", "300-310"]) == 1
    assert "It has 1 to 25" in capsys.readouterr().err
    assert cli.main([*decode, "--out", str(tmp_path / "none"), "--frames", "9-3"]) == 2
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("form", ["png", "exr"])
def test_the_film_shows_the_frames_and_plays_the_sound(decode: list[str], tmp_path: Path, form: str) -> None:
    folder, film = tmp_path / "take", tmp_path / "film.mp4"
    assert cli.main([*decode, "--format", form, "--out", str(folder)]) == 0
    voice = sound(tmp_path / "line.wav", 1.0)
    command = ["preview", "--frames-in", str(folder), "--suffix", f".{form}", "--fps", "25", "--quiet"]
    assert cli.main([*command, "--sound", str(voice), "--out", str(film)]) == 0
    with av.open(str(film)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == 25
    if form == "png":
        from core.pictures import image

        first = image.load(folder / "take.0001.png").rgb
        assert np.abs(shown[0].astype(int) - first).mean() < 20  # 4:2:0 blurs the colours of noise


def test_png_and_exr_give_the_same_film(decode: list[str], tmp_path: Path) -> None:
    films = []
    for form in ("png", "exr"):
        folder, film = tmp_path / form, tmp_path / f"{form}.mp4"
        assert cli.main([*decode, "--frames", "1-3", "--format", form, "--out", str(folder)]) == 0
        asked = ["preview", "--frames-in", str(folder), "--suffix", f".{form}", "--fps", "25", "--quiet"]
        assert cli.main([*asked, "--out", str(film)]) == 0
        with av.open(str(film)) as container:
            films.append(next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int))
    assert np.abs(films[0] - films[1]).mean() < 2


def test_a_part_of_the_film_has_its_own_part_of_the_sound(tmp_path: Path, portrait: Path) -> None:
    """Silence, then a tone from half a second on: a film that begins there begins with the tone."""
    import soundfile

    from core.pictures import image, video
    from core.sound.mel import RATE

    tone = np.sin(np.arange(RATE) / RATE * 2 * np.pi * 440) * (np.arange(RATE) >= RATE // 2)
    soundfile.write(tmp_path / "tone.wav", tone.astype(np.float32), RATE)
    rgb = image.load(portrait).rgb
    for since, loud in ((0.0, False), (0.55, True)):
        film = tmp_path / "film.mp4"
        video.write_preview(film, [rgb] * 5, 25, tmp_path / "tone.wav", since)
        with av.open(str(film)) as container:
            heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
        assert (np.abs(heard[:, 2000:6000]).max() > 0.3) == loud


def test_a_frame_that_is_not_there_is_named(tmp_path: Path, capsys: Say) -> None:
    folder = tmp_path / "take"
    folder.mkdir()
    (folder / "take.0001.png").write_bytes(b"")
    asked = ["preview", "--frames-in", str(folder), "--fps", "24", "--out", str(tmp_path / "film.mp4")]
    assert cli.main([*asked, "--frames", "1-3,9"]) == 1
    assert "lacks frames 2-3,9" in capsys.readouterr().err
    assert cli.main([*asked, "--name", "shot."]) == 1
    assert "no frames called shot.####.png" in capsys.readouterr().err
    (tmp_path / "film.mp4").write_bytes(b"precious")
    assert cli.main(asked) == 1 and (tmp_path / "film.mp4").read_bytes() == b"precious"
