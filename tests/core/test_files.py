# SPDX-License-Identifier: GPL-3.0-or-later
"""Files appear whole or not at all, and a system that refuses is quoted in one sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from core import files
from core.files import written_whole
from core.wire.errors import OutputBlocked


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_seen_under_the_name_before_the_file_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "frame.png"
    with written_whole(target) as temporary:
        temporary.write_bytes(b"half")
        assert not target.exists()
        assert temporary.parent == tmp_path and temporary.suffix == ".png"
    assert target.read_bytes() == b"half" and names(tmp_path) == ["frame.png"]


def test_a_failed_write_keeps_the_older_file_and_leaves_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "frame.png"
    target.write_bytes(b"older")
    with pytest.raises(RuntimeError, match="half way"), written_whole(target) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("half way")
    assert target.read_bytes() == b"older" and names(tmp_path) == ["frame.png"]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EACCES, "not allowed")],
)
def test_a_full_disk_and_a_locked_folder_are_one_sentence(tmp_path: Path, number: int, sentence: str) -> None:
    with (
        pytest.raises(OutputBlocked, match=sentence) as caught,
        written_whole(tmp_path / "frame.png") as temporary,
    ):
        temporary.write_bytes(b"half")
        raise OSError(number, os.strerror(number))
    assert caught.value.hint and names(tmp_path) == []


def test_a_file_that_somebody_reads_is_replaced_when_they_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, real, refused = tmp_path / "frame.png", os.replace, [True, True]

    def as_on_windows(source: Path, to: Path) -> None:
        if refused and refused.pop():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        real(source, to)

    target.write_bytes(b"older")
    monkeypatch.setattr(os, "replace", as_on_windows)
    with written_whole(target) as temporary:
        temporary.write_bytes(b"newer")
    assert target.read_bytes() == b"newer" and names(tmp_path) == ["frame.png"] and not refused


def test_a_file_that_somebody_keeps_open_is_one_sentence_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_on_windows(source: Path, to: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    target = tmp_path / "frame.png"
    target.write_bytes(b"older")
    monkeypatch.setattr(os, "replace", as_on_windows)
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    with pytest.raises(OutputBlocked, match="another program"), written_whole(target) as temporary:
        temporary.write_bytes(b"newer")
    assert target.read_bytes() == b"older" and names(tmp_path) == ["frame.png"]


def test_a_file_where_a_folder_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputBlocked), written_whole(tmp_path / "out" / "frame.png") as temporary:
        temporary.write_bytes(b"data")
    assert names(tmp_path) == ["out"]
