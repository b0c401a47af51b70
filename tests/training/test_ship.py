# SPDX-License-Identifier: GPL-3.0-or-later
"""Shipping: what the recipes left, in one file, with or without the parts that need not be there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints import checkpoint
from core.models.audio_to_mouth import AudioToMouthConfig, CleanAudioToMouth
from core.models.audio_to_pose import AudioToPose, AudioToPoseConfig
from core.models.small import export
from core.models.speech_to_expression import SpeechToExpression, SpeechToExpressionConfig
from tests.support import small
from tests.training.test_encoder_generator import shards  # noqa: F401 - a fixture
from training.recipes import audio_to_mouth, ship

POSE = AudioToPoseConfig(width=16, context=8, couplings=2, hidden=8)
FEELING = SpeechToExpressionConfig(width=8, letters=4)


@pytest.fixture
def settings(shards: Path, tmp_path: Path) -> ship.Settings:  # noqa: F811
    """A run, a hearing and two more networks, none of which has learned anything."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    run = tmp_path / "run"
    run.mkdir()
    model = small.model("clean", 32)
    (run / "config.json").write_text(json.dumps(model.config.to_dict()))
    torch.save({"ema": model.state_dict(), "step": 7}, run / "state.pt")
    hearing = CleanAudioToMouth(AudioToMouthConfig(width=16, blocks=1))
    audio_to_mouth.export(hearing, tmp_path / "mouth.safetensors", {})
    export(tmp_path / "pose.safetensors", AudioToPose(POSE), POSE.to_dict(), {})
    export(tmp_path / "feeling.safetensors", SpeechToExpression(FEELING), FEELING.to_dict(), {})
    hearing_file, out = str(tmp_path / "mouth.safetensors"), str(tmp_path / "out.safetensors")
    return ship.Settings(run, shards, hearing_file, out=out)


def test_a_checkpoint_ships_without_the_parts_that_need_not_be_there(settings: ship.Settings) -> None:
    meta = ship.main(settings)
    loaded = checkpoint.load(settings.out)
    assert loaded.meta == meta and loaded.audio_to_mouth is not None
    assert loaded.audio_to_pose is None and loaded.speech_to_expression is None


def test_head_motion_and_feelings_ship_along_and_change_nothing_else(settings: ship.Settings) -> None:
    folder = Path(settings.out).parent
    plain = ship.main(settings)
    meta = ship.main(
        replace(
            settings, pose=str(folder / "pose.safetensors"), expression=str(folder / "feeling.safetensors")
        )
    )
    loaded = checkpoint.load(settings.out)
    assert meta.id == plain.id
    assert loaded.audio_to_pose is not None and loaded.audio_to_pose.config == POSE
    assert loaded.speech_to_expression is not None and loaded.speech_to_expression.config == FEELING
    kept = ship.pose_of(folder / "pose.safetensors").state_dict()
    for key, value in loaded.audio_to_pose.state_dict().items():
        np.testing.assert_allclose(value.float(), kept[key].float(), atol=1e-3)


def test_sounds_can_be_kept_from_another_checkpoint(settings: ship.Settings) -> None:
    folder = Path(settings.out).parent
    ship.main(replace(settings, pose=str(folder / "pose.safetensors")))
    kept = folder / "kept.safetensors"
    ship.main(replace(settings, audio="", keep=settings.out, out=str(kept)))
    there, here = checkpoint.load(settings.out), checkpoint.load(kept)
    assert there.audio_to_mouth is not None and here.audio_to_mouth is not None
    for key, value in there.audio_to_mouth.state_dict().items():
        assert torch.equal(here.audio_to_mouth.state_dict()[key], value)
    assert here.audio_to_pose is not None and here.speech_to_expression is None
