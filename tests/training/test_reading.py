# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage 0 on a set small enough to learn by heart: grey levels that mean an open jaw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.models.edtalk import EDTalk
from training.evaluation.reconstruction import r2
from training.heads.shards import HeadShards
from training.recipes import reading
from training.recipes.encoder_generator import config_of_run
from training.shared.loop import LoopSettings

SIDE, FRAMES = 32, 24
JAW = 0


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose lower half is the brighter the wider the jaw is open; nothing else ever moves."""
    root = tmp_path_factory.mktemp("levels")
    jaw = np.linspace(0, 1, FRAMES)
    image = np.full((FRAMES, SIDE, SIDE, 3), 60, np.uint8)
    image[:, SIDE // 2 :] = (60 + 180 * jaw[:, None, None, None]).astype(np.uint8)
    mouth = np.zeros((FRAMES, 12), np.float32)
    mouth[:, JAW] = jaw
    still = np.zeros((FRAMES, 1, SIDE, SIDE, 2), np.float16)
    arrays = {
        "image": image, "identity": np.zeros(FRAMES, np.int32), "pose": np.zeros((FRAMES, 6), np.float32),
        "mouth": mouth, "expression": np.zeros((FRAMES, 10), np.float32),
        "pair": np.zeros((FRAMES, 1), np.int32), "flow": still,
        "visible": np.ones((FRAMES, 1, SIDE, SIDE), np.uint8),
        "boxes": np.tile(np.array([-0.2, 0.3, 0.2, 0.6], np.float32), (FRAMES, 3, 1)),
    }  # fmt: skip
    folder = root / "shard_00000"
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return root


def run(shards: Path, out: Path, steps: int) -> None:
    loop = LoopSettings(steps=steps, learning_rate=0.004, warmup=5, save_every=steps, log_every=10, ema=0.9)
    settings = reading.Settings(
        shards, shards, out, size=32, latent=40, width=0.3, batch=16, threads=1, loop=loop
    )
    reading.main(settings)


def test_a_level_of_grey_is_read_as_a_jaw(shards: Path, tmp_path: Path) -> None:
    run(shards, tmp_path, 60)
    model = EDTalk(config_of_run(tmp_path))
    model.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True)["ema"])
    batch = HeadShards(shards, 32).fixed(FRAMES)
    found = reading.read(model.eval(), batch.driving)
    assert r2(found[:, JAW, None], batch.weights[:, JAW, None]) > 0.9


def test_reading_leaves_the_generator_as_it_was(shards: Path, tmp_path: Path) -> None:
    run(shards, tmp_path / "a", 1)
    run(shards, tmp_path / "b", 6)
    one, six = (torch.load(tmp_path / name / "state.pt", weights_only=True)["model"] for name in ("a", "b"))
    drawn = [key for key in one if key.startswith(("decoder", "bank"))]
    assert drawn and all(torch.equal(one[key], six[key]) for key in drawn)
    assert any(not torch.equal(one[key], six[key]) for key in one if key.startswith("navigator"))


def test_channels_that_never_move_do_not_count(shards: Path, tmp_path: Path) -> None:
    run(shards, tmp_path, 1)
    spread = HeadShards(shards, 32).spread()
    assert spread[JAW] > 0 and (spread[1:] == 0).all()
    model = EDTalk(config_of_run(tmp_path))
    assert reading.read(model, torch.zeros(3, 3, 32, 32)).shape == (3, 36)
