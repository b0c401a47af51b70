# SPDX-License-Identifier: GPL-3.0-or-later
"""The lip-sync expert: learns to tell the right moment, measures an offset, and its recipe can be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.models.sync_expert import REACH, SyncExpert, SyncExpertConfig, expert_of, offset, scores
from core.sound import mel
from core.wire.errors import BadCheckpoint
from tests.support.recipes import log_of, run_together, toy_corpus, toy_voice, weights_of
from training.recipes import sync_expert as recipe
from training.recipes.audio_to_mouth import SCENE, Scenes
from training.shared.loop import from_command_line
from training.speech.visemes import mouth_track


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def small() -> SyncExpert:
    torch.manual_seed(3)
    return SyncExpert(SyncExpertConfig(width=24, blocks=2, size=16)).eval()


def test_likeness_finds_the_shift_of_what_is_the_same() -> None:
    net = small()
    marks = torch.nn.functional.normalize(torch.randn(1, 60, 16), dim=2)
    for late in (-4, 0, 7):
        table = net.likeness(marks, torch.roll(marks, late, dims=1))[0]
        assert table.shape == (60 - 2 * REACH, 2 * REACH + 1)
        assert int(table[10:-10].mean(0).argmax()) == REACH + late


def test_being_right_costs_less_than_being_late() -> None:
    net = small()
    likeness = torch.full((1, 5, 2 * REACH + 1), -0.5)
    likeness[..., REACH] = 1.0
    assert net.loss(likeness) < 0.2 < net.loss(torch.roll(likeness, 3, dims=2))
    near = likeness.clone()
    near[..., REACH + 1] = 1.0
    torch.testing.assert_close(net.loss(near), net.loss(likeness))


def test_settings_survive_their_journey_and_nonsense_does_not() -> None:
    config = SyncExpertConfig(width=24)
    assert SyncExpertConfig.from_dict(config.to_dict()) == config
    with pytest.raises(BadCheckpoint):
        SyncExpertConfig.from_dict({"colour": 1})


def test_a_small_expert_learns_when_a_mouth_is_in_time_and_says_by_how_much_it_is_late() -> None:
    voice, net = toy_voice(14), small().train()
    scenes, usual = Scenes([voice], 1.0), net.ears.usual.double().numpy()
    optimiser = torch.optim.Adam(net.parameters(), 4e-3)
    for step in range(50):
        heard, units = scenes.batch(2, usual, net.ears.frames(0, SCENE), np.random.default_rng(step))
        loss = net.agreement(heard, units)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.eval()
    said = voice[0]
    units = mouth_track(said.visemes, len(said.samples) // mel.SAMPLES_PER_STEP)
    in_time, late = offset(net, said.samples, units), offset(net, said.samples, np.roll(units, 4, axis=0))
    assert abs(in_time[0]) < 40 and in_time[1] > 0.1
    assert abs(late[0] - 160) < 40
    assert scores(net, said.samples, units).shape == (len(units) - 2 * REACH, 2 * REACH + 1)
    right = recipe.measure(net, voice, 5)
    assert right["120 ms"] > 0.8


def flags(corpus: Path, out: Path, steps: int) -> list[str]:
    text = f"--steps {steps} --batch 2 --decay-from 1 --warmup 1 --log-every 1 --save-every 9"
    chosen = ["--corpus", str(corpus), "--out", str(out), "--hold-out", "flite-toy", "--no-synthesise"]
    return [*text.split(), *chosen]


def losses_of(out: Path) -> list[float]:
    return [line["loss"] for line in log_of(out) if "loss" in line]


def test_the_recipe_repeats_and_resumes_without_changing_the_result(tmp_path: Path) -> None:
    corpus = toy_corpus(tmp_path / "corpus", "flite-toy", "espeak-toy")
    for name, steps in (("whole", 4), ("cut", 2), ("cut", 4)):
        recipe.main(from_command_line(recipe.Settings, flags(corpus, tmp_path / name, steps)))
    whole, cut = (weights_of(tmp_path / name) for name in ("whole", "cut"))
    for key, value in whole.items():
        assert torch.equal(cut[key], value), key  # the same seed, data and machine: the same bits
    assert losses_of(tmp_path / "whole") == losses_of(tmp_path / "cut")
    expert = expert_of(tmp_path / "whole" / "sync_expert.safetensors")
    assert not any(part.requires_grad for part in expert.parameters())


def test_two_processes_share_a_step(tmp_path: Path) -> None:
    """Batch statistics are a process's own, so a shared step is near to a single one and not the same."""
    corpus = toy_corpus(tmp_path / "corpus", "flite-toy", "espeak-toy")
    recipe.main(from_command_line(recipe.Settings, flags(corpus, tmp_path / "one", 1)))
    run_together("-m", recipe.__name__, *flags(corpus, tmp_path / "two", 1))
    one, two = (weights_of(tmp_path / name) for name in ("one", "two"))
    near = [
        torch.allclose(two[key], value, atol=5e-3) for key, value in one.items() if key.startswith("lips")
    ]
    assert all(near)


def test_the_sync_term_joins_audio_to_mouth(tmp_path: Path) -> None:
    from core.models.small import export
    from training.recipes import audio_to_mouth

    corpus, net = toy_corpus(tmp_path / "corpus", "flite-toy"), small()
    export(tmp_path / "expert.safetensors", net, net.config.to_dict(), {})
    text = "--steps 1 --save-every 9 --log-every 1 --batch 2 --no-synthesise --no-bf16 --threads 1"
    chosen = ["--corpus", str(corpus), "--out", str(tmp_path / "run")]
    chosen += ["--expert", str(tmp_path / "expert.safetensors")]
    audio_to_mouth.main(from_command_line(audio_to_mouth.Settings, [*text.split(), *chosen]))
    assert 0 < log_of(tmp_path / "run")[0]["sync"] < 10
