# SPDX-License-Identifier: GPL-3.0-or-later
"""How different two pictures look: distances in the layers of a network that sees, and a judge of patches.

    eye = open_eye("RUN/features.safetensors")   # or "vgg", when torchvision's weights are on this machine
    loss = loss + 4.0 * perceptual(eye, made, wanted)

    looks = PerceptualTerms(model, "RUN/features.safetensors", judge=0.1)   # both, as a recipe needs them
    terms |= looks(made, wanted, weight_map)

The judge becomes a part of the model, so that it is trained, saved and resumed with it. One optimiser serves
both players: `fooling` holds the judge still and `judging` the pictures, so each term reaches its own weights
only. Nothing is ever downloaded.

What it is worth, on a finished 128 pixel model whose decoder went on for 260 steps of 6 pairs: with our own
features the pictures of held-out heads hold 0.66 of the true contrast of mouths and 0.74 of that of eyes,
without them 0.63 and 0.71, at the same error; a step costs half as much again. The judge had not learnt to
tell pictures apart in so few steps, and changed nothing: it wants thousands.

Letters: B batch, S picture side. Pictures are [B, 3, S, S] in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.models.layers import ROOT2, EqualConv2d, leaky
from core.wire.errors import MissingCheckpoint

from .features import open_features

JUDGE = "judge"
"""Name under which a patch discriminator lives in the model while it is trained."""

Eye = Callable[[Tensor], list[Tensor]]
"""Pictures -> feature maps [B, C, h, w]."""

VGG_FILE = "vgg19-*.pth"
_VGG_LAYERS = (1, 6, 11, 20, 29)  # relu1_1 .. relu5_1 of torchvision's vgg19().features
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PerceptualTerms:
    """Perceptual and adversarial loss terms; empty when both are off.

    Args:
        model: what is trained; a judge becomes a part of it.
        features: what to look with, see `open_eye`.
        perceptual, judge: weights of the two; a judge of weight 0 is not made.
    """

    def __init__(
        self, model: nn.Module, features: str = "", perceptual: float = 4.0, judge: float = 0.0
    ) -> None:
        device = next(model.parameters()).device
        self.eye, self.amount = open_eye(features, device), perceptual
        self.judge, self.share = None, judge
        if judge:
            self.judge = PatchDiscriminator().to(device)
            model.add_module(JUDGE, self.judge)

    def __call__(self, made: Tensor, wanted: Tensor, weight_map: Tensor | None = None) -> dict[str, Tensor]:
        """Terms by name; ``weight_map`` [B, 1, S, S] weighs the adversarial loss by place."""
        terms: dict[str, Tensor] = {}
        if self.eye is not None:
            terms["perceptual"] = self.amount * perceptual(self.eye, made, wanted)
        if self.judge is not None:
            terms["fooling"] = self.share * fooling(self.judge, made, weight_map)
            terms["judging"] = judging(self.judge, wanted, made, weight_map)
        return terms


def without_judge(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A run's weights, the face network's alone."""
    return {key: value for key, value in state.items() if not key.startswith(f"{JUDGE}.")}


def open_eye(which: str, device: torch.device | str = "cpu") -> Eye | None:
    """The network to look with: "" for none, "vgg" for torchvision's, else a `features.safetensors`.

    Raises MissingCheckpoint when the weights are not on this machine, BadCheckpoint for another file.
    """
    if not which:
        return None
    if which == "vgg":
        return _Vgg(_vgg_weights()).to(device)
    return open_features(which).to(device)


def perceptual(eye: Eye, made: Tensor, wanted: Tensor, levels: int = 2) -> Tensor:
    """Mean distance of feature maps of unit length at ``levels`` sizes of the picture; scalar, about 0..1.

    The features of a pixel are brought to unit length first (Zhang et al. 2018), so that no layer drowns
    the others. ``made`` may have gradients, ``wanted`` needs none.
    """
    loss = made.new_zeros(())
    for _ in range(levels):
        with torch.no_grad():
            true = eye(wanted)
        gaps = [(_unit(a) - _unit(b)).square().sum(1).mean() for a, b in zip(eye(made), true, strict=True)]
        loss = loss + torch.stack(gaps).mean() / levels
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
    return loss


class PatchDiscriminator(nn.Module):
    """Says of every patch whether it is a picture's or a model's: [B, 3, S, S] -> logits [B, 1, S/8, S/8].

    It sees patches of 38 pixels: enough for an eye at 128 pixels, too little for a whole face, so it teaches
    sharpness and texture rather than who this is.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width)
        self.stem = EqualConv2d(3, width, 3, gain=ROOT2)
        self.blocks = nn.ModuleList(
            EqualConv2d(a, b, 3, gain=ROOT2) for a, b in zip(widths, (*widths[1:], widths[-1]))
        )
        self.last = EqualConv2d(widths[-1], 1, 3)

    def forward(self, picture: Tensor) -> Tensor:
        x = leaky(self.stem(picture))
        for block in self.blocks:
            x = F.avg_pool2d(leaky(block(x)), 2)
        logits: Tensor = self.last(x)
        return logits.float()


def fooling(judge: nn.Module, made: Tensor, weight_map: Tensor | None = None) -> Tensor:
    """The generator's side of the non-saturating game (section 3.1): its pictures should pass for real.

    ``weight_map`` [B, 1, S, S] weighs places. The judge's own weights get no gradient.
    """
    still = {name: p.detach() for name, p in judge.named_parameters()}
    return _weighed(F.softplus(-functional_call(judge, still, (made,))), weight_map)


def judging(judge: nn.Module, real: Tensor, made: Tensor, weight_map: Tensor | None = None) -> Tensor:
    """The judge's side: real pictures are real, made ones are not. The pictures get no gradient."""
    told = F.softplus(-judge(real.detach())) + F.softplus(judge(made.detach()))
    return _weighed(told, weight_map)


def _weighed(loss: Tensor, weight_map: Tensor | None) -> Tensor:
    if weight_map is None:
        return loss.mean()
    weight = F.interpolate(weight_map, size=loss.shape[-2:], mode="area")
    return (loss * weight).sum() / (weight.sum() + 1e-6)


def _unit(features: Tensor) -> Tensor:
    features = features.float()
    return features * torch.rsqrt(features.square().sum(1, keepdim=True) + 1e-6)


class _Vgg(nn.Module):
    """Five layers of VGG19 (Simonyan and Zisserman 2015), as LIA and EDTalk look with (section 3.2)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1))

    def forward(self, picture: Tensor) -> list[Tensor]:
        x, maps = ((picture + 1) / 2 - self.mean) / self.deviation, []
        for number, layer in enumerate(self.layers.children()):
            x = layer(x)
            if number in _VGG_LAYERS:
                maps.append(x)
            if number == _VGG_LAYERS[-1]:
                break
        return maps


def _vgg_weights() -> Any:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    found = sorted(folder.glob(VGG_FILE))
    if not found:
        raise MissingCheckpoint(
            f"VGG19's weights ({VGG_FILE}) are not in {folder}",
            hint="They are never downloaded here; `edtalk train features` makes a network of our own",
        )
    try:
        models = import_module("torchvision.models")
    except ModuleNotFoundError as error:
        raise MissingCheckpoint("torchvision is not installed, which VGG19 needs") from error
    net = models.vgg19(weights=None)
    net.load_state_dict(torch.load(found[0], map_location="cpu", weights_only=True))
    return net.features
