# SPDX-License-Identifier: GPL-3.0-or-later
"""Banks of orthogonal motion bases (Tan et al. 2024, section 3.2; spec 1.3).

One matrix holds the mouth, pose and expression banks side by side.  Its QR factor is orthonormal
within and across banks, so no loss is needed for that, and since QR works from left to right a later
bank never moves an earlier one.  The signs of the columns are those of LAPACK's Householder routine:
a Gram-Schmidt, or a QR with a positive diagonal, would turn a published checkpoint's bases around.

Shapes: B batch, D latent, K bases (20 mouth + 6 pose + 10 expression).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import EDTalkConfig


class Bank(nn.Module):
    """Weights [B,K] -> displacement of the latent [B,D], in float32 under any autocast."""

    frozen: Tensor | None

    def __init__(self, config: EDTalkConfig) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(config.latent, config.banked))
        self.register_buffer("frozen", None, persistent=False)
        self.gain = config.rules.bank_gain
        self.expression_size = config.expression

    @property
    def bases(self) -> Tensor:
        """[D,K] orthonormal columns; differentiable, computed anew unless frozen."""
        if self.frozen is not None:
            return self.frozen
        with torch.autocast(self.directions.device.type, enabled=False):
            # + 1e-8 is what the published training added; without it signs could differ
            orthonormal: Tensor = torch.linalg.qr(self.directions.float() + 1e-8).Q
        return orthonormal

    @torch.no_grad()
    def freeze(self) -> None:
        """Keep the present bases: one QR per load.  Call it on the CPU, whose signs are LAPACK's."""
        self.frozen = self.bases.clone()

    def forward(self, weights: Tensor, bases: Tensor | None = None) -> Tensor:
        """[B,K] -> [B,D].  `bases` spares a second QR when they are at hand already."""
        return self._span(weights, self.bases if bases is None else bases)

    def expression(self, weights: Tensor, bases: Tensor | None = None) -> Tensor:
        """[B,K] -> [B,D]: the expression bank's part alone, which styles the expression modules."""
        start = weights.shape[1] - self.expression_size
        bases = self.bases if bases is None else bases
        return self._span(weights[:, start:], bases[:, start:])

    def _span(self, weights: Tensor, bases: Tensor) -> Tensor:
        with torch.autocast(weights.device.type, enabled=False):
            return weights.float() @ bases.t() * self.gain
