# SPDX-License-Identifier: GPL-3.0-or-later
"""The decoder for CPUs: one frame at a time, in 16 or 32 bits, with as few passes over memory as can be.

It computes what `core.models.decoder` computes, which stays the reference it is tested against.  A frame of
the published network is 15 billion multiplications, nearly all in 3x3 convolutions, and those run well; so
what is saved here is everything around them:

    latent ──> style s, demodulation d of each layer
                │
    x ──────────┴─> 3x3 convolution ─────> x ──> 1x1 flow head ──> flow, mask
         few pixels:  d * W(s * x) + b                                │
         many pixels: (d W s)(x) + b       source features ──> read at flow ──> * mask
         leaky ReLU in the same call        [h * w, C] + expression               │
                                           x * (1 - mask) ────────────────────────┴──> x, colour

    style       at coarse levels the weights are larger than the picture, so the picture is scaled and the
                weights lie packed as the convolution wants them; at fine levels it is the other way round,
                and scale, bias and activation cost no pass at all.  All styles are one matrix product
    doubling    (published) transposed convolution at the coarse side, then one depth-wise 4x4 filter that
                carries demodulation, bias and activation.  Where the processor has AMX, the transposed one
                runs as an ordinary convolution of four times the channels.  Fusing both steps into one
                polyphase convolution takes four times the multiplications and was slower
    warping     reading four neighbours of C channels each is what an embedding bag does: rows of a table,
                weighted and summed.  Feature mask and bilinear weights are one weight.  8 to 12 times as
                fast as `grid_sample`, whose channels lie apart
    expression  the features' gain is one pass; what it adds to all pixels alike is one row more of the table
    precision   bfloat16 rounds at 1/256, float32 at 1/16 million.  Positions are sums of all levels and
                reach across the picture: so flow, masks, colour and the portrait's own pixels are added up
                in float32, and the coarse levels' steps of it are found in float32
    threads     make no difference to the bits on most processors; where they do (AMX), by rounding only.
                `core.engine` keeps each frame on one thread, so a frame has the same bits on any number

Shapes: S side of the picture, C channels, I O channels in and out, h w sides of a level, D latent; batch 1.
"""

from __future__ import annotations

from itertools import chain
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.cpu import kernels as cpu_kernels
from core.engine.cpu.kernels import LAST, as_rows, convolve, doubling, enlarged, packed, pointwise, warp
from core.models.config import Arithmetic
from core.models.decoder import Decoded, Decoder, Enhance, Level, SourceLevel, sample
from core.models.layers import SLOPE, Equalised, EqualLinear, upsample
from core.models.modulated import StyledConv

COARSE = 16
"""Sides up to this stay float32 always: their flow moves the whole face, and they cost little."""


class FastDecoder:
    """A `Decoder` made ready for frames of batch 1 on the CPU; what it needs of it is copied.

    Args:
        decoder: in float32, after `core.models.layers.bake`.
        dtype: torch.float32, or torch.bfloat16 for all convolutions but the coarse ones.
    """

    def __init__(self, decoder: Decoder, dtype: torch.dtype) -> None:
        self.rules = decoder.rules
        self.start = decoder.start.detach().clone(memory_format=LAST)
        self.conv = Styled(decoder.conv, 4, torch.float32)
        finest = decoder.ordered[-1]
        self.levels = [FastLevel(level, dtype, last=level is finest) for level in decoder.ordered]
        styled = [(level.conv0, level.conv1, level.flow) for level in decoder.ordered]
        self.styles = Stacked([layer.modulation for layer in (decoder.conv, *chain(*styled))])

    def prepare(self, features: list[Tensor]) -> list[SourceLevel]:
        """Source features [1,C,h,w], coarse first, as they will be read; once per source."""
        return [level.prepare(feature) for level, feature in zip(self.levels, features, strict=True)]

    def decode(
        self,
        latent: Tensor,
        source: list[SourceLevel],
        expression: Tensor | None = None,
        portrait: Tensor | None = None,
    ) -> Decoded:
        """As `Decoder.decode`, for one latent [1,D] -> float32 `Decoded`."""
        first, *styles = self.styles(latent)
        x = self.conv(self.start, first)
        planes = None
        flows: list[Tensor] = []
        for n, (level, feature) in enumerate(zip(self.levels, source, strict=True)):
            x, flow, planes = level(x, tuple(styles[3 * n : 3 * n + 3]), feature, expression, planes)
            flows.append(flow)
        assert planes is not None
        mask, colour = torch.sigmoid(planes[:, -4:-3]), planes[:, -3:]
        if self.rules.portrait and portrait is not None:
            colour = torch.lerp(colour, sample(portrait, flows[-1], self.rules.padding), mask)
        return Decoded(colour, flows, mask)


