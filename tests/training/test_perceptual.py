# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking with networks: what is seen of a difference, a judge that learns, and weights that are not here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from core.wire.errors import BadCheckpoint, MissingCheckpoint
from training.recipes import features
from training.recipes.perceptual import PatchDiscriminator, fooling, judging, open_eye, perceptual
from training.recipes.stage import PictureLoss, PictureSettings

from ..support import small, toy_faces


@pytest.fixture(scope="module")
def net() -> features.FeatureNet:
    torch.manual_seed(0)
    return features.FeatureNet(features.FeatureConfig((8, 16, 16), 8)).eval()


def test_the_same_picture_is_no_distance_away_and_a_farther_one_farther(net: features.FeatureNet) -> None:
    wanted, other = small.picture(64, 2), small.picture(64, 2, seed=9)
    near, far = perceptual(net, torch.lerp(wanted, other, 0.2), wanted), perceptual(net, other, wanted)
    assert perceptual(net, wanted, wanted) == 0
    assert 0 < near < far


def test_what_is_seen_pulls_at_the_made_picture_only(net: features.FeatureNet) -> None:
    made, wanted = (small.picture(64, 1, seed=k).requires_grad_() for k in (1, 2))
    perceptual(net, made, wanted).backward()
    assert made.grad is not None and made.grad.abs().sum() > 0
    assert wanted.grad is None


def test_each_player_pulls_at_its_own_side_only() -> None:
    judge, made, real = PatchDiscriminator(8), small.picture(32).requires_grad_(), small.picture(32, seed=5)
    fooling(judge, made).backward()
    assert made.grad is not None and made.grad.abs().sum() > 0
    assert all(p.grad is None for p in judge.parameters())
    made.grad = None
    judging(judge, real, made).backward()
    assert made.grad is None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in judge.parameters())


def test_a_judge_learns_to_tell_soft_pictures_from_sharp_ones() -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(8)
    optimiser = torch.optim.Adam(judge.parameters(), 2e-3, betas=(0.5, 0.99))
    blur = nn.AvgPool2d(5, 1, 2)
    for _ in range(60):
        real = torch.rand(4, 3, 32, 32) * 2 - 1
        loss = judging(judge, real, blur(real))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    fresh = torch.rand(4, 3, 32, 32) * 2 - 1
    assert judge(fresh).mean() > judge(blur(fresh)).mean() + 1


def test_a_judge_is_saved_with_the_model_and_left_out_when_it_is_opened(tmp_path: Path) -> None:
    from training.recipes.stage import model_from

    net = toy_faces.model()
    plain = toy_faces.model().state_dict()
    PictureLoss(PictureSettings(judge=0.1), net)
    assert any(key.startswith("judge.") for key in net.state_dict())
    opened = model_from(toy_faces.write_run(tmp_path, net)).state_dict()
    assert opened.keys() == plain.keys()
    assert all(torch.equal(opened[key], plain[key]) for key in plain)


def test_a_feature_network_is_kept_in_a_file_that_describes_it(
    net: features.FeatureNet, tmp_path: Path
) -> None:
    features.save_features(tmp_path / "features.safetensors", net)
    eye = open_eye(str(tmp_path / "features.safetensors"))
    assert eye is not None
    picture = small.picture(64)
    for there, back in zip(net(picture), eye(picture), strict=True):
        torch.testing.assert_close(there, back, rtol=0.02, atol=0.02)


def test_no_weights_means_a_sentence_and_never_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(MissingCheckpoint, match="VGG19"):
        open_eye("vgg")
    with pytest.raises(MissingCheckpoint, match="no feature network"):
        open_eye(str(tmp_path / "nothing.safetensors"))
    (tmp_path / "junk.safetensors").write_bytes(b"junk" * 20)
    with pytest.raises(BadCheckpoint, match="not a feature network"):
        open_eye(str(tmp_path / "junk.safetensors"))
    assert open_eye("") is None


def test_a_feature_network_learns_where_eyes_and_mouth_are(tmp_path: Path) -> None:
    toy_faces.write_shard(tmp_path / "data" / "shard_00000", range(4), size=64)
    loop = features.Schedule(steps=60, warmup=1, log_every=20, save_every=60, ema=0.9, bf16=False)
    settings = features.Settings(
        tmp_path / "data", tmp_path / "data", tmp_path / "run",
        size=64, batch=4, threads=1, width=0.5, media=0.0, turn=0.05, loop=loop,
    )  # fmt: skip
    features.main(settings)
    net = features.open_features(tmp_path / "run" / "features.safetensors")
    from training.heads.people import People

    numbers = features.marks(net, People(tmp_path / "data", 64), 24)
    assert numbers["landmarks"] < 0.05  # of the side; the head alone moves by 0.05 on average
