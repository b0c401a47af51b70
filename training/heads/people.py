# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of people, rendered or filmed, as the stages after the first need them: who, where eyes and mouth
are, and, where a renderer made them, the true weights.

A folder of shards is read (``training.heads.dataset`` renders them, ``training.recipes.clips`` makes them of
clips and pictures). Of each shard ``image`` and ``identity`` are needed, and ``landmarks`` [N, 68, 2] or
``anchors`` [N, 3, 2] with ``boxes`` [N, 3, 4]; factors and ``donors`` are taken where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.models.layers import resampled
from core.wire.errors import InputError

from ..factors import to_weights

FACTORS = ("pose", "mouth", "expression")
LEFT_EYE, RIGHT_EYE, INNER_MOUTH = slice(36, 42), slice(42, 48), slice(60, 68)

Place = tuple[int, int]
"""Shard and row of a frame."""


@dataclass(frozen=True)
class Faces:
    """B frames. Places in pictures are in [-1, 1], x right and y down."""

    picture: Tensor  # [B, 3, S, S] in [-1, 1]
    anchors: Tensor  # [B, 3, 2] middles of the picture-left eye, the picture-right eye and the mouth
    boxes: Tensor  # [B, 3, 4] mouth, picture-left eye, picture-right eye: x0, y0, x1, y1
    weights: Tensor  # [B, 36] true weights; not a number where nobody knows them
    landmarks: Tensor  # [B, 68, 2] likewise
    number: Tensor  # [B] which frame of all this is

    def to(self, device: torch.device) -> Faces:
        """The same frames on another device."""
        return Faces(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))

    def at(self, side: int) -> Faces:
        """The same frames with pictures of another size: a model may read finer ones than it draws."""
        return replace(self, picture=resampled(self.picture, side))

    def masks(self) -> tuple[Tensor, Tensor]:
        """[B, 1, S, S] each: 1 inside the mouth box, 1 inside either eye box."""
        inside = inside_boxes(self.boxes, self.picture.shape[-1])
        return inside[:, :1], inside[:, 1:].amax(1, keepdim=True)

    def rolled(self) -> Faces:
        """The same frames, each in the place of the one before it."""
        return Faces(*(getattr(self, f.name).roll(-1, 0) for f in fields(self)))


def inside_boxes(boxes: Tensor, size: int) -> Tensor:
    """Boxes [B, K, 4] -> [B, K, S, S], 1 inside."""
    centre = (torch.arange(size, device=boxes.device) + 0.5) * 2 / size - 1
    x0, y0, x1, y1 = (boxes[..., i, None] for i in range(4))
    across = (centre >= x0) & (centre <= x1)
    down = (centre >= y0) & (centre <= y1)
    return (down[..., :, None] & across[..., None, :]).float()


def anchors_of(landmarks: NDArray[Any]) -> NDArray[np.float32]:
    """[N, 68, 2] -> [N, 3, 2]: middles of the two eyes and of the inner mouth (section 3.4 of the code)."""
    points = landmarks.astype(np.float32)
    return np.stack([points[:, part].mean(1) for part in (LEFT_EYE, RIGHT_EYE, INNER_MOUTH)], 1)


