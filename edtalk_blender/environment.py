# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a Python that can run the server. It never installs anything. No bpy.

Looked at in this order: the interpreter named in the preferences (then no other), the variable
EDTALK_PYTHON, the environment that `make` keeps in the repository, the environment that the command
below makes, and what is on the PATH. A Python counts when it is new enough and has the packages, which
is looked up without loading them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ..core.wire.errors import NotStarted

ROOT = Path(__file__).resolve().parent.parent
"""Folder that holds `core` and `server`: the extension, or the repository."""

NEEDED = ("torch", "numpy", "soxr", "cv2", "PIL", "safetensors")
ON_PATH = ("python3.13", "python3.12", "python3.11", "python3.10", "python3", "python")

_PROBE = (
    "import importlib.util as u, sys; "
    "print('old' if sys.version_info < (3, 10) else "
    f"' '.join(m for m in {NEEDED!r} if u.find_spec(m) is None) or 'ready')"
)


def home_environment() -> Path:
    """Where the command for the user puts the server's environment."""
    return Path.home() / "edtalk-server"


def python_in(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install_command() -> str:
    """The commands that make the server's environment, to be copied into a terminal and run by the user."""
    folder, requirements = home_environment(), ROOT / "server" / "requirements.txt"
    python = "py -3.11" if sys.platform == "win32" else "python3.11"
    return f'{python} -m venv "{folder}"\n"{python_in(folder)}" -m pip install -r "{requirements}"'


def candidates(preferred: str) -> Iterator[Path]:
    """Interpreters worth a look, best first. One named in the preferences is the only one."""
    if preferred:
        chosen = Path(preferred).expanduser()
        yield python_in(chosen) if chosen.is_dir() else chosen
        return
    named = os.environ.get("EDTALK_PYTHON", "")
    if named:
        yield Path(named)
    yield python_in(ROOT / ".venv")
    yield python_in(home_environment())
    for name in ON_PATH:
        found = shutil.which(name)
        if found:
            yield Path(found)


def why_not(python: Path) -> str:
    """What keeps this interpreter from running the server, as the end of a sentence; "" when nothing does."""
    if not python.is_file():
        return "does not exist"
    try:
        answer = subprocess.run(
            [str(python), "-I", "-c", _PROBE],
            capture_output=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
            creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run ({type(error).__name__})"
    said = answer.stdout.decode("utf-8", "replace").strip()
    if answer.returncode or not said:
        return "is not a working Python"
    if said == "old":
        return "is older than Python 3.10"
    return "" if said == "ready" else f"lacks {said.replace(' ', ', ')}"


def find_python(preferred: str = "") -> Path:
    """The first interpreter that can run the server. Takes up to a second: call it off the main thread.

    Raises NotStarted, saying for each interpreter that was looked at why it will not do.
    """
    seen: dict[Path, str] = {}
    for python in candidates(preferred):
        if python in seen:
            continue
        reason = why_not(python)
        if not reason:
            return python
        if reason != "does not exist" or preferred or str(python) == os.environ.get("EDTALK_PYTHON"):
            seen[python] = reason
    looked = "; ".join(f"{python} {reason}" for python, reason in seen.items()) or "no Python was found"
    raise NotStarted(
        f"No Python on this computer can run the server: {looked}",
        hint="Copy the command in the add-on's preferences into a terminal, then press Check Server",
    )
