# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of people: pairs are of one person, parts do not overlap, recombinations are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.wire.channels import BANK_SLICES
from core.wire.errors import InputError
from training.heads.people import People

from ..support import toy_faces


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("people")
    toy_faces.write_shard(root / "shard_00000", range(4), donors=2)
    toy_faces.write_shard(root / "shard_00001", range(10, 12))
    return root


def test_a_pair_shows_two_different_frames_of_one_person(root: Path) -> None:
    people = People(root, 32)
    source, driving = people.draw(np.random.default_rng(0), 64)
    who = np.concatenate([shard["identity"] for shard in people.shards])
    assert (who[source.number] == who[driving.number]).all()
    assert (source.number != driving.number).all()
    assert len(np.unique(who[source.number])) == 6


def test_frames_kept_back_are_never_learnt_from(root: Path) -> None:
    learnt, kept = People(root, 32, (0.0, 0.7)), People(root, 32, (0.7, 1.0))
    seen = learnt.draw(np.random.default_rng(0), 300)[1].number
    source = kept.fixed(6)[0].number  # the portrait is one and the same
    assert set(source.tolist()) <= set(learnt.fixed(30)[0].number.tolist())
    assert not set(seen.tolist()) & set(kept.draw(np.random.default_rng(0), 300)[1].number.tolist())


def test_a_recombination_wears_exactly_what_its_donors_lend(root: Path) -> None:
    source, donors, target = People(root, 32).recombinations(np.random.default_rng(0), 8)
    for donor, part in zip(donors, BANK_SLICES.values(), strict=True):
        assert torch.equal(donor.weights[:, part], target.weights[:, part])
    assert target.weights.abs().sum() > 0 and not source.weights.any()


def test_masks_cover_mouth_and_eyes(root: Path) -> None:
    faces = People(root, 32).fixed(4)[1]
    mouth, eyes = faces.masks()
    for k in range(4):
        x, y = ((faces.anchors[k, 2] + 1) * 16).long().tolist()
        assert mouth[k, 0, y, x] == 1 and eyes[k, 0, y, x] == 0


def test_a_folder_without_people_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody") as caught:
        People(tmp_path, 32)
    assert "edtalk heads render" in caught.value.hint
