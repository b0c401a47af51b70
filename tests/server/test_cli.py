# SPDX-License-Identifier: GPL-3.0-or-later
"""server/cli.py and its commands: exit codes, sentences, and what a run leaves behind."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from core.checkpoints import checkpoint
from core.motion.motion import Motion
from core.pictures import image, video
from server import __version__, cli
from server.commands import doctor
from server.commands.doctor import Finding
from server.commands.redraw import numbered
from tests.support import toy

Say = pytest.CaptureFixture[str]


# --- dispatch ---


def test_help_lists_every_command_and_no_command_is_an_error(capsys: Say) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name}" in shown for name in [*cli.COMMANDS, *cli.RECIPES])
    assert cli.main([]) == 2


def test_the_version_is_told(capsys: Say) -> None:
    assert cli.main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: Say) -> None:
    assert cli.main([name, "--help"]) == 0
    assert "usage" in capsys.readouterr().out


@pytest.mark.parametrize("module", [module for group in cli.RECIPES.values() for module in group.values()])
def test_every_recipe_is_there(module: str) -> None:
    assert importlib.util.find_spec(module) is not None


@pytest.mark.parametrize(
    "arguments",
    [["dance"], ["animate"], ["animate", "--out"], ["heads"], ["train", "nothing"], ["doctor", "x"]],
)
def test_wrong_arguments_are_exit_code_2(arguments: list[str], capsys: Say) -> None:
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err


# --- doctor ---


def test_the_doctor_says_what_is_missing_and_how_to_get_it(capsys: Say) -> None:
    code = doctor.tell(
        iter([Finding("Python", "3.12"), Finding("torch", "is not installed", False, "pip install")])
    )
    shown = capsys.readouterr().out
    assert code == 1
    assert "ok" in shown and "MISS" in shown and "pip install" in shown


def test_a_library_that_is_not_there_is_found_out() -> None:
    assert not doctor._library("no_such_module_at_all", ("x",)).fine
    assert doctor._library("numpy", ("numpy",)) == Finding("numpy", np.__version__)


def test_the_doctor_wants_what_the_requirements_name() -> None:
    lines = [line for line in doctor.REQUIREMENTS.read_text().splitlines() if line and line[0] != "#"]
    named = {line.split(">")[0] for line in lines}
    assert named == {names[0] for names in doctor.LIBRARIES.values()}


def test_the_doctor_looks_at_this_machine(
    capsys: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDTALK_CHECKPOINTS", str(tmp_path))
    code = cli.main(["doctor"])
    shown = capsys.readouterr().out
    assert all(f" {name} " in shown for name in ("Python", "torch", "device", "checkpoint"))
    assert code == (0 if checkpoint.default_checkpoint().is_file() else 1)


def test_a_missing_library_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError('gone', name='numpy')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(toy.ROOT)])}
    command = [sys.executable, "-m", "server.cli", "decode", "--source", "a", "--motion", "b", "--out", "c"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "package numpy is not installed" in done.stderr
    assert "doctor" in done.stderr and "Traceback" not in done.stderr


def test_the_installed_extension_says_that_recipes_need_a_checkout(tmp_path: Path) -> None:
    shutil.copytree(toy.ROOT / "server", tmp_path / "server")
    shutil.copytree(toy.ROOT / "core" / "wire", tmp_path / "core" / "wire")
    shutil.copy(toy.ROOT / "core" / "__init__.py", tmp_path / "core")
    for command in (["heads", "sheet", "people.png"], ["train", "ship"]):
        # -S: an editable install of the checkout would lend it what it lacks
        line = [sys.executable, "-S", "-m", "server.cli", *command]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 1 and "checkout" in done.stderr and "Traceback" not in done.stderr


# --- animate ---


@pytest.fixture
def source(portrait: Path, tiny_checkpoint: Path) -> list[str]:
    """A portrait, a model and a crop, as arguments."""
    return [
        "--source",
        str(portrait),
        "--checkpoint",
        str(tiny_checkpoint),
        "--crop",
        "16",
        "0",
        "64",
        "--size",
        "64",
    ]


def test_animate_leaves_frames_motion_table_preview_and_sheet(
    source: list[str], voice: Path, tmp_path: Path, capsys: Say
) -> None:
    out = tmp_path / "take"
    assert cli.main(["animate", *source, "--audio", str(voice), "--out", str(out)]) == 0
    assert "50 frames" in capsys.readouterr().out
    frames = sorted(path.name for path in out.glob("take.*.png"))
    assert frames == [f"take.{number:04d}.png" for number in range(1, 51)]
    motion = Motion.load(out / "motion.npz")
    table = Motion.load_csv(out / "weights.csv")
    assert motion.rate == 25 and motion.frames[0] == 0
    assert np.array_equal(motion.weights, table.weights)
    about = video.info(out / "preview.mp4")
    assert about.has_sound and about.rate == 25 and len(list(video.read(out / "preview.mp4"))) == 50
    assert image.load(out / "sheet.png").width > 500
    assert not [path for path in out.iterdir() if "part" in path.name]


def test_a_second_animate_into_the_same_folder_asks_first(
    source: list[str], voice: Path, tmp_path: Path, capsys: Say
) -> None:
    command = ["animate", *source, "--audio", str(voice), "--out", str(tmp_path / "take")]
    assert cli.main(command) == 0
    before = (tmp_path / "take" / "motion.npz").read_bytes()
    assert cli.main([*command, "--seed", "1"]) == 1
    assert "already there" in capsys.readouterr().err
    assert (tmp_path / "take" / "motion.npz").read_bytes() == before
    assert cli.main([*command, "--seed", "1", "--overwrite"]) == 0


def test_paths_may_be_relative_and_the_portrait_pasted_back(
    source: list[str], voice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--audio", os.path.relpath(voice), "--out", "take", "--paste", "--fps", "12", "--quiet"]
    assert cli.main(["animate", *source, *arguments]) == 0
    frames = list(Path("take").glob("take.*.png"))
    assert len(frames) == 24
    assert image.load(frames[0]).rgb.shape == (64, 96, 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--audio", "gone.wav"], "no sound file gone.wav"),
        ([], "nothing to move the face"),
        (["--audio", "gone.wav", "--source", "gone.png"], "no picture"),
        (["--audio", "gone.wav", "--checkpoint", "gone.safetensors"], "no checkpoint"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_1(
    source: list[str], arguments: list[str], sentence: str, tmp_path: Path, capsys: Say
) -> None:
    assert cli.main(["animate", *source, *arguments, "--out", str(tmp_path / "take"), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said


def test_a_value_out_of_range_is_exit_code_2(
    source: list[str], voice: Path, tmp_path: Path, capsys: Say
) -> None:
    command = ["animate", *source, "--audio", str(voice), "--out", str(tmp_path), "--idle", "7"]
    assert cli.main(command) == 2
    assert "idle" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="needs a signal that only POSIX can send")
def test_ctrl_c_is_exit_code_130_and_leaves_whole_frames(
    source: list[str], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out, long = tmp_path / "take", tmp_path / "long.npz"
    Motion(np.zeros((20_000, 36), np.float32)).save(long)
    running = subprocess.Popen(
        [sys.executable, "-m", "server.cli", "decode", *source, "--motion", str(long), "--out", str(out)],
        cwd=toy.ROOT,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + toy.PATIENCE
    while not list(out.glob("take.*.png")) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=toy.PATIENCE)[1]
    assert running.returncode == 130 and b"interrupted" in said and b"Traceback" not in said
    assert not [path for path in out.iterdir() if "part" in path.name]
    for path in out.glob("take.*.png"):
        assert image.load(path).width == 64


# --- decode, convert ---


def test_decode_draws_an_edited_table_at_the_wished_rate_and_numbers(
    source: list[str], tmp_path: Path, capsys: Say
) -> None:
    table, out = tmp_path / "weights.csv", tmp_path / "take"
    Motion(np.zeros((25, 36), np.float32)).save_csv(table)
    command = ["decode", *source, "--motion", str(table), "--out", str(out), "--fps", "12", "--start", "101"]
    assert cli.main(command) == 0
    assert sorted(path.name for path in out.glob("*.png"))[::11] == ["take.0101.png", "take.0112.png"]
    assert cli.main(command) == 0  # the same file again: the everyday case
    other = tmp_path / "other.csv"
    other.write_bytes(table.read_bytes())
    command[command.index(str(table))] = str(other)
    assert cli.main(command) == 1
    assert "another take" in capsys.readouterr().err


def test_numbers_of_a_take_begin_at_1_and_scene_frames_stay() -> None:
    take = Motion(np.zeros((4, 36), np.float32))
    scene = Motion(np.zeros((3, 36), np.float32), 24.0, numbers=np.array([101, 102, 107]))
    assert numbered(take, None, None).frames.tolist() == [1, 2, 3, 4]
    assert numbered(scene, None, None).frames.tolist() == [101, 102, 107]
    assert numbered(scene, 24.0, 1).frames.tolist() == [1, 2, 7]
    assert numbered(take, 50.0, None).frames.tolist() == list(range(1, 9))


def test_convert_says_what_is_wrong_with_a_file_and_keeps_an_existing_one(
    tmp_path: Path, capsys: Say
) -> None:
    bad, out = tmp_path / "bad.pt", tmp_path / "out.safetensors"
    bad.write_bytes(b"PK\x03\x04 and then it breaks off")
    assert cli.main(["convert", str(bad), str(out)]) == 1
    assert "bad.pt" in capsys.readouterr().err and not out.exists()
    out.write_bytes(b"precious")
    assert cli.main(["convert", str(bad), str(out)]) == 1
    assert "already there" in capsys.readouterr().err and out.read_bytes() == b"precious"


# --- serve ---


def test_edtalk_serve_is_the_server(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "server.cli",
        "serve",
        "--device",
        "cpu",
        "--log",
        str(tmp_path / "own.txt"),
    ]
    with toy.Client(command, tmp_path / "log.txt") as client:
        assert client.initialize()["device"] == "cpu"
        client.raw(b"Content-Length: 1\r\n\r\nx")
        client.ask("shutdown")
        assert client.leaves() == 0
    assert (tmp_path / "own.txt").exists()
