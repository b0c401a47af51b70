# SPDX-License-Identifier: GPL-3.0-or-later
"""What the networks compute, said without them: plain formulas, symmetries, and training's needs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.models import EDTalk, EDTalkConfig, load_overlapping
from core.models.bank import Bank
from core.models.decoder import Enhance, SourceLevel, base_grid, held_inside, sample
from core.models.layers import Fir, bake, upsample
from core.models.modulated import FlowHead, StyledConv
from tests.support import small

ARITHMETICS = ("published", "clean")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


# --- config ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [EDTalkConfig(), EDTalkConfig.published(False), small.config("clean", 64)])
def test_a_config_survives_json(config: EDTalkConfig) -> None:
    assert EDTalkConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"size": 100}, "size"),
        ({"size": 8}, "size"),
        ({"arithmetic": "other"}, "arithmetic"),
        ({"latent": 30}, "latent"),
        ({"channels": {4: 8, 8: 8}}, "channels"),
        ({"enhance": (8, 12)}, "enhance"),
        ({"reading": 16}, "reading"),
        ({"reading": 100}, "reading"),
        ({"expression": 0, "enhance": (8,)}, "expression"),
        ({"depth": 3}, "depth"),
    ],
)
def test_a_config_that_cannot_be_built_names_the_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        EDTalkConfig.from_dict(small.config().to_dict() | change)


def test_a_network_may_read_finer_pictures_than_it_draws() -> None:
    net = small.model(reading=64)
    fine = small.picture(64, 2)
    with torch.inference_mode():
        latent, features = net.encoder(fine)
        assert [f.shape[-1] for f in features] == [8, 16, 32]
        decoded = net.decode(latent, features, torch.zeros(2, 36), fine)
        again = net.decode(latent, features, torch.zeros(2, 36), F.avg_pool2d(fine, 2))
        assert decoded.image.shape[-1] == 32
        torch.testing.assert_close(decoded.image, again.image)
        coarse = F.avg_pool2d(fine, 2)
        doubled = F.interpolate(coarse, scale_factor=2, mode="bilinear")
        torch.testing.assert_close(net.encoder(coarse)[0], net.encoder(doubled)[0])
        assert (net.encoder(coarse)[0] - latent).abs().max() > 1e-3  # the finer pixels do count


def test_the_published_networks_have_their_published_size() -> None:
    """64.2 and 46.2 million entries, less what takes no part in inference."""
    counts = {}
    for full in (True, False):
        with torch.device("meta"):
            net = EDTalk(EDTalkConfig.published(full))
        counts[full] = sum(p.numel() for p in net.parameters())
    # unused: colour head at 4x4 (1542), 13 noise weights, and the expression modules' dead half
    assert counts[False] == 46_173_091 - 1542 - 13
    dead = sum(9 * c * c + c + 512 * 128 + 128 + 2 * (128 * c + c) for c in (512, 512, 512, 256, 128, 64))
    assert counts[True] == 64_228_397 - 1542 - 13 - dead


# --- layers ----------------------------------------------------------------------------------------


def test_published_upsampling_is_zero_insertion_and_the_filter() -> None:
    x = torch.randn(2, 3, 5, 5)
    stuffed = torch.zeros(2, 3, 10, 10)
    stuffed[..., ::2, ::2] = x
    filtered = Fir(padding=0, gain=4.0)(F.pad(stuffed, (2, 1, 2, 1)))
    torch.testing.assert_close(upsample(x, zeros_outside=True), filtered)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("fir", [False, True])
def test_a_styled_convolution_is_stylegan2s(up: bool, fir: bool) -> None:
    """One modulated and demodulated kernel for each sample, as the paper writes it."""
    torch.manual_seed(0)
    layer = StyledConv(5, 7, latent=4, up=up, fir=fir)
    torch.nn.init.normal_(layer.bias)
    x, latent = torch.randn(3, 5, 6, 6), torch.randn(3, 4)

    style = latent @ layer.modulation.weight.T / 2 + layer.modulation.bias
    kernels = layer.weight / np.sqrt(5 * 9) * style[:, None, :, None, None]
    kernels = kernels * torch.rsqrt(kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    rows = []
    for sample_, kernel in zip(x, kernels, strict=True):
        if up and fir:
            grown = F.conv_transpose2d(sample_[None], kernel.transpose(0, 1), stride=2)
            rows.append(Fir(padding=1, gain=4.0)(grown))
        else:
            grown = upsample(sample_[None], False) if up else sample_[None]
            rows.append(F.conv2d(grown, kernel, padding=1))
    expected = F.leaky_relu(torch.cat(rows) + layer.bias[:, None, None], 0.2) * np.sqrt(2)
    torch.testing.assert_close(layer(x, latent), expected, atol=1e-5, rtol=1e-5)


def test_a_flow_head_is_modulated_but_not_demodulated() -> None:
    torch.manual_seed(0)
    head = FlowHead(5, 3, latent=4, scale=0.3)
    x, latent = torch.randn(2, 5, 6, 6), torch.randn(2, 4)
    twice = FlowHead(5, 3, latent=4, scale=0.6)
    twice.load_state_dict(head.state_dict())
    torch.testing.assert_close(twice(x, latent), 2 * head(x, latent))
    style = latent @ head.modulation.weight.T / 2 + head.modulation.bias
    expected = torch.einsum("bihw,bi,oi->bohw", x, style, head.weight[:, :, 0, 0] * 0.3 / np.sqrt(5))
    torch.testing.assert_close(head(x, latent), expected)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_baked_weights_compute_the_same(arithmetic: str) -> None:
    net, source, weights = small.model(arithmetic), small.picture(), torch.from_numpy(small.weights(1))
    with torch.no_grad():
        before = net(source, weights).image
        bake(net)
        torch.testing.assert_close(net(source, weights).image, before, atol=1e-4, rtol=1e-4)


# --- bank and navigator ----------------------------------------------------------------------------


def test_zero_weights_leave_the_latent_unchanged() -> None:
    bank = Bank(small.config())
    assert not bank(torch.zeros(2, 36)).any()
    assert not bank.expression(torch.zeros(2, 36)).any()


def test_bases_are_orthonormal_within_and_across_banks() -> None:
    bases = Bank(small.config()).bases
    torch.testing.assert_close(bases.T @ bases, torch.eye(36), atol=1e-5, rtol=0)


def test_bases_have_the_signs_of_lapack() -> None:
    bank = Bank(small.config("published"))
    expected = np.linalg.qr(bank.directions.detach().double().numpy() + 1e-8).Q
    np.testing.assert_allclose(bank.bases.detach(), expected, atol=1e-5)


def test_the_expression_bank_does_not_move_the_others() -> None:
    full, without = Bank(small.config()), Bank(small.config(expression=0))
    without.directions.data = full.directions.data[:, :26]
    torch.testing.assert_close(full.bases[:, :26], without.bases, atol=1e-5, rtol=0)


def test_the_expression_displacement_is_the_expression_banks_share() -> None:
    bank, weights = Bank(small.config()), torch.from_numpy(small.weights(3))
    others = torch.cat([weights[:, :26], torch.zeros(3, 10)], 1)
    torch.testing.assert_close(bank.expression(weights), bank(weights) - bank(others), atol=1e-5, rtol=1e-5)


def test_bases_learn() -> None:
    bank = Bank(small.config())
    bank(torch.ones(1, 36)).square().sum().backward()  # the length is fixed, so the gradient vanishes
    assert bank.directions.grad is not None and bank.directions.grad.abs().max() < 1e-4
    bank.zero_grad()
    bank(torch.ones(1, 36))[0, 0].backward()
    assert bank.directions.grad.abs().max() > 1e-2


def test_the_published_navigator_folds_into_one_affine_map() -> None:
    net = small.model("published").navigator
    latent = torch.randn(4, 48)
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    folded = net.folded()
    assert isinstance(folded, torch.nn.Linear) and folded.weight.dtype == torch.float32
    torch.testing.assert_close(folded(latent), net(latent), atol=1e-4, rtol=1e-4)
    for key, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, before[key], atol=0, rtol=0)


def test_our_navigator_is_not_affine_and_stays_as_it_is() -> None:
    net, latent = small.model("clean").navigator, torch.randn(4, 48)
    assert net.folded() is net
    assert (net(latent) + net(-latent) - 2 * net(torch.zeros(4, 48))).abs().max() > 0.1


# --- decoder ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("expression", [0, 10])
def test_every_level_gives_a_flow_and_the_picture_a_mask(arithmetic: str, expression: int) -> None:
    net = small.model(arithmetic, 32, expression)
    latent, features = net.encoder(small.picture(count=2))
    assert latent.shape == (2, 48) and [f.shape[-1] for f in features] == [8, 16, 32]
    decoded = net.decode(latent, features, net.navigator(latent), small.picture(count=2))
    assert decoded.image.shape == (2, 3, 32, 32) and decoded.mask.shape == (2, 1, 32, 32)
    assert [f.shape for f in decoded.flows] == [(2, 2, n, n) for n in (8, 16, 32)]
    assert decoded.mask.min() >= 0 and decoded.mask.max() <= 1
    assert decoded.image.isfinite().all()


def test_in_clean_arithmetic_a_zero_flow_is_the_identity() -> None:
    picture = small.picture(16)
    for padding in ("border", "zeros"):
        torch.testing.assert_close(sample(picture, base_grid(16, True), padding), picture, atol=1e-5, rtol=0)


def test_in_published_arithmetic_a_zero_flow_stretches_by_half_a_pixel_at_each_border() -> None:
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    row = sample(ramp, base_grid(16, False), "zeros")[0, 0, 8]
    expected = torch.arange(16) * 16 / 15 - 0.5
    torch.testing.assert_close(row[1:-1], expected[1:-1], atol=1e-5, rtol=0)
    assert row[-1] == pytest.approx(15 / 2)  # half of the last pixel, half of the zeros outside


def test_held_positions_read_what_border_padding_reads() -> None:
    torch.manual_seed(0)
    picture, flow = torch.randn(2, 3, 8, 8), torch.rand(2, 2, 8, 8) * 4 - 2
    held = sample(picture, held_inside(flow, 8), "zeros")
    torch.testing.assert_close(held, sample(picture, flow, "border"), atol=1e-5, rtol=0)


def test_a_fresh_clean_network_begins_with_the_portrait_mostly_in_place() -> None:
    net, portrait = EDTalk(small.config()), small.picture()
    with torch.no_grad():
        for level in net.decoder.ordered:
            level.flow.weight.zero_()
        decoded = net(portrait, torch.zeros(1, 36))
        assert decoded.mask.mean() == pytest.approx(torch.sigmoid(torch.tensor(2.0)).item())
        net.decoder.levels["8"].flow.bias[3] = 50.0
        torch.testing.assert_close(net(portrait, torch.zeros(1, 36)).image, portrait, atol=1e-4, rtol=0)


def test_without_a_portrait_every_pixel_is_synthesised() -> None:
    net, source = small.model(), small.picture()
    latent, features = net.encoder(source)
    weights = torch.from_numpy(small.weights(1))
    alone, blended = (net.decode(latent, features, weights, p) for p in (None, source))
    moved = sample(source, blended.flows[-1], "border")
    torch.testing.assert_close(blended.image, torch.lerp(alone.image, moved, blended.mask))


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_one_source_serves_many_latents(arithmetic: str) -> None:
    net, source = small.model(arithmetic), small.picture()
    weights = torch.from_numpy(small.weights(3))
    latent, features = net.encoder(source)
    shared = net.decode(latent, features, weights, source)
    repeated = net(source.expand(3, -1, -1, -1), weights)
    torch.testing.assert_close(shared.image, repeated.image, atol=1e-4, rtol=1e-4)


def test_a_fresh_clean_expression_module_changes_nothing() -> None:
    module, feature = Enhance(6, 48, chained=True), torch.randn(2, 6, 8, 8)
    source = SourceLevel(feature, module.normalise(feature))
    torch.testing.assert_close(module(source, torch.randn(2, 48)), feature, atol=0, rtol=0)


@pytest.mark.parametrize("chained", [False, True])
def test_an_expression_module_is_adaptive_instance_normalisation(chained: bool) -> None:
    torch.manual_seed(0)
    module, feature, expression = Enhance(6, 48, chained), torch.randn(2, 6, 8, 8), torch.randn(2, 48)
    torch.nn.init.normal_(module.gamma.weight)
    made = module(SourceLevel(feature, module.normalise(feature)), expression)
    h = feature
    if module.conv1 is not None:
        h = F.leaky_relu(F.conv2d(h, module.conv1.weight / np.sqrt(54), padding=1), 0.2) * np.sqrt(2)
    h = F.instance_norm(F.conv2d(h, module.conv2.weight / np.sqrt(54), padding=1))
    shared = F.relu(module.shared(expression))
    gamma, beta = module.gamma(shared)[..., None, None], module.beta(shared)[..., None, None]
    expected = feature + h * (gamma if chained else 1 + gamma) + beta
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_each_bank_moves_the_picture(arithmetic: str) -> None:
    net, source = small.model(arithmetic), small.picture()
    rest = net(source, torch.zeros(1, 36)).image
    for bank in (slice(0, 20), slice(20, 26), slice(26, 36)):
        weights = torch.zeros(1, 36)
        weights[:, bank] = 2
        assert (net(source, weights).image - rest).abs().max() > 1e-3


# --- training --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("bf16", [False, True])
def test_every_parameter_learns(arithmetic: str, bf16: bool) -> None:
    net = small.model(arithmetic).train().to(memory_format=torch.channels_last)
    source, driver = small.picture(count=2), small.picture(count=2, seed=5)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        latent, features = net.encoder(source)
        weights = net.navigator(net.encoder(driver)[0])
        decoded = net.decode(latent, features, weights, source)
        assert latent.dtype == weights.dtype == decoded.image.dtype == decoded.mask.dtype == torch.float32
        assert {flow.dtype for flow in decoded.flows} == {torch.float32}
        loss = (decoded.image - driver).abs().mean() + decoded.flows[-1].square().mean()
    loss.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_a_small_network_starts_a_larger_one() -> None:
    young, grown = small.model(size=32, seed=0), small.model(size=64, seed=1)
    fresh = load_overlapping(grown, young.state_dict())
    own = grown.state_dict()
    assert fresh and all(".64." in name for name in fresh)
    kept = [name for name in own if name not in fresh]
    assert all(torch.equal(own[name], young.state_dict()[name]) for name in kept)
    assert "decoder.levels.32.flow.bias" in kept and "encoder.blocks.32.conv1.weight" in kept


def test_overlapping_leaves_other_shapes_alone() -> None:
    wide = dataclasses.replace(small.config(), channels={r: c + 2 for r, c in small.CHANNELS.items()})
    net = EDTalk(wide)
    fresh = load_overlapping(net, small.model().state_dict())
    assert "decoder.start" in fresh and "bank.directions" not in fresh
