# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoder E: a face crop -> one latent and the source features (spec 1.1; Tan et al. 2024, section 3.1).

Blocks are named by the resolution they read, so the blocks of a 64 pixel model fit a 128 pixel one.

Shapes: B batch, D latent, S side of the picture, C channels, h w height and width.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .config import EDTalkConfig
from .layers import ROOT2, EqualConv2d, Fir, leaky, resampled


class ResBlock(nn.Module):
    """[B,I,h,w] -> [B,O,h/2,w/2]: (main + skip) / sqrt(2), the root sitting in the weights.

    Published: low-pass filter, then a convolution of stride 2.  Clean: average of 2x2, then a
    convolution of stride 1 over a quarter of the pixels.
    """

    def __init__(self, inputs: int, outputs: int, fir: bool) -> None:
        super().__init__()
        self.conv1 = EqualConv2d(inputs, inputs, 3, gain=ROOT2)
        self.fir = Fir(padding=2) if fir else None
        # kept values only: filtering before a 1x1 of stride 2 needs no others
        self.skip_fir = Fir(padding=1, stride=2) if fir else None
        stride, padding = (2, 0) if fir else (1, 1)
        self.conv2 = EqualConv2d(inputs, outputs, 3, stride=stride, padding=padding)
        self.skip = EqualConv2d(inputs, outputs, 1, bias=False, gain=1 / ROOT2)

    def forward(self, x: Tensor) -> Tensor:
        main = leaky(self.conv1(x))
        if self.fir is not None and self.skip_fir is not None:
            main, x = self.fir(main), self.skip_fir(x)
        else:
            main, x = F.avg_pool2d(main, 2), F.avg_pool2d(x, 2)
        out: Tensor = leaky(self.conv2(main)) + self.skip(x)
        return out


class Encoder(nn.Module):
    """[B,3,R,R] in [-1,1] -> latent [B,D] and source features [B,C,8,8], .. [B,C,S,S], coarse first.

    R is ``config.read_size``, S the decoder's ``config.size``. A picture of another size is resampled.
    """

    def __init__(self, config: EDTalkConfig) -> None:
        super().__init__()
        size, levels, fir = config.read_size, config.read_levels, config.rules.fir_resampling
        self.stem = nn.ModuleDict({str(size): EqualConv2d(3, config.width(size), 1, gain=ROOT2)})
        self.blocks = nn.ModuleDict(
            {str(r): ResBlock(config.width(r), config.width(r // 2), fir) for r in reversed(levels)}
        )
        self.head = EqualConv2d(config.width(4), config.latent, 4, padding=0, bias=False)
        self.size = size
        self.unused = len(levels) - len(config.levels)  # finer than the decoder draws

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = leaky(self.stem[str(self.size)](resampled(image, self.size)))
        features = [x]
        for block in self.blocks.values():
            x = block(x)
            features.append(x)
        *levels, smallest = features[self.unused :]  # the 4x4 map leads to the latent only
        latent: Tensor = self.head(smallest).flatten(1).float()
        return latent, levels[::-1]
