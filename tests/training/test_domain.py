# SPDX-License-Identifier: GPL-3.0-or-later
"""Other media change the texture of a picture, and nothing else about it."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image

from training.shared.domain import jpeg, kuwahara, other_media

from ..support import small


def test_a_look_keeps_shape_range_and_where_things_are() -> None:
    pictures = small.picture(64, 12)
    made = other_media(pictures, np.random.default_rng(0), chance=1.0)
    assert made.shape == pictures.shape and made.dtype == pictures.dtype
    assert made.min() >= -1 and made.max() <= 1
    light, lit = pictures.mean(1).flatten(1), made.mean(1).flatten(1)
    alike = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(light.numpy(), lit.numpy())]
    assert min(alike) > 0.8
    assert (made - pictures).abs().mean() > 0.05


def test_no_chance_leaves_every_picture_as_it_was() -> None:
    pictures = small.picture(32, 4)
    assert torch.equal(other_media(pictures, np.random.default_rng(0), chance=0.0), pictures)


def test_the_same_generator_gives_the_same_looks_and_pairs_share_theirs() -> None:
    one = small.picture(32, 6)
    first, again = (other_media(one, np.random.default_rng(3), 1.0) for _ in range(2))
    assert torch.equal(first, again)
    pair = other_media(torch.cat([one, one]), np.random.default_rng(3), 1.0, alike=2)
    within = (pair[:6] - pair[6:]).abs().mean()  # the grain of each is its own
    across = (pair[:6] - pair[6:].roll(1, 0)).abs().mean() - (one - one.roll(1, 0)).abs().mean()
    assert within < 0.05 and within < across


def test_jpeg_is_what_a_jpeg_file_makes_of_the_picture() -> None:
    levels = small.levels(64, 1, seed=4)[0]
    rough = np.clip(levels + np.random.default_rng(0).normal(0, 12, levels.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(rough).save(file, "jpeg", quality=40, subsampling=2)
    truth = np.asarray(Image.open(file)).astype(float)
    planes = torch.from_numpy(rough).permute(2, 0, 1)[None].float() / 255
    made = jpeg(planes, torch.tensor(40.0).view(1, 1, 1, 1))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(made - truth).mean() < 0.25 * np.abs(rough - truth).mean()


def test_kuwahara_flattens_noise_and_keeps_an_edge_hard() -> None:
    step = torch.zeros(1, 3, 32, 32)
    step[..., 16:] = 1
    noisy = step + 0.05 * torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 32, 32))).float()
    made = kuwahara(noisy, 2)
    assert (made - step).abs().mean() < 0.5 * (noisy - step).abs().mean()
    assert (made[..., 15] < 0.2).all() and (made[..., 16] > 0.8).all()
