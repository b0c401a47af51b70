# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs around the server: check it, and make the Python it runs in.

EDTalk fetches nothing by itself. `set_up` runs the very command that the preferences show, when a button was
pressed that says what it will download, from where and to where, and only while Blender's own setting allows
online access.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import bpy

from ...core.wire.errors import Cancelled, EDTalkError, NotStarted
from ..settings.preferences import preferences
from . import environment, python_search, server_report, supervisor
from .jobs import Job, Outcome
from .pipe import Outlet

_report: list[server_report.Line] = []
_trouble = ""

NO_ANSWER = ("(from versions: none)", "Max retries exceeded", "timed out", "ConnectionError")
"""What pip's last word looks like when nothing was found because nobody answered."""


def report() -> list[server_report.Line]:
    """What the last check found, empty before the first."""
    return _report


def set_up_trouble() -> str:
    """Why the last set-up did not work, "" when it did or when there was none."""
    return _trouble


def check(job: Job) -> Generator[None, None, Outcome]:
    """Job: start the server if need be and say what it runs on. One that runs needs no set-up any more, so
    what went wrong with the last one is no news.
    """
    global _report, _trouble
    python_search.forget()
    try:
        server = yield from supervisor.ready_server(job)
    except Cancelled:
        raise
    except EDTalkError as error:
        _report = server_report.of_error(error, supervisor.log_path())
        raise
    hello, _trouble = server.hello, ""
    _report = server_report.of_hello(hello, server.python, server.log)
    models = ", ".join(f"{c['id']} ({c['size']} px)" for c in hello.checkpoints) or "none"
    memory = f", {hello.memory_mb} MB free" if hello.memory_mb else ""
    runs = f"Python {hello.python}, torch {hello.torch} on {hello.device}{memory}"
    text = f"Server {hello.server} is ready: {runs}; checkpoints: {models}"
    return Outcome("WARNING" if hello.warnings else "INFO", text, "; ".join(hello.warnings))


def set_up(torch: str = ""):
    """Job: make the environment in the home folder, then check the server. `torch` is "" or "cpu"."""

    def work(job: Job) -> Generator[None, None, Outcome]:
        global _trouble
        _trouble = ""
        try:
            return (yield from _set_up(job, torch))
        except Cancelled:
            raise
        except EDTalkError as error:
            _trouble = f"{error.message}. {error.hint}"
            raise

    return work


def _set_up(job: Job, torch: str) -> Generator[None, None, Outcome]:
    job.show("Looking for a Python")
    own = sys.executable or ""
    maker = yield from supervisor.found(job, environment.find_maker(own))
    if maker is None:
        raise NotStarted(
            "No Python on this computer can make an environment",
            hint="Install Python 3.10 or newer from python.org (on Debian and Ubuntu: python3-venv), "
            "then press Set Up Server again",
        )
    supervisor.stop_server()  # it may be running in the environment that is about to be changed
    lines = yield from _run(job, maker, torch)
    python_search.forget()
    made = next((line for line in reversed(lines) if line.startswith("The server's Python is ready")), "")
    if not made:
        raise _failure(job, lines)
    chosen = preferences()
    if chosen is not None and chosen.python:
        chosen.python = ""  # what was named there before would still be the only one that is tried
    return (yield from check(job))


def _run(job: Job, maker: Path, torch: str) -> Generator[None, None, list[str]]:
    """Every line the script says; it also goes to a log beside the server's."""
    command = [str(maker), "-u", str(environment.MAKER), str(environment.home_environment()), "--tied"]
    process = subprocess.Popen(
        [*command, "--torch", torch] if torch else command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=Path.home(),
        creationflags=environment.NO_WINDOW,
    )
    outlet, lines, rest = Outlet(process.stdout), [], b""
    job.show("Making the server's Python")
    try:
        with open(set_up_log(), "w", encoding="utf-8") as log:
            while True:
                data = outlet.read()
                *whole, rest = (rest + (data or b"")).split(b"\n")
                if data is None:
                    whole += [rest] if rest else []
                for line in (part.decode("utf-8", "replace").rstrip() for part in whole):
                    lines.append(line)
                    print(line, file=log, flush=True)
                    stage = stage_of(line)
                    if stage and not job.cancelled:
                        job.show(stage)
                if job.cancelled and not process.stdin.closed:
                    process.stdin.close()  # the script takes back what it has made, and leaves
                    job.show("Cancelling")
                if data is None:
                    return lines
                yield
    finally:
        if not process.stdin.closed:
            process.stdin.close()


def set_up_log() -> Path:
    """What the script said."""
    return supervisor.log_path().with_name("set-up.log")


def stage_of(line: str) -> str:
    """What a line of pip means in a few words for the progress bar, "" for nothing worth showing."""
    words = line.split()
    if words[:1] == ["Downloading"] and len(words) > 1:
        name = words[1].rpartition("/")[2].partition("-")[0]
        size = line.partition("(")[2].partition(")")[0]
        return f"Downloading {name} ({size})" if size else f"Downloading {name}"
    if words[:1] == ["Collecting"] and len(words) > 1:
        return f"Looking up {words[1]}"
    if line.startswith("Installing collected packages"):
        return "Installing the packages, some minutes"
    if line.startswith("WARNING: Retrying"):
        return "No answer from the Internet, trying again"
    if words[:1] == ["+"]:
        return "Making the environment" if "-m venv" in line else "Looking up the packages"
    return ""


def _failure(job: Job, lines: list[str]) -> EDTalkError:
    if job.cancelled:
        return Cancelled(f"{job.title}: cancelled, what was made is taken away again")
    why, what_next = failure(lines)
    return NotStarted(
        f"The server's Python could not be made: {why}", hint=f"{what_next} (what was said: {set_up_log()})"
    )


def failure(lines: list[str]) -> tuple[str, str]:
    """Why the script failed and what to do, out of what it and pip said. Without a connection pip ends with
    a version that it could not find, which sends people the wrong way; so its earlier lines count first.
    """
    again = "then press Set Up Server again"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    cut_off = any("connection broken by" in line or "Could not fetch URL" in line for line in lines)
    if cut_off and (not errors or any(sign in errors[0] for sign in NO_ANSWER)):
        if any("CERTIFICATE_VERIFY_FAILED" in line for line in lines):
            return (
                "the package index answers with a certificate that is not trusted",
                f"A proxy or a virus scanner may be in between: ask who runs this network, {again}",
            )
        return "the package index on the Internet cannot be reached", f"Look to the connection, {again}"
    fatal = next((n for n, line in enumerate(lines) if line.startswith("Fatal Python error")), len(lines))
    last = next((line for line in reversed(lines[:fatal]) if line.strip()), "it said nothing")
    return (errors[0] if errors else last)[:300], f"Put that right, {again}"


def why_not_set_up() -> str:
    """Why nothing may be downloaded, "" when it may."""
    if bpy.app.online_access:
        return ""
    return (
        "Allow Online Access in Preferences > System first, or paste what Copy Command copies into a terminal"
    )
