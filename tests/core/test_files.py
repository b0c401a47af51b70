# SPDX-License-Identifier: GPL-3.0-or-later
"""Files appear whole or not at all, and a system that refuses is quoted in one sentence."""

from __future__ import annotations

import errno
import os
import socket
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


# --- reading --------------------------------------------------------------------------------------


def not_files(folder: Path) -> dict[str, Path]:
    """One of each kind of thing that is no file; on Windows there are fewer kinds."""
    found = {"a folder": folder / "folder"}
    found["a folder"].mkdir()
    if os.name == "posix":
        os.mkfifo(folder / "pipe")
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(folder / "socket"))
        server.close()
        (folder / "link").symlink_to("/dev/zero")
        found |= {
            "a pipe": folder / "pipe",
            "a socket": folder / "socket",
            "a device": Path("/dev/zero"),
            "a link to a device": folder / "link",
            "a terminal": Path("/dev/tty"),
        }
    return found


def test_only_regular_files_are_opened_and_nothing_is_waited_for(tmp_path: Path) -> None:
    for name, path in not_files(tmp_path).items():
        with pytest.raises(OSError, match=r"not a file|no such device") as caught:
            files.opened(path)
        assert not files.is_file(path), name
        assert "file" in files.reason(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_to_a_file_is_a_file_and_one_to_nothing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"data")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    (tmp_path / "loose").symlink_to(tmp_path / "gone")
    assert files.read(tmp_path / "link", 10) == b"data"
    with pytest.raises(FileNotFoundError):
        files.opened(tmp_path / "loose")


@pytest.mark.parametrize("name", ["a" * 300, "zero\0inside", "lone \ud800 surrogate"])
def test_names_that_no_file_can_have_are_an_oserror_and_no_file(tmp_path: Path, name: str) -> None:
    assert not files.is_file(tmp_path / name)
    with pytest.raises(OSError):
        files.opened(tmp_path / name)
    with pytest.raises(OutputBlocked), written_whole(tmp_path / name):
        pass


def test_more_than_the_bound_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(11))
    assert files.read(tmp_path / "large", 11) == bytes(11)
    with pytest.raises(OSError, match="larger than 10 bytes"):
        files.read(tmp_path / "large", 10)


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="only Linux has such files")
def test_a_file_that_hides_its_size_is_bounded_while_it_is_read() -> None:
    with pytest.raises(OSError, match="larger than 16 bytes"):
        files.read("/proc/self/maps", 16)


# --- writing beside others ------------------------------------------------------------------------


def test_two_writers_of_one_file_never_share_a_temporary_name(tmp_path: Path) -> None:
    target = tmp_path / "frame.png"
    with written_whole(target) as one, written_whole(target) as other:  # two computers may share a process id
        assert one != other
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert target.read_bytes() == b"one" and names(tmp_path) == ["frame.png"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_what_was_planted_under_a_temporary_name_is_never_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, target = tmp_path / "victim", tmp_path / "frame.png"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(files.secrets, "token_hex", lambda count: "guessed")
    planted = tmp_path / ".guessed.part.png"
    for plant in (planted.symlink_to, planted.hardlink_to):
        plant(victim)
        with pytest.raises(OutputBlocked), written_whole(target) as temporary:
            temporary.write_bytes(b"new")
        assert victim.read_bytes() == b"precious" and not target.exists()
        planted.unlink(missing_ok=True)


@pytest.mark.skipif(os.name != "posix", reason="there are no such things on Windows")
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "frame.png"
    (os.mkdir if kind == "folder" else os.mkfifo)(target)
    with pytest.raises(OutputBlocked, match=f"it is a {kind}"), written_whole(target) as temporary:
        temporary.write_bytes(b"new")
    assert names(tmp_path) == ["frame.png"] and not target.is_file()


@pytest.mark.skipif(os.name != "posix", reason="rights are other on Windows")
def test_a_new_file_has_the_rights_that_new_files_have_here(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with written_whole(tmp_path / "whole") as temporary:
        temporary.write_bytes(b"")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode
