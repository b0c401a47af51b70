# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPU's decoder says what the plain one says; in bfloat16 it is within two levels where it counts."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.checkpoints.checkpoint import default_checkpoint
from core.engine.cpu import kernels as cpu_kernels
from core.engine.cpu.decoder import FastDecoder
from core.engine.engine import Engine
from core.models import EDTalk, EDTalkConfig
from core.models.decoder import Decoded, sample
from core.models.layers import bake, upsample
from tests.support import small
from training.evaluation import naive

PORTRAIT = Path(__file__).parents[2] / "demo" / "portrait.png"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


def both(net: EDTalk, dtype: torch.dtype = torch.float32) -> Iterator[tuple[Decoded, Decoded]]:
    """(plain, fast) for a few weights."""
    net = copy.deepcopy(net)
    net.bank.freeze()
    bake(net)
    quick = FastDecoder(net.decoder, dtype)
    with torch.inference_mode():
        portrait = small.picture(net.config.size)
        latent, features = net.encoder(portrait)
        sources = net.decoder.prepare(features), quick.prepare(features)
        for row in torch.from_numpy(small.weights(3)[:, : net.config.banked]).split(1):
            expression = net.bank.expression(row) if net.config.enhance else None
            at = latent + net.bank(row)
            plain = net.decoder.decode(at, sources[0], expression, portrait)
            yield plain, quick.decode(at, sources[1], expression, portrait)


