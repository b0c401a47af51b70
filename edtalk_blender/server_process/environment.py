# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a Python that can run the server, or one that can make such a Python. It installs nothing. No bpy.

Looked at in this order: the interpreter named in the preferences (then no other), the variable
EDTALK_PYTHON, the environment that `make` keeps in the repository, the environment that
`server/make_environment.py` makes, and what is on the PATH. A Python counts when it is new enough and has
the packages, which is looked up without loading them.

Trying interpreters takes up to a second, so a search is a generator that yields while one is being tried; its
value is what was found, and `finish` waits for it. Closed before its end, it leaves nothing running.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ...core.wire.errors import NotStarted

ROOT = Path(__file__).resolve().parents[2]
"""Folder that holds `core` and `server`: the extension, or the repository."""

MAKER = ROOT / "server" / "make_environment.py"
"""The script that makes the server's environment."""

NEEDED = ("torch", "numpy", "soxr", "cv2", "PIL", "safetensors")
ON_PATH = ("python3.13", "python3.12", "python3.11", "python3.10", "python3", "python")

PATIENCE = 20.0
"""Seconds that an interpreter may take to answer."""

T = TypeVar("T")

NO_WINDOW = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
"""Programs that are started must not open a console."""

_PROBE = (
    "import importlib.util as u, sys; "
    "print('old' if sys.version_info < (3, 10) else "
    f"' '.join(m for m in {NEEDED!r} if u.find_spec(m) is None) or 'ready')"
)


_MAKER_PROBE = "import ensurepip, sys, venv; print('old' if sys.version_info < (3, 10) else 'ready')"


def home_environment() -> Path:
    """Where the command for the user puts the server's environment."""
    return Path.home() / "edtalk-server"


def python_in(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install_command() -> str:
    """The one command that makes the server's environment, to be pasted into a terminal of this system."""
    if sys.platform == "win32":
        python = "py" if on_path("py") else "python"  # the launcher takes the newest there is
    else:
        python = next((name for name in ON_PATH if on_path(name)), "python3")
    return f'{python} "{MAKER}"'


def on_path(name: str) -> str | None:
    """Whole path of a program on the PATH, None when it is not there. Never one in the current folder, which
    Windows looks at first and where a file that was downloaded may lie, nor beside a relative entry.
    """
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    here = os.path.realpath(os.curdir) if os.path.exists(os.curdir) else ""
    for folder in folders:
        if not os.path.isabs(folder) or os.path.realpath(folder) == here:
            continue
        found = shutil.which(os.path.join(folder, name))  # with a folder, nothing else is looked at
        if found and os.path.isabs(found):
            return found
    return None


def candidates(preferred: str) -> Iterator[Path]:
    """Interpreters worth a look, best first. One named in the preferences is the only one."""
    if preferred:
        chosen = Path(preferred).expanduser()
        yield python_in(chosen) if chosen.is_dir() else chosen
        return
    named = os.environ.get("EDTALK_PYTHON", "")
    if named and os.path.isabs(named):
        yield Path(named)
    yield python_in(ROOT / ".venv")
    yield python_in(home_environment())
    for name in ON_PATH:
        found = on_path(name)
        if found:
            yield Path(found)


def finish(search: Generator[None, None, T]) -> T:
    """What a search finds, waited for."""
    while True:
        try:
            next(search)
        except StopIteration as end:
            return end.value
        time.sleep(0.005)


def why_not(python: Path) -> Generator[None, None, str]:
    """What keeps this interpreter from running the server, as the end of a sentence; "" when nothing does."""
    lacking, trouble = yield from _ask(python, _PROBE)
    return trouble or (f"lacks {', '.join(lacking)}" if lacking else "")


def find_maker(own: str) -> Generator[None, None, Path | None]:
    """A Python that can make environments: one on the PATH, else Blender's own (`own`), else None."""
    found = [*filter(None, (on_path(name) for name in ON_PATH))]
    launched = yield from _launched()
    for python in dict.fromkeys([*found, *launched, own]):
        if python and (yield from _ask(Path(python), _MAKER_PROBE)) == ([], ""):
            return Path(python)
    return None


def find_python(preferred: str = "") -> Generator[None, None, Path]:
    """The first interpreter that can run the server.

    Raises NotStarted, saying for each interpreter that was looked at why it will not do.
    """
    seen: dict[Path, str] = {}
    for python in candidates(preferred):
        if python in seen:
            continue
        reason = yield from why_not(python)
        if not reason:
            return python
        if reason != "does not exist" or preferred or str(python) == os.environ.get("EDTALK_PYTHON"):
            seen[python] = reason
    looked = "; ".join(f"{python} {reason}" for python, reason in seen.items()) or "no Python was found"
    raise NotStarted(
        f"No Python on this computer can run the server: {looked}",
        hint="Correct Server Python in the preferences or leave it empty, then press Check Server"
        if preferred
        else "Press Set Up Server, or paste the command in the preferences into a terminal",
    )


def _launched() -> Generator[None, None, list[str]]:
    """Pythons that the launcher of Windows knows; installed there, they need not be on the PATH."""
    launcher = on_path("py") if sys.platform == "win32" else None
    found = []
    for name in ON_PATH if launcher else ():
        version = name.removeprefix("python")
        if "." in version:
            command = [str(launcher), f"-{version}", "-c", "import sys; print(sys.executable)"]
            found.append((yield from _said(command))[1].strip())
    return found


def _ask(python: Path, probe: str) -> Generator[None, None, tuple[list[str], str]]:
    """What a probe says it lacks in this interpreter, and what is wrong with the interpreter itself."""
    if not python.is_file():
        return [], "does not exist"
    try:
        status, text = yield from _said([str(python), "-I", "-c", probe])
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], f"does not run ({type(error).__name__})"
    said = text.split()
    if status or not said:
        return [], "is not a working Python"
    if said == ["old"]:
        return [], "is older than Python 3.10"
    return ([] if said == ["ready"] else said), ""


def _said(command: Sequence[str]) -> Generator[None, None, tuple[int, str]]:
    """Exit status of a program and the few words it says. Raises OSError or TimeoutExpired."""
    latest = time.monotonic() + PATIENCE
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        creationflags=NO_WINDOW,
    ) as process:
        try:
            while process.poll() is None:
                if time.monotonic() > latest:
                    raise subprocess.TimeoutExpired(command, PATIENCE)
                yield
        finally:
            process.kill()
        assert process.stdout is not None
        return process.returncode, process.stdout.read().decode("utf-8", "replace")
