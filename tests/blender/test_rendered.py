# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a take's pictures never claims too much: not after damage, not after a crash, and not when
several workers fill one folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from core.wire.channels import CHANNELS

LOOK = bytes(range(1, 17))
FILES = [f"take.{number:04d}.png" for number in range(101, 106)]


@pytest.fixture
def rendered(checkout):
    return checkout("edtalk_blender.pictures.frame_record")


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, len(CHANNELS))).astype(np.float32)


def make(record, weights: np.ndarray, numbers=range(101, 106), look: bytes = LOOK) -> None:
    """What a job does: drop the entries, make the pictures, note them."""
    record.forget(numbers)
    record.save()
    for number in numbers:
        (record.folder / FILES[number - 101]).write_bytes(b"a picture")
        record.note(number, weights[number - 101], look)


def made(rendered, folder: Path, weights: np.ndarray, look: bytes = LOOK) -> None:
    """Pictures and record of a finished take of frames 101 to 105."""
    with rendered.Rendered(folder) as record:
        make(record, weights, look=look)


def changed(rendered, folder: Path, weights: np.ndarray, look: bytes = LOOK) -> list[int]:
    mask = rendered.Rendered(folder).changed(range(101, 106), weights, look, FILES)
    return np.flatnonzero(mask).tolist()


def test_nothing_is_out_of_date_after_a_render(rendered, tmp_path: Path, weights) -> None:
    made(rendered, tmp_path, weights)
    assert changed(rendered, tmp_path, weights) == []
    assert changed(rendered, tmp_path, weights + 0.5e-4) == []


def test_only_frames_whose_weights_moved_are_out_of_date(rendered, tmp_path: Path, weights) -> None:
    made(rendered, tmp_path, weights)
    edited = weights.copy()
    edited[3, 7] += 0.001
    assert changed(rendered, tmp_path, edited) == [3]


def test_a_missing_picture_is_out_of_date(rendered, tmp_path: Path, weights) -> None:
    made(rendered, tmp_path, weights)
    (tmp_path / FILES[2]).unlink()
    assert changed(rendered, tmp_path, weights) == [2]


def test_another_look_makes_every_frame_out_of_date(rendered, tmp_path: Path, weights) -> None:
    made(rendered, tmp_path, weights)
    assert changed(rendered, tmp_path, weights, bytes(16)) == [0, 1, 2, 3, 4]


def test_frames_that_are_about_to_be_made_again_are_not_claimed(rendered, tmp_path: Path, weights) -> None:
    """Blender killed between the new picture and the record must not leave a record of the old weights."""
    made(rendered, tmp_path, weights)
    record = rendered.Rendered(tmp_path)
    record.forget([102, 103])
    record.save()
    assert changed(rendered, tmp_path, weights) == [1, 2]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off", b"not an archive"])
def test_a_damaged_record_means_everything_is_made_again(rendered, tmp_path: Path, weights, damage) -> None:
    made(rendered, tmp_path, weights)
    (tmp_path / "rendered.npz").write_bytes(damage)
    assert changed(rendered, tmp_path, weights) == [0, 1, 2, 3, 4]


