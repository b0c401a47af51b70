# SPDX-License-Identifier: GPL-3.0-or-later
"""Component-aware latent navigation: latent -> weights (MLN, PLN, ELN of Tan et al. 2024; spec 1.2).

A shared trunk, then one head for each bank.  The published heads have no activation at all, so they
are one affine map, which `folded` returns; ours are the perceptrons the paper describes.

Shapes: B batch, D latent, K bases.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import EDTalkConfig
from .layers import ROOT2, SLOPE, EqualLinear


def _stack(width: int, depth: int, perceptron: bool) -> list[nn.Module]:
    """`depth` layers of one width, each followed by a leaky ReLU if it is a perceptron."""
    if not perceptron:
        return [EqualLinear(width, width) for _ in range(depth)]
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [EqualLinear(width, width, gain=ROOT2), nn.LeakyReLU(SLOPE)]
    return layers


class Navigator(nn.Module):
    """Latent [B,D] -> weights [B,K], ordered mouth, pose, expression; float32 under any autocast."""

    def __init__(self, config: EDTalkConfig) -> None:
        super().__init__()
        width, perceptron = config.latent, config.rules.perceptron
        self.shared = nn.Sequential(*_stack(width, 2 if perceptron else 4, perceptron))
        banks = {"mouth": config.mouth, "pose": config.pose, "expression": config.expression}
        # the last layer of a perceptron is an ordinary one: weights need gain early in training
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(
                    *_stack(width, 1 if perceptron else 2, perceptron),
                    nn.Linear(width, size) if perceptron else EqualLinear(width, size),
                )
                for name, size in banks.items()
                if size
            }
        )
        self.width, self.affine = width, not perceptron

    def forward(self, latent: Tensor) -> Tensor:
        with torch.autocast(latent.device.type, enabled=False):
            shared = self.shared(latent.to(torch.promote_types(latent.dtype, torch.float32)))
            return torch.cat([head(shared) for head in self.heads.values()], dim=1)

    @torch.no_grad()
    def folded(self) -> nn.Module:
        """The same map as one linear layer where it is affine; itself where it is not.

        An affine map is known by its values at zero and at the unit vectors; float64 keeps the
        product of seven layers as exact as the layers themselves.
        """
        if not self.affine:
            return self
        origin = next(self.parameters())
        dtype = origin.dtype
        self.double()
        offset = self(origin.new_zeros(1, self.width, dtype=torch.float64))
        matrix = self(torch.eye(self.width, dtype=torch.float64, device=origin.device)) - offset
        self.to(dtype)
        linear = nn.Linear(self.width, matrix.shape[1], device=origin.device)
        linear.weight.copy_(matrix.t())
        linear.bias.copy_(offset[0])
        return linear
