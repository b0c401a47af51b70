# SPDX-License-Identifier: GPL-3.0-or-later
"""Other media: renders made to look like photographs, scans and paintings, so that those are not strangers.

Only the texture changes, never where anything is, so every label stays true. A *look* is a chain of five
steps, each absent in part of the looks:

    colour     hue, saturation (down to grey), white balance, contrast, gamma
    paint      Kuwahara's filter (flat patches, hard edges), fewer tones, inked edges, the weave of a canvas
    sharpness  from a soft lens to an over-sharpened file
    grain      of film: coarse or fine, strongest in the middle tones
    JPEG       8 x 8 blocks, colour at half size, quality 15 to 95

Letters: B looks, S picture side. Pictures are in [-1, 1] outside of this file and in [0, 1] inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PAINTED = 0.3  # share of looks with brush and ink, the rest are photographs
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def other_media(pictures: Tensor, rng: np.random.Generator, chance: float = 0.6, alike: int = 1) -> Tensor:
    """Pictures [alike*B, 3, S, S] in [-1, 1] in B random looks -> the same shape and range.

    Rows b, B+b, 2B+b .. get one look (source and driving picture of a pair); the grain of each is its own.
    A look is left out with the probability 1 - ``chance``. The same generator gives the same pictures.
    """
    return _sometimes(pictures, _Draw(rng, len(pictures) // alike, alike, pictures.device), chance, _looked)


def _looked(pictures: Tensor, draw: _Draw) -> Tensor:
    x = _coloured((pictures.float() + 1) / 2, draw)
    x = _sometimes(x, draw, PAINTED, _painted)
    x = _sometimes(x, draw, 0.7, _sharpened)
    x = _sometimes(x, draw, 0.7, _grained)
    x = _sometimes(x, draw, 0.6, lambda some, its: jpeg(some, its.between(15, 95)))
    return (x.clamp(0, 1) * 2 - 1).to(pictures.dtype)


def kuwahara(x: Tensor, radius: int) -> Tensor:
    """Kuwahara's filter: each pixel takes the mean of the calmest of the four squares it is a corner of."""
    side = radius + 1
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    mean = F.avg_pool2d(padded, side, 1)
    grey = padded.mean(1, keepdim=True)
    unrest = F.avg_pool2d(grey * grey, side, 1) - F.avg_pool2d(grey, side, 1) ** 2
    high, wide = x.shape[-2:]
    corners = [(a, b) for a in (0, radius) for b in (0, radius)]
    means = torch.stack([mean[..., a : a + high, b : b + wide] for a, b in corners])
    calmest = torch.stack([unrest[..., a : a + high, b : b + wide] for a, b in corners]).argmin(0, True)
    return means.gather(0, calmest.expand(1, *x.shape))[0]


def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """What JPEG's quantisation leaves of pictures [B, 3, S, S] in [0, 1]; ``quality`` [B, 1, 1, 1] in 1..100.

    Baseline JPEG (ITU-T T.81, tables of annex K, the quality scale of libjpeg), without the coding.
    """
    side = x.shape[-2:]
    x = F.pad(x, (0, -side[1] % 16, 0, -side[0] % 16), mode="replicate")
    matrix = x.new_tensor(_TO_YCC)
    ycc = torch.einsum("ij,bjhw->bihw", matrix, x) * 255
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    light = _quantised(ycc[:, :1] - 128, scale, _LIGHT) + 128
    tint = _quantised(F.avg_pool2d(ycc[:, 1:], 2), scale, _TINT)
    tint = F.interpolate(tint, scale_factor=2.0, mode="bilinear", align_corners=False)
    back = torch.cat([light, tint], 1) / 255
    rgb = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(matrix), back)
    return rgb[..., : side[0], : side[1]].clamp(0, 1)


class _Draw:
    """Random numbers of B looks, repeated for every picture that shares one: [alike*B, n, 1, 1]."""

    def __init__(self, rng: np.random.Generator, looks: int, alike: int, device: torch.device) -> None:
        self.rng, self.looks, self.alike, self.device = rng, looks, alike, device

    def between(self, low: float, high: float, values: int = 1) -> Tensor:
        drawn = torch.from_numpy(self.rng.uniform(low, high, (self.looks, values)).astype(np.float32))
        return drawn.to(self.device).repeat(self.alike, 1)[..., None, None]

    def chance(self, probability: float) -> Tensor:
        return self.between(0, 1) < probability

    def some(self, probability: float) -> tuple[Tensor, _Draw]:
        """The rows [alike*n] of the n looks that a throw of the dice picks, and what draws for them."""
        looks = np.flatnonzero(self.rng.random(self.looks) < probability)
        rows = looks + self.looks * np.arange(self.alike)[:, None]
        return torch.from_numpy(rows.ravel()).to(self.device), _Draw(
            self.rng, len(looks), self.alike, self.device
        )

    def noise(self, like: Tensor) -> Tensor:
        """Normal noise of its own for every picture, one value a pixel: [alike*B, 1, S, S]."""
        values = self.rng.standard_normal((len(like), 1, *like.shape[-2:]), dtype=np.float32)
        return torch.from_numpy(values).to(self.device)


