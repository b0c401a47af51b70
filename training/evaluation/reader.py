# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent pair of eyes: what a face shows, read by a network that no model was trained with.

A checkpoint must not be judged by its own encoder alone.  This reader was trained on renders
(`training.recipes.landmarks`), is the same for every checkpoint, and looks twice, as people do: at the whole
picture, for 68 landmarks; then, where those say mouth, eyes and face are, at upright glimpses of full
sharpness, for the motion and for who it is.

    reader = load_reader()
    seen = reader.read(pictures)               # float32 [N, 3, S, S] in [-1, 1], any S
    seen.landmarks, seen.weights, seen.person

Shapes: B and N pictures, S side of the picture.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from core.wire.channels import BANK_SLICES
from core.wire.errors import MissingCheckpoint

from ..factors import FACTORS

SIDE = 128
"""Side of the picture the reader looks at; others are resized."""

COLUMNS: tuple[int, ...] = tuple(sorted(f.column for f in FACTORS))
"""The channels it reads: of a row of 36 weights, those with a factor."""

PERSON = 32
"""Length of the vector that says who it is."""

MOUTH, LEFT_EYE, RIGHT_EYE = slice(48, 68), slice(36, 42), slice(42, 48)
_REACH = 1.1  # landmarks may lie this far out; the edge of the picture is 1


class Reading(NamedTuple):
    """What was read off B pictures."""

    landmarks: Tensor  # [B, 68, 2] x right and y down in [-1, 1]; order as in `training.heads.render`
    weights: Tensor  # [B, 36] factors by their scale, as the shipped model counts; spare channels are 0
    person: Tensor  # [B, 32] unit vectors, near each other for one person


def reader_file() -> Path:
    """Where the trained reader lies."""
    return Path(__file__).parent / "landmark-reader.safetensors"


@lru_cache(maxsize=2)
def load_reader(path: Path | None = None) -> LandmarkReader:
    """The trained reader, ready to read.  Raises MissingCheckpoint."""
    path = path or reader_file()
    if not path.is_file():
        raise MissingCheckpoint(
            f"The landmark reader is not at {path}", "`edtalk train landmarks` makes it from rendered heads"
        )
    reader = LandmarkReader()
    reader.load_state_dict({key: t.float() for key, t in load_file(path).items()})
    return reader.eval().requires_grad_(False)


def _conv(wide: int, out: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(wide, out, size, stride, size // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
    )


def _dense(wide: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(wide, out, bias=False), nn.BatchNorm1d(out), nn.ReLU(inplace=True))


class _Residual(nn.Module):
    def __init__(self, wide: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(wide, wide), nn.Conv2d(wide, wide, 3, 1, 1, bias=False))
        self.norm = nn.BatchNorm2d(wide)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.body(x)))


