# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor starts every library, since one that is installed may still be broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.commands import doctor
from server.commands.doctor import Finding


def test_a_library_that_does_not_start_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_library.py").write_text(
        "raise ImportError('libGL.so.1: cannot open\\nshared object')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    finding = doctor._library("broken_library", ("broken-library",))
    assert finding.fine is False and "does not start: libGL.so.1: cannot open shared object" in finding.value
    assert finding.remedy.endswith("--force-reinstall broken-library")


def test_what_is_only_worth_knowing_is_neither_fine_nor_missing(capsys: pytest.CaptureFixture[str]) -> None:
    code = doctor.tell(iter([Finding("torch", "2.6"), Finding("checkpoint", "old.safetensors is odd", None)]))
    lines = capsys.readouterr().out.splitlines()
    assert code == 0 and lines[0].startswith("ok ") and lines[1].startswith("note ")
    assert lines[-1] == "Everything that is needed is here."


def test_it_says_how_faces_are_found() -> None:
    from core.pictures import face_models

    told = [f"{finding.name} {finding.value}" for finding in doctor.examine()]
    if face_models.why_not():
        assert any("older, less certain way" in line and "--no-deps" in line for line in told)
    else:
        assert any(line.startswith("faces read by") for line in told)
