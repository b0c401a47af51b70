# SPDX-License-Identifier: GPL-3.0-or-later
"""server/make_environment.py, run as users and Blender run it; nothing is fetched from the network."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from server import make_environment

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "server" / "make_environment.py"
ELSEWHERE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/",
    "PIP_EXTRA_INDEX_URL": "http://127.0.0.1:9/",
    "PIP_TARGET": "/",
}
"""Settings of pip that must not be looked at."""
NOBODY = ("--index", "http://127.0.0.1:9/simple")

pytestmark = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode != 0,
    reason="this Python cannot make environments (python3-venv is missing)",
)


def start(*arguments: str, stdin: int | None = None, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments],
        stdin=stdin if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**os.environ, **ELSEWHERE, "PYTHONPATH": str(ROOT)},
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
    sha = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "wanted.txt").write_text(f"{wheel.as_posix()} --hash=sha256:{sha}\n")
    return folder / "wanted.txt"


def test_an_environment_with_the_packages_is_made_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "a folder" / "server"
    process = start(str(folder), "--requirements", str(a_package(tmp_path)))
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert (
        "--no-deps" in said
    )  # the reader of faces is asked for; where it cannot be had, all goes on without
    python = Path(next(line for line in said.splitlines() if line.startswith("The server's Python"))[30:])
    assert python.is_relative_to(folder)
    assert subprocess.run([str(python), "-I", "-c", "import nothing_much"]).returncode == 0


def test_one_that_cannot_be_finished_is_taken_away_again(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    process = start(str(folder), *NOBODY)
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


# --- what is installed is what was chosen ---


def test_a_package_that_is_another_than_was_chosen_is_not_installed(tmp_path: Path) -> None:
    wanted = a_package(tmp_path)
    wanted.write_text(re.sub("sha256:.{8}", "sha256:00000000", wanted.read_text()))
    process = start(str(tmp_path / "server"), "--requirements", str(wanted))
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1 and "DO NOT MATCH THE HASHES" in said
    assert not (tmp_path / "server").exists()


def test_a_package_without_a_hash_is_not_installed(tmp_path: Path) -> None:
    wanted = a_package(tmp_path)
    wanted.write_text(wanted.read_text().split(" ")[0])
    process = start(str(tmp_path / "server"), "--requirements", str(wanted))
    assert process.wait(300) == 1 and not (tmp_path / "server").exists()


def test_nothing_in_the_current_folder_is_run(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    planted.mkdir()
    for name in ("pip", "venv", "ensurepip", "argparse", "sitecustomize"):
        (planted / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\n")
    wanted = a_package(tmp_path)
    process = start(str(tmp_path / "server"), "--requirements", str(wanted), cwd=planted)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("torch", ["", "cpu", "https://elsewhere.invalid/whl"])
def test_every_command_is_apart_from_the_computers_settings(tmp_path: Path, torch: str) -> None:
    found = make_environment.commands(tmp_path, torch, None)
    for command in found:
        assert command[1] == "-I"
    for command in found[1:]:
        assert {"--isolated", "--only-binary"} <= set(command)
    assert "--require-hashes" in found[1]
    assert "--no-deps" in found[-1] and "--require-hashes" in found[-1]  # the reader of faces
    assert len(found) == (4 if torch else 3)
    assert ("--no-deps" in found[-2]) == (torch == "cpu")


def test_every_package_is_pinned_with_hashes() -> None:
    wanted = re.findall(r"^([a-z][\w-]*)", listed("requirements.txt"), re.MULTILINE)
    for name, left_out in {"requirements-lock.txt": set(), "requirements-lock-cpu.txt": {"torch"}}.items():
        packages = re.split(r"^(?=\w)", listed(name), flags=re.MULTILINE)[1:]
        for package in packages:
            assert re.match(r"[\w-]+==[\w.]+ ", package) and "--hash=sha256:" in package, package[:80]
        pinned = {package.split("==")[0] for package in packages}
        assert set(wanted) - pinned == left_out
        assert not left_out or not any(each.startswith(("nvidia", "cuda", "triton")) for each in pinned)


def test_pytorchs_version_alone_is_that_of_the_whole_list() -> None:
    alone = re.findall("^torch==.*$", listed("requirements-lock-torch.txt"), re.MULTILINE)
    whole = re.findall(r"^(torch==.*) \\$", listed("requirements-lock.txt"), re.MULTILINE)
    assert alone and alone == whole


def listed(name: str) -> str:
    return (ROOT / "server" / name).read_text(encoding="utf-8")
