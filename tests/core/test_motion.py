# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion keeps its weights exactly through files, and its operations mean what they say."""

from __future__ import annotations

import io
import pickle
import re
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.motion.motion import Motion, smoothed
from core.wire.channels import BANK_SLICES, CHANNELS
from core.wire.errors import BadMotion


def take(count: int = 50, seed: int = 0, **more: Any) -> Motion:
    return Motion(np.random.default_rng(seed).normal(size=(count, 36)).astype(np.float32), **more)


def test_banks_are_views_in_channel_order() -> None:
    motion = Motion(np.arange(72, dtype=np.float32).reshape(2, 36))
    assert motion.mouth[0].tolist() == list(range(20))
    assert motion.pose[0].tolist() == list(range(20, 26))
    assert motion.expression[0].tolist() == list(range(26, 36))
    assert motion.frames.tolist() == [0, 1] and motion.seconds == 2 / 25


# --- operations -----------------------------------------------------------------------------------


def test_slice_keeps_frame_numbers() -> None:
    motion = take(10, numbers=np.arange(100, 110))
    part = motion.slice(2, 5)
    assert part.frames.tolist() == [102, 103, 104]
    np.testing.assert_array_equal(part.weights, motion.weights[2:5])
    with pytest.raises(BadMotion):
        motion.slice(5, 5)


def test_smoothing_touches_one_bank_and_holds_the_ends() -> None:
    motion = take()
    calm = motion.smooth(2.0, "pose")
    np.testing.assert_array_equal(calm.mouth, motion.mouth)
    np.testing.assert_array_equal(calm.expression, motion.expression)
    assert calm.pose.std() < 0.6 * motion.pose.std()
    constant = Motion(np.full((5, 36), 2.5, np.float32)).smooth(3.0)
    np.testing.assert_allclose(constant.weights, 2.5, rtol=1e-6)


def test_smoothing_is_a_gaussian_of_the_given_width() -> None:
    impulse = np.zeros((101, 1))
    impulse[50] = 1
    answer = smoothed(impulse, 4.0)[:, 0]
    assert answer.sum() == pytest.approx(1, abs=1e-6)
    assert np.sqrt((answer * (np.arange(101) - 50) ** 2).sum()) == pytest.approx(4.0, rel=0.02)
    np.testing.assert_array_equal(smoothed(impulse, 0), impulse)


def test_blend_of_none_and_all_is_one_or_the_other() -> None:
    one, other = take(seed=1), take(seed=2)
    np.testing.assert_array_equal(one.blend(other, 0).weights, one.weights)
    np.testing.assert_allclose(one.blend(other, 1).weights, other.weights, atol=1e-6)
    ramp = one.blend(other, np.linspace(0, 1, 50)).weights
    np.testing.assert_array_equal(ramp[0], one.weights[0])
    np.testing.assert_allclose(ramp[-1], other.weights[-1], atol=1e-6)


def test_resampling_keeps_duration_and_follows_a_straight_line() -> None:
    seconds = (np.arange(50) + 0.5) / 25  # the middle of each row
    line = Motion(np.repeat(seconds[:, None], 36, 1).astype(np.float32))
    for rate in (24.0, 30.0, 23.976, 60.0):
        other = line.resample(rate)
        assert line.seconds <= other.seconds + 1e-9 < line.seconds + 1 / rate
        expected = np.clip((np.arange(len(other)) + 0.5) / rate, seconds[0], seconds[-1])
        np.testing.assert_allclose(other.weights[:, 7], expected, atol=1e-6)
    np.testing.assert_array_equal(line.resample(25.0).weights, line.weights)


def test_before_the_start_and_after_the_end_the_weights_are_held() -> None:
    motion = take()
    np.testing.assert_array_equal(motion.at([-1.0, 99.0]), motion.weights[[0, -1]])


# --- files ----------------------------------------------------------------------------------------


def test_npz_round_trip_is_exact(tmp_path: Path) -> None:
    motion = take(model="edtalk-heads", rate=24.0, numbers=np.arange(50) * 2 + 7)
    motion.save(tmp_path / "motion.npz")
    again = Motion.load(tmp_path / "motion.npz")
    np.testing.assert_array_equal(again.weights, motion.weights)
    np.testing.assert_array_equal(again.frames, motion.frames)
    assert (again.rate, again.model) == (24.0, "edtalk-heads")


