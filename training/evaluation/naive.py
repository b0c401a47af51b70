# SPDX-License-Identifier: GPL-3.0-or-later
"""The published way to make a frame, re-stated: what the decode engine is measured against.

The released programs run the whole network for every frame, at batch one and in float32.  This module does
the same work in the same operations, on the parameters of our own published-arithmetic `EDTalk`, and gives
the same picture (a test holds the two together):

    encoder         source and driving picture are both encoded, every frame
    resampling      each 1-3-3-1 filter is a general 4x4 convolution over pictures of one channel each
    bank            two QR decompositions: of the mouth and pose directions, and of all
    modulation      weights of every layer are scaled by the style, demodulated, and run grouped
    expression      both convolutions of every expression module; the first one's answer is thrown away
    activations     bias, leaky ReLU and sqrt(2) are passes of their own

Nothing here is slower than it is there: no extra copies, no Python loops over pixels, oneDNN's convolutions.

Shapes: B batch, D latent, C channels, h w height and width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models import EDTalk
from core.models.decoder import Enhance, Level
from core.models.encoder import ResBlock
from core.models.layers import ROOT2, SLOPE, EqualConv2d, Equalised
from core.models.modulated import FlowHead, StyledConv


@torch.inference_mode()
def frame(model: EDTalk, source: Tensor, driving: Tensor, weights: Tensor) -> Tensor:
    """One frame from two pictures [1,3,S,S] in [-1,1]: `weights` [1,K] with the driving picture's pose.

    Args:
        model: published arithmetic, in float32, not baked.
    """
    latent, features = encode(model, source)
    weights = weights.clone()
    weights[:, 20:26] = model.navigator(encode(model, driving)[0])[:, 20:26]
    directions = model.bank.directions + 1e-8
    if directions.device.type == "mps":
        directions = directions.cpu()  # which has no QR
    torch.linalg.qr(directions[:, :26])  # the mouth and pose bank alone
    bases = torch.linalg.qr(directions).Q.to(latent.device)
    latent = latent + (torch.diag_embed(weights) @ bases.t()).sum(1)
    expression = None
    if model.config.enhance:
        expression = (torch.diag_embed(weights[:, 26:]) @ bases[:, 26:].t()).sum(1)
    return decode(model, latent, features, expression)


def encode(model: EDTalk, picture: Tensor) -> tuple[Tensor, list[Tensor]]:
    """[1,3,S,S] -> latent [1,D] and features, coarse first."""
    encoder = model.encoder
    stem = encoder.stem[str(encoder.size)]
    assert isinstance(stem, EqualConv2d)
    x = active(conv(stem, picture), stem)
    features = [x]
    for block in encoder.blocks.values():
        assert isinstance(block, ResBlock)
        main = filtered(active(conv(block.conv1, x, padding=1), block.conv1), (2, 2))
        main = active(conv(block.conv2, main, stride=2), block.conv2)
        x = (main + conv(block.skip, filtered(x, (1, 1)), stride=2)) / ROOT2
        features.append(x)
    *levels, smallest = features
    return conv(encoder.head, smallest).flatten(1), levels[::-1]


def decode(model: EDTalk, latent: Tensor, features: list[Tensor], expression: Tensor | None) -> Tensor:
    """-> the picture [1,3,S,S]."""
    x = styled(model.decoder.conv, model.decoder.start, latent)
    logits = colour = latent.new_zeros(1, 3, 4, 4)
    for level, feature in zip(model.decoder.ordered, features, strict=True):
        if level.enhance is not None and expression is not None:
            feature = enhance(level.enhance, feature, expression)
        x, logits, colour = step(level, x, latent, feature, logits, colour)
    return colour


def step(
    level: Level, x: Tensor, latent: Tensor, feature: Tensor, logits: Tensor, colour: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One level -> features, logits, colour; at the first, logits and colour are still zero."""
    x = styled(level.conv1, styled(level.conv0, x, latent), latent)
    logits = looked(level.flow, x, latent) + doubled(logits)
    offsets, mask = torch.tanh(logits[:, :2]), torch.sigmoid(logits[:, 2:3])
    at = (level.grid + offsets).permute(0, 2, 3, 1)
    warped = F.grid_sample(feature, at, padding_mode="zeros", align_corners=False) * mask
    x = warped + x * (1 - mask)
    seen = active(conv(level.colour.conv, warped), level.colour.conv)
    assert level.colour.offset is not None
    return x, logits, seen + level.colour.offset[:, None, None] + doubled(colour)


