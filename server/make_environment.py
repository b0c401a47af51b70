#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the Python in which the server runs: an environment of its own, Blender's is never touched.

    python3 server/make_environment.py                    # in ~/edtalk-server, where Blender looks by itself
    python3 server/make_environment.py FOLDER --torch cpu # elsewhere; smaller, for the processor alone

It downloads from the Python Package Index (pypi.org), on Linux about 3 GB, elsewhere or with `--torch cpu`
less than 1 GB. `--torch ADDRESS` takes PyTorch from where its own site says for your system. An environment
that is there already is completed; one that could not be finished is taken away again.

Run by a Python without any package of ours, so: the standard library only, and syntax that an older Python
can read far enough to say that it is too old.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

OLDEST = (3, 10)
REQUIREMENTS = Path(__file__).resolve().with_name("requirements.txt")
READER = Path(__file__).resolve().with_name("reader.txt")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
DONE = "The server's Python is ready:"
"""What the last line begins with when all went well."""
NO_READER = "The face reader could not be installed; faces will be found in the older, less certain way."


def python_in(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def commands(folder: Path, torch: str, requirements: Path) -> list[list[str]]:
    """What is run, one after the other. `torch` is "", "cpu" or the address of a package index."""
    pip = [str(python_in(folder)), "-m", "pip", "install", "--progress-bar", "off", "--no-input"]
    found = [[sys.executable, "-I", "-m", "venv", str(folder)]]
    if torch:
        found.append([*pip, "torch", "--index-url", CPU_INDEX if torch == "cpu" else torch])
    return [*found, [*pip, "-r", str(requirements)], [*pip, "--no-deps", "-r", str(READER)]]


def make(folder: Path, torch: str, requirements: Path) -> str:
    """Make or complete the environment; gives back why it did not work, "" when it did."""
    existed = folder.exists()
    if existed and any(folder.iterdir()) and not (folder / "pyvenv.cfg").is_file():
        return f"{folder} is there already and is no Python environment: name another folder"
    try:
        for command in commands(folder, torch, requirements):
            print("+", subprocess.list2cmdline(command), flush=True)
            if _run(command):
                if str(READER) in command and not _told_to_stop.is_set():
                    print(NO_READER, flush=True)  # the server runs without it
                    continue
                return _why(command)
        existed = True  # finished, so it stays
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror or error}"
    finally:
        if not existed:
            shutil.rmtree(folder, ignore_errors=True)
    return ""


def _run(command: list[str]) -> int:
    """The exit status. Without the PYTHON* variables, which would point at another Python's packages."""
    clean = {name: value for name, value in os.environ.items() if not name.upper().startswith("PYTHON")}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=clean) as process:
        _running.append(process)
        if _told_to_stop.is_set():
            process.terminate()
        return process.wait()


def stop_with_stdin() -> None:
    """From now on, leave when standard input closes: whoever started this has cancelled, or is gone."""

    def watch() -> None:
        while os.read(0, 4096):  # no lock of Python's is held meanwhile, which would make its end a crash
            pass
        _told_to_stop.set()
        for process in _running:
            process.terminate()

    threading.Thread(target=watch, daemon=True).start()


_running: list[subprocess.Popen[bytes]] = []
_told_to_stop = threading.Event()


def _why(command: list[str]) -> str:
    if _told_to_stop.is_set():
        return "Cancelled; what was made is taken away again"
    if "venv" in command:
        return (
            f"{sys.executable} cannot make environments. On Debian and Ubuntu: sudo apt install "
            "python3-venv; elsewhere, install Python from python.org"
        )
    return "A package could not be installed; the lines above say why. Is the network there, and enough disk?"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home = Path.home() / "edtalk-server"
    parser.add_argument("folder", nargs="?", type=Path, default=home, help=f"default: {home}")
    parser.add_argument("--torch", default="", metavar="cpu|ADDRESS", help="default: what pypi.org has")
    parser.add_argument("--requirements", type=Path, default=REQUIREMENTS, help="another list of packages")
    parser.add_argument("--tied", action="store_true", help="stop when standard input closes")
    options = parser.parse_args()
    if sys.version_info < OLDEST:
        print(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is {sys.version.split()[0]}")
        return 1
    if options.tied:
        stop_with_stdin()
    folder = options.folder.expanduser().absolute()
    why = make(folder, options.torch, options.requirements)
    if why:
        print(f"\n{why}", file=sys.stderr)
        return 1
    print(f"\n{DONE} {python_in(folder)}\nPress Check Server in Blender.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
