# SPDX-License-Identifier: GPL-3.0-or-later
"""Audio-to-pose: the flow learns, draws what it learned, repeats by seed; its recipe can be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.models.audio_to_pose import (
    FARTHEST,
    HEARD,
    POSES,
    AudioToPose,
    AudioToPoseConfig,
    between,
    head_motion,
    knotted,
    windowed,
)
from core.models.small import export, marks_of, restore
from core.sound.prosody import FEATURES
from core.wire.errors import BadCheckpoint
from tests.support.recipes import log_of, run_together, toy_corpus, weights_of
from tests.training.test_gestures import stressed_talk
from training.recipes import audio_to_pose as recipe
from training.shared.loop import from_command_line

TINY = AudioToPoseConfig(width=32, context=16, couplings=2, hidden=24)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def small(config: AudioToPoseConfig = TINY) -> AudioToPose:
    torch.manual_seed(4)
    return AudioToPose(config).eval()


def sound(seconds: float = 4.0) -> np.ndarray:
    time = np.arange(int(seconds * 16000)) / 16000
    return (0.3 * np.sign(np.sin(2 * np.pi * 140 * time)) * (time % 1 < 0.7)).astype(np.float32)


def test_what_is_drawn_is_as_likely_as_its_noise() -> None:
    """Drawing inverts what the likelihood measures: noise -> piece -> the same noise."""
    net = small()
    heard, past = torch.randn(5, 24, HEARD), torch.randn(5, 10, len(POSES))
    still, noise = torch.rand(5, 1), torch.randn(5, 24)
    pieces = net.draw(noise, heard, past, still)
    change = ((pieces - past[:, -1:] - net.met(heard, still)) / net.spread).flatten(1)
    back = net.flow(net.context(heard, past, still)).transform(change)
    torch.testing.assert_close(back, noise, atol=1e-4, rtol=1e-4)
    assert net.surprise(pieces, heard, past, still).shape == (5,)


@pytest.mark.parametrize("steps", [1, 7, 8, 100])
def test_a_head_has_as_many_steps_as_were_asked_for(steps: int) -> None:
    motion = head_motion(small(), sound(), steps)
    assert motion.pose.shape == (steps, len(POSES))
    assert motion.pose.dtype == np.float32
    assert all(0 <= start < steps / 25 for start in motion.blinks)


def test_the_same_seed_draws_the_same_head_and_another_another() -> None:
    net, heard = small(), sound()
    one, again, other = (head_motion(net, heard, 100, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.pose, again.pose)
    assert one.blinks == again.blinks
    assert np.abs(one.pose - other.pose).max() > 0.01


def test_a_head_stays_where_heads_are_however_long_the_talk() -> None:
    net = small()
    with torch.no_grad():
        net.flow.transform.transforms[0].hyper[-1].bias += 0.5  # one that pushes always the same way
    motion = head_motion(net, np.tile(sound(), 30), 3000)
    assert np.isfinite(motion.pose).all() and np.abs(motion.pose).max() < 1.2 * FARTHEST
    assert np.abs(motion.pose[-500:, 1]).max() < FARTHEST


def test_without_noise_there_is_one_head_for_all_seeds() -> None:
    net, heard = small(), sound()
    first, second = (head_motion(net, heard, 60, seed, temperature=0.0) for seed in (1, 2))
    np.testing.assert_array_equal(first.pose, second.pose)


def test_knots_are_met_and_the_way_between_them_is_smooth() -> None:
    time = np.arange(40)[:, None] / 12.5
    curve = np.sin(2 * np.pi * 1.0 * time)
    steps = between(curve)
    np.testing.assert_allclose(steps[::2], curve, atol=1e-6)
    exact = np.sin(2 * np.pi * np.arange(80)[:, None] / 25)
    assert np.abs(steps - exact)[2:-4].max() < 0.02
    np.testing.assert_allclose(knotted(np.arange(5.0)[:, None])[:, 0], [0.5, 2.5, 4.0])


def test_a_piece_hears_what_lies_around_it() -> None:
    heard = np.zeros((200, len(FEATURES)), np.float32)
    heard[100:102, 0] = 1.0  # knot 50 = the third of piece 12
    windows = windowed(heard, TINY, 25)
    rows = np.flatnonzero((windows[:, :, 0] == 1).any(axis=1))
    assert rows.tolist() == [10, 11, 12, 13, 14, 15]
    assert windows[12, TINY.past + 2, 0] == 1


def test_settings_survive_their_journey_and_nonsense_does_not() -> None:
    assert AudioToPoseConfig.from_dict(TINY.to_dict()) == TINY
    for wrong in ({"colour": 3}, {"piece": 0}, {"width": "wide"}, {"hidden": 10**6}):
        with pytest.raises(BadCheckpoint):
            AudioToPoseConfig.from_dict({**TINY.to_dict(), **wrong})


def test_an_exported_flow_loads_and_draws_the_same_head(tmp_path: Path) -> None:
    net, path = small(), tmp_path / "pose.safetensors"
    export(path, net, net.config.to_dict(), {"nod": 0.5})
    other = restore(path, lambda values: AudioToPose(AudioToPoseConfig.from_dict(values)))
    assert marks_of(path) == {"nod": 0.5}
    ours, theirs = (head_motion(each, sound(), 50, 3).pose for each in (net, other))
    assert np.abs(ours - theirs).max() < 0.05


# --- recipe --------------------------------------------------------------------------------------


def test_a_small_flow_learns_one_talk_by_heart() -> None:
    net, talk = small().train(), stressed_talk(8.0)
    batch = recipe.worn(talk, TINY, 0.2, np.random.default_rng(0))
    net.spread.copy_((batch[0] - batch[2][:, -1:]).std(0).clamp(min=1e-3))
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    seen = []
    for _ in range(120):
        loss, numbers = recipe.loss_of_heads(net, batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5)
        optimiser.step()
        seen.append(numbers)
    assert seen[-1]["surprise"] < seen[0]["surprise"] - 1.0
    assert seen[-1]["blinks"] < 0.3 * seen[0]["blinks"]


def test_pieces_carry_on_from_the_past_they_are_given() -> None:
    batch = recipe.worn(stressed_talk(8.0), TINY, 0.2, np.random.default_rng(0))
    pieces, heard, past, still, since, begin, nods = batch
    assert pieces.shape == (25, 4, 6)
    assert heard.shape == (25, 24, HEARD)
    assert past.shape == (25, 10, 6)
    assert still.shape == (25, 1)
    assert nods.shape == (25, 5)
    torch.testing.assert_close(nods[1:, 0], nods[:-1, -1])
    assert since.shape == begin.shape == (25, 4)
    torch.testing.assert_close(past[1:, -1], pieces[:-1, -1])
    assert set(begin.unique().tolist()) <= {0.0, 1.0}
    assert (since >= 0).all()


def test_a_head_that_strayed_comes_back() -> None:
    whole = recipe.joined([recipe.worn(stressed_talk(8.0), TINY, 0.2, np.random.default_rng(0))] * 8)
    away = recipe.disturbed(whole, 0.3, np.random.default_rng(1))
    strayed, returns = (away[2] - whole[2])[:, -1], away[0] - whole[0]
    moved = strayed.abs().amax(1) > 0.5
    assert 0.2 < moved.float().mean() < 0.6
    left = (returns[moved] * strayed[moved, None]).sum((0, 2)) / strayed[moved].square().sum()
    assert 1 > left[0] > left[-1] > 0.5
    frozen = (away[2][:, :-1] == away[2][:, -1:]).all(2).all(1).float().mean()
    assert 0.2 < frozen < 0.4


def losses_of(out: Path) -> list[float]:
    return [line["surprise"] for line in log_of(out) if "surprise" in line]


def flags(corpus: Path, out: Path, steps: int) -> list[str]:
    text = f"--steps {steps} --talks 4 --seconds 6.4 --batch 2 --decay-from 1 --warmup 1 --log-every 1"
    return [*text.split(), "--corpus", str(corpus), "--out", str(out), "--hold-out", "", "--no-synthesise"]


def test_the_recipe_repeats_resumes_and_is_shared_without_changing_the_result(tmp_path: Path) -> None:
    corpus = toy_corpus(tmp_path / "corpus", "flite-toy", "espeak-toy")
    for name, steps in (("whole", 4), ("cut", 2), ("cut", 4)):
        recipe.main(from_command_line(recipe.Settings, flags(corpus, tmp_path / name, steps)))
    run_together("-m", recipe.__name__, *flags(corpus, tmp_path / "two", 4))
    whole, cut, two = (weights_of(tmp_path / name) for name in ("whole", "cut", "two"))
    for key, value in whole.items():
        assert torch.equal(cut[key], value), key  # the same seed, data and machine: the same bits
        torch.testing.assert_close(two[key], value, rtol=1e-3, atol=2e-5)
    assert losses_of(tmp_path / "whole") == losses_of(tmp_path / "cut")
    one, other = ((tmp_path / name / "audio_to_pose.safetensors").read_bytes() for name in ("whole", "cut"))
    assert one == other and len(one) < 1_000_000