@pytest.mark.parametrize(
    ("arithmetic", "expression", "size"),
    [("published", 10, 32), ("published", 0, 64), ("clean", 10, 32), ("clean", 10, 64)],
)
def test_it_says_what_the_plain_decoder_says(arithmetic: str, expression: int, size: int) -> None:
    for plain, quick in both(small.model(arithmetic, size, expression)):
        assert quick.image.dtype == quick.mask.dtype == torch.float32
        torch.testing.assert_close(quick.image, plain.image, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(quick.mask, plain.mask, atol=1e-5, rtol=1e-5)
        for mine, theirs in zip(quick.flows, plain.flows, strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def wide(arithmetic: str) -> EDTalk:
    """Wide enough that its coarse layers scale pixels and its fine ones weights."""
    torch.manual_seed(4)
    config = EDTalkConfig(16, 64, channels={4: 96, 8: 96, 16: 64}, arithmetic=arithmetic, enhance=(8,))
    return EDTalk(config).eval()


@pytest.mark.parametrize("arithmetic", ["published", "clean"])
def test_style_on_pixels_and_style_on_weights_are_the_same(arithmetic: str) -> None:
    def ways(net: EDTalk) -> set[bool]:
        bake(net)
        levels = FastDecoder(net.decoder, torch.float32).levels
        return {layer.by_pixel for level in levels for layer in (level.conv0, level.conv1)}

    assert ways(wide(arithmetic)) == {True, False}
    for plain, quick in both(wide(arithmetic)):
        torch.testing.assert_close(quick.image, plain.image, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("arithmetic", ["published", "clean"])
def test_without_onednn_it_says_the_same(arithmetic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_kernels, "FUSED", False)
    assert not cpu_kernels.has_bfloat16()
    for net in (wide(arithmetic), small.model(arithmetic, 64)):
        for plain, quick in both(net):
            torch.testing.assert_close(quick.image, plain.image, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("phased", [True, False])
def test_doubling_in_either_way_says_the_same(phased: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_kernels, "PHASED", phased)
    for net in (wide("published"), small.model("published", 64)):
        for plain, quick in both(net):
            torch.testing.assert_close(quick.image, plain.image, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("side", [1, 4, 9])
def test_a_transposed_convolution_is_an_ordinary_one_in_phases(side: int) -> None:
    torch.manual_seed(11)
    x, weight = torch.randn(1, 5, side, side).to(memory_format=torch.channels_last), torch.randn(5, 7, 3, 3)
    want = torch.nn.functional.conv_transpose2d(x, weight, stride=2)
    torch.testing.assert_close(cpu_kernels.doubling_in_phases(x, cpu_kernels.phases(weight)), want)


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("channels", [3, 20, 64])
def test_a_table_is_read_as_a_picture_is_sampled(padding: str, channels: int) -> None:
    torch.manual_seed(5)
    feature = torch.randn(1, channels, 16, 16).to(memory_format=torch.channels_last)
    flow, mask = torch.rand(1, 2, 16, 16) * 2.6 - 1.3, torch.rand(1, 1, 16, 16)
    flow[..., 0, :] = torch.linspace(-1.2, 1.2, 16)  # the border's own row
    flow[..., 1, :5] = torch.tensor([-1.0, 1.0, 1 / 16 - 1, 1 - 1 / 16, 5.0])
    want = sample(feature, flow, padding) * mask
    torch.testing.assert_close(
        cpu_kernels.warp(cpu_kernels.as_rows(feature), flow, mask, padding), want, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_one_row_more_is_what_the_whole_picture_has_on_top(padding: str) -> None:
    torch.manual_seed(6)
    feature, constant = torch.randn(1, 20, 16, 16).to(memory_format=torch.channels_last), torch.randn(20)
    flow, mask = torch.rand(1, 2, 16, 16) * 2.6 - 1.3, torch.rand(1, 1, 16, 16)
    table = torch.cat([cpu_kernels.as_rows(feature), constant[None]])
    want = sample(feature + constant[:, None, None], flow, padding) * mask
    torch.testing.assert_close(cpu_kernels.warp(table, flow, mask, padding), want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize("side", [4, 24])
def test_planes_are_enlarged_as_ever(zeros: bool, side: int) -> None:
    planes = torch.randn(1, 6, side, side, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(cpu_kernels.enlarged(planes, zeros), upsample(planes, zeros))


def large(arithmetic: str) -> EDTalk:
    """Large enough that torch shares its work among threads: it splits only what is large."""
    torch.manual_seed(8)
    channels = {4: 64, 8: 64, 16: 64, 32: 48, 64: 40, 128: 32}
    return EDTalk(EDTalkConfig(128, 64, channels=channels, arithmetic=arithmetic)).eval()


@pytest.mark.parametrize("arithmetic", ["published", "clean"])
def test_any_number_of_threads_makes_the_same_picture(arithmetic: str) -> None:
    """Up to rounding: a processor may add in another order where several threads share a sum."""
    net = large(arithmetic)
    net.bank.freeze()
    bake(net)
    latent = torch.randn(1, 64)
    for dtype in (torch.float32, torch.bfloat16) if cpu_kernels.has_bfloat16() else (torch.float32,):
        quick = FastDecoder(net.decoder, dtype)
        with torch.inference_mode():
            portrait = small.picture(128)
            source = quick.prepare(net.encoder(portrait)[1])
            images = []
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                images.append(quick.decode(latent, source, 0.1 * latent, portrait).image)
        torch.set_num_threads(1)
        unit = torch.finfo(dtype).eps
        for image in images[1:]:
            assert float((image - images[0]).abs().mean()) <= 4 * unit * float(images[0].abs().mean())


@pytest.mark.parametrize("arithmetic", ["published", "clean"])
def test_an_engine_gives_a_frame_the_same_bits_on_any_number_of_threads(arithmetic: str) -> None:
    """Whatever the processor, and however many frames are asked for at once."""
    model, made = large(arithmetic), []
    picture = np.random.default_rng(9).integers(0, 255, (128, 128, 3), np.uint8)
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        engine = Engine(model, "cpu")
        source = engine.prepare(picture)
        weights = source.weights + small.weights(5)
        made.append([frame.image for frame in engine.decode(source, weights)])
        made.append([next(iter(engine.decode(source, row[None]))).image for row in weights])
    torch.set_num_threads(1)
    for images in made[1:]:
        for image, first in zip(images, made[0], strict=True):
            assert torch.equal(image, first)


@pytest.mark.skipif(not cpu_kernels.has_bfloat16(), reason="this CPU has no bfloat16")
@pytest.mark.parametrize("arithmetic", ["published", "clean"])
def test_in_bfloat16_it_differs_by_rounding_only(arithmetic: str) -> None:
    for plain, quick in both(small.model(arithmetic, 64), torch.bfloat16):
        assert quick.image.dtype == torch.float32
        apart = (quick.image - plain.image).abs() * 127.5
        assert 0 < float(apart.mean()) < 0.5
        assert float((quick.flows[-1] - plain.flows[-1]).abs().max()) < 0.01


@pytest.mark.skipif(not default_checkpoint().is_file(), reason="the model is not here")
def test_fast_is_within_two_levels_of_exact_on_the_shipped_model() -> None:
    """99.9 of 100 values, over weights as strong as one and a half deviations from the portrait's own."""
    import cv2

    levels = []
    for precision in ("exact", "fast"):
        engine = Engine.from_checkpoint(device="cpu", precision=precision)  # type: ignore[arg-type]
        picture = cv2.resize(
            cv2.imread(str(PORTRAIT)), (engine.size, engine.size), interpolation=cv2.INTER_AREA
        )
        source = engine.prepare(np.ascontiguousarray(picture[..., ::-1]))
        weights = source.weights + 1.5 * small.weights(16)
        levels.append(torch.stack([frame.image for frame in engine.decode(source, weights)]) * 127.5)
    apart = (levels[0] - levels[1]).abs().flatten().sort().values
    assert float(apart[int(0.999 * len(apart))]) <= 2


def test_the_naive_loop_makes_the_same_picture() -> None:
    """What the benchmark compares with does the published work, and the published work only."""
    net = small.model("published", 32)
    source, driving = small.picture(), small.picture(seed=7)
    weights = torch.from_numpy(small.weights(1))
    with torch.inference_mode():
        posed: Tensor = weights.clone()
        posed[:, 20:26] = net.navigator(net.encoder(driving)[0])[:, 20:26]
        want = net(source, posed).image
    torch.testing.assert_close(naive.frame(net, source, driving, weights), want, atol=1e-3, rtol=1e-3)
