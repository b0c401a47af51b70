# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage 1 on a set small enough to learn by heart: patterned squares that only move sideways."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.wire.errors import InputError
from tests.support.recipes import learn_until, log_of
from training.evaluation.reconstruction import measure, redraw
from training.evaluation.report import held_out
from training.heads.shards import HeadShards
from training.recipes import encoder_generator
from training.shared.loop import LoopSettings

SIDE, FRAMES = 64, 6
SLOW = LoopSettings(
    learning_rate=0.005, warmup=5, decay_from=1.0, save_every=60, log_every=20, ema=0.9, bf16=False
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One shard, two "heads", each a random texture shifted by a known number of pixels."""
    root = tmp_path_factory.mktemp("heads")
    rng = np.random.default_rng(5)
    n = 2 * FRAMES
    textures = [
        np.kron(rng.integers(0, 255, (9, 12, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(2)
    ]
    shift = np.array([0, 4, -4, 8, -8, 2] * 2)
    image = np.stack([textures[k // FRAMES][:SIDE, 16 - s : 16 - s + SIDE] for k, s in enumerate(shift)])
    pair = np.array([[(k // FRAMES) * FRAMES, (k // FRAMES) * FRAMES + 3] for k in range(n)], np.int32)
    centre = (np.arange(SIDE) + 0.5) * 2 / SIDE - 1
    x, y = np.meshgrid(centre, centre)
    flow = np.zeros((n, 2, SIDE, SIDE, 2), np.float16)
    for k in range(n):
        for q in range(2):  # a point at x in the driving picture was at x + (source shift - driving shift)
            flow[k, q, ..., 0] = x + (shift[pair[k, q]] - shift[k]) * 2 / SIDE
            flow[k, q, ..., 1] = y
    mouth = np.zeros((n, 12), np.float32)
    mouth[:, 10] = shift / 8  # jaw_side, which a mirror turns round as it does the picture
    arrays = {
        "image": image,
        "identity": np.arange(n, dtype=np.int32) // FRAMES,
        "pose": np.zeros((n, 6), np.float32),
        "mouth": mouth,
        "expression": np.zeros((n, 10), np.float32),
        "pair": pair,
        "flow": flow,
        "visible": (np.abs(flow[..., 0]) <= 1).astype(np.uint8) + (np.abs(flow[..., 0]) > 1) * np.uint8(2),
        "boxes": np.tile(np.array([-0.2, 0.3, 0.2, 0.6], np.float32), (n, 3, 1)),
    }
    folder = root / "shard_00000"
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return root


def test_the_flow_of_a_pair_carries_the_source_onto_the_driving_picture(shards: Path) -> None:
    for augment in (False, True):  # mirrored pairs must stay true, too
        batch = HeadShards(shards, SIDE).draw(np.random.default_rng(1), 16, augment)
        carried = torch.nn.functional.grid_sample(
            batch.source.contiguous(),
            batch.flow.permute(0, 2, 3, 1),
            align_corners=False,
            padding_mode="border",
        )
        error = ((carried - batch.driving).abs() * batch.visible).sum() / (batch.visible.sum() * 3)
        copied = ((batch.source - batch.driving).abs() * batch.visible).sum() / (batch.visible.sum() * 3)
        assert error < 0.1 * copied + 0.03


def test_a_small_set_begins_to_be_learnt_by_heart(shards: Path, tmp_path: Path) -> None:
    def train(steps: int) -> None:
        loop = replace(SLOW, steps=steps)
        shape = {"size": 32, "latent": 40, "width": 0.4}
        encoder_generator.main(
            encoder_generator.Settings(
                shards, shards, tmp_path, **shape, batch=6, true_mouth=1.0, threads=1, loop=loop
            )
        )

    def marks() -> tuple[float, float]:
        """A fresh model copies the source: 1, 1."""
        last = log_of(tmp_path)[-1]
        return last["l1_ratio_true"], last["mouth_l1_ratio_true"]

    learn_until(lambda: marks()[0] < 0.7 and marks()[1] < 0.5, train, stride=60, most=600)
    assert marks()[0] < 0.7 and marks()[1] < 0.5, marks()
    assert (tmp_path / "sheet_000060.png").stat().st_size > 1000
    config = encoder_generator.config_of_run(tmp_path)
    assert (config.size, config.latent) == (32, 40)


def test_finer_pictures_are_read_than_drawn_and_shards_of_two_sizes_mix(shards: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    for times in (1, 2):
        target = mixed / f"shard_{times}"
        target.mkdir(parents=True)
        for file in shards.glob("shard_*/*.npy"):
            array = np.load(file)
            if file.stem == "image":
                array = array.repeat(times, 1).repeat(times, 2)
            np.save(target / file.name, array)
    loop = LoopSettings(steps=2, save_every=2, log_every=1)
    settings = encoder_generator.Settings(
        mixed, mixed, tmp_path / "run", size=16, finer=2, latent=40, width=0.4, batch=3, reading=2, loop=loop
    )
    encoder_generator.main(settings)
    config = encoder_generator.config_of_run(tmp_path / "run")
    assert (config.size, config.read_size) == (16, 32)
    last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert np.isfinite(last["l1_ratio"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_compiling_changes_no_loss_beyond_rounding(shards: Path, tmp_path: Path) -> None:
    losses = []
    for compiled in (False, True):
        loop = LoopSettings(steps=1, save_every=1, log_every=1)
        out = tmp_path / str(compiled)
        settings = encoder_generator.Settings(shards, shards, out, size=32, compile=compiled, loop=loop)
        encoder_generator.main(settings)
        losses.append(json.loads((out / "log.jsonl").read_text().splitlines()[0])["picture"])
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_held_out_heads_that_are_too_small_are_refused(shards: Path, tmp_path: Path) -> None:
    shutil.copytree(next(shards.glob("shard_*")), tmp_path / "shard_00000")
    assert held_out(tmp_path, SIDE, 32, lambda *_: None).identities() == 2
    with pytest.raises(InputError, match=f"are {SIDE} pixels wide and this model reads {2 * SIDE}"):
        held_out(tmp_path, 2 * SIDE, 32, lambda *_: None)


def test_copying_the_source_is_the_yardstick(shards: Path) -> None:
    torch.manual_seed(0)
    settings = encoder_generator.Settings(shards, shards, Path(), size=32, latent=48)
    model = encoder_generator.EDTalk(encoder_generator.config_of(settings)).eval()
    for name, weight in model.named_parameters():
        if name.endswith("flow.weight"):
            torch.nn.init.zeros_(weight)
        if name.endswith("flow.bias"):
            weight.data[3:] += 3  # each level adds to the portrait's share: all of it
    numbers = measure(redraw(model, HeadShards(shards, 32), 8))
    assert numbers["l1_ratio"] == pytest.approx(1.0, abs=0.05)
    assert numbers["ssim_true"] == pytest.approx(numbers["ssim_copy"], abs=0.05)


def test_a_folder_without_shards_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no shards of rendered heads") as raised:
        HeadShards(tmp_path, 64)
    assert "edtalk heads render" in raised.value.hint