class FastLevel:
    """`Level` for one frame; see the picture above."""

    def __init__(self, level: Level, dtype: torch.dtype, last: bool) -> None:
        side = level.grid.shape[-1]
        self.dtype = dtype = torch.float32 if side <= COARSE else dtype
        self.rules: Arithmetic = level.rules
        self.grid, self.enhance = level.grid, level.enhance
        self.feel = None if level.enhance is None else Feel(level.enhance)
        self.conv0, self.conv1 = Styled(level.conv0, side, dtype), Styled(level.conv1, side, dtype)
        self.look, self.look_bias = _parameters(level.flow, torch.float32)
        self.look_dtype = torch.float32 if side <= 2 * COARSE else dtype
        self.colour, self.colour_bias = _parameters(level.colour.conv, torch.float32)
        offset = level.colour.offset
        self.offset = None if offset is None else offset.detach()[:, None, None]
        self.blends = not (last and offset is not None)  # nothing looks at the last published blend

    def prepare(self, feature: Tensor) -> SourceLevel:
        normalised = None if self.enhance is None else self.enhance.normalise(feature)
        return SourceLevel(
            feature.to(self.dtype, memory_format=LAST),
            None if normalised is None else normalised.to(self.dtype, memory_format=LAST),
        )

    def __call__(
        self,
        x: Tensor,
        styles: tuple[Tensor, ...],
        source: SourceLevel,
        expression: Tensor | None,
        coarser: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `Level.forward`, with the styles of both convolutions and the flow head; logits and colour of
        the coarser level come together, and go together: -> features, flow, logits and colour.
        """
        coarser = None if coarser is None else enlarged(coarser, self.rules.fir_resampling)
        x = self.conv1(self.conv0(x.to(self.dtype), styles[0]), styles[1])
        logits = pointwise(x.to(self.look_dtype), self.look * styles[2][:, :, None, None], self.look_bias)
        if coarser is not None:
            logits += coarser[:, :-3]
        flow = self.grid + torch.tanh(logits[:, :2])
        mask = torch.sigmoid(logits[:, 2:3])

        if self.feel is None or expression is None:
            table = as_rows(source.feature)
        else:
            table = self.feel(source, expression)
        warped = warp(table, flow, mask, self.rules.padding)
        if self.blends:
            x = torch.addcmul(warped, x, (1 - mask).to(self.dtype))
        if self.offset is None:
            colour = convolve(x, self.colour.to(x.dtype), self.colour_bias.to(x.dtype))
        else:
            colour = F.leaky_relu_(pointwise(warped, self.colour, self.colour_bias), SLOPE) + self.offset
        planes = torch.cat([logits, colour.to(torch.float32)], 1)
        if coarser is not None:
            planes[:, -3:] += coarser[:, -3:]
        return x, flow, planes


class Stacked:
    """Linear layers of one input as one: [1,D] -> a row for each."""

    def __init__(self, layers: list[EqualLinear]) -> None:
        self.weight = torch.cat([layer.weight.detach() for layer in layers])
        self.bias = torch.cat([cast(Tensor, layer.bias).detach() for layer in layers])
        self.sizes = [len(layer.weight) for layer in layers]

    def __call__(self, row: Tensor) -> tuple[Tensor, ...]:
        return torch.split(F.linear(row, self.weight, self.bias), self.sizes, 1)


class Feel:
    """`Enhance` for one frame, in one pass."""

    def __init__(self, module: Enhance) -> None:
        self.shared, self.affine = module.shared, Stacked([module.gamma, module.beta])
        if module.conv1 is None:
            self.affine.bias[: self.affine.sizes[0]] += 1

    def __call__(self, source: SourceLevel, expression: Tensor) -> Tensor:
        """-> table [h*w+1,C]: features times gamma; and beta, which each pixel wants."""
        assert source.normalised is not None
        feature = as_rows(source.feature)
        gamma, beta = self.affine(F.relu(self.shared(expression)))
        table = torch.empty(len(feature) + 1, feature.shape[1], dtype=feature.dtype)
        table[-1] = beta
        torch.addcmul(feature, as_rows(source.normalised), gamma.to(feature.dtype), out=table[:-1])
        return table


class Styled:
    """`StyledConv` for one frame: [1,I,h,w] and style [1,I] -> [1,O,h,w], doubled where it doubles.

    Args:
        side: of what comes out.
    """

    def __init__(self, layer: StyledConv, side: int, dtype: torch.dtype) -> None:
        assert layer.energy is not None, "bake the decoder first"
        self.energy, self.dtype, self.doubles = layer.energy.t(), dtype, layer.up
        self.filter = None if layer.fir is None else layer.fir.kernel.detach().clone()
        weight, bias = _parameters(layer, torch.float32)
        self.bias = bias.to(dtype)
        outputs, inputs = weight.shape[:2]
        before = side // 2 if layer.up else side
        passes = before * before * inputs + (0 if layer.fir else 2 * side * side * outputs)
        self.by_pixel = passes < weight.numel()
        self.phased = layer.fir is not None and cpu_kernels.PHASED
        if layer.fir is not None:
            weight = weight.transpose(0, 1)  # as transposed convolutions want it
        if self.phased:
            weight = cpu_kernels.phases(weight)
        if self.by_pixel:
            transposed = layer.fir is not None and not self.phased
            weight = packed(weight.to(dtype), before if layer.fir else side, transposed)
        self.weight = weight

    def __call__(self, x: Tensor, style: Tensor) -> Tensor:
        demodulation = torch.rsqrt(style.square() @ self.energy + 1e-8)  # [1,O]
        if self.by_pixel:
            x = x * _spread(style, self.dtype)
        if self.filter is not None:
            return self._filtered(x, style, demodulation)
        if self.doubles:
            x = upsample(x, zeros_outside=False)
        if self.by_pixel:
            x = convolve(x, self.weight)
            x = torch.addcmul(self.bias[:, None, None], x, _spread(demodulation, self.dtype))
            return F.leaky_relu_(x, SLOPE)
        scale = demodulation.t() * style  # [O,I]
        return convolve(x, (self.weight * scale[:, :, None, None]).to(self.dtype), self.bias, SLOPE)

    def _filtered(self, x: Tensor, style: Tensor, demodulation: Tensor) -> Tensor:
        """Transposed convolution, then the 1-3-3-1 filter."""
        assert self.filter is not None
        weight = self.weight
        if not self.by_pixel:
            style = style if self.phased else style.t()
            weight = (weight * style[:, :, None, None]).to(self.dtype)
        x = cpu_kernels.doubling_in_phases(x, weight) if self.phased else doubling(x, weight)
        kernel = (self.filter * demodulation.t()[:, :, None, None]).to(self.dtype)  # [O,1,4,4]
        return convolve(x, kernel, self.bias, SLOPE, groups=len(kernel), padding=1)


def _parameters(layer: Equalised, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Weight (channels last) and bias, copied."""
    assert layer.bias is not None
    return layer.weight.detach().to(dtype, copy=True, memory_format=LAST), layer.bias.detach().to(
        dtype, copy=True
    )


def _spread(row: Tensor, dtype: torch.dtype) -> Tensor:
    """[1,C] -> [1,C,1,1]."""
    return row.to(dtype)[:, :, None, None]
