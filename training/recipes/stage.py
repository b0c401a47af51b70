# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stages after the first share: where a model comes from, how its pictures are judged, what is held
still, and a look at the run.

Letters: B batch, S picture side, K bases.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from core.checkpoints import checkpoint
from core.models.bank import Bank
from core.models.config import EDTalkConfig
from core.models.edtalk import EDTalk, load_overlapping
from core.wire.channels import BANK_SLICES
from core.wire.errors import MissingCheckpoint

from ..evaluation.distances import masked_l1, pyramid_l1, weight_regression
from ..evaluation.reconstruction import r2, ssim
from ..heads.people import Faces, People
from ..shared.domain import other_media
from .perceptual import PerceptualTerms, without_judge


@dataclass(frozen=True)
class PictureSettings:
    """How much each difference between two pictures counts."""

    mouth: float = 5.0  # mouth box
    eyes: float = 2.0  # eye boxes
    features: str = ""  # a features.safetensors to look with, or "vgg" for torchvision's, if it is here
    perceptual: float = 4.0  # weight of what it sees
    judge: float = 0.0  # weight of a patch discriminator; best late


class PictureLoss:
    """Terms that compare made pictures with wanted ones. A judge becomes a part of ``model``."""

    def __init__(self, s: PictureSettings, model: nn.Module) -> None:
        self.s = s
        self.looks = PerceptualTerms(model, s.features, s.perceptual, s.judge)

    def __call__(self, made: Tensor, wanted: Faces) -> dict[str, Tensor]:
        """``made`` [n*B, 3, S, S]: n attempts, one after the other, at the B pictures wanted, of any size."""
        wanted = wanted.at(made.shape[-1])
        attempts = len(made) // len(wanted.picture)
        truth = wanted.picture.repeat(attempts, 1, 1, 1)
        mouth, eyes = (mask.repeat(attempts, 1, 1, 1) for mask in wanted.masks())
        terms = {
            "picture": pyramid_l1(made, truth),
            "mouth": self.s.mouth * masked_l1(made, truth, mouth),
            "eyes": self.s.eyes * masked_l1(made, truth, eyes),
        }
        return terms | self.looks(made, truth, 0.1 + mouth + eyes)


def told(read: Tensor, true: Tensor, spread: Tensor) -> Tensor:
    """How far read weights [B, n] are from true ones; channels that never move (spread 0) are to be silent,
    or the decoder would come to depend on what no slider shows."""
    silent = read[:, spread == 0].square().sum(1).mean()
    return weight_regression(read, true, spread) + silent


def recombination(
    model: EDTalk,
    compare: PictureLoss,
    source: Faces,
    donors: tuple[Faces, ...],
    target: Faces,
    device: torch.device,
) -> Tensor:
    """A person wearing the mouth, pose and expression of three others, against the picture that was
    rendered so; scalar."""
    source, target = source.to(device), target.to(device)
    pictures = torch.cat([source.picture, *(donor.picture.to(device) for donor in donors)])
    latent, features = model.encoder(pictures)
    count = len(source.picture)
    lent = model.navigator(latent[count:]).chunk(3)
    weights = torch.cat([w[:, part] for w, part in zip(lent, BANK_SLICES.values(), strict=True)], 1)
    made = model.decode(latent[:count], [f[:count] for f in features], weights, source.picture)
    return torch.stack([v for k, v in compare(made.image, target).items() if k != "judging"]).sum()


def model_from(path: Path | str) -> EDTalk:
    """The face network of a checkpoint (.safetensors, or a published file), or of a run's ``state.pt``.

    Raises MissingCheckpoint, BadCheckpoint.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "state.pt"
    config = path.with_name("config.json")
    if not (path.name == "state.pt" and config.is_file()):
        return checkpoint.load(path).model
    if not path.is_file():
        raise MissingCheckpoint(f"There is no {path}: the run has not saved anything yet")
    model = EDTalk(EDTalkConfig.from_dict(json.loads(config.read_text(encoding="utf-8"))))
    model.load_state_dict(without_judge(torch.load(path, map_location="cpu", weights_only=True)["ema"]))
    return model


def write_config(out: Path, config: EDTalkConfig) -> None:
    """Say what the model in ``out/state.pt`` is made of, so that other recipes can open it."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")


def with_expression(model: EDTalk, size: int = 10) -> EDTalk:
    """The same model with an expression bank, navigator and modules, fresh and without effect where it had
    none."""
    if model.config.expression:
        return model
    old = model.config
    enhance = tuple(r for r in old.levels if r <= 16) if old.rules.portrait else old.levels
    grown = EDTalk(dataclasses.replace(old, expression=size, enhance=enhance))
    load_overlapping(grown, model.state_dict())
    with torch.no_grad():  # QR works from left to right: the first bases stay what they were
        grown.bank.directions[:, : old.banked] = model.bank.directions
        last = grown.navigator.heads["expression"][-1]  # type: ignore[index]
        last.weight.zero_()
        last.bias.zero_()
    return grown


