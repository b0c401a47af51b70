# SPDX-License-Identifier: GPL-3.0-or-later
"""server/make_environment.py, run as users and Blender run it; nothing is fetched from the network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "server" / "make_environment.py"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}

pytestmark = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode != 0,
    reason="this Python cannot make environments (python3-venv is missing)",
)


def start(*arguments: str, stdin: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments],
        stdin=stdin if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **OFFLINE, "PYTHONPATH": str(ROOT)},
    )


def a_package(folder: Path) -> Path:
    """A wheel of one empty module, and a list that asks for it."""
    wheel = folder / "nothing_much-1.0-py3-none-any.whl"
    about = "nothing_much-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("nothing_much.py", "")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: nothing-much\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    (folder / "wanted.txt").write_text(f"{wheel.as_posix()}\n")
    return folder / "wanted.txt"


def test_an_environment_with_the_packages_is_made_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "a folder" / "server"
    process = start(str(folder), "--requirements", str(a_package(tmp_path)))
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert (
        "--no-deps" in said and "faces will be found in the older" in said
    )  # it is fetched, and does without
    python = Path(next(line for line in said.splitlines() if line.startswith("The server's Python"))[30:])
    assert python.is_relative_to(folder)
    assert subprocess.run([str(python), "-I", "-c", "import nothing_much"]).returncode == 0


def test_one_that_cannot_be_finished_is_taken_away_again(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    process = start(str(folder), "--torch", "cpu")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1 and "Is the network there" in said
    assert not folder.exists()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    process = start(str(tmp_path))
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "is no Python environment" in said
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_it_leaves_and_tidies_up_when_who_started_it_goes(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    process = start(str(folder), "--tied", "--requirements", str(a_package(tmp_path)), stdin=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline().startswith("+ ")
    said, _ = process.communicate(timeout=300)  # which closes its standard input
    assert process.returncode == 1 and "Cancelled" in said
    assert not folder.exists()


def test_it_ends_in_order_while_who_started_it_stays(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    process = start(str(tmp_path), "--tied", stdin=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    said = process.stdout.read()
    process.stdin.close()
    assert process.wait(60) == 1 and said.strip().endswith("name another folder")
