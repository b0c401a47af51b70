# SPDX-License-Identifier: GPL-3.0-or-later
"""A feature network of our own, learnt from the same renders: it stands where the paper has VGG's features.

It is asked for what the generator must get right: 68 landmarks, the factors of mouth and expression, and who
this is (frames of one person near each other, of two people apart), under every look of
``training.shared.domain``. Its middle layers then see lips, lids and teeth, and not the medium. It also finds
eyes and mouth in clips of real people, which come without landmarks.

    edtalk train features --data DATA --heldout HELD --out RUN        leaves RUN/features.safetensors

A good run: 2500 steps of 32 frames, some twenty minutes on one core. After 2400 steps of 20 frames the
landmarks of held-out heads were right to 1.3 % of the picture's side, those of the mouth to 1.1 %; factors
of the mouth were only beginning to be read (R2 0.09).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised
from torch import Tensor, nn

from core.files import written_whole
from core.wire.channels import BANK_SLICES
from core.wire.errors import BadCheckpoint, MissingCheckpoint

from ..evaluation.distances import weight_regression
from ..heads.people import People
from ..shared.domain import other_media
from ..shared.loop import LoopSettings, from_command_line, rng_of, take_place, train

LANDMARKS = 68
_EXPRESSION = BANK_SLICES["expression"].start
READ = [*range(12), *range(_EXPRESSION, _EXPRESSION + 10)]
"""Weights it is asked for: mouth and expression. Pose is in the landmarks."""


@dataclass(frozen=True)
class FeatureConfig:
    """Shape of the network: channels of its levels, from full size down, and of the identity vector."""

    channels: tuple[int, ...] = (16, 32, 64, 96, 128)
    identity: int = 48


class Seen(nn.Module):
    """Two 3x3 convolutions and a short cut; halves the picture unless ``first``."""

    def __init__(self, inputs: int, outputs: int, first: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm = nn.GroupNorm(8, outputs)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x if self.first else F.avg_pool2d(x, 2))
        out: Tensor = self.norm(x + self.conv2(F.leaky_relu(x, 0.2)))
        return F.leaky_relu(out, 0.2)


@dataclass(frozen=True)
class Reading:
    """What the network says about B pictures."""

    landmarks: Tensor  # [B, 68, 2] in [-1, 1]
    weights: Tensor  # [B, 22] of the channels READ
    identity: Tensor  # [B, 48] of unit length


class FeatureNet(nn.Module):
    """[B, 3, S, S] in [-1, 1] -> feature maps, fine to coarse; `read` says what is seen. S is a multiple of
    64, best the size it learnt at."""

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config
        widths = (3, *config.channels)
        self.levels = nn.ModuleList(Seen(a, b, a == 3) for a, b in pairwise(widths))
        flat = 16 * config.channels[-1]
        self.trunk = nn.Sequential(nn.Linear(flat, 192), nn.LeakyReLU(0.2))
        self.points = nn.Linear(192, 2 * LANDMARKS)
        self.factors = nn.Linear(192, len(READ))
        self.who = nn.Linear(config.channels[-1], config.identity)

    def forward(self, picture: Tensor) -> list[Tensor]:
        x, maps = picture, []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps

    def read(self, picture: Tensor) -> Reading:
        """Landmarks, factors and identity."""
        last = self(picture)[-1].float()
        with torch.autocast(picture.device.type, enabled=False):
            trunk = self.trunk(F.adaptive_avg_pool2d(last, 4).flatten(1))
            return Reading(
                self.points(trunk).view(-1, LANDMARKS, 2),
                self.factors(trunk),
                F.normalize(self.who(last.mean((2, 3))), dim=1),
            )


@dataclass(frozen=True)
class Schedule(LoopSettings):
    """A small network: a short run."""

    steps: int = 2500
    learning_rate: float = 2e-3
    decay_from: float = 0.3
    ema: float = 0.995
    save_every: int = 250


@dataclass(frozen=True)
class Settings:
    """Feature network on rendered heads."""

    data: Path
    heldout: Path
    out: Path
    size: int = 128
    batch: int = 16  # pairs of frames of one person, in each process
    threads: int = 0
    width: float = 1.0  # channels, as a share of ours
    limit: int = 0  # shards to read; 0 is all
    media: float = 0.8  # share of pictures that are made to look like photographs, scans and paintings
    turn: float = 0.12  # largest tilt (rad), shift and growth of the frame
    factors: float = 0.1  # weight of mouth and expression
    who: float = 0.1  # weight of identity
    loop: Schedule = field(default_factory=Schedule)


def main(s: Settings) -> None:
    """Train to ``s.loop.steps`` (resuming), then write ``features.safetensors`` into ``s.out``."""
    place = take_place(s.threads)
    torch.manual_seed(s.loop.seed)
    widths = tuple(max(8, 8 * round(s.width * n / 8)) for n in FeatureConfig.channels)
    net = FeatureNet(FeatureConfig(widths)).to(place.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    people, heldout = People(s.data, s.size, limit=s.limit), People(s.heldout, s.size, limit=s.limit)
    spread = people.spread()[READ].to(place.device)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = rng_of(s.loop.seed, step, place)
        one, two = (faces.to(place.device) for faces in people.draw(rng, s.batch, rest=0.2))
        picture = torch.cat([one.picture, two.picture])
        points, true = torch.cat([one.landmarks, two.landmarks]), torch.cat([one.weights, two.weights])
        picture, points = _tilted(picture, points, s.turn, rng)
        seen = net.read(other_media(picture, rng, s.media))
        terms = {
            "points": 20 * F.smooth_l1_loss(seen.landmarks, points, beta=0.05),
            "factors": s.factors * weight_regression(seen.weights, true[:, READ], spread),
            "who": s.who * _told_apart(seen.identity),
        }
        return torch.stack(list(terms.values())).sum(), {k: float(v.detach()) for k, v in terms.items()}

    def look(step: int, average: nn.Module) -> dict[str, float]:
        assert isinstance(average, FeatureNet)
        return marks(average, heldout)

    average = train(net, loss_of, s.loop, s.out, place, look if place.leads else None)
    if place.leads:
        assert isinstance(average, FeatureNet)
        save_features(s.out / "features.safetensors", average)


@torch.no_grad()
def marks(net: FeatureNet, people: People, count: int = 192) -> dict[str, float]:
    """Held-out marks: mean distance of landmarks and anchors as shares of the picture's side, R2 of mouth and
    expression."""
    faces = people.fixed(count)[1].to(next(net.parameters()).device)
    seen = net.read(faces.picture)
    apart = (seen.landmarks - faces.landmarks).norm(dim=-1) / 2
    true = faces.weights[:, READ]
    rest, spread = (seen.weights - true) ** 2, (true - true.mean(0)) ** 2
    numbers = {"landmarks": float(apart.mean()), "mouth_landmarks": float(apart[:, 48:].mean())}
    for name, part in (("mouth", slice(0, 12)), ("expression", slice(12, 22))):
        numbers[f"r2_{name}"] = float(1 - rest[:, part].sum() / spread[:, part].sum().clamp(min=1e-9))
    return numbers


def save_features(path: Path, net: FeatureNet) -> None:
    """Write a feature network, whole or not at all, as 16-bit floats that describe themselves."""
    tensors = {k: v.detach().cpu().half().contiguous() for k, v in net.state_dict().items()}
    with written_whole(path) as temporary:
        temporary.write_bytes(serialised(tensors, {"features": json.dumps(asdict(net.config))}))


def open_features(path: Path | str) -> FeatureNet:
    """Read what `save_features` wrote. Raises MissingCheckpoint, BadCheckpoint."""
    path = Path(path)
    if not path.is_file():
        raise MissingCheckpoint(f"There is no feature network at {path}", "`edtalk train features` makes one")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["features"])
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        net = FeatureNet(FeatureConfig(tuple(about["channels"]), int(about["identity"])))
        net.load_state_dict(tensors)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise BadCheckpoint(f"{path.name} is not a feature network of EDTalk") from error
    return net.eval().requires_grad_(False)


def _tilted(picture: Tensor, points: Tensor, most: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pictures and points [B, 68, 2] turned, shifted and grown a little, as badly framed clips are."""
    count = len(picture)
    angle, grown, right, down = torch.from_numpy(rng.uniform(-most, most, (4, count)).astype(np.float32)).to(
        picture.device
    )
    turn = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)], 1
    )
    forth = turn * grown.exp()[:, None, None]  # a point at x goes to forth x + shift
    shift = torch.stack([right, down], 1)
    back = torch.linalg.inv(forth)
    matrix = torch.cat([back, -back @ shift[..., None]], 2)
    grid = F.affine_grid(matrix, list(picture.shape), align_corners=False)
    moved = F.grid_sample(picture, grid, padding_mode="reflection", align_corners=False)
    return moved, points @ forth.transpose(1, 2) + shift[:, None]


def _told_apart(identity: Tensor) -> Tensor:
    """Contrastive loss of unit vectors [2B, D] whose rows b and B+b are of one person (van den Oord 2018)."""
    count = len(identity)
    alike = identity @ identity.t() / 0.1
    alike = alike.masked_fill(torch.eye(count, dtype=torch.bool, device=identity.device), -1e4)
    partner = torch.arange(count, device=identity.device).roll(count // 2)
    return F.cross_entropy(alike, partner)


if __name__ == "__main__":
    main(from_command_line(Settings))
