# SPDX-License-Identifier: GPL-3.0-or-later
"""Convolutions whose weights are scaled by a style (StyleGAN2, Karras et al. 2020, section 2.2).

Scaling a weight per input channel is the same as scaling the input, and demodulating it per output
channel the same as scaling the output.  So one ordinary convolution serves the whole batch, with no
weights of its own for each sample and no grouped convolution.

Shapes: B batch, D latent, I O channels in and out, h w height and width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .layers import ROOT2, Equalised, EqualLinear, Fir, leaky, upsample


class Modulated(Equalised):
    """What both kinds share: the weight [O,I,k,k], its bias [O], and the style [B,D] -> [B,I]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, latent: int, gain: float = 1.0) -> None:
        super().__init__((outputs, inputs, kernel, kernel), 0.0, gain)
        self.modulation = EqualLinear(latent, inputs, bias=1.0)

    def style(self, latent: Tensor) -> Tensor:
        """[B,D] -> [B,I] in float32, whatever autocast says: small, and demodulation squares it."""
        with torch.autocast(latent.device.type, enabled=False):
            scale: Tensor = self.modulation(latent.float())
        return scale


class StyledConv(Modulated):
    """Modulated and demodulated 3x3 convolution, bias, leaky ReLU times sqrt(2).

    [B,I,h,w] and latent [B,D] -> [B,O,h,w], or [B,O,2h,2w] with `up`.

    Args:
        up: double the side first.
        fir: double by a transposed convolution and the 1-3-3-1 filter (published) instead of
            bilinear interpolation before the convolution.
    """

    energy: Tensor | None

    def __init__(self, inputs: int, outputs: int, latent: int, up: bool = False, fir: bool = True) -> None:
        super().__init__(inputs, outputs, 3, latent, gain=ROOT2)
        self.up = up
        self.fir = Fir(padding=1, gain=4.0) if up and fir else None
        self.register_buffer("energy", None, persistent=False)

    def bake(self) -> None:
        super().bake()
        self.energy = self.weight.detach().square().sum((2, 3)) / 2

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        weight, bias = self.scaled()
        style = self.style(latent)
        x = x * style[:, :, None, None].to(x.dtype)
        if self.fir is not None:
            x = self.fir(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        else:
            x = F.conv2d(upsample(x, zeros_outside=False) if self.up else x, weight, padding=1)
        assert bias is not None
        demodulation = self.demodulation(weight, style)[:, :, None, None].to(x.dtype)
        return leaky(torch.addcmul(bias[:, None, None].to(x.dtype), x, demodulation))

    def demodulation(self, weight: Tensor, style: Tensor) -> Tensor:
        """[B,O]: one over the length of each output channel's modulated weight (without the gain)."""
        # the weight carries sqrt(2), its square 2
        energy = weight.float().square().sum((2, 3)) / 2 if self.energy is None else self.energy
        with torch.autocast(style.device.type, enabled=False):
            return torch.rsqrt(style.square() @ energy.t() + 1e-8)


class FlowHead(Modulated):
    """Modulated 1x1 convolution without demodulation to the logits of flow and masks.

    [B,I,h,w] and latent [B,D] -> float32 [B,O,h,w].  A 1x1 kernel is smaller than the picture, so
    here the style scales the weight and each sample is one matrix product.
    """

    def __init__(self, inputs: int, outputs: int, latent: int, scale: float = 1.0) -> None:
        super().__init__(inputs, outputs, 1, latent)
        self.scale *= scale  # the bias stays as it is

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        weight, bias = self.scaled()
        assert bias is not None
        each = weight.flatten(1) * self.style(latent)[:, None, :]  # [B,O,I]
        logits = torch.bmm(each.to(x.dtype), x.flatten(2)).float()  # [B,O,hw]
        return logits.reshape(*logits.shape[:2], *x.shape[2:]) + bias[:, None, None]
