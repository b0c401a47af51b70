# SPDX-License-Identifier: GPL-3.0-or-later
"""server/passes.py: a take under all its names, in every format, and never over somebody else's files."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # before OpenCV is first used

import cv2
import numpy as np
import pytest

from core.wire.errors import OutputExists
from core.wire.messages import Decode
from server import cli
from server.commands.terminal import Bars
from server.runtime import Runtime
from server.take import Naming
from tests.support.decoding import three_frames

QUIET = Bars(quiet=True)


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime("cpu")


@pytest.fixture
def asked(tiny_checkpoint: Path, portrait: Path, tmp_path: Path) -> Decode:
    return three_frames(tiny_checkpoint, portrait, tmp_path)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_passes_are_numbered_like_the_picture_and_the_plate_is_one_file(runtime, asked, tmp_path) -> None:
    runtime.answer(asked, QUIET)
    numbered = {
        f"take{kind}.{number:04d}.png" for kind in ("", "_face", "_matte") for number in range(100, 104)
    }
    alone = {"take_plate.png", "take_passes.json", "edtalk-take.json"}
    assert names(tmp_path / "out") == numbered | alone


def test_png_holds_straight_alpha_and_the_matte_is_that_alpha(runtime, asked, tmp_path) -> None:
    runtime.answer(asked, QUIET)
    out = tmp_path / "out"
    face = cv2.imread(str(out / "take_face.0102.png"), cv2.IMREAD_UNCHANGED)
    picture = cv2.imread(str(out / "take.0102.png"), cv2.IMREAD_UNCHANGED)
    matte = cv2.imread(str(out / "take_matte.0102.png"), cv2.IMREAD_UNCHANGED)
    solid = face[..., 3] == 255
    np.testing.assert_array_equal(face[..., :3][solid], picture[..., :3][solid])
    np.testing.assert_array_equal(face[..., 3], matte)


def test_16_bits_are_16_bits_in_every_pass(runtime, asked, tmp_path) -> None:
    runtime.answer(replace(asked, format="png16"), QUIET)
    for path in (tmp_path / "out").glob("*.png"):
        assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).dtype == np.uint16


def test_exr_colour_is_linear_and_associated_and_a_matte_is_no_colour(runtime, asked, tmp_path) -> None:
    runtime.answer(replace(asked, format="exr"), QUIET)
    runtime.answer(replace(asked, format="png16", out=str(tmp_path / "levels")), QUIET)

    def stored(name: str) -> np.ndarray:
        return cv2.imread(str(tmp_path / "out" / f"{name}.exr"), cv2.IMREAD_UNCHANGED)

    levels = cv2.imread(str(tmp_path / "levels" / "take_matte.0102.png"), cv2.IMREAD_UNCHANGED) / 65535
    assert ((levels > 0.05) & (levels < 0.95)).mean() > 0.01  # where colour and data differ
    np.testing.assert_allclose(stored("take_matte.0102"), np.dstack([levels] * 3), atol=1e-3)
    face, picture = stored("take_face.0102"), stored("take.0102")
    np.testing.assert_allclose(face[..., 3], levels, atol=1e-3)
    solid = levels == 1
    assert solid.any() and (face[..., :3] <= face[..., 3:] + 1e-3).all()
    np.testing.assert_allclose(face[..., :3][solid], picture[solid], atol=2e-3)


def test_the_note_says_where_the_crop_lies(runtime, asked, tmp_path) -> None:
    runtime.answer(asked, QUIET)
    note = json.loads((tmp_path / "out" / "take_passes.json").read_text())
    assert note["crop"] == {"x": 16, "y": 0, "side": 64} and note["scale"] == 0.75
    assert note["frame"] == {"width": 48, "height": 48} and note["alpha"] == "straight"
    assert note["files"]["matte"] == "take_matte.####.png" and note["files"]["plate"] == "take_plate.png"
    runtime.answer(replace(asked, composite="paste", out=str(tmp_path / "whole")), QUIET)
    note = json.loads((tmp_path / "whole" / "take_passes.json").read_text())
    assert note["frame"] == {"width": 96, "height": 64} and note["scale"] == 1.0
    assert note["crop_in_frame"] == {"x": 16, "y": 0, "width": 64, "height": 64}


@pytest.mark.parametrize("name", ["take_face.0101.png", "take_plate.png", "take_passes.json"])
def test_a_file_of_somebody_else_is_in_the_way(runtime, asked, tmp_path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_bytes(b"an artist's")
    with pytest.raises(OutputExists, match=name.split(".")[0]):
        runtime.answer(asked, QUIET)
    assert (tmp_path / "out" / name).read_bytes() == b"an artist's"
    runtime.answer(replace(asked, overwrite=True), QUIET)
    runtime.answer(asked, QUIET)  # it is ours now


@pytest.mark.parametrize(
    ("stem", "expected"),
    [("take.", "take_face.0007.png"), ("anna_", "anna_face_0007.png"), ("x", "x_face.0007.png")],
)
def test_a_pass_keeps_the_separator_of_the_name(tmp_path: Path, stem: str, expected: str) -> None:
    assert Naming(tmp_path, stem, 4, ".png").of_pass("face").path(7).name == expected


def test_the_command_line_writes_passes_and_refuses_one_that_is_none(asked, tmp_path, capsys) -> None:
    command = [
        "decode",
        "--source",
        asked.portrait,
        "--motion",
        asked.motion,
        "--checkpoint",
        asked.checkpoint,
    ]
    command += ["--crop", "16", "0", "64", "--size", "48", "--out", str(tmp_path / "out"), "--quiet"]
    assert cli.main([*command, "--passes", "face,plate"]) == 0
    assert {"take_face.0101.png", "take_plate.png"} < names(tmp_path / "out")
    assert "take_matte.0101.png" not in names(tmp_path / "out")
    assert cli.main([*command, "--passes", "depth"]) == 2
    assert "there is no pass 'depth'" in capsys.readouterr().err