def train_only(model: nn.Module, *parts: nn.Module | nn.Parameter) -> None:
    """Hold everything still but these parts."""
    model.requires_grad_(False)
    for part in parts:
        part.requires_grad_(True)


def hold_bases(bank: Bank, columns: slice) -> None:
    """Keep these columns of the bank as they are while others learn: QR never moves an earlier basis by a
    later one, and Adam leaves what has no gradient alone."""

    def without(gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        gradient[:, columns] = 0
        return gradient

    bank.directions.register_hook(without)  # type: ignore[no-untyped-call]


def in_other_media(rng: np.random.Generator, chance: float, *faces: Faces) -> tuple[Faces, ...]:
    """Frames of one person each, painted and filmed alike; see `training.shared.domain`."""
    if not chance:
        return faces
    pictures = other_media(torch.cat([f.picture for f in faces]), rng, chance, len(faces))
    return tuple(
        dataclasses.replace(f, picture=picture)
        for f, picture in zip(faces, pictures.chunk(len(faces)), strict=True)
    )


@torch.no_grad()
def redrawn(model: EDTalk, source: Faces, weights: Tensor, chunk: int = 16) -> Tensor:
    """Sources redrawn with weights [B, K] -> [B, 3, S, S] in [-1, 1]."""
    made = [
        model(source.picture[k : k + chunk], weights[k : k + chunk]).image.clamp(-1, 1)
        for k in range(0, len(weights), chunk)
    ]
    return torch.cat(made).float()


@torch.no_grad()
def read(model: EDTalk, pictures: Tensor, chunk: int = 16) -> Tensor:
    """Weights [B, K] that the encoder and the navigators read off pictures."""
    parts = torch.split(pictures, chunk)
    return torch.cat([model.navigator(model.encoder(part)[0]) for part in parts]).float()


def marks(made: Tensor, source: Faces, driving: Faces, suffix: str = "") -> dict[str, float]:
    """Errors as shares of those of copying the source, and SSIM, of pictures redrawn as ``driving``."""
    source, driving = source.at(made.shape[-1]), driving.at(made.shape[-1])
    mouth, eyes = driving.masks()
    numbers = {"ssim" + suffix: ssim(made, driving.picture)}
    for name, mask in (("l1", torch.ones_like(mouth)), ("mouth_l1", mouth), ("eyes_l1", eyes)):
        copied = float(masked_l1(source.picture, driving.picture, mask))
        numbers[f"{name}_ratio{suffix}"] = float(masked_l1(made, driving.picture, mask)) / max(copied, 1e-6)
    return numbers


def looked_at(model: EDTalk, people: People, out: Path, step: int, count: int = 48) -> dict[str, float]:
    """Marks on people kept back, and a sheet: source, driving, redrawn, the driver's mouth on the next face,
    the driver's pose on it, the driver's expression on it."""
    device = next(model.parameters()).device
    source, driving = (faces.to(device) for faces in people.fixed(count))
    weights = read(model, driving.picture)
    made = redrawn(model, source, weights)
    numbers = marks(made, source, driving)
    if people.known:
        by_true = redrawn(model, source, driving.weights[:, : weights.shape[1]])
        numbers |= marks(by_true, source, driving, "_true")
        true = driving.weights[:, : weights.shape[1]]
        moving = true.std(0) > 0  # what never moves explains nothing
        for bank, part in BANK_SLICES.items():
            numbers[f"r2_{bank}"] = r2(weights[:, part][:, moving[part]], true[:, part][:, moving[part]])
    columns = min(12, len(weights))
    other, own = source.rolled(), read(model, source.rolled().picture)
    rows = [source.at(model.config.size).picture, driving.at(model.config.size).picture, made]
    for part in BANK_SLICES.values():
        swapped = own.clone()
        swapped[:, part] = weights[:, part]
        rows.append(redrawn(model, other, swapped))
    write_rows(out / f"sheet_{step:06d}.png", [row[:columns] for row in rows])
    return numbers


def write_rows(path: Path, rows: list[Tensor]) -> None:
    """Rows of pictures [n, 3, S, S] in [-1, 1] as one PNG."""
    sheet = torch.cat([torch.cat(list(row), 2) for row in rows], 1).float()
    levels = (sheet * 127.5 + 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(levels).save(path)
