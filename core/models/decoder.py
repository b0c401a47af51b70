# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoder G: latent and source features -> picture, flow and mask (spec 1.5, 1.6).

A learned 4x4 constant grows level by level, styled by the latent.  At every level it says where in
the source to look (flow) and whether to look there at all (mask), warps the source features so, and
goes on from the blend.  The expression module (EEM) changes the source features before they are
warped; all of it but its last affine map depends on the source alone, which `prepare` computes once.

Clean arithmetic only: the portrait's own pixels are one more source level, blended with synthesised
colour by a mask of its own, so that a small model is sharp wherever the portrait has pixels to show.

Shapes: B batch, D latent, C channels, S side of the picture, h w height and width of a level.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Arithmetic, EDTalkConfig
from .layers import ROOT2, EqualConv2d, EqualLinear, leaky, upsample
from .modulated import FlowHead, StyledConv


class Decoded(NamedTuple):
    """One batch of decoded frames."""

    image: Tensor  # [B,3,S,S], nominally in [-1,1], not clamped
    flows: list[Tensor]  # per level [B,2,h,w]: x, y to sample the source at, [-1,1], align_corners=False
    mask: Tensor  # [B,1,S,S] in 0..1: share of the picture that comes from the warped source


class SourceLevel(NamedTuple):
    """A source feature map [B,C,h,w] with its expression module's normalised answer, if it has one."""

    feature: Tensor
    normalised: Tensor | None


class Enhance(nn.Module):
    """Emotion enhancement module (EEM): adaptive instance normalisation by the expression (spec 1.6).

    Published: f + IN(conv2(f)) * (1 + gamma) + beta; its first convolution is computed and thrown
    away, so it is absent here.  Clean: f + IN(conv2(leaky(conv1(f)))) * gamma + beta, where gamma and
    beta start at zero, so that training starts at "no change".
    """

    def __init__(self, channels: int, latent: int, chained: bool) -> None:
        super().__init__()
        self.conv1 = EqualConv2d(channels, channels, 3, gain=ROOT2) if chained else None
        self.conv2 = EqualConv2d(channels, channels, 3)
        self.shared = EqualLinear(latent, 128)
        self.gamma = EqualLinear(128, channels)
        self.beta = EqualLinear(128, channels)
        if chained:
            nn.init.zeros_(self.gamma.weight)
            nn.init.zeros_(self.beta.weight)

    def normalise(self, feature: Tensor) -> Tensor:
        """[B,C,h,w] -> [B,C,h,w] of zero mean and unit deviation; depends on the source only."""
        x: Tensor = self.conv2(feature if self.conv1 is None else leaky(self.conv1(feature)))
        variance, mean = torch.var_mean(x.float(), (2, 3), correction=0, keepdim=True)
        scale = torch.rsqrt(variance + 1e-5)
        return x * scale.to(x.dtype) - (mean * scale).to(x.dtype)

    def forward(self, source: SourceLevel, expression: Tensor) -> Tensor:
        """Expression [B,D] -> enhanced features [B,C,h,w]."""
        assert source.normalised is not None
        dtype = source.feature.dtype
        shared = F.relu(self.shared(expression))
        gamma = self.gamma(shared)[:, :, None, None].to(dtype)
        beta = self.beta(shared)[:, :, None, None].to(dtype)
        if self.conv1 is None:
            gamma = gamma + 1
        return source.feature + torch.addcmul(beta, source.normalised, gamma)


