# SPDX-License-Identifier: GPL-3.0-or-later
"""training/evaluation/calibration.py and `edtalk calibrate`: handles do what they are called."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.checkpoints import checkpoint
from core.engine.engine import Engine
from core.wire.channels import BANK_SLICES, CHANNELS, HANDLES, bank_of
from server import cli
from tests.core.test_checkpoint import published_state
from tests.support import small
from training.evaluation.calibration import Found, Settings, bounded_ridge, calibrate, spread
from training.evaluation.disentanglement import handles_kept
from training.factors import FACTORS, Factors
from training.heads.actions import ACTIONS
from training.heads.errors import NoGraphics
from training.heads.render import HeadRenderer


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


@pytest.fixture(scope="module")
def engine() -> Engine:
    try:
        HeadRenderer(32)
    except NoGraphics as reason:
        pytest.skip(str(reason))
    return Engine.from_checkpoint()


@pytest.fixture(scope="module")
def found(engine: Engine) -> dict[str, Found]:
    return {one.action.name: one for one in calibrate(engine, Settings(heads=3))}


# --- the rig's actions ---------------------------------------------------------------------------------


def test_every_handle_is_an_action_of_the_rig() -> None:
    assert tuple(action.name for action in ACTIONS) == HANDLES


def test_an_action_in_part_is_that_part_of_its_factors_and_units() -> None:
    yaw, smile = (next(a for a in ACTIONS if a.name == name) for name in ("yaw", "smile"))
    half, units = yaw.at(-0.5, Factors.of(pitch=0.1))
    assert np.rad2deg(half.pose[0]) == pytest.approx(-yaw.value / 2) and half.pose[1] == pytest.approx(0.1)
    assert units == {}
    rest, units = smile.at(0.5, Factors.neutral())
    assert not rest.expression.any() and units["BothMouthPullUp"] == pytest.approx(0.35)


def test_a_smile_raises_the_mouth_corners_and_nothing_turns(engine: Engine) -> None:
    renderer = HeadRenderer(32)
    figure = renderer.person(3).figure
    smile = next(a for a in ACTIONS if a.name == "smile")
    before, after = (figure.pose(*smile.at(s, Factors.neutral())).screen for s in (0.0, 1.0))
    moved = (after - before)[figure.landmark_vertices]
    assert moved[[48, 54], 1].max() < -0.005  # y is down
    assert np.abs(moved[[27, 39, 42]]).max() < 0.01


# --- least squares -------------------------------------------------------------------------------------


def test_what_is_possible_is_found() -> None:
    rng = np.random.default_rng(0)
    able, x = rng.normal(size=(50, 6)), np.array([0.5, -0.2, 0, 0, 0.9, 0])
    free = np.tile([-1.0, 1.0], (6, 1))
    np.testing.assert_allclose(bounded_ridge(able, able @ x, free, 0.0), x, atol=1e-6)


def test_no_weight_leaves_its_bounds_and_the_others_make_up_for_it() -> None:
    able = np.array([[1.0, 1.0], [0.0, 0.1]])
    bounds = np.array([[0.0, 0.5], [0.0, 2.0]])
    found = bounded_ridge(able, np.array([1.5, 0.0]), bounds, 0.0)
    assert found[0] == pytest.approx(0.5) and found[1] == pytest.approx(1.0, abs=0.02)


def test_the_spread_of_motion_is_that_of_the_channels_in_use() -> None:
    used = {factor.column for factor in FACTORS}
    assert all((spread()[k] > 0.05) == (k in used) for k in range(len(CHANNELS)))


# --- the shipped checkpoint ----------------------------------------------------------------------------


def test_turns_are_found_in_the_pose_bank(found: dict[str, Found]) -> None:
    for name, column in (("yaw", 20), ("pitch", 21), ("roll", 22)):
        handle = found[name].handle
        assert handle is not None and handle.unit == "deg"
        assert int(np.argmax(np.abs(handle.direction))) == column
        assert handle.direction[column] == pytest.approx(np.deg2rad(1) / 0.25, rel=0.35)
        assert not np.delete(handle.direction, np.r_[BANK_SLICES["pose"]]).any()


def test_handles_stay_in_their_banks_and_their_channels_soft_ranges(
    engine: Engine, found: dict[str, Found]
) -> None:
    for one in found.values():
        if one.handle is None:
            continue
        full = np.array(one.handle.direction) * one.handle.soft_max
        for channel, weight in zip(engine.channels, full, strict=True):
            assert channel.soft_min - 0.02 <= weight <= channel.soft_max + 0.02
            assert not weight or bank_of(channel.name) in one.action.banks


def test_yaw_by_ten_degrees_turns_the_picture_by_ten_degrees(engine: Engine, found: dict[str, Found]) -> None:
    yaw = found["yaw"].handle
    assert yaw is not None
    (kept,) = handles_kept(engine, (yaw,), people=4)
    assert kept.asked == 10 and 7 < kept.measured < 13
    assert set(kept.encoder) == {"mouth", "expression"} and max(kept.encoder.values()) < 0.15


def test_the_shipped_checkpoint_is_calibrated() -> None:
    meta = checkpoint.read_header(checkpoint.default_checkpoint()).meta
    names = [handle.name for handle in meta.handles]
    assert {"yaw", "pitch", "roll", "jaw_open", "blink"} <= set(names)
    assert names == [name for name in HANDLES if name in names]


# --- the command ---------------------------------------------------------------------------------------


def test_calibrating_changes_what_a_file_says_and_not_its_tensors(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = tmp_path / "mine.safetensors"
    shutil.copy(checkpoint.default_checkpoint(), original)
    meta = checkpoint.read_header(original).meta
    checkpoint.rewrite(original, replace(meta, handles=()))
    before = original.read_bytes()
    out = tmp_path / "calibrated.safetensors"
    assert cli.main(["calibrate", str(original), "--out", str(out), "--heads", "1", "--quiet"]) == 0
    assert original.read_bytes() == before
    assert "yaw" in capsys.readouterr().out
    after = checkpoint.read_header(out).meta
    assert after.handles and after.id == meta.id and replace(after, handles=()) == replace(meta, handles=())
    one, other = load_file(original), load_file(out)
    assert one.keys() == other.keys() and all((one[key] == other[key]).all() for key in one)


def test_a_published_file_is_never_written_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "EDTalk.pt"
    torch.save({"gen": published_state()}, path)
    before = path.read_bytes()
    assert cli.main(["calibrate", str(path), "--quiet"]) == 1
    assert "--out" in capsys.readouterr().err and path.read_bytes() == before
