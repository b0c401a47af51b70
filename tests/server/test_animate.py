# SPDX-License-Identifier: GPL-3.0-or-later
"""`edtalk animate` looks before it works: it overwrites nothing and leaves nothing half done."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import cli
from server.commands import animate


@pytest.mark.parametrize("name", animate.RESULTS)
def test_no_file_of_the_artists_is_overwritten(
    name: str,
    portrait: Path,
    voice: Path,
    tiny_checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "take"
    out.mkdir()
    (out / name).write_bytes(b"precious")
    command = ["animate", "--source", str(portrait), "--audio", str(voice), "--out", str(out)]
    assert (
        cli.main([*command, "--checkpoint", str(tiny_checkpoint), "--crop", "16", "0", "64", "--quiet"]) == 1
    )
    said = capsys.readouterr().err
    assert f"{name} is already there" in said and "--overwrite" in said
    assert [path.name for path in out.iterdir()] == [name]
    assert (out / name).read_bytes() == b"precious"


def test_a_wrong_size_is_noticed_before_anything_is_made(
    portrait: Path, voice: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    command = ["animate", "--source", str(portrait), "--audio", str(voice), "--out", str(tmp_path / "take")]
    assert cli.main([*command, "--checkpoint", str(tiny_checkpoint), "--size", "5", "--quiet"]) == 2
    assert not (tmp_path / "take").exists()


@pytest.mark.parametrize("name", ["take.0007.png", "take.-0003.exr"])
def test_frames_of_another_take_are_noticed_before_the_work(
    name: str, portrait: Path, voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No checkpoint is at hand here: whoever began to analyse would complain about that instead."""
    (tmp_path / name).write_bytes(b"precious")
    command = ["animate", "--source", str(portrait), "--audio", str(voice), "--out", str(tmp_path)]
    assert cli.main([*command, "--checkpoint", str(tmp_path / "none"), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert f"{name} is already in" in said and "--overwrite" in said
    assert (tmp_path / name).read_bytes() == b"precious"


def test_a_folder_nobody_can_write_to_is_noticed_before_the_work(
    portrait: Path, voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "take"
    command = ["animate", "--source", str(portrait), "--audio", str(voice), "--out", str(out)]
    assert cli.main([*command, "--checkpoint", str(tmp_path / "none"), "--quiet"]) == 1
    assert "Choose another output folder" in capsys.readouterr().err
