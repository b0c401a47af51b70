# SPDX-License-Identifier: GPL-3.0-or-later
"""Audio-to-mouth and its recipe: the published network to the last digit, ours by what it does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.models import audio_to_mouth, small
from core.models.audio_to_mouth import (
    CLEAN,
    FULL,
    PUBLISHED,
    AudioToMouth,
    AudioToMouthConfig,
    CleanAudioToMouth,
    build,
)
from core.sound import audio, mel
from core.wire.errors import BadCheckpoint, InputError
from tests.support import parity
from tests.support.recipes import toy_voice
from training.evaluation import hearing
from training.recipes import audio_to_mouth as recipe
from training.speech import corpus
from training.speech.visemes import UNITS


@pytest.fixture(scope="module")
def published() -> AudioToMouth:
    net = build(PUBLISHED)
    net.load_state_dict(parity.synthetic("audio2lip"), strict=True)
    return net


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return parity.given("wav_main_16k").astype(np.float32) / 32768


def shaken(config: AudioToMouthConfig = CLEAN) -> CleanAudioToMouth:
    """Our network with parameters large enough to make every input count."""
    torch.manual_seed(1)
    net = build(config)
    assert isinstance(net, CleanAudioToMouth)
    with torch.no_grad():
        net.units.weight.mul_(20)
        net.usual.fill_(-40)
    return net


def test_parameter_names_are_the_published_ones() -> None:
    assert [(k, tuple(v.shape)) for k, v in build(PUBLISHED).state_dict().items()] == [
        (key, shape) for key, shape, _ in parity.manifest("audio2lip")
    ]


def test_published_weights_agree_with_the_golden_ones(published: AudioToMouth, speech: np.ndarray) -> None:
    parity.compare("audio", "main.lips_raw", published.listener(speech)(0, 37))
    parity.compare("audio", "main.lips", audio_to_mouth.mouth_from_audio(published, speech))


def test_every_block_agrees_with_the_golden_one(published: AudioToMouth, speech: np.ndarray) -> None:
    seen: list[torch.Tensor] = []
    encoder = published.get_submodule("audio_encoder")
    hooks = [
        block.register_forward_hook(lambda module, given, out: seen.append(out))
        for block in encoder.children()
    ]
    published.listener(speech)(0, 37)
    for hook in hooks:
        hook.remove()
    assert len(seen) == 13
    for i, out in enumerate(seen):
        values = out[18].flatten().numpy()
        parity.compare("audio", f"main.block{i}.mid64", values[:: max(1, values.size // 64)][:64])
        parity.compare("audio", f"main.block{i}.meanstd", [float(out.mean()), float(out.std(correction=0))])


@pytest.mark.parametrize("kind", ["published", "clean"])
def test_long_sound_in_chunks_gives_the_same_weights(
    published: AudioToMouth, speech: np.ndarray, kind: str
) -> None:
    net = published if kind == "published" else shaken()
    long = np.tile(speech, 3)[:-123]
    whole = audio_to_mouth.mouth_from_audio(net, long, chunk=10_000)
    chunked = audio_to_mouth.mouth_from_audio(net, long, chunk=7)
    assert whole.std() > 0.05
    np.testing.assert_allclose(chunked, whole, atol=1e-5)


@pytest.mark.parametrize("samples", [640, 1600, 16000, 16001])
def test_steps_and_weights_are_as_many_as_promised(samples: int) -> None:
    net = build(CLEAN)
    weights = audio_to_mouth.mouth_from_audio(net, np.zeros(samples, np.float32))
    assert weights.shape == (-(-samples // 640), 20)
    assert weights.dtype == np.float32
    assert (weights[:, CLEAN.units :] == 0).all()
    assert ((weights >= 0) & (weights <= FULL)).all()


def test_a_step_hears_a_third_of_a_second_around_it_and_no_more() -> None:
    net = shaken().eval()
    first, last = net.frames(50, 51)
    features = torch.zeros(1, last - first, mel.BANDS, requires_grad=True)
    net(features)[0, 0].sum().backward()
    heard = features.grad[0].abs().sum(1)
    assert (heard > 0).all()
    middle_of_step = 50 * 4 + 2  # frames are 10 ms, a step begins every fourth and is 40 ms long
    assert first + last - 1 == 2 * middle_of_step
    assert 0.3 <= (last - first) / 2 * mel.CLEAN_HOP / mel.RATE <= 0.4


def test_the_published_network_turned_quiet_at_the_ends_only_by_smoothing(
    published: AudioToMouth, speech: np.ndarray
) -> None:
    raw = published.listener(speech)(0, 37)
    np.testing.assert_allclose(
        audio_to_mouth.mouth_from_audio(published, speech), audio.smooth(raw, "zero"), atol=1e-6
    )


def test_gain_widens_motion_and_never_beyond_full_strength() -> None:
    net = shaken()
    features = torch.randn(1, 65 + 40, mel.BANDS, generator=torch.Generator().manual_seed(0))
    plain = net(features)
    net.gain[0] = 1.3
    wider = net(features)
    torch.testing.assert_close(wider[..., 0], (1.3 * plain[..., 0]).clamp(max=FULL))
    torch.testing.assert_close(wider[..., 1:], plain[..., 1:])
    assert float(wider[..., 0].detach().max()) <= FULL


def test_a_config_survives_its_journey_and_nonsense_does_not() -> None:
    config = AudioToMouthConfig(kind="clean", width=48, blocks=3)
    assert AudioToMouthConfig.from_dict(config.to_dict()) == config
    for wrong in ({"kind": "psychic"}, {"smoothing": "silk"}, {"colour": "blue"}):
        with pytest.raises(BadCheckpoint):
            AudioToMouthConfig.from_dict({**config.to_dict(), **wrong})


# --- recipe --------------------------------------------------------------------------------------


def test_a_small_network_learns_a_language_of_two_sounds_and_shuts_up_in_silence() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    voice = toy_voice()
    net = CleanAudioToMouth(AudioToMouthConfig(width=32, blocks=3))
    net.usual.copy_(torch.from_numpy(recipe.usual_spectrum([voice])))
    scenes, usual = recipe.Scenes([voice], flite=1.0), net.usual.double().numpy()
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    net.train()
    for step in range(45):
        heard, units = scenes.batch(3, usual, net.frames(0, recipe.SCENE), np.random.default_rng(step))
        loss, _ = recipe.loss_of_units(net.logits(heard), units, velocity=1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.eval()
    numbers = hearing.measure(net, voice, count=6)
    assert numbers["r_jaw_open"] > 0.8
    assert numbers["r_press"] > 0.8
    assert abs(numbers["lag_ms"]) < 30
    silence = audio_to_mouth.mouth_from_audio(net, np.zeros(32000, np.float32))
    assert silence.max() < 0.25 * FULL


def test_the_recipe_runs_resumes_goes_on_and_keeps_its_marks(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name in ("flite-toy", "espeak-toy"):
        voice = toy_voice(11)
        corpus.save(folder / f"{name}.npz", [voice[i] for i in range(len(voice))])
    loop = recipe.Schedule(steps=1, save_every=1, log_every=1, bf16=False)
    first = recipe.Settings(
        folder, tmp_path / "held", "espeak-toy", batch=2, synthesise=False, threads=1, loop=loop
    )
    marks = recipe.main(first)
    assert set(marks["voices held out"]) == {"espeak-toy"}
    recipe.main(replace(first, loop=replace(loop, steps=2)))
    steps = [json.loads(line)["step"] for line in (tmp_path / "held" / "log.jsonl").read_text().splitlines()]
    assert steps == [
        1,
        1,
        2,
        2,
    ]  # a line of training and one of judging each; the second run did not start over
    shipped = replace(
        first, out=tmp_path / "all", hold_out="", start=str(tmp_path / "held" / "audio_to_mouth.safetensors")
    )
    marks = recipe.main(shipped)
    assert set(marks) == {"voices held out", "sentences kept back"}
    with pytest.raises(InputError, match="flite-nobody"):
        recipe.main(replace(first, hold_out="flite-nobody"))


def test_the_same_seed_draws_the_same_scene() -> None:
    scenes = recipe.Scenes([toy_voice()], flite=1.0)
    (sound, units), (again, units_again), (other, _) = (
        scenes.draw(np.random.default_rng(s)) for s in (3, 3, 4)
    )
    assert sound.shape == (recipe.SCENE * 640,)
    assert units.shape == (recipe.SCENE, len(UNITS))
    np.testing.assert_array_equal(sound, again)
    np.testing.assert_array_equal(units, units_again)
    assert not np.array_equal(sound, other)


def test_units_that_matter_weigh_more_in_the_loss() -> None:
    units = torch.zeros(1, 8, len(UNITS))
    logits = torch.full_like(units, -6.0)
    costs = {}
    for name in ("press", "tongue_up"):
        wrong = logits.clone()
        wrong[..., UNITS.index(name)] = 2.0
        costs[name] = float(recipe.loss_of_units(wrong, units, 1.0)[0])
    assert costs["press"] > 4 * costs["tongue_up"]


def test_an_exported_network_loads_and_agrees(tmp_path: Path, speech: np.ndarray) -> None:
    net = shaken().eval()
    path = tmp_path / "net.safetensors"
    marks = {"voices held out": {"flite-slt": {"r_jaw_open": 0.9}}}
    recipe.export(net, path, marks)
    assert small.marks_of(path) == marks
    state = load_file(path)
    assert all(v.dtype == torch.float16 for v in state.values() if v.ndim > 1)
    other = recipe.restore(path)
    assert other.config == net.config
    theirs, ours = (
        audio_to_mouth.mouth_from_audio(other, speech),
        audio_to_mouth.mouth_from_audio(net, speech),
    )
    assert np.abs(theirs - ours).mean() < 0.01
    assert path.stat().st_size < 3_000_000


def test_shaken_features_keep_their_shape_and_most_of_their_meaning() -> None:
    rng = np.random.default_rng(0)
    wave = np.cumsum(rng.standard_normal((120, mel.BANDS)), axis=1).astype(np.float32) / 5
    shaken_waves = [recipe.strained(wave, np.random.default_rng(seed)) for seed in range(20)]
    assert all(s.shape == wave.shape and s.dtype == np.float32 for s in shaken_waves)
    alike = [np.corrcoef(s.ravel(), wave.ravel())[0, 1] for s in shaken_waves]
    assert min(alike) > 0.5
    assert max(alike) < 0.9999
    np.testing.assert_array_equal(shaken_waves[3], recipe.strained(wave, np.random.default_rng(3)))
