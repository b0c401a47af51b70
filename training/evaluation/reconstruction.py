# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a model redraws held-out heads, between two honest yardsticks: copying the source, and the true
weights.

Every number is over pairs (source, driving) of one person that training never saw. Pictures are in [-1, 1];
ratios are to copying the source, so 1 means "no better than doing nothing" and 0 means "the truth".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.models.edtalk import EDTalk
from core.wire.channels import BANK_SLICES

from ..heads.shards import Batch, HeadShards
from .distances import masked_l1

_EXPRESSION = BANK_SLICES["expression"].start

BLOCKS = {
    "pose": BANK_SLICES["pose"],
    "mouth": slice(0, 12),  # the channels in use; the rest are spare
    "expression": slice(_EXPRESSION, _EXPRESSION + 7),
    "blink": slice(_EXPRESSION + 7, _EXPRESSION + 8),
    "gaze": slice(_EXPRESSION + 8, _EXPRESSION + 10),
}
"""Channels that are judged together when weights are read off pictures."""


@dataclass(frozen=True)
class Redrawn:
    """Pictures of one evaluation: rows of the sample sheet."""

    batch: Batch  # at the size that is drawn
    read: Tensor  # [B, 36] weights the encoder reads off the driving pictures
    by_read: Tensor  # [B, 3, S, S] drawn with them
    by_true: Tensor  # [B, 3, S, S] drawn with the true weights


@torch.inference_mode()
def redraw(model: EDTalk, shards: HeadShards, count: int, chunk: int = 16) -> Redrawn:
    """Redraw ``count`` fixed held-out pairs, from read and from true weights.

    ``shards`` give pictures as large as the model reads; they are compared as large as it draws.
    """
    batch = shards.fixed(count).to(next(model.parameters()).device)
    read: list[Tensor] = []
    by_read: list[Tensor] = []
    by_true: list[Tensor] = []
    for k in range(0, len(batch.source), chunk):
        source, driving = batch.source[k : k + chunk], batch.driving[k : k + chunk]
        latent, features = model.encoder(source)
        weights = model.navigator(model.encoder(driving)[0])
        read.append(weights)
        for made, w in ((by_read, weights), (by_true, batch.weights[k : k + chunk])):
            made.append(model.decode(latent, features, w, source).image.clamp(-1, 1))
    drawn = [torch.cat(parts).float() for parts in (read, by_read, by_true)]
    return Redrawn(batch.at(model.config.size), *drawn)


def ssim(a: Tensor, b: Tensor) -> float:
    """Mean structural similarity of pictures [B,3,S,S] in [-1, 1]; uniform 7x7 window (Wang et al. 2004)."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 7, 1)

    ma, mb = mean(a), mean(b)
    va, vb, vab = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    score = ((2 * ma * mb + c1) * (2 * vab + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    return float(score.mean())


def r2(read: Tensor, true: Tensor) -> float:
    """Coefficient of determination over a block of channels, [B, n] each; 1 is perfect, 0 is the mean."""
    rest = ((read - true) ** 2).sum()
    spread = ((true - true.mean(0)) ** 2).sum()
    return float(1 - rest / spread) if spread > 0 else 0.0  # a channel that never moves explains nothing


def measure(made: Redrawn) -> dict[str, float]:
    """The table of the model card, as numbers."""
    b = made.batch
    numbers: dict[str, float] = {}
    whole = torch.ones_like(b.mouth)
    for name, mask in (("l1", whole), ("mouth_l1", b.mouth), ("eyes_l1", b.eyes)):
        copy = float(masked_l1(b.source, b.driving, mask))
        numbers[f"{name}_copy"] = copy
        numbers[f"{name}_ratio"] = float(masked_l1(made.by_read, b.driving, mask)) / copy
        numbers[f"{name}_ratio_true"] = float(masked_l1(made.by_true, b.driving, mask)) / copy
    for name, picture in (("copy", b.source), ("read", made.by_read), ("true", made.by_true)):
        numbers[f"ssim_{name}"] = ssim(picture, b.driving)
        error = ((picture - b.driving) ** 2).mean((1, 2, 3)).clamp(min=1e-8)
        numbers[f"psnr_{name}"] = float((10 * torch.log10(4 / error)).mean())
    for name, block in BLOCKS.items():
        numbers[f"r2_{name}"] = r2(made.read[:, block], b.weights[:, block])
    return numbers


def sample_sheet(made: Redrawn, columns: int = 12) -> NDArray[np.uint8]:
    """Rows source, driving, drawn from read weights, drawn from true weights; uint8 [4*S, columns*S, 3]."""
    rows = [
        torch.cat(list(x[:columns]), 2)
        for x in (made.batch.source, made.batch.driving, made.by_read, made.by_true)
    ]
    sheet = torch.cat(rows, 1).permute(1, 2, 0)
    levels: NDArray[np.uint8] = (sheet * 127.5 + 127.5).round().clamp(0, 255).byte().cpu().numpy()
    return levels
