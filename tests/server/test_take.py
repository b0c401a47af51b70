# SPDX-License-Identifier: GPL-3.0-or-later
"""server/take.py: a take may be rendered again, another take is never overwritten unasked."""

from __future__ import annotations

import json
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from core.wire.errors import Cancelled, OutputBlocked, OutputExists
from server import take
from server.take import SIDECAR, Identity, Naming, claim

TAKE = Identity("anna", "d1", "model", (0.0, 0.0, 64.0), 64, "crop", True, "png")


@pytest.fixture
def naming(tmp_path: Path) -> Naming:
    return Naming(tmp_path / "new" / "folder", "take.", 4, ".png")


def make(naming: Naming, *numbers: int) -> None:
    naming.folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        naming.path(number).write_bytes(b"an artist's picture")


def test_frames_are_numbered_as_blender_numbers_them(naming: Naming) -> None:
    names = [naming.path(number).name for number in (7, 12345, -5)]
    assert names == ["take.0007.png", "take.12345.png", "take.-0005.png"]


def test_the_same_take_may_be_rendered_again_in_part_and_grow(naming: Naming) -> None:
    claim(naming, TAKE, range(1, 11))
    make(naming, *range(1, 11))
    claim(naming, TAKE, [3, 4])
    claim(naming, TAKE, range(5, 15))
    make(naming, *range(11, 15))
    claim(naming, TAKE, range(1, 15))


@pytest.mark.parametrize(
    "change", [{"take": "b"}, {"portrait": "d2"}, {"model": "x"}, {"size": 32}, {"detail": False}]
)
def test_frames_of_another_take_are_in_the_way(naming: Naming, change: dict[str, object]) -> None:
    claim(naming, TAKE, range(1, 11))
    make(naming, 3, 4)
    other = replace(TAKE, **change)
    with pytest.raises(
        OutputExists, match=r"take\.0003\.png and 1 more in .* belong to another take"
    ) as caught:
        claim(naming, other, range(1, 11))
    assert caught.value.hint
    claim(naming, TAKE, range(1, 11))  # the refusal changed nothing
    claim(naming, other, range(1, 11), overwrite=True)
    with pytest.raises(OutputExists):
        claim(naming, TAKE, [3])


def test_another_take_may_live_beside_under_other_numbers_or_another_name(naming: Naming) -> None:
    claim(naming, TAKE, range(1, 5))
    make(naming, *range(1, 5))
    claim(replace(naming, stem="b."), replace(TAKE, take="b"), range(1, 5))
    claim(naming, TAKE, range(1, 5))
    claim(naming, replace(TAKE, take="b"), range(5, 9))


def test_files_that_nobody_claimed_are_in_the_way_too(naming: Naming) -> None:
    make(naming, 3)
    with pytest.raises(OutputExists, match=r"take\.0003\.png in .* is already there"):
        claim(naming, TAKE, [2, 3])
    claim(naming, TAKE, [2])


@pytest.mark.parametrize(
    "note", ["", "{", "[]", '{"schema": 1}', '{"schema": 99, "takes": {}}', '{"schema":1,"takes":3}']
)
def test_a_damaged_note_counts_as_none(naming: Naming, note: str) -> None:
    make(naming, 3)
    (naming.folder / SIDECAR).write_text(note)
    with pytest.raises(OutputExists):
        claim(naming, TAKE, [3])
    claim(naming, TAKE, [3], overwrite=True)
    claim(naming, TAKE, [3])


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputBlocked, match="cannot be used"):
        claim(Naming(tmp_path / "file" / "under", "take.", 4, ".png"), TAKE, [1])
    with pytest.raises(OutputBlocked):
        claim(Naming(tmp_path / "file", "take.", 4, ".png"), TAKE, [1])


def test_a_read_only_folder_is_one_sentence(naming: Naming) -> None:
    naming.folder.mkdir(parents=True)
    naming.folder.chmod(0o555)
    try:
        (naming.folder / "probe").touch()
    except PermissionError:
        with pytest.raises(OutputBlocked, match="not allowed"):
            claim(naming, TAKE, [1])
    else:
        pytest.skip("this user may write everywhere")
    finally:
        naming.folder.chmod(0o755)


