# SPDX-License-Identifier: GPL-3.0-or-later
"""Detail transfer gives back the portrait's own detail where it moved, and nothing where the network drew
anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from core.engine import detail

ASTRONAUT = Path(__file__).parents[2] / "demo" / "astronaut.png"
SMALL, LARGE = 64, 256


def portrait(size: int = LARGE) -> Tensor:
    picture = Image.open(ASTRONAUT).convert("RGB").crop((100, 0, 356, 256)).resize((size, size))
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1


def field(size: int, turn: float = 0.0, right: float = 0.0, bend: float = 0.0) -> Tensor:
    """Sampling positions of a turned, shifted and bent picture, known exactly at any size."""
    line = (torch.arange(size) * 2 + 1) / size - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    turn = torch.tensor(turn)
    inside = torch.exp(-3 * (x**2 + y**2))  # the border stays where it is
    across = x * torch.cos(turn) - y * torch.sin(turn) + right + bend * torch.sin(3 * y)
    along = x * torch.sin(turn) + y * torch.cos(turn)
    return torch.stack([x + (across - x) * inside, y + (along - y) * inside])[None]


def exact(picture: Tensor, flow: Tensor) -> Tensor:
    return F.grid_sample(picture, flow.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def psnr(one: Tensor, other: Tensor) -> float:
    return float(10 * torch.log10(4 / ((one - other) ** 2).mean()))


def test_without_motion_the_portrait_comes_back_whole() -> None:
    original = portrait()
    model = detail.down(original, SMALL)
    out = detail.transfer(model, field(SMALL), torch.ones(1, 1, SMALL, SMALL), original)
    assert psnr(out, original) > 60
    assert psnr(detail.up(model, LARGE), original) < 35


@pytest.mark.parametrize("size", [256, 200, 150])  # whole and broken ratios
@pytest.mark.parametrize("motion", [{"turn": 0.2}, {"right": 0.1}, {"turn": -0.1, "bend": 0.08}])
def test_moved_detail_is_closer_to_the_truth_than_enlarging(motion: dict[str, float], size: int) -> None:
    original = portrait(size)
    truth = exact(original, field(size, **motion))
    model = detail.down(truth, SMALL)
    out = detail.transfer(model, field(SMALL, **motion), torch.ones(1, 1, SMALL, SMALL), original)
    with_detail, plain = psnr(out, truth), psnr(detail.up(model, size), truth)
    print(f"{size} {motion}: {with_detail:.1f} dB with detail, {plain:.1f} dB enlarged")
    assert with_detail > plain + 5


def test_where_the_mask_is_zero_the_networks_frame_is_left_alone() -> None:
    original, model = portrait(), torch.randn(1, 3, SMALL, SMALL)
    mask = torch.zeros(1, 1, SMALL, SMALL)
    out = detail.transfer(model, field(SMALL, turn=0.2), mask, original)
    torch.testing.assert_close(out, detail.up(model, LARGE))
    mask[..., : SMALL // 2] = 1
    out = detail.transfer(model, field(SMALL, turn=0.2), mask, original)
    right = LARGE // 2 + LARGE // SMALL
    torch.testing.assert_close(out[..., right:], detail.up(model, LARGE)[..., right:])
    assert not torch.allclose(out[..., : LARGE // 2], detail.up(model, LARGE)[..., : LARGE // 2])


def test_the_low_band_stays_the_networks() -> None:
    original, model = portrait(), detail.up(torch.rand(1, 3, 8, 8) - 0.5, SMALL)
    out = detail.transfer(model, field(SMALL, turn=0.1), torch.ones(1, 1, SMALL, SMALL), original)
    assert psnr(detail.down(out, SMALL), model) > 30


def test_an_identity_flow_at_the_border_does_not_bend_the_edge() -> None:
    original = portrait()
    torch.testing.assert_close(detail.warp(original, field(SMALL)), original, atol=1e-4, rtol=0)


def test_a_frame_does_not_depend_on_its_batch() -> None:
    flows = torch.cat([field(SMALL, turn=turn) for turn in (0.0, 0.1, 0.2)])
    models, masks = torch.randn(3, 3, SMALL, SMALL), torch.rand(3, 1, SMALL, SMALL)
    together = detail.transfer(models, flows, masks, portrait())
    alone = detail.transfer(models[1:2], flows[1:2], masks[1:2], portrait())
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=0)


def test_an_output_no_larger_than_the_network_is_only_made_smaller() -> None:
    model, ones = detail.down(portrait(), SMALL), torch.ones(1, 1, SMALL, SMALL)
    assert detail.transfer(model, field(SMALL), ones, portrait(32)).shape[-1] == 32
    torch.testing.assert_close(detail.transfer(model, field(SMALL), ones, portrait(SMALL)), model)


def test_a_settled_frame_is_the_portrait_at_its_edges_and_itself_inside() -> None:
    original, frame = portrait(), torch.zeros(1, 3, LARGE, LARGE)
    edge = (torch.arange(LARGE) + 0.5) / LARGE
    edge = torch.minimum(edge, edge.flip(0))
    rim = torch.minimum(edge[:, None], edge[None])
    settled = detail.settle(frame, field(SMALL, right=0.1), original, rim)
    torch.testing.assert_close(settled[..., 0, :], original[..., 0, :], atol=0.02, rtol=0)
    assert not settled[..., 50:-50, 50:-50].any()
    still = detail.settle(frame, field(SMALL), original, torch.zeros_like(rim))
    torch.testing.assert_close(still, original, atol=1e-4, rtol=0)


def test_a_settled_edge_shows_a_moved_thing_once() -> None:
    bar = -torch.ones(1, 3, LARGE, LARGE)
    bar[..., 30:36] = 1  # a bright bar near the left edge, moved to the right by 4 pixels
    flow = field(SMALL)
    flow[:, 0] -= 2 * 4 / LARGE
    frame = detail.warp(bar, flow)
    edge = (torch.arange(LARGE) + 0.5) / LARGE
    settled = detail.settle(frame, flow, bar, torch.minimum(edge, edge.flip(0)).expand(LARGE, LARGE))
    row = settled[0, 0, LARGE // 2]
    assert int(((row[1:] > 0) & (row[:-1] <= 0)).sum()) == 1
    assert float(row.max()) > 0.9
