# SPDX-License-Identifier: GPL-3.0-or-later
"""`--handle NAME=VALUE`: the command line plays a face with the same emotions and handles as the rig."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.motion.motion import Motion
from core.wire.channels import BANK_SLICES, EMOTIONS, HANDLES
from server import cli
from tests.support.faces import direction, preset

Say = pytest.CaptureFixture[str]


@pytest.fixture
def source(portrait: Path, playable_checkpoint: Path) -> list[str]:
    """A portrait, a model and a crop, as arguments."""
    words = f"--source {portrait} --checkpoint {playable_checkpoint} --crop 16 0 64 --size 64 --quiet"
    return words.split()


def test_what_is_held_is_in_frames_and_files(source: list[str], voice: Path, tmp_path: Path) -> None:
    command = ["animate", *source, "--audio", str(voice), "--idle", "0.5"]
    assert cli.main([*command, "--out", str(tmp_path / "plain")]) == 0
    held = ["--handle", "yaw=5", "--handle", "happy=0.5"]
    assert cli.main([*command, *held, "--out", str(tmp_path / "held")]) == 0
    plain, posed = (Motion.load(tmp_path / name / "motion.npz") for name in ("plain", "held"))
    expected = 5 * np.array(direction(HANDLES.index("yaw")))
    happy, neutral = (np.array(preset(EMOTIONS.index(name))) for name in ("happy", "neutral"))
    expected[BANK_SLICES["expression"]] += 0.5 * (happy - neutral)
    np.testing.assert_allclose(posed.weights - plain.weights, np.tile(expected, (50, 1)), atol=1e-5)
    assert np.array_equal(Motion.load_csv(tmp_path / "held" / "weights.csv").weights, posed.weights)
    assert posed.model == plain.model
    frame = "take.0001.png"
    assert (tmp_path / "plain" / frame).read_bytes() != (tmp_path / "held" / frame).read_bytes()
    again = ["decode", *source, "--motion", str(tmp_path / "plain" / "motion.npz"), *held]
    assert cli.main([*again, "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / frame).read_bytes() == (tmp_path / "held" / frame).read_bytes()


def test_an_unknown_handle_is_said_before_the_work_with_those_there_are(
    source: list[str], voice: Path, tmp_path: Path, capsys: Say
) -> None:
    out = tmp_path / "take"
    command = ["animate", *source, "--audio", str(voice), "--out", str(out), "--handle", "ears=1"]
    assert cli.main(command) == 1
    said = capsys.readouterr().err
    assert "no handle 'ears'" in said and "yaw (degrees)" in said and "happy" in said
    assert not list(out.glob("*"))


@pytest.mark.parametrize("text", ["yaw", "yaw=", "=5", "yaw=far", "yaw=nan", "yaw=1e9"])
def test_what_is_no_handle_and_value_is_exit_code_2(source: list[str], text: str, tmp_path: Path) -> None:
    command = ["decode", *source, "--motion", "motion.npz", "--out", str(tmp_path), "--handle", text]
    assert cli.main(command) == 2