def test_the_record_cannot_carry_code(rendered, checkout, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    np.savez(tmp_path / "rendered.npz", numbers=np.array([Payload()], object))
    with pytest.raises(checkout("core.wire.errors").BadMotion):
        checkout("edtalk_blender.pictures.take_folder").load_arrays(tmp_path / "rendered.npz")
    assert len(rendered.Rendered(tmp_path)) == 0 and not (tmp_path / "executed").exists()


# ------------------------------------------------------------------------------------------- workers


def test_what_two_workers_made_at_the_same_time_is_one_record(rendered, tmp_path: Path, weights) -> None:
    one, two = (rendered.Rendered(tmp_path, rendered.worker_name()) for _ in range(2))
    make(one, weights, [101, 102])
    make(two, weights, [103, 104, 105])
    two.close()
    one.close()
    assert changed(rendered, tmp_path, weights) == []


def test_an_open_part_counts_and_stays(rendered, tmp_path: Path, weights) -> None:
    worker = rendered.Rendered(tmp_path, "one")
    make(worker, weights, [101, 102])
    worker.save()
    made(rendered, tmp_path, weights + 1.0)
    assert changed(rendered, tmp_path, weights + 1.0) == []
    assert (tmp_path / "rendered-one.npz").exists()
    worker.note(102, weights[1], LOOK)  # it was slow: its picture comes on top of the newer one
    worker.close()
    assert changed(rendered, tmp_path, weights + 1.0) == [], "the newer turn is believed"


def test_closed_parts_are_taken_in_and_cleared_away(rendered, tmp_path: Path, weights) -> None:
    with rendered.Rendered(tmp_path, "one") as worker:
        make(worker, weights)
    with rendered.Rendered(tmp_path):
        pass
    assert [path.name for path in tmp_path.glob("rendered*")] == ["rendered.npz"]
    assert changed(rendered, tmp_path, weights) == []


def test_a_worker_clears_nothing_away(rendered, tmp_path: Path, weights) -> None:
    made(rendered, tmp_path, weights)
    for name in ("one", "two"):
        with rendered.Rendered(tmp_path, name) as worker:
            make(worker, weights + 1.0, [101])
    assert sorted(path.name for path in tmp_path.glob("rendered*")) == [
        *("rendered-one.npz", "rendered-two.npz", "rendered.npz")
    ]
    assert changed(rendered, tmp_path, weights) == [0]


def test_a_worker_that_was_killed_leaves_its_frames_out_of_date(rendered, tmp_path: Path, weights) -> None:
    made(rendered, tmp_path, weights)
    killed = rendered.Rendered(tmp_path, "one")
    killed.forget([102, 103])
    killed.save()
    assert changed(rendered, tmp_path, weights) == [1, 2]
    long_ago = 1_700_000_000
    os.utime(tmp_path / "rendered-one.npz", (long_ago, long_ago))
    made_again = rendered.Rendered(tmp_path)
    make(made_again, weights, [102, 103])
    made_again.close()
    assert changed(rendered, tmp_path, weights) == []
    assert not (tmp_path / "rendered-one.npz").exists(), "nobody writes it any more"


def test_two_who_made_the_same_picture_differently_are_both_not_believed(
    rendered, tmp_path: Path, weights
) -> None:
    one, two = (rendered.Rendered(tmp_path, name) for name in ("one", "two"))
    make(one, weights, [101, 102])
    make(two, weights + 1.0, [102, 103])
    one.close()
    two.close()
    assert changed(rendered, tmp_path, weights) == [1, 2, 3, 4]
    assert changed(rendered, tmp_path, weights + 1.0) == [0, 1, 3, 4]


def test_a_later_turn_wins_whatever_the_files_are_called(rendered, tmp_path: Path, weights) -> None:
    for name, shift in (("zulu", 0.0), ("alpha", 1.0)):
        with rendered.Rendered(tmp_path, name) as worker:
            make(worker, weights + shift)
    assert changed(rendered, tmp_path, weights + 1.0) == []


def test_two_windows_keep_what_the_other_one_rendered(rendered, tmp_path: Path, weights) -> None:
    one, two = rendered.Rendered(tmp_path), rendered.Rendered(tmp_path)
    make(one, weights, [101, 102])
    one.close()
    make(two, weights, [103, 104, 105])
    two.close()
    assert changed(rendered, tmp_path, weights) == []


def test_a_record_of_an_earlier_version_is_read(rendered, tmp_path: Path, weights) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(b"a picture")
    looks = np.frombuffer(LOOK * 5, np.uint8).reshape(-1, 16)
    np.savez(tmp_path / "rendered.npz", numbers=np.arange(101, 106), looks=looks, weights=weights)
    assert changed(rendered, tmp_path, weights) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"numbers": np.arange(5), "looks": np.zeros((4, 16), np.uint8), "weights": np.zeros((5, 36))},
        {"numbers": np.arange(5), "looks": np.zeros((5, 16), np.uint8), "weights": np.zeros((5, 2))},
        {"numbers": np.array(["a"] * 5), "looks": np.zeros((5, 16), np.uint8), "weights": np.zeros((5, 36))},
        {"numbers": 5, "looks": 5, "weights": 5},
    ],
    ids=["looks", "weights", "numbers", "no arrays"],
)
def test_a_record_of_another_shape_is_no_record(rendered, tmp_path: Path, weights, wrong) -> None:
    np.savez(tmp_path / "rendered-one.npz", **wrong)
    assert len(rendered.Rendered(tmp_path)) == 0