class Level(nn.Module):
    """One resolution: grow, look, warp, blend, colour.

    The flow head gives offset x, offset y, feature mask and (clean) colour mask as logits, which
    accumulate from level to level; so does the colour.
    """

    grid: Tensor

    def __init__(self, config: EDTalkConfig, resolution: int) -> None:
        super().__init__()
        rules = config.rules
        channels, coarser = config.width(resolution), config.width(resolution // 2)
        self.conv0 = StyledConv(coarser, channels, config.latent, up=True, fir=rules.fir_resampling)
        self.conv1 = StyledConv(channels, channels, config.latent)
        self.flow = FlowHead(channels, 2 + len(rules.mask_bias), config.latent, rules.flow_scale)
        if resolution == config.levels[0] and self.flow.bias is not None:
            with torch.no_grad():
                self.flow.bias[2:] = torch.tensor(rules.mask_bias)
        self.colour = Colour(channels, published=not rules.portrait)
        self.enhance = (
            Enhance(channels, config.latent, rules.chained_enhance)
            if resolution in (config.enhance or ())
            else None
        )
        self.rules: Arithmetic = rules
        self.register_buffer("grid", base_grid(resolution, rules.pixel_centres), persistent=False)

    def forward(
        self,
        x: Tensor,
        latent: Tensor,
        source: SourceLevel,
        expression: Tensor | None,
        logits: Tensor | None,
        colour: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """-> features [B,C,h,w], logits [B,3 or 4,h,w], flow [B,2,h,w], colour [B,3,h,w]."""
        zeros = self.rules.fir_resampling
        x = self.conv1(self.conv0(x, latent), latent)
        step = self.flow(x, latent)
        logits = step if logits is None else step + upsample(logits, zeros)
        flow = self.grid + torch.tanh(logits[:, :2])
        mask = torch.sigmoid(logits[:, 2:3]).to(x.dtype)

        feature = source.feature
        if self.enhance is not None and expression is not None:
            feature = self.enhance(source, expression)
        warped = sample(feature, flow, self.rules.padding).to(x.dtype)
        # the published picture is made of warped source features only, ours of the blend
        step_colour, x = self.colour(x, warped, mask)
        colour = step_colour if colour is None else step_colour + upsample(colour, zeros)
        return x, logits, flow, colour


class Colour(nn.Module):
    """Decoder features [B,C,h,w], warped source features, mask -> colour [B,3,h,w] and their blend.

    Published: leaky ReLU (times sqrt(2)) of a 1x1 convolution of the masked warped features, then
    another bias.  Clean: a plain 3x3 convolution of the blend.
    """

    def __init__(self, channels: int, published: bool) -> None:
        super().__init__()
        self.conv = EqualConv2d(channels, 3, 1, gain=ROOT2) if published else EqualConv2d(channels, 3, 3)
        self.offset = nn.Parameter(torch.zeros(3)) if published else None

    def forward(self, x: Tensor, warped: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        if self.offset is None:
            x = torch.lerp(x, warped, mask)
            return self.conv(x).float(), x
        warped = warped * mask
        colour = leaky(self.conv(warped)).float() + self.offset[:, None, None]
        return colour, torch.addcmul(warped, x, 1 - mask)


class Decoder(nn.Module):
    """Latent [B,D] and source features -> `Decoded`.  Levels are named by their resolution."""

    def __init__(self, config: EDTalkConfig) -> None:
        super().__init__()
        width = config.width(4)
        self.start = nn.Parameter(torch.randn(1, width, 4, 4))
        self.conv = StyledConv(width, width, config.latent)
        self.levels = nn.ModuleDict({str(r): Level(config, r) for r in config.levels})
        self.rules: Arithmetic = config.rules

    @property
    def ordered(self) -> list[Level]:
        """Levels from coarse to fine."""
        return [cast(Level, level) for level in self.levels.values()]

    def prepare(self, features: list[Tensor]) -> list[SourceLevel]:
        """What of the expression modules depends on the source alone, once per source."""
        return [
            SourceLevel(f, None if level.enhance is None else level.enhance.normalise(f))
            for f, level in zip(features, self.ordered, strict=True)
        ]

    def forward(
        self,
        latent: Tensor,
        features: list[Tensor],
        expression: Tensor | None = None,
        portrait: Tensor | None = None,
    ) -> Decoded:
        """Features as the encoder gives them, [B or 1,C,h,w] each; see `decode` for the rest."""
        if expression is None:
            return self.decode(latent, [SourceLevel(f, None) for f in features], None, portrait)
        return self.decode(latent, self.prepare(features), expression, portrait)

    def decode(
        self,
        latent: Tensor,
        source: list[SourceLevel],
        expression: Tensor | None = None,
        portrait: Tensor | None = None,
    ) -> Decoded:
        """Decode from prepared features; a source of batch 1 serves any number of latents.

        Args:
            latent: [B,D], the source's latent plus the bank's displacement.
            source: from `prepare`, coarse first.
            expression: [B,D] displacement by the expression bank; None leaves the features as they are.
            portrait: [B or 1,3,S,S] in [-1,1]; without it the clean arithmetic synthesises every pixel.
        """
        x = self.conv(self.start.expand(latent.shape[0], -1, -1, -1), latent)
        logits = colour = None
        flows: list[Tensor] = []
        for level, feature in zip(self.ordered, source, strict=True):
            x, logits, flow, colour = level(x, latent, feature, expression, logits, colour)
            flows.append(flow)
        assert logits is not None and colour is not None
        mask = torch.sigmoid(logits[:, -1:])
        if self.rules.portrait and portrait is not None:
            colour = torch.lerp(colour, sample(portrait, flows[-1], self.rules.padding), mask)
        return Decoded(colour, flows, mask)


def base_grid(side: int, pixel_centres: bool) -> Tensor:
    """[1,2,side,side]: x and y of each pixel in [-1,1].

    The published grid runs from -1 to 1 inclusive although it is read with align_corners=False, so
    an all-zero flow stretches the picture by half a pixel at each border; its weights expect that.
    """
    end = 1 - 1 / side if pixel_centres else 1.0
    line = torch.linspace(-end, end, side)
    return torch.stack(torch.meshgrid(line, line, indexing="xy"))[None]


def sample(picture: Tensor, flow: Tensor, padding: str) -> Tensor:
    """[B or 1,C,h,w] read at flow [B,2,h',w'] -> float32 [B,C,h',w'], bilinear."""
    picture = picture.float().expand(flow.shape[0], -1, -1, -1)
    if padding == "border" and flow.device.type == "mps":
        flow, padding = held_inside(flow, picture.shape[-1]), "zeros"  # border is not implemented there
    at = flow.permute(0, 2, 3, 1)
    return F.grid_sample(picture, at, mode="bilinear", padding_mode=padding, align_corners=False)


def held_inside(flow: Tensor, side: int) -> Tensor:
    """Positions held at the outermost pixel centres: with zero padding they read what border padding does."""
    edge = 1 - 1 / side
    return flow.clamp(-edge, edge)