def _sometimes(x: Tensor, draw: _Draw, chance: float, step: Callable[[Tensor, _Draw], Tensor]) -> Tensor:
    """``x`` with the step taken in a share of the looks; on a processor the rest costs nothing."""
    rows, its = draw.some(chance)
    return x.index_copy(0, rows, step(x[rows], its)) if len(rows) else x


def _coloured(x: Tensor, draw: _Draw) -> Tensor:
    matrix = x.new_tensor(_TO_YCC)
    ycc = torch.einsum("ij,bjhw->bihw", matrix, x)
    light, tint = ycc[:, :1], ycc[:, 1:]
    angle = draw.between(-0.2, 0.2)
    turned = torch.stack(
        [
            tint[:, 0] * angle.cos()[:, 0] - tint[:, 1] * angle.sin()[:, 0],
            tint[:, 0] * angle.sin()[:, 0] + tint[:, 1] * angle.cos()[:, 0],
        ],
        1,
    )
    saturation = torch.where(draw.chance(0.15), torch.zeros_like(angle), draw.between(0.5, 1.5))
    x = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(matrix), torch.cat([light, turned * saturation], 1))
    x = (x * draw.between(0.9, 1.1, 3)).clamp(0, 1) ** draw.between(0.75, 1.35)
    curve = x * x * (3 - 2 * x)  # an S of contrast, or half an S taken away
    return (x + (curve - x) * draw.between(-0.5, 0.9)).clamp(0, 1)


def _painted(x: Tensor, draw: _Draw) -> Tensor:
    fine = max(1, round(x.shape[-1] / 64))
    brushed = torch.where(draw.chance(0.5), kuwahara(x, fine), kuwahara(x, max(1, fine // 2)))
    x = torch.where(draw.chance(0.8), brushed, x)
    tones = draw.between(4, 12).round()
    x = torch.where(draw.chance(0.4), x + ((x * tones).round() / tones - x) * 0.8, x)
    light = x.mean(1, keepdim=True)
    edges = (_blurred(light, 1.6) - _blurred(light, 0.8)).clamp(min=0)
    x = x * (1 - draw.between(0, 1) * draw.chance(0.5) * (12 * edges).clamp(max=0.8))
    line = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)
    weave = torch.sin(line * math.pi * 0.8)[None, :] * torch.sin(line * math.pi * 0.8)[:, None]
    return x * (1 + draw.between(0, 0.06) * weave)


def _sharpened(x: Tensor, draw: _Draw) -> Tensor:
    soft = torch.where(draw.chance(0.5), _blurred(x, 0.7), _blurred(x, 1.3))
    return (x + (x - soft) * draw.between(-1, 1.8)).clamp(0, 1)


def _grained(x: Tensor, draw: _Draw) -> Tensor:
    fine = draw.noise(x)
    coarse = _blurred(fine, 0.8) * 2.8  # brought back to about unit spread
    grain = torch.where(draw.chance(0.5), fine, coarse)
    light = x.mean(1, keepdim=True).clamp(0, 1)
    return x + grain * draw.between(0.003, 0.03) * (0.3 + 2.8 * light * (1 - light))


def _blurred(x: Tensor, sigma: float) -> Tensor:
    reach = max(1, math.ceil(2.5 * sigma))
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device) / sigma) ** 2)
    line = line / line.sum()
    channels = x.shape[1]
    x = F.pad(x, (reach,) * 4, mode="replicate")
    x = F.conv2d(x, line.expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(x, line[:, None].expand(channels, 1, -1, -1), groups=channels)


# The example tables of annex K.
_LIGHT = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_TINT = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32,
)  # fmt: skip


def _quantised(x: Tensor, scale: Tensor, table: tuple[int, ...]) -> Tensor:
    basis = x.new_tensor(_cosines())
    steps = (x.new_tensor(table).view(8, 8) * scale[..., None, None]).round().clamp(1, 255)
    count, channels, high, wide = x.shape
    blocks = x.reshape(count, channels, high // 8, 8, wide // 8, 8).transpose(3, 4)
    waves = basis @ blocks @ basis.t()
    kept = (waves / steps).round() * steps
    return (basis.t() @ kept @ basis).transpose(3, 4).reshape(count, channels, high, wide)


@cache
def _cosines() -> tuple[tuple[float, ...], ...]:
    """The orthonormal cosine transform of eight values, a row for each wave."""

    def wave(row: int) -> tuple[float, ...]:
        size = math.sqrt((1 if row == 0 else 2) / 8)
        return tuple(size * math.cos((2 * k + 1) * row * math.pi / 16) for k in range(8))

    return tuple(wave(row) for row in range(8))