def test_npz_opens_without_pickles_and_has_the_documented_types(tmp_path: Path) -> None:
    take().save(tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as arrays:
        kinds = {name: (arrays[name].dtype.str[1:], arrays[name].shape) for name in arrays.files}
    assert kinds == {
        "mouth": ("f4", (50, 20)),
        "pose": ("f4", (50, 6)),
        "expression": ("f4", (50, 10)),
        "rate": ("f8", ()),
        "numbers": ("i8", (50,)),
        "model": (kinds["model"][0], ()),
        "schema": ("i8", ()),
    }


@pytest.mark.parametrize("rate", [25.0, 24.0, 23.976, 29.97, 12.5])
def test_csv_round_trip_is_exact(tmp_path: Path, rate: float) -> None:
    motion = take(rate=rate, numbers=np.arange(50) * 3 + 11)
    motion.save_csv(tmp_path / "weights.csv")
    again = Motion.load_csv(tmp_path / "weights.csv")
    np.testing.assert_array_equal(again.weights, motion.weights)
    np.testing.assert_array_equal(again.frames, motion.frames)
    assert again.rate == rate
    header = (tmp_path / "weights.csv").read_text().splitlines()[0]
    assert header == "number,seconds," + ",".join(CHANNELS)


def good_arrays() -> dict[str, Any]:
    weights = np.zeros((4, 36), np.float32)
    banks = {bank: weights[:, part] for bank, part in BANK_SLICES.items()}
    return {
        **banks,
        "rate": np.float64(25),
        "numbers": np.arange(4),
        "model": np.array("m"),
        "schema": np.int64(1),
    }


class Payload:
    """What a hostile file would like to run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('a motion file ran code')",))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": np.int64(2)}, "has layout 2"),
        ({"mouth": None}, "lacks mouth"),
        ({"extra": np.zeros(3)}, "unknown arrays: extra"),
        ({"pose": np.zeros((4, 5), np.float32)}, "pose is 4 x 5 float32, not 4 x 6"),
        ({"expression": np.zeros((3, 10), np.float32)}, "expression is 3 x 10"),
        ({"mouth": np.zeros((4, 20), np.int64)}, "mouth is 4 x 20 int64"),
        ({"mouth": np.full((4, 20), np.nan, np.float32)}, "not a number, at row 0 of mouth_00"),
        ({"rate": np.float64(0)}, "rows a second"),
        ({"rate": np.float64("inf")}, "rows a second"),
        ({"numbers": np.arange(5)}, "4 rows but 5 frame numbers"),
        ({"numbers": np.zeros(4, np.int64)}, "a frame number twice"),
        ({"numbers": np.zeros(4)}, "whole numbers"),
        ({"model": np.array(3)}, "model must be a text"),
        ({"model": np.array(Payload(), object)}, "objects instead of numbers"),
    ],
)
def test_a_wrong_motion_file_is_refused_in_one_sentence(
    tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    arrays = {name: value for name, value in {**good_arrays(), **change}.items() if value is not None}
    np.savez(tmp_path / "motion.npz", **arrays)
    with pytest.raises(BadMotion, match=sentence):
        Motion.load(tmp_path / "motion.npz")


@pytest.mark.parametrize("data", [b"", b"text", pickle.dumps(Payload()), b"PK\x03\x04broken"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "motion.npz").write_bytes(data)
    with pytest.raises(BadMotion, match="not a motion file, or is damaged"):
        Motion.load(tmp_path / "motion.npz")


def test_a_truncated_or_missing_file_is_refused(tmp_path: Path) -> None:
    take().save(tmp_path / "motion.npz")
    data = (tmp_path / "motion.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadMotion, match="damaged"):
        Motion.load(tmp_path / "half.npz")
    with pytest.raises(BadMotion, match="There is no motion file"):
        Motion.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "does not begin with the columns"),
        ("number,seconds,mouth_00\n0,0,1\n", "does not begin with the columns"),
        ("number,seconds," + ",".join(CHANNELS) + "\n", "no rows below"),
        ("number,seconds," + ",".join(CHANNELS) + "\n0,0,1,2\n", "rows that are not"),
        ("number,seconds," + ",".join(CHANNELS) + "\n0,0" + ",x" * 36 + "\n", "not a number"),
        ("number,seconds," + ",".join(CHANNELS) + "\n0,0" + ",nan" * 36 + "\n", "not a number, at row 0"),
    ],
)
def test_a_wrong_table_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "weights.csv").write_text(text)
    with pytest.raises(BadMotion, match=sentence):
        Motion.load_csv(tmp_path / "weights.csv")


# --- motion files that mean harm ---


def members(path: Path, **changes: bytes | np.ndarray) -> Path:
    """A motion file, some of whose members are other bytes."""
    Motion(np.zeros((3, 36), np.float32)).save(path)
    with zipfile.ZipFile(path) as archive:
        held = {member.filename: archive.read(member) for member in archive.infolist()}
    for name, value in changes.items():
        stream = io.BytesIO()
        if isinstance(value, np.ndarray):
            np.lib.format.write_array(stream, value)
        held[f"{name}.npy"] = stream.getvalue() if isinstance(value, np.ndarray) else value
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            archive.writestr(name, data)
    return path


def array_header(text: str) -> bytes:
    data = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(data)) + data


SHAPED = "{{'descr': '<f4', 'fortran_order': False, 'shape': {}}}"
HARMFUL: dict[str, dict[str, bytes | np.ndarray]] = {
    "a shape of 2^40": {
        "mouth": array_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**40}, 20)}}")
    },
    "a shape that wraps round": {
        "pose": array_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**63}, {2**63})}}")
    },
    "a deep header": {"rate": array_header("(" * 100)},
    "a header that is no header": {"rate": array_header("{'descr': ")},
    "a later version": {"rate": b"\x93NUMPY\x02\x00" + bytes(40)},
    "weights beyond all": {"pose": np.full((3, 6), 1e30, np.float32)},
    "weights at the end of floats": {"mouth": np.full((3, 20), 3e38, np.float32)},
    "weights a little beyond": {"expression": np.full((3, 10), -1001, np.float64)},
    "numbers that wrap round": {"numbers": np.array([0, 1, 2**64 - 1], np.uint64)},
    "numbers beyond": {"numbers": np.array([0, 1, 10**7 + 1])},
    "unknown members": {f"extra{n}": b"" for n in range(1000)},
    "a squeezed member": {"pose": bytes(600 << 20)},
}


@pytest.mark.parametrize("case", sorted(HARMFUL))
def test_a_motion_file_that_means_harm_is_one_sentence_and_no_memory(tmp_path: Path, case: str) -> None:
    path = members(tmp_path / "motion.npz", **HARMFUL[case])
    tracemalloc.start()
    try:
        with pytest.raises(BadMotion) as caught:
            Motion.load(path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20 and len(caught.value.message) < 300
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("cell", ["1e30", "99999999999999999999999", "x" * 200_000])
def test_a_table_that_means_harm_is_one_sentence(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "weights.csv"
    Motion(np.zeros((3, 36), np.float32)).save_csv(path)
    lines = path.read_text().splitlines()
    cells = lines[2].split(",")
    cells[0 if cell.isdigit() else 5] = cell
    path.write_text("\n".join([*lines[:2], ",".join(cells)]))
    with pytest.raises(BadMotion) as caught:
        Motion.load_csv(path)
    assert len(caught.value.message) < 400


# --- tables as spreadsheets write them back ---

SHEETS: dict[str, Callable[[str], bytes]] = {
    "German": lambda text: text.replace(",", ";").replace(".", ",").replace("\n", "\r\n").encode("utf-8-sig"),
    "semicolons and points": lambda text: text.replace(",", ";").encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "tabs and commas": lambda text: text.replace(",", "\t").replace(".", ",").encode(),
    "Unicode text": lambda text: text.replace(",", "\t").encode("utf-16"),
    "a line that names the separator": lambda text: b"sep=;\r\n" + text.replace(",", ";").encode(),
    "quoted": lambda text: "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()
    ).encode(),
    "empty rows and columns": lambda text: (text.replace("\n", ",,\n") + ",,,\n\n").encode(),
    "old line ends": lambda text: text.replace("\n", "\r").encode(),
    "whole numbers as decimals": lambda text: re.sub(r"^(\d+),", r"\1.0,", text, flags=re.MULTILINE).encode(),
}


@pytest.mark.parametrize("kind", sorted(SHEETS))
def test_what_a_spreadsheet_writes_back_is_read(tmp_path: Path, kind: str) -> None:
    motion = take(5)
    motion.save_csv(tmp_path / "weights.csv")
    text = (tmp_path / "weights.csv").read_text(encoding="utf-8")
    (tmp_path / "weights.csv").write_bytes(SHEETS[kind](text))
    again = Motion.load_csv(tmp_path / "weights.csv")
    np.testing.assert_array_equal(again.weights, motion.weights)
    assert again.rate == motion.rate and again.frames.tolist() == motion.frames.tolist()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PK\x03\x04\xff\xff", "Excel"),
        ("größe".encode("cp1252"), "UTF-8"),
        (b"a;b\n1;2", "columns"),
        (b"", "columns"),
    ],
)
def test_what_is_no_table_of_weights_names_its_cause(tmp_path: Path, data: bytes, word: str) -> None:
    (tmp_path / "weights.csv").write_bytes(data)
    with pytest.raises(BadMotion, match=word) as caught:
        Motion.load_csv(tmp_path / "weights.csv")
    assert caught.value.hint
