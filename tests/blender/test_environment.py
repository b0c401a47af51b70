# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's Python is found, refused with a reason, and never installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.fixture
def environment(checkout):
    return checkout("edtalk_blender.server_process.environment")


@pytest.fixture
def errors(checkout):
    return checkout("core.wire.errors")


def test_a_python_in_the_preferences_is_the_only_candidate(environment, monkeypatch) -> None:
    monkeypatch.setenv("EDTALK_PYTHON", sys.executable)
    assert list(environment.candidates("/opt/mine/python")) == [Path("/opt/mine/python")]


def test_a_folder_in_the_preferences_means_the_environment_in_it(environment, tmp_path: Path) -> None:
    (found,) = environment.candidates(str(tmp_path))
    assert found == environment.python_in(tmp_path)


def test_the_variable_comes_before_the_path(environment, monkeypatch) -> None:
    monkeypatch.setenv("EDTALK_PYTHON", "/opt/mine/python")
    found = list(environment.candidates(""))
    assert found[0] == Path("/opt/mine/python")
    assert found[1] == environment.python_in(environment.ROOT / ".venv")


def test_a_missing_python_is_named_in_the_error(environment, errors, tmp_path: Path) -> None:
    with pytest.raises(errors.NotStarted, match="nowhere does not exist") as caught:
        environment.finish(environment.find_python(str(tmp_path / "nowhere")))
    assert "Check Server" in caught.value.hint


def test_a_program_that_is_no_python_is_refused(environment) -> None:
    assert environment.finish(environment.why_not(Path(environment.__file__))) != ""


def test_a_python_without_the_packages_says_which(environment, tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "bare", with_pip=False)
    reason = environment.finish(environment.why_not(environment.python_in(tmp_path / "bare")))
    assert reason.startswith("lacks torch")


def test_the_servers_python_is_found(environment, server_python: str) -> None:
    assert environment.finish(environment.find_python(server_python)) == Path(server_python)


def test_the_command_names_a_place_that_is_looked_at(environment, monkeypatch) -> None:
    monkeypatch.delenv("EDTALK_PYTHON", raising=False)
    assert str(environment.MAKER) in environment.install_command() and environment.MAKER.is_file()
    assert environment.python_in(environment.home_environment()) in list(environment.candidates(""))


def test_a_python_that_can_make_environments_is_found(environment, monkeypatch) -> None:
    pytest.importorskip("ensurepip")
    monkeypatch.setenv("PATH", "")
    assert environment.finish(environment.find_maker(sys.executable)) == Path(sys.executable)
    assert environment.finish(environment.find_maker("")) is None
