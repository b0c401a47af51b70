# SPDX-License-Identifier: GPL-3.0-or-later
"""server/cli.py and its commands: exit codes, sentences, and what a run leaves behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from server import __version__, cli, doctor, redraw
from server.doctor import Finding
from tests import toy

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
