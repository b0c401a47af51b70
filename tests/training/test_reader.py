# SPDX-License-Identifier: GPL-3.0-or-later
"""training/evaluation/reader.py and the recipe that trains it: eyes that can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.wire.errors import MissingCheckpoint
from tests.support import small
from training.evaluation.reader import COLUMNS, load_reader
from training.factors import Factors
from training.heads.dataset import DatasetSettings, render_dataset
from training.heads.errors import NoGraphics
from training.heads.render import HeadRenderer
from training.recipes import landmarks as recipe

HELD_OUT = 1_000_500


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


@pytest.fixture(scope="module")
def renderer() -> HeadRenderer:
    try:
        return HeadRenderer(128)
    except NoGraphics as reason:
        pytest.skip(str(reason))


def pictures(*levels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(levels)).permute(0, 3, 1, 2) / 127.5 - 1


def test_landmarks_of_a_stranger_are_found_within_two_percent_of_the_width(renderer: HeadRenderer) -> None:
    person = renderer.person(HELD_OUT)
    frames = [renderer.frame(person, f) for f in (Factors.neutral(), Factors.of(yaw=0.3, jaw_open=0.8))]
    seen = load_reader().read(pictures(*(f.image for f in frames)))
    truth = torch.from_numpy(np.stack([f.landmarks for f in frames]))
    assert (seen.landmarks - truth).norm(dim=2).mean() * 50 < 2


def test_turns_and_blinks_are_read_the_right_way_round(renderer: HeadRenderer) -> None:
    person = renderer.person(HELD_OUT + 1)
    motions = [Factors.neutral(), Factors.of(yaw=0.3), Factors.of(roll=0.25), Factors.of(blink=1.0)]
    seen = load_reader().read(pictures(*(renderer.draw(person, f) for f in motions))).weights
    change = (seen - seen[0]).numpy()
    assert change[1, 20] == pytest.approx(0.3 / 0.25, abs=0.35)
    assert change[2, 22] == pytest.approx(0.25 / 0.25, abs=0.35)
    assert change[3, 33] == pytest.approx(1.5, abs=0.6)
    assert not seen[:, [k for k in range(36) if k not in COLUMNS]].any()


def test_a_person_is_known_in_another_pose(renderer: HeadRenderer) -> None:
    people = [renderer.person(HELD_OUT + k) for k in range(4)]
    rest, moved = Factors.neutral(), Factors.of(yaw=0.25, jaw_open=0.5)
    seen = load_reader().read(pictures(*(renderer.draw(p, f) for f in (rest, moved) for p in people))).person
    alike = seen[:4] @ seen[4:].t()
    assert alike.diagonal().mean() > alike[~torch.eye(4, dtype=bool)].mean() + 0.3


def test_larger_pictures_are_read_alike(renderer: HeadRenderer) -> None:
    picture = pictures(renderer.draw(renderer.person(HELD_OUT), Factors.neutral()))
    larger = torch.nn.functional.interpolate(picture, (256, 256), mode="bilinear", align_corners=False)
    one, other = load_reader().read(picture), load_reader().read(larger)
    assert (one.landmarks - other.landmarks).norm(dim=2).max() * 50 < 1


def test_a_missing_reader_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MissingCheckpoint) as error:
        load_reader(tmp_path / "none.safetensors")
    assert "train landmarks" in error.value.hint


def test_the_recipe_learns_and_leaves_a_reader_that_can_be_loaded(
    renderer: HeadRenderer, tmp_path: Path
) -> None:
    for _ in render_dataset(DatasetSettings(tmp_path / "data", 2, 10, frames=3, pairs=1, workers=1)):
        pass
    settings = recipe.Settings(
        data=f"{tmp_path / 'data'}", heldout=tmp_path / "data", out=tmp_path / "run",
        reader=str(tmp_path / "reader.safetensors"), people=2,
        loop=recipe.Schedule(steps=24, warmup=4, save_every=24, log_every=4, bf16=False),
    )  # fmt: skip
    recipe.main(settings)
    log = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8")
    off = [float(line.split('"off": ')[1].split(",")[0]) for line in log.splitlines() if '"norm"' in line]
    assert off[-1] < 0.8 * off[0]
    fresh = load_reader(tmp_path / "reader.safetensors")
    assert (tmp_path / "reader.safetensors").stat().st_size < 1_500_000
    assert torch.isfinite(fresh.read(torch.zeros(1, 3, 64, 64)).weights).all()