def styled(layer: StyledConv, x: Tensor, latent: Tensor) -> Tensor:
    """Modulated convolution with weights of each sample's own, as a grouped convolution."""
    weight = layer.weight * root(layer)
    weight = weight[None] * layer.modulation(latent)[:, None, :, None, None]  # [B,O,I,k,k]
    weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    batch, outputs, inputs = weight.shape[:3]
    x = x.reshape(1, batch * inputs, *x.shape[2:])
    if layer.up:
        weight = weight.transpose(1, 2).reshape(batch * inputs, outputs, 3, 3)
        x = F.conv_transpose2d(x, weight, stride=2, groups=batch)
        x = filtered(x.reshape(batch, outputs, *x.shape[2:]), (1, 1), gain=4.0)
    else:
        x = F.conv2d(x, weight.reshape(batch * outputs, inputs, 3, 3), padding=1, groups=batch)
        x = x.reshape(batch, outputs, *x.shape[2:])
    return active(x, layer)


def looked(head: FlowHead, x: Tensor, latent: Tensor) -> Tensor:
    """The flow head: modulated 1x1 convolution without demodulation."""
    weight = (head.weight * head.scale)[None] * head.modulation(latent)[:, None, :, None, None]
    batch, outputs, inputs = weight.shape[:3]
    x = x.reshape(1, batch * inputs, *x.shape[2:])
    x = F.conv2d(x, weight.reshape(batch * outputs, inputs, 1, 1), groups=batch)
    assert head.bias is not None
    return x.reshape(batch, outputs, *x.shape[2:]) + head.bias[:, None, None]


def enhance(module: Enhance, feature: Tensor, expression: Tensor) -> Tensor:
    """Two convolutions and two adaptive normalisations, of which the second pair counts."""
    shared = F.relu(module.shared(expression))
    gamma, beta = module.gamma(shared)[:, :, None, None], module.beta(shared)[:, :, None, None]
    for _ in range(2):
        answer: Tensor = F.instance_norm(conv(module.conv2, feature, padding=1)) * (1 + gamma) + beta
    return feature + answer


def conv(layer: EqualConv2d, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Convolution with a weight that is scaled each time; layers with an activation have their bias there."""
    has_activation = layer.gain == ROOT2 or stride == 2
    bias = None if has_activation else layer.bias
    return F.conv2d(x, layer.weight * root(layer), bias, stride, padding)


def root(layer: Equalised) -> float:
    """The equalised scale alone; our layers carry the activation's gain in it."""
    return 1 / math.sqrt(math.prod(layer.weight.shape[1:]))


def active(x: Tensor, layer: Equalised) -> Tensor:
    """Bias, leaky ReLU, sqrt(2)."""
    assert layer.bias is not None
    return F.leaky_relu(x + layer.bias[:, None, None], SLOPE) * ROOT2


def filtered(x: Tensor, padding: tuple[int, int], gain: float = 1.0) -> Tensor:
    """The 1-3-3-1 filter over every channel as a picture of its own, [B,C,h,w] -> [B,C,h',w']."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device)
    kernel = torch.outer(taps, taps)[None, None] * (gain / 64)
    batch, channels, height, width = x.shape
    before, after = padding
    x = F.pad(x.reshape(batch * channels, 1, height, width), (before, after, before, after))
    x = F.conv2d(x, kernel)
    return x.reshape(batch, channels, *x.shape[2:])


def doubled(x: Tensor) -> Tensor:
    """[B,C,h,w] -> [B,C,2h,2w]: zeros between the pixels, then the filter."""
    batch, channels, height, width = x.shape
    spread = x.new_zeros(batch, channels, height, 2, width, 2)
    spread[:, :, :, 0, :, 0] = x
    return filtered(spread.reshape(batch, channels, 2 * height, 2 * width), (2, 1), gain=4.0)
