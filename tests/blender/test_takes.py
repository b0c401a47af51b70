# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's folder: names that are free, and files whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from core.wire.channels import CHANNELS


@pytest.fixture
def takes(checkout):
    return checkout("edtalk_blender.pictures.take_folder")


@pytest.fixture
def errors(checkout):
    return checkout("core.wire.errors")


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, len(CHANNELS))).astype(np.float32)


def test_take_names_count_up_past_folders_and_actions(takes, tmp_path: Path) -> None:
    assert takes.free_name(tmp_path, "/faces/anna b.png") == "anna_b_001"
    (tmp_path / "anna_b_001").mkdir()
    assert takes.free_name(tmp_path, "/faces/anna b.png", {"anna_b_002"}) == "anna_b_003"


def test_a_name_without_letters_still_makes_a_take(takes, tmp_path: Path) -> None:
    assert takes.free_name(tmp_path, "/faces/...png") == "face_001"


@pytest.mark.parametrize("stem", ["\u9854" * 45, "e\u0301" * 30, "a" * 200])
def test_a_long_name_fits_into_a_blend_whatever_its_letters(takes, tmp_path: Path, stem: str) -> None:
    name = takes.free_name(tmp_path, f"{stem}.png")
    assert name.endswith("_001") and len(f"{name} Sound".encode()) < 63


def test_motion_comes_back_as_it_was_written(takes, tmp_path: Path, weights) -> None:
    takes.save_motion(tmp_path / "motion.npz", weights, 23.976, range(101, 106), "heads")
    read, rate = takes.load_motion(tmp_path / "motion.npz")
    np.testing.assert_array_equal(read, weights)
    assert rate == 23.976
    assert sorted(path.name for path in tmp_path.iterdir()) == ["motion.npz"]


def test_frames_that_were_drawn_in_another_way_have_another_look(takes) -> None:
    import hashlib
    import json
    from dataclasses import asdict, replace

    look = takes.Look("p", "c", (1.0, 2.0, 3.0), 512, "crop", True, "png")
    assert replace(look, drawn=look.drawn - 1).digest() != look.digest()
    before = {name: value for name, value in asdict(look).items() if name != "drawn"}  # as 0.1 wrote it
    old = hashlib.blake2b(json.dumps(before, sort_keys=True).encode(), digest_size=16).digest()
    assert old != look.digest()


@pytest.mark.parametrize(
    "arrays", [{}, {"schema": 2}, {"schema": 1, "mouth": np.zeros((3, 4)), "rate": 25.0}], ids=str
)
def test_what_is_no_motion_is_refused_in_a_sentence(takes, errors, tmp_path: Path, arrays) -> None:
    np.savez(tmp_path / "motion.npz", **arrays)
    with pytest.raises(errors.BadMotion, match=r"motion\.npz"):
        takes.load_motion(tmp_path / "motion.npz")


def test_a_file_that_another_program_reads_is_replaced_as_soon_as_it_may(takes, tmp_path: Path, monkeypatch):
    """Windows refuses meanwhile; here the first two tries are refused."""
    refused, path, replace = [], tmp_path / "rendered.npz", os.replace

    def busy(source, target) -> None:
        if len(refused) < 2:
            refused.append(target)
            raise PermissionError(13, "in use")
        replace(source, target)

    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", busy)
    takes.save_arrays(path, {"numbers": np.arange(3)})
    assert takes.load_arrays(path)["numbers"].tolist() == [0, 1, 2] and len(refused) == 2


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