class People:
    """All people of the shards below ``root`` who have at least two frames.

    ``share`` keeps a part of every person's frames, in their order: (0, 0.8) to learn from, (0.8, 1) to
    measure on, always from the person's very first frame. Raises InputError when there is nobody.
    """

    def __init__(
        self, root: Path, size: int, share: tuple[float, float] = (0.0, 1.0), limit: int = 0
    ) -> None:
        self.size = size
        self.shards: list[dict[str, NDArray[Any]]] = []
        for folder in sorted(root.glob("shard_*"))[: limit or None]:
            self.shards.append(_read(folder))
        self.groups: list[list[Place]] = []
        self.firsts: list[Place] = []  # of each person, whatever the share: the portrait
        for number, shard in enumerate(self.shards):
            for who in np.unique(shard["identity"]):
                rows = np.flatnonzero(shard["identity"] == who)
                first, last = (round(part * len(rows)) for part in share)
                if last - first >= 2:
                    self.groups.append([(number, int(row)) for row in rows[first:last]])
                    self.firsts.append((number, int(rows[0])))
        self.before = np.cumsum([0, *(len(shard["image"]) for shard in self.shards)]).tolist()
        self.recombined = [
            (number, int(row))
            for number, shard in enumerate(self.shards)
            if "donors" in shard
            for row in np.flatnonzero((shard["donors"] >= 0).all(1))
        ]
        if not self.groups:
            raise InputError(
                f"{root} holds nobody with two frames to learn from",
                hint="`edtalk heads render` makes some, and `edtalk train clips` out of clips and pictures",
            )

    def __len__(self) -> int:
        return sum(len(group) for group in self.groups)

    @property
    def known(self) -> bool:
        """Whether the true weights of all frames are known: they were rendered."""
        return all("weights" in shard and "landmarks" in shard for shard in self.shards)

    def spread(self) -> Tensor:
        """Standard deviation of each true weight, [36]; 0 where none is known or nothing moves."""
        if not self.known:
            return torch.zeros(36)
        return torch.from_numpy(np.concatenate([shard["weights"] for shard in self.shards]).std(0))

    def draw(self, rng: np.random.Generator, count: int, rest: float = 0.5) -> tuple[Faces, Faces]:
        """``count`` random (source, driving) pairs of one person each, every pair of another draw.

        ``rest`` is the share of pairs whose source is the person's first frame, as most portraits are calm.
        """
        source, driving = [], []
        for _ in range(count):
            who = int(rng.integers(len(self.groups)))
            group = self.groups[who]
            there = int(rng.integers(len(group)))
            here = (there + 1 + int(rng.integers(len(group) - 1))) % len(group)
            calm = rng.random() < rest and self.firsts[who] != group[there]
            source.append(self.firsts[who] if calm else group[here])
            driving.append(group[there])
        return self.take(source), self.take(driving)

    def fixed(self, count: int) -> tuple[Faces, Faces]:
        """A fixed choice of pairs, spread over people and frames; the source is the person's first frame."""
        frames = [
            (first, place)
            for first, group in zip(self.firsts, self.groups, strict=True)
            for place in group
            if place != first
        ]
        order = np.random.default_rng(0).permutation(len(frames))[:count]
        return self.take([frames[k][0] for k in order]), self.take([frames[k][1] for k in order])

    def recombinations(self, rng: np.random.Generator, count: int) -> tuple[Faces, tuple[Faces, ...], Faces]:
        """(source, (mouth, pose and expression donors), target): the source's person wearing what three
        others lend. Only where the heads were rendered with ``--recombined``."""
        chosen = [self.recombined[rng.integers(len(self.recombined))] for _ in range(count)]
        donors = [
            [(number, int(self.shards[number]["donors"][row, bank])) for number, row in chosen]
            for bank in range(3)
        ]
        source = []
        for number, row in chosen:
            same = np.flatnonzero(self.shards[number]["identity"] == self.shards[number]["identity"][row])
            source.append((number, int(same[0])))
        return self.take(source), tuple(self.take(places) for places in donors), self.take(chosen)

    def take(self, places: Sequence[Place]) -> Faces:
        """These frames, at ``size``."""

        def gathered(name: str) -> Tensor:
            rows = np.stack([self.shards[number][name][row] for number, row in places])
            return torch.from_numpy(rows)

        levels = gathered("image").permute(0, 3, 1, 2)
        picture = resampled(levels.float().div_(127.5).sub_(1), self.size)
        nobody_knows = torch.full((len(places), 172), float("nan"))
        return Faces(
            picture.contiguous(memory_format=torch.channels_last),
            gathered("anchors"),
            gathered("boxes"),
            gathered("weights") if self.known else nobody_knows[:, :36],
            gathered("landmarks").float() if self.known else nobody_knows[:, 36:].view(-1, 68, 2),
            torch.tensor([self.before[number] + row for number, row in places]),
        )


def _read(folder: Path) -> dict[str, NDArray[Any]]:
    shard = {
        file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in sorted(folder.glob("*.npy"))
    }
    if "anchors" not in shard:
        shard["anchors"] = anchors_of(shard["landmarks"])
    if all(name in shard for name in FACTORS):
        shard["weights"] = to_weights(shard["pose"], shard["mouth"], shard["expression"])
    return shard
