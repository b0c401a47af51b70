# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is there is not a file that is whole: damaged frames and passes are found and made again; a
record somebody made up is none, and pictures that were painted over stay.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.desk import Desk, hashes

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python) -> Desk:
    return Desk(part, tmp_path, portrait, voice, tiny_checkpoint, server_python)


DAMAGE = {
    "empty": lambda data: b"",
    "its first 500 bytes": lambda data: data[:500],
    "without its last byte": lambda data: data[:-1],
    "nothing but zeros": lambda data: bytes(len(data) - 7),
    "another kind of file": lambda data: b"version https://git-lfs.github.com/spec/v1\n",
}


@pytest.mark.parametrize("fmt", ["png", "png16", "exr"])
def test_damaged_frames_are_counted_and_made_again(desk, part, fmt: str) -> None:
    import bpy

    bpy.context.scene.edtalk.format = fmt
    face = desk.generate()
    suffix = part("pictures.take_folder").SUFFIXES[fmt]
    files = {100 + n: desk.frames / f"take.{100 + n:04d}{suffix}" for n in range(len(DAMAGE))}
    before = {path: path.read_bytes() for path in files.values()}
    for spoil, path in zip(DAMAGE.values(), files.values()):  # the portrait at rest, before the take, too
        path.write_bytes(spoil(before[path]))
    assert part("takes.status").count(face, bpy.context) == len(DAMAGE) - 1
    desk.render_changed()
    assert f"{len(DAMAGE) - 1} of 50 frames" in desk.jobs.last().text
    assert {path: path.read_bytes() for path in files.values()} == before
    desk.render_changed()
    assert "up to date" in desk.jobs.last().text


def test_damaged_passes_are_made_again(desk, part) -> None:
    import bpy

    bpy.context.scene.edtalk.passes = {"face", "matte", "plate"}
    desk.generate()
    files = [desk.frames / name for name in ("take_face.0110.png", "take_matte.0111.png", "take_plate.png")]
    before = [path.read_bytes() for path in files]
    for path, left in zip(files, (0, 60, 0)):
        path.write_bytes(path.read_bytes()[:left])
    desk.render_changed()
    assert "2 of 50 frames" in desk.jobs.last().text and [path.read_bytes() for path in files] == before


def test_a_frame_that_was_painted_over_stays(desk, part) -> None:
    import bpy

    face = desk.generate()
    path = desk.frames / "take.0110.png"
    painted = (desk.frames / "take.0120.png").read_bytes() + b""
    image = bpy.data.images.load(str(path))
    image.pixels[:] = np.full(len(image.pixels), 0.5).tolist()
    image.save(filepath=str(path))
    painted = path.read_bytes()
    assert part("takes.status").count(face, bpy.context) == 0
    desk.render_changed()
    assert path.read_bytes() == painted


def test_an_older_record_without_sizes_finds_cut_frames_too(desk, part) -> None:
    import bpy

    face = desk.generate()
    record = desk.frames / "rendered.npz"
    arrays = dict(np.load(record))
    del arrays["sizes"]
    np.savez(record, **arrays)
    path = desk.frames / "take.0110.png"
    path.write_bytes(path.read_bytes()[:-9])
    assert part("takes.status").count(face, bpy.context) == 1


def bomb(path: Path) -> None:
    """300 MB of zeros in 300 kB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("weights.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f4", "fortran_order": False, "shape": (75_000_000,)}
        )
        for _ in range(300):
            member.write(bytes(1_000_000))


def huge_shape(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed, packed.open("numbers.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<i8", "fortran_order": False, "shape": (1 << 40,)}
        )


def deep_header(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        text = b"(" * 3000 + b"\n"
        packed.writestr("numbers.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)


def many_members(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(1000):
            packed.writestr(f"{number}.npy", b"")


def encrypted(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("numbers.npy", b"x" * 40)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


HOSTILE = [bomb, huge_shape, deep_header, many_members, encrypted]


@pytest.mark.parametrize("make", HOSTILE)
def test_a_hostile_record_is_none_and_a_hostile_table_is_refused(part, tmp_path, make) -> None:
    make(tmp_path / "rendered.npz")
    assert len(part("pictures.frame_record").Rendered(tmp_path)) == 0
    with pytest.raises(Exception, match=r"rendered\.npz"):
        part("takes.exchange.weight_files").load(tmp_path / "rendered.npz")


@pytest.mark.parametrize("turns", [2**63 - 1, -1, 2**50])
def test_a_record_of_impossible_turns_is_none(part, tmp_path, turns: int) -> None:
    rendered = part("pictures.frame_record")
    with rendered.Rendered(tmp_path) as record:
        record.note(101, np.zeros(36, np.float32), bytes(range(16)))
    arrays = dict(np.load(tmp_path / "rendered.npz"))
    np.savez(tmp_path / "rendered.npz", **(arrays | {"turns": np.array([turns])}))
    with rendered.Rendered(tmp_path) as record:
        assert len(record) == 0
        record.forget([101])


def test_what_a_killed_blender_asked_for_is_cleared_away(desk, part) -> None:
    import subprocess
    import sys

    takes = part("pictures.take_folder")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    desk.generate()
    machine = takes.request_name().split(".")[0]
    left = desk.frames / f"{machine}.{ended.pid}.0badcafe.npz"
    running = desk.frames / takes.request_name()
    elsewhere = desk.frames / "decode-other.17.0badcafe.npz"
    for path in (left, running, elsewhere):
        path.write_bytes(b"x")
    (desk.frames / "take.0110.png").unlink()
    desk.render_changed()
    assert not left.exists() and running.exists() and elsewhere.exists() and len(hashes(desk.frames)) == 51
