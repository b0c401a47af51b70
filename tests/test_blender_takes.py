# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's folder: names that are free, files whole or not at all, and a record that never claims too
much.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from core.wire.channels import CHANNELS

LOOK = bytes(range(16))


@pytest.fixture
def takes(checkout):
    return checkout("edtalk_blender.takes")


@pytest.fixture
def errors(checkout):
    return checkout("core.wire.errors")


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, len(CHANNELS))).astype(np.float32)


def made(takes, folder: Path, weights: np.ndarray, look: bytes = LOOK) -> list[str]:
    """Pictures and record of a finished take of frames 101.. in `folder`."""
    record = takes.Rendered(folder)
    files = [takes.file_name(101 + i, "png") for i in range(len(weights))]
    for i, name in enumerate(files):
        (folder / name).write_bytes(b"a picture")
        record.note(101 + i, weights[i], look)
    record.save()
    return files


def changed(takes, folder: Path, weights: np.ndarray, files: list[str], look: bytes = LOOK) -> list[int]:
    mask = takes.Rendered(folder).changed(range(101, 101 + len(weights)), weights, look, files)
    return np.flatnonzero(mask).tolist()


def test_take_names_count_up_past_folders_and_actions(takes, tmp_path: Path) -> None:
    assert takes.free_name(tmp_path, "/faces/anna b.png") == "anna_b_001"
    (tmp_path / "anna_b_001").mkdir()
    assert takes.free_name(tmp_path, "/faces/anna b.png", {"anna_b_002"}) == "anna_b_003"


def test_a_name_without_letters_still_makes_a_take(takes, tmp_path: Path) -> None:
    assert takes.free_name(tmp_path, "/faces/...png") == "face_001"


def test_nothing_is_out_of_date_after_a_render(takes, tmp_path: Path, weights) -> None:
    files = made(takes, tmp_path, weights)
    assert changed(takes, tmp_path, weights, files) == []
    assert changed(takes, tmp_path, weights + 0.5e-4, files) == []


def test_only_frames_whose_weights_moved_are_out_of_date(takes, tmp_path: Path, weights) -> None:
    files = made(takes, tmp_path, weights)
    edited = weights.copy()
    edited[3, 7] += 0.001
    assert changed(takes, tmp_path, edited, files) == [3]


def test_a_missing_picture_is_out_of_date(takes, tmp_path: Path, weights) -> None:
    files = made(takes, tmp_path, weights)
    (tmp_path / files[2]).unlink()
    assert changed(takes, tmp_path, weights, files) == [2]


def test_another_look_makes_every_frame_out_of_date(takes, tmp_path: Path, weights) -> None:
    files = made(takes, tmp_path, weights)
    assert changed(takes, tmp_path, weights, files, bytes(16)) == [0, 1, 2, 3, 4]


def test_frames_that_are_about_to_be_made_again_are_not_claimed(takes, tmp_path: Path, weights) -> None:
    """Blender killed between the new picture and the record must not leave a record of the old weights."""
    files = made(takes, tmp_path, weights)
    record = takes.Rendered(tmp_path)
    record.forget([102, 103])
    record.save()
    assert changed(takes, tmp_path, weights, files) == [1, 2]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off", b"not an archive"])
def test_a_damaged_record_means_everything_is_made_again(takes, tmp_path: Path, weights, damage) -> None:
    files = made(takes, tmp_path, weights)
    (tmp_path / "rendered.npz").write_bytes(damage)
    assert changed(takes, tmp_path, weights, files) == [0, 1, 2, 3, 4]


def test_the_record_cannot_carry_code(takes, errors, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    np.savez(tmp_path / "rendered.npz", numbers=np.array([Payload()], object))
    with pytest.raises(errors.BadMotion):
        takes.load_arrays(tmp_path / "rendered.npz")
    assert len(takes.Rendered(tmp_path)) == 0 and not (tmp_path / "executed").exists()


def test_motion_comes_back_as_it_was_written(takes, tmp_path: Path, weights) -> None:
    takes.save_motion(tmp_path / "motion.npz", weights, 23.976, range(101, 106), "heads")
    read, rate = takes.load_motion(tmp_path / "motion.npz")
    np.testing.assert_array_equal(read, weights)
    assert rate == 23.976
    assert sorted(path.name for path in tmp_path.iterdir()) == ["motion.npz"]


@pytest.mark.parametrize(
    "arrays", [{}, {"schema": 2}, {"schema": 1, "mouth": np.zeros((3, 4)), "rate": 25.0}], ids=str
)
def test_what_is_no_motion_is_refused_in_a_sentence(takes, errors, tmp_path: Path, arrays) -> None:
    np.savez(tmp_path / "motion.npz", **arrays)
    with pytest.raises(errors.BadMotion, match=r"motion\.npz"):
        takes.load_motion(tmp_path / "motion.npz")


def test_a_folder_that_cannot_be_is_refused_in_a_sentence(takes, errors, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.OutputBlocked, match="Nothing can be written"):
        takes.make_folder(tmp_path / "file" / "take")


def test_the_look_follows_the_portrait_file(takes, tmp_path: Path) -> None:
    portrait = tmp_path / "anna.png"
    portrait.write_bytes(b"one")
    before = takes.file_digest(str(portrait))
    portrait.write_bytes(b"retouched")
    assert takes.file_digest(str(portrait)) != before
    assert takes.file_digest(str(tmp_path / "missing.png")) == ""