def test_workers_that_claim_at_the_same_time_all_keep_their_frames(naming: Naming) -> None:
    shares = [range(1 + 10 * n, 11 + 10 * n) for n in range(12)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda numbers: claim(naming, TAKE, numbers), shares))
    make(naming, *range(1, 121))
    claim(naming, TAKE, range(1, 121))
    assert sorted(path.name for path in naming.folder.glob("*.lock")) == []


def test_a_lock_left_behind_by_a_killed_worker_is_taken_over(
    naming: Naming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take, "STUCK", 0.1)
    naming.folder.mkdir(parents=True)
    (naming.folder / f"{SIDECAR}.lock").touch()
    claim(naming, TAKE, [1])
    assert not (naming.folder / f"{SIDECAR}.lock").exists()


# --- what lies in the folder is somebody's, and may be anything ---

FRAMES = ("5", "null", '[[1], "x", [true, 9], [9, 1]]', '{"1": 2}', "[[1, 1e300]]", '"3-3"', "[" * 10**5)
NOTES = (
    *(
        f'{{"schema": 1, "takes": {{"take.####.png": {{"identity": IDENTITY, "frames": {f}}}}}}}'
        for f in FRAMES
    ),
    "[" * 100_000 + "]" * 100_000,
    '{"schema": 1, "takes": {"take.####.png": ' + "[" * 10_000 + "]" * 10_000 + "}}",
)


@pytest.mark.parametrize("note", NOTES)
def test_a_note_that_is_none_claims_nothing_and_breaks_nothing(naming: Naming, note: str) -> None:
    make(naming, 3)
    identity = json.dumps(json.loads(json.dumps(asdict(TAKE))))
    (naming.folder / SIDECAR).write_text(note.replace("IDENTITY", identity))
    with pytest.raises(OutputExists):
        claim(naming, TAKE, [3])
    claim(naming, TAKE, [3], overwrite=True)
    claim(naming, TAKE, [3])


def test_wide_ranges_in_a_note_take_no_memory(naming: Naming) -> None:
    naming.folder.mkdir(parents=True)
    wide = [[n * 10**5, n * 10**5 + 10**6] for n in range(80)]
    note = {"schema": 1, "takes": {naming.pattern: {"identity": asdict(TAKE), "frames": wide}}}
    (naming.folder / SIDECAR).write_text(json.dumps(note))
    tracemalloc.start()
    try:
        claim(naming, TAKE, [5])
        assert tracemalloc.get_traced_memory()[1] < 5 << 20
    finally:
        tracemalloc.stop()
    kept = json.loads((naming.folder / SIDECAR).read_text())["takes"][naming.pattern]["frames"]
    assert kept == [[0, 79 * 10**5 + 10**6]]


@pytest.mark.parametrize("kind", ["folder", "loose link", "link", "pipe"])
@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_what_is_no_lock_file_is_said_at_once(naming: Naming, kind: str) -> None:
    naming.folder.mkdir(parents=True)
    lock = naming.folder / f"{SIDECAR}.lock"
    {
        "folder": lock.mkdir,
        "loose link": lambda: lock.symlink_to("nowhere"),
        "link": lambda: lock.symlink_to(naming.folder),
        "pipe": lambda: os.mkfifo(lock),
    }[kind]()
    breaths: list[int] = []
    with pytest.raises(OutputBlocked, match="no lock file"):
        claim(naming, TAKE, [1], breathe=lambda: breaths.append(1))
    assert not breaths and lock.lstat()


def test_waiting_for_a_lock_can_be_cancelled(naming: Naming) -> None:
    naming.folder.mkdir(parents=True)
    (naming.folder / f"{SIDECAR}.lock").touch()

    def cancel() -> None:
        raise Cancelled("Cancelled")

    with pytest.raises(Cancelled):
        claim(naming, TAKE, [1], breathe=cancel)


@pytest.mark.parametrize("way", ["itself", "link", "other spelling"])
@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_frames_never_replace_what_they_are_made_from(naming: Naming, way: str) -> None:
    make(naming, 3)
    given = naming.path(3)
    if way == "link":
        given = naming.folder / "anna.png"
        given.symlink_to(naming.path(3))
    elif way == "other spelling":
        given = naming.folder / ".." / naming.folder.name / naming.path(3).name
    with pytest.raises(OutputExists, match="made from"):
        claim(naming, TAKE, [2, 3], overwrite=True, inputs=[given])
    claim(naming, TAKE, [2, 4], overwrite=True, inputs=[given])
