# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/system_packages.py: a missing library is named by the package that brings it."""

from __future__ import annotations

import sys

import pytest

from tools import system_packages

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the packages are Debian's")


@linux_only
def test_a_missing_library_and_a_missing_program_are_named_by_their_packages() -> None:
    table = {"libc.so.6": "libc6", "libno-such-thing.so.7": "libno-such7", "no-such-program": "no-such"}
    assert system_packages.missing(table) == ["libno-such7", "no-such"]


@linux_only
def test_a_missing_library_is_reported_with_the_command_that_installs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_packages, "FOR_BLENDER", {"libno-such-thing.so.7": "libno-such7"})
    assert system_packages.main([]) == 1
    assert "apt-get install libno-such7" in capsys.readouterr().err
    assert system_packages.main(["--names"]) == 0
    assert "libno-such7" in capsys.readouterr().out.split()


def test_other_systems_need_no_debian_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert system_packages.missing({"libno-such-thing.so.7": "libno-such7"}) == []
    assert system_packages.missing_for_heads() == []