class _Glimpse(nn.Module):
    """A small look at one part of the face: [B,3,h,w] -> [B,64]."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)
        self.body = nn.Sequential(_conv(3, 16), _conv(16, 32, 2), _conv(32, 48, 2), _conv(48, 12, size=1))
        self.out = _dense(12 * (height // 4) * (width // 4), 64)

    def forward(self, part: Tensor) -> Tensor:
        seen: Tensor = self.out(self.body(part).flatten(1))
        return seen


class LandmarkReader(nn.Module):
    """[B,3,128,128] in [-1,1] -> `Reading`; 0.7 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.at64 = _conv(3, 16, 2)
        self.at32 = _conv(16, 32, 2)
        self.at16 = nn.Sequential(_conv(32, 48, 2), _Residual(48))
        self.at8 = nn.Sequential(_conv(48, 96, 2), _Residual(96))
        self.up16 = nn.Sequential(_conv(96 + 48, 48, size=1), _conv(48, 48))
        self.up32 = nn.Sequential(_conv(48 + 32, 32, size=1), _conv(32, 32))
        self.heat = nn.Conv2d(32, 68, 1)
        self.whole = _dense(96, 64)
        self.placed = nn.BatchNorm1d(136, affine=False)
        self.shape = _dense(136, 96)
        self.mouth, self.eyes, self.face = _Glimpse(36, 48), _Glimpse(24, 72), _Glimpse(48, 48)
        self.motion = _dense(4 * 64 + 96, 128)
        self.weights = nn.Linear(128 + 136, len(COLUMNS))
        self.person = nn.Linear(64, PERSON)

    def forward(self, pictures: Tensor) -> Reading:
        at32 = self.at32(self.at64(pictures))
        at16 = self.at16(at32)
        at8 = self.at8(at16)
        up = self.up16(torch.cat([_doubled(at8), at16], 1))
        landmarks = _expected(self.heat(self.up32(torch.cat([_doubled(up), at32], 1))).float())
        with torch.autocast(pictures.device.type, enabled=False):
            looks = glimpses(pictures.float(), landmarks.detach(), [g.size for g in self._glimpses])
        mouth, eyes, face = (g(look) for g, look in zip(self._glimpses, looks, strict=True))
        placed = self.placed(landmarks.detach().flatten(1))
        known = (self.whole(at8.mean((2, 3))), self.shape(placed), mouth, eyes, face)
        read = self.weights(torch.cat([self.motion(torch.cat(known, 1)), placed], 1)).float()
        weights = read.new_zeros(len(read), sum(p.stop - p.start for p in BANK_SLICES.values()))
        weights = weights.index_copy(1, torch.tensor(COLUMNS, device=read.device), read)
        return Reading(landmarks, weights, F.normalize(self.person(face).float(), dim=1))

    @property
    def _glimpses(self) -> tuple[_Glimpse, _Glimpse, _Glimpse]:
        return self.mouth, self.eyes, self.face

    @torch.inference_mode()
    def read(self, pictures: Tensor, chunk: int = 64) -> Reading:
        """Any number of pictures [N,3,S,S] in [-1,1], of any size."""
        found = []
        for start in range(0, len(pictures), chunk):
            part = pictures[start : start + chunk].float()
            if part.shape[-1] != SIDE:
                part = F.interpolate(part, (SIDE, SIDE), mode="bilinear", antialias=True)
            found.append(self(part.clamp(-1, 1)))
        return Reading(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def glimpses(pictures: Tensor, landmarks: Tensor, sizes: list[tuple[int, int]]) -> list[Tensor]:
    """Upright cut-outs [B,3,h,w] of mouth, eyes with brows, and face, where the landmarks say they are."""
    left, right, mouth = (landmarks[:, part].mean(1) for part in (LEFT_EYE, RIGHT_EYE, MOUTH))
    eyes = (left + right) / 2
    across = right - left
    # turned heads have near eyes, nodding ones a near mouth: half of both changes least
    size = 0.5 * (across.norm(dim=1) + (mouth - eyes).norm(dim=1)).clamp(min=0.05)[:, None]
    x = across / across.norm(dim=1, keepdim=True).clamp(min=1e-4)
    y = torch.stack([-x[:, 1], x[:, 0]], 1)  # down
    places = ((mouth, 0.8, 0.6), (eyes - 0.12 * size * y, 1.2, 0.4), ((eyes + mouth) / 2, 1.35, 1.35))
    found = []
    for (centre, width, height), (h, w) in zip(places, sizes, strict=True):
        frame = torch.stack([x * width * size, y * height * size, centre], 2)  # [B, 2, 3]
        grid = F.affine_grid(frame, [len(pictures), 3, h, w], align_corners=False)
        found.append(F.grid_sample(pictures, grid, padding_mode="border", align_corners=False))
    return found


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _expected(heat: Tensor) -> Tensor:
    """Heat maps [B,K,h,h] -> the place each of them expects, [B,K,2]."""
    side = heat.shape[-1]
    line = ((torch.arange(side, device=heat.device) + 0.5) * 2 / side - 1) * _REACH
    chance = heat.flatten(2).softmax(2).view_as(heat)
    return torch.stack([(chance.sum(2) * line).sum(2), (chance.sum(3) * line).sum(2)], 2)
