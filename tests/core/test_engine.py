# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine does nothing twice, says the same as the plain network, and a frame stands for itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints import checkpoint
from core.engine.cpu.decoder import FastDecoder
from core.engine.engine import Engine, choose_device
from core.models.decoder import Enhance
from core.models.encoder import Encoder
from core.wire.channels import EMOTIONS
from core.wire.errors import BadMotion
from tests.support import small

LEVEL = 2 / 255  # one level of 255, in [-1,1]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


def images(engine: Engine, weights: np.ndarray, batch: int | None = None) -> np.ndarray:
    source = engine.prepare(small.levels(engine.size)[0])
    return np.stack([frame.image.cpu().numpy() for frame in engine.decode(source, weights, batch)])


@pytest.mark.parametrize(
    ("arithmetic", "expression", "reading"),
    [("published", 10, 0), ("published", 0, 0), ("clean", 10, 0), ("clean", 10, 64)],
)
def test_the_engine_says_what_the_plain_network_says(arithmetic: str, expression: int, reading: int) -> None:
    net = small.model(arithmetic, expression=expression, reading=reading)
    engine = Engine(net, "cpu", precision="exact")
    weights, levels = small.weights(5), small.levels(engine.read_size)
    source = engine.prepare(levels[0])
    with torch.inference_mode():
        picture = (torch.from_numpy(levels).permute(0, 3, 1, 2) / 255 - 0.5) * 2
        latent, features = net.encoder(picture)
        plain = net.decode(latent, features, torch.from_numpy(weights[:, : net.config.banked]), picture)
        own = net.navigator(latent)[0]
    for n, frame in enumerate(engine.decode(source, weights)):
        torch.testing.assert_close(frame.image, plain.image[n], atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(frame.flow, plain.flows[-1][n], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(frame.mask, plain.mask[n], atol=1e-4, rtol=1e-4)
    assert n == 4
    np.testing.assert_allclose(source.weights[: len(own)], own, atol=1e-4)
    assert source.weights.shape == (36,) and not source.weights[len(own) :].any()


@pytest.mark.parametrize("arithmetic", ["published", "clean"])
def test_on_a_cpu_a_frame_never_changes_a_bit(arithmetic: str) -> None:
    """Alone, in batches of 1, 4 and 16, shuffled."""
    engine = Engine(small.model(arithmetic), "cpu")
    weights = small.weights(19)
    together = images(engine, weights)
    for batch in (1, 4, 16):
        np.testing.assert_array_equal(images(engine, weights, batch), together)
    order = np.random.default_rng(3).permutation(19)
    np.testing.assert_array_equal(images(engine, weights[order], 4), together[order])
    for k in (0, 6, 18):
        np.testing.assert_array_equal(images(engine, weights[k : k + 1])[0], together[k])


@pytest.mark.gpu
@pytest.mark.parametrize("arithmetic", ["published", "clean"])
def test_on_an_accelerator_a_frame_does_not_depend_on_its_neighbours(arithmetic: str) -> None:
    if choose_device().type == "cpu":
        pytest.skip("no CUDA or MPS device here")
    engine = Engine(small.model(arithmetic), precision="exact")
    weights = small.weights(19)
    order = np.random.default_rng(3).permutation(19)
    together = images(engine, weights, 16)
    for batch in (1, 4):
        assert np.abs(images(engine, weights, batch) - together).max() <= LEVEL
    for batch in (1, 4, 16):
        shuffled = images(engine, weights[order], batch)
        assert np.abs(shuffled - images(engine, weights, batch)[order]).max() < LEVEL / 100


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fills with the large parts of the network, as they run."""
    ran: list[str] = []

    def watch(kind: type, name: str) -> None:
        run = getattr(kind, name)

        def noted(*given: object) -> object:
            ran.append(kind.__name__)
            return run(*given)

        monkeypatch.setattr(kind, name, noted)

    watch(Encoder, "forward")
    watch(Enhance, "normalise")
    watch(FastDecoder, "decode")
    return ran


def test_a_source_is_encoded_once_and_each_frame_costs_one_decoder_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, ran = Engine(small.model("clean"), "cpu"), counted(monkeypatch)
    source = engine.prepare(small.levels()[0])
    assert ran == ["Encoder"] + ["Enhance"] * 3
    ran.clear()
    list(engine.decode(source, small.weights(10)))
    assert ran == ["FastDecoder"] * 10


def test_frames_come_as_they_are_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(small.model("clean"), "cpu")
    source, ran = engine.prepare(small.levels()[0]), counted(monkeypatch)
    frames = engine.decode(source, small.weights(12))
    next(frames)
    assert len(ran) == 1
    assert not torch.is_inference_mode_enabled()  # the caller's work is the caller's


def test_the_bank_is_made_orthonormal_once_per_load(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(small.model("clean"), "cpu")
    calls: list[int] = []
    qr = torch.linalg.qr
    monkeypatch.setattr(torch.linalg, "qr", lambda *a, **k: calls.append(1) or qr(*a, **k))
    images(engine, small.weights(3))
    assert not calls


def test_the_model_handed_in_stays_as_it_was() -> None:
    net = small.model("published").train()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    images(Engine(net, "cpu"), small.weights(1))
    assert net.training and net.bank.frozen is None and all(p.requires_grad for p in net.parameters())
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())


def test_weights_are_read_from_any_number_of_pictures() -> None:
    engine = Engine(small.model("clean"), "cpu")
    pictures = small.levels(count=11)
    weights = engine.weights_of(pictures)
    assert weights.shape == (11, 36) and weights.dtype == np.float32
    for n in (0, 10):
        np.testing.assert_allclose(engine.prepare(pictures[n]).weights, weights[n], atol=1e-4)
    assert engine.weights_of(pictures[:0]).shape == (0, 36)


def test_a_network_without_expression_ignores_expression_weights() -> None:
    engine = Engine(small.model("published", expression=0), "cpu")
    weights = small.weights(2)
    changed = weights.copy()
    changed[:, 26:] = 9
    np.testing.assert_array_equal(images(engine, changed), images(engine, weights))


def test_no_weights_give_no_frames() -> None:
    engine = Engine(small.model("clean"), "cpu")
    assert list(engine.decode(engine.prepare(small.levels()[0]), small.weights(0))) == []


@pytest.mark.parametrize(
    "weights", [np.zeros((2, 35)), np.zeros(36), np.full((1, 36), np.nan), np.full((1, 36), np.inf)]
)
def test_weights_that_are_none_are_refused(weights: np.ndarray) -> None:
    engine = Engine(small.model("clean"), "cpu")
    with pytest.raises(BadMotion, match="36"):
        next(engine.decode(engine.prepare(small.levels()[0]), weights))


def test_pictures_of_another_size_are_refused() -> None:
    engine = Engine(small.model("clean"), "cpu")
    with pytest.raises(ValueError, match="32"):
        engine.prepare(small.levels(64)[0])


def test_a_device_can_be_named_and_is_found_otherwise() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    found = choose_device()
    assert torch.zeros(1, device=found).device.type == found.type
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        assert found.type == "cpu"


def test_an_engine_knows_its_checkpoint(tmp_path: Path) -> None:
    net = small.model("clean")
    emotions = {name: tuple(float(n) for n in range(10)) for name in EMOTIONS}
    path = tmp_path / "small.safetensors"
    meta = checkpoint.save(path, net, checkpoint.Meta(name="small", emotions=emotions), half=False)
    engine = Engine.from_checkpoint(path, "cpu")
    assert engine.checkpoint_id == meta.id and engine.size == 32
    assert engine.emotions["happy"] == list(emotions["happy"]) and len(engine.channels) == 36
    np.testing.assert_array_equal(
        images(engine, small.weights(2)), images(Engine(net, "cpu"), small.weights(2))
    )
