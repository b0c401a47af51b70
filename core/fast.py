# SPDX-License-Identifier: GPL-3.0-or-later
"""The decoder for CPUs: one frame at a time, in 16 or 32 bits, with as few passes over memory as can be.

It computes what `core.models.decoder` computes, which stays the reference it is tested against.  A frame of
the published network is 15 billion multiplications, nearly all in 3x3 convolutions, and those run well; so
what is saved here is everything around them:

    latent ──> style s, demodulation d of each layer
                │
    x ──────────┴─> 3x3 convolution ─────> x ──> 1x1 flow head ──> flow, mask (always 32 bits)
         few pixels:  d * W(s * x) + b                                │
         many pixels: (d W s)(x) + b       source features ──> read at flow ──> * mask
         leaky ReLU in the same call              [h * w, C]                      │
                                           x * (1 - mask) ────────────────────────┴──> x, colour

    style       at coarse levels the weights are larger than the picture, so the picture is scaled and the
                weights lie packed as the convolution wants them; at fine levels it is the other way round,
                and scale, bias and activation cost no pass at all
    doubling    (published) transposed convolution at the coarse side, then one depth-wise 4x4 filter that
                carries demodulation, bias and activation.  Fusing both into one polyphase convolution
                takes four times the multiplications and was slower
    warping     reading four neighbours of C channels each is what an embedding bag does: rows of a table,
                weighted and summed.  Feature mask and bilinear weights are one weight.  8 to 12 times as
                fast as `grid_sample`, whose channels lie apart
    precision   bfloat16 rounds at 1/256, float32 at 1/16 million.  Positions are sums of all levels and
                reach across the picture, so flow, masks, colour and the portrait's own pixels stay float32

Shapes: S side of the picture, C channels, I O channels in and out, h w sides of a level, D latent; batch 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.config import Arithmetic
from core.models.decoder import Decoded, Decoder, Enhance, Level, SourceLevel, sample
from core.models.layers import SLOPE, Equalised, EqualLinear, upsample
from core.models.modulated import FlowHead, StyledConv

LAST = torch.channels_last

COARSE = 16
"""Sides up to this stay float32 always: their flow moves the whole face, and they cost little."""

FUSED: bool = torch.backends.mkldnn.is_available() and all(  # type: ignore[no-untyped-call]
    hasattr(torch.ops.mkldnn, name)
    for name in (
        "_convolution_pointwise",
        "_convolution_transpose_pointwise",
        "_reorder_convolution_weight",
        "_reorder_convolution_transpose_weight",
    )
)
"""Whether torch brings oneDNN's convolutions with packed weights and activation (x86 and Arm builds do)."""


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16 or AMX); elsewhere it would be slower."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return FUSED and any(getattr(torch.cpu, check, lambda: False)() for check in checks)


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
        x = self.conv(self.start, latent)
        logits = colour = None
        flows: list[Tensor] = []
        for level, feature in zip(self.levels, source, strict=True):
            x, logits, flow, colour = level(x, latent, feature, expression, logits, colour)
            flows.append(flow)
        assert logits is not None and colour is not None
        mask = torch.sigmoid(logits[:, -1:])
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
        self.conv0, self.conv1 = Styled(level.conv0, side, dtype), Styled(level.conv1, side, dtype)
        self.look = Look(level.flow)
        self.colour, self.colour_bias = _parameters(level.colour.conv, dtype)
        offset = level.colour.offset
        self.offset = None if offset is None else offset.detach()[:, None, None]
        self.slope = None if offset is None else SLOPE
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
        latent: Tensor,
        source: SourceLevel,
        expression: Tensor | None,
        logits: Tensor | None,
        colour: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `Level.forward`."""
        zeros = self.rules.fir_resampling
        x = self.conv1(self.conv0(x.to(self.dtype), latent), latent)
        step = self.look(x, latent)
        logits = step if logits is None else step.add_(upsample(logits, zeros))
        flow = self.grid + torch.tanh(logits[:, :2])
        mask = torch.sigmoid(logits[:, 2:3])

        feature = source.feature
        if self.enhance is not None and expression is not None:
            feature = enhanced(self.enhance, source, expression)
        warped = warp(feature, flow, mask, self.rules.padding)
        if self.blends:
            x = torch.addcmul(warped, x, (1 - mask).to(self.dtype))
        seen = x if self.offset is None else warped
        found = convolve(seen, self.colour, self.colour_bias, self.slope).to(torch.float32)
        found = found.contiguous() if self.offset is None else found + self.offset
        colour = found if colour is None else found.add_(upsample(colour, zeros))
        return x, logits, flow, colour


class Look:
    """`FlowHead` for one frame: [1,C,h,w] -> logits float32 [1,3 or 4,h,w]."""

    def __init__(self, head: FlowHead) -> None:
        self.modulation: EqualLinear = head.modulation
        self.weight, self.bias = _parameters(head, torch.float32)

    def __call__(self, x: Tensor, latent: Tensor) -> Tensor:
        weight = self.weight * self.modulation(latent)[:, :, None, None]
        return convolve(x.to(torch.float32), weight, self.bias).contiguous()


class Styled:
    """`StyledConv` for one frame: [1,I,h,w] and latent [1,D] -> [1,O,h,w], doubled where it doubles.

    Args:
        side: of what comes out.
    """

    def __init__(self, layer: StyledConv, side: int, dtype: torch.dtype) -> None:
        assert layer.energy is not None, "bake the decoder first"
        self.modulation: EqualLinear = layer.modulation
        self.energy, self.dtype, self.doubles = layer.energy.t(), dtype, layer.up
        self.filter = None if layer.fir is None else layer.fir.kernel.detach().clone()
        weight, bias = _parameters(layer, torch.float32)
        self.bias = bias.to(dtype)
        outputs, inputs = weight.shape[:2]
        before = side // 2 if layer.up else side
        passes = before * before * inputs + (0 if layer.fir else 2 * side * side * outputs)
        self.by_pixel = passes < weight.numel()
        if layer.fir is not None:
            weight = weight.transpose(0, 1)  # as transposed convolutions want it
        if self.by_pixel:
            weight = packed(weight.to(dtype), before if layer.fir else side, transposed=layer.fir is not None)
        self.weight = weight

    def __call__(self, x: Tensor, latent: Tensor) -> Tensor:
        style = self.modulation(latent)  # [1,I]
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
            weight = (weight * style.t()[:, :, None, None]).to(self.dtype)
        x = doubling(x, weight)
        kernel = (self.filter * demodulation.t()[:, :, None, None]).to(self.dtype)  # [O,1,4,4]
        return convolve(x, kernel, self.bias, SLOPE, groups=len(kernel), padding=1)


def warp(feature: Tensor, flow: Tensor, mask: Tensor, padding: str) -> Tensor:
    """Feature map [1,C,h,w] (channels last) read at flow [1,2,h,w], times mask [1,1,h,w] -> [1,C,h,w].

    Bilinear, align_corners=False, padding "zeros" or "border", as `core.models.decoder.sample`.
    """
    _, channels, side, _ = feature.shape
    at = flow[0].flatten(1).mul(side / 2).add_((side - 1) / 2)  # [2,N] in pixels
    if padding == "border":
        at = at.clamp_(0, side - 1)
    low = at.floor().clamp_(0, side - 2)
    # the hat of either neighbour; outside the picture both are further than one pixel away
    at = at.sub_(low)
    near = torch.stack([1 - at.abs(), 1 - (at - 1).abs_()]).clamp_(0)  # [neighbour,2,N]
    across, down = near[:, 0], near[:, 1] * mask.flatten()
    share = torch.empty(side * side, 2, 2, dtype=feature.dtype)
    torch.mul(down[:, None], across, out=share.permute(1, 2, 0))
    corner = low[1].mul_(side).add_(low[0]).int()
    rows = corner[:, None] + torch.tensor([0, 1, side, side + 1], dtype=torch.int32)
    table = feature.permute(0, 2, 3, 1).reshape(-1, channels)
    read = F.embedding_bag(rows, table, mode="sum", per_sample_weights=share.flatten(1))
    return read.reshape(1, side, side, channels).permute(0, 3, 1, 2)


def enhanced(module: Enhance, source: SourceLevel, expression: Tensor) -> Tensor:
    """`Enhance.forward` in two passes."""
    assert source.normalised is not None
    shared = F.relu(module.shared(expression))
    gamma, beta = module.gamma(shared), module.beta(shared)
    if module.conv1 is None:
        gamma = gamma + 1
    dtype = source.feature.dtype
    return torch.addcmul(_spread(beta, dtype), source.normalised, _spread(gamma, dtype)).add_(source.feature)


# --- convolutions ---------------------------------------------------------------------------------


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    slope: float | None = None,
    groups: int = 1,
    padding: int | None = None,
) -> Tensor:
    """Convolution of stride 1 and leaky ReLU, in one call where torch can. Sides stay, unless padded else."""
    around = weight.shape[-1] // 2 if padding is None else padding
    if not FUSED:
        x = F.conv2d(x, weight, bias, padding=around, groups=groups)
        return x if slope is None else F.leaky_relu_(x, slope)
    name, numbers = ("none", []) if slope is None else ("leaky_relu", [slope])
    run = torch.ops.mkldnn._convolution_pointwise
    return run(x, weight, bias, [around] * 2, [1, 1], [1, 1], groups, name, numbers, "")  # type: ignore[no-any-return]


def doubling(x: Tensor, weight: Tensor) -> Tensor:
    """Transposed convolution of stride 2: [1,I,h,w] and [I,O,3,3] -> [1,O,2h+1,2w+1]."""
    if not weight.is_mkldnn:
        return F.conv_transpose2d(x, weight, stride=2)
    run = torch.ops.mkldnn._convolution_transpose_pointwise
    return run(x, weight, None, [0, 0], [0, 0], [2, 2], [1, 1], 1, "none", [], "")  # type: ignore[no-any-return]


def packed(weight: Tensor, side: int, transposed: bool) -> Tensor:
    """A weight that never changes, in the order oneDNN wants it for pictures of this side."""
    weight = weight.contiguous(memory_format=LAST)
    if not FUSED:
        return weight
    shape, ones = [1, weight.shape[0 if transposed else 1], side, side], [1, 1]
    if transposed:
        run = torch.ops.mkldnn._reorder_convolution_transpose_weight
        return run(weight, [0, 0], [0, 0], [2, 2], ones, 1, shape)  # type: ignore[no-any-return]
    return torch.ops.mkldnn._reorder_convolution_weight(weight, ones, ones, ones, 1, shape)  # type: ignore[no-any-return]


def _parameters(layer: Equalised, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Weight (channels last) and bias, copied."""
    assert layer.bias is not None
    return layer.weight.detach().to(dtype, copy=True, memory_format=LAST), layer.bias.detach().to(
        dtype, copy=True
    )


def _spread(row: Tensor, dtype: torch.dtype) -> Tensor:
    """[1,C] -> [1,C,1,1]."""
    return row.to(dtype)[:, :, None, None]
