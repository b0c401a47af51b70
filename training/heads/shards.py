# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of rendered heads for training, read from the shards that ``training.heads.dataset`` writes.

A shard is a folder of ``.npy`` arrays, memory-mapped: a 128-pixel set of 3000 identities with 12 frames each
is about 36 000 frames in 4.5 GB, and only what a batch touches is read. New shards are picked up while a run
goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.models.layers import resampled
from core.wire.channels import BANK_SLICES
from core.wire.errors import InputError

from ..factors import to_weights
from .people import inside_boxes

_ARRAYS = ("image", "identity", "pose", "mouth", "expression", "pair", "flow", "visible", "boxes")
# What a horizontal mirror does to the factors: these change sign, contempt (one-sided) forbids the mirror.
_MIRRORED = (BANK_SLICES["pose"].start, BANK_SLICES["pose"].start + 2, BANK_SLICES["pose"].start + 3,
             BANK_SLICES["mouth"].start + 10, BANK_SLICES["expression"].start + 8)  # fmt: skip
_ONE_SIDED = BANK_SLICES["expression"].start + 1
_SIGNS = torch.ones(36)
_SIGNS[list(_MIRRORED)] = -1


@dataclass(frozen=True)
class Batch:
    """B pairs of one person each. Pictures are in [-1, 1], positions in [-1, 1] with x right and y down."""

    source: Tensor  # [B, 3, S, S]
    driving: Tensor  # [B, 3, S, S]
    source_weights: Tensor  # [B, 36] true weights
    weights: Tensor  # [B, 36] true weights of the driving picture
    flow: Tensor  # [B, 2, h, h] where each driving pixel lies in the source
    visible: Tensor  # [B, 1, h, h] 1 where the driving surface is seen in the source too
    hidden: Tensor  # [B, 1, h, h] 1 where the source does not show it
    mouth: Tensor  # [B, 1, S, S] 1 inside the mouth box of the driving picture
    eyes: Tensor  # [B, 1, S, S] 1 inside its two eye boxes

    def at(self, side: int) -> Batch:
        """The same pairs with pictures and boxes of another size; places need no change."""
        names = ("source", "driving", "mouth", "eyes")
        return replace(self, **{name: resampled(getattr(self, name), side) for name in names})

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


class HeadShards:
    """All frames of the shards below ``root``. Raises InputError when there is none."""

    def __init__(self, root: Path, size: int, limit: int = 0) -> None:
        self.root, self.size, self.limit = root, size, limit
        self._shards: list[dict[str, NDArray[Any]]] = []
        self._names: set[str] = set()
        self.refresh()
        if not self._shards:
            what = f"{root} holds no shards of rendered heads"
            raise InputError(what, hint=f"`edtalk heads render --out {root}` makes some")

    def refresh(self) -> None:
        """Open shards that have appeared since the last look."""
        for folder in sorted(self.root.glob("shard_*")):
            full = self.limit and len(self._shards) >= self.limit
            if folder.name in self._names or full or not (folder / "image.npy").exists():
                continue
            shard = {
                name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS
            }
            shard["weights"] = to_weights(shard["pose"], shard["mouth"], shard["expression"])
            self._shards.append(shard)
            self._names.add(folder.name)

    def __len__(self) -> int:
        return sum(len(s["image"]) for s in self._shards)

    def identities(self) -> int:
        """How many different heads there are."""
        return sum(len(np.unique(s["identity"])) for s in self._shards)

    def smallest(self) -> int:
        """Side of the smallest pictures."""
        return min(int(shard["image"].shape[1]) for shard in self._shards)

    def spread(self) -> Tensor:
        """Standard deviation of each weight over all frames so far, [36]; 0 for channels that never move."""
        return torch.from_numpy(np.concatenate([shard["weights"] for shard in self._shards]).std(0))

    def draw_single(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """``count`` random frames, mirrored and recoloured: pictures [B,3,S,S] and true weights [B,36]."""
        pictures, weights = [], []
        for _ in range(count):
            shard = self._shards[rng.integers(len(self._shards))]
            n = int(rng.integers(len(shard["image"])))
            pictures.append(shard["image"][n])
            weights.append(shard["weights"][n])
        found, true = self._pictures(pictures), torch.from_numpy(np.stack(weights))
        flip = torch.from_numpy(rng.random(count) < 0.5) & (true[:, _ONE_SIDED] == 0)
        found = torch.where(flip[:, None, None, None], found.flip(-1), found)
        true = torch.where(flip[:, None], true * _SIGNS, true)
        return _recolour(found, rng, alike=1).contiguous(memory_format=torch.channels_last), true

    def _pictures(self, pictures: list[NDArray[Any]]) -> Tensor:
        """uint8 [S,S,3] each -> [B,3,size,size] in [-1,1]."""
        if len({picture.shape for picture in pictures}) > 1:  # shards of several sizes
            return torch.cat([self._pictures([picture]) for picture in pictures])
        found = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        return resampled(found, self.size)

    def draw(
        self, rng: np.random.Generator, count: int, augment: bool = True, rest: float = 0.5, best_of: int = 6
    ) -> Batch:
        """``count`` random pairs; ``augment`` mirrors and recolours both pictures of a pair alike.

        ``rest`` is the share of pairs whose source is at rest (column 0 of ``pair``), as most portraits are.
        Of ``best_of`` candidates the pair is taken that differs most in mouth and expression and least in
        pose: talk moves the head little, most faces are nearly at rest, and large turns drown small smiles.
        """
        rows = []
        for _ in range(count):
            candidates = []
            for _ in range(best_of):
                shard = self._shards[rng.integers(len(self._shards))]
                column = 0 if rng.random() < rest else int(rng.integers(shard["pair"].shape[1]))
                candidates.append((shard, int(rng.integers(len(shard["image"]))), column))
            rows.append(max(candidates, key=_face_over_turn))
        return self._collect(rows, rng if augment else None)

    def fixed(self, count: int) -> Batch:
        """A fixed random choice of pairs without augmentation, for evaluation and previews."""
        rows = []
        for k, place in enumerate(np.random.default_rng(0).permutation(len(self))[:count].tolist()):
            for shard in self._shards:
                if place < len(shard["image"]):
                    rows.append((shard, place, k % shard["pair"].shape[1]))
                    break
                place -= len(shard["image"])
        return self._collect(rows, None)

    def _collect(
        self, rows: list[tuple[dict[str, NDArray[Any]], int, int]], rng: np.random.Generator | None
    ) -> Batch:
        src, drv, ws, wd, flow, visible, boxes = [], [], [], [], [], [], []
        for shard, n, q in rows:
            m = int(shard["pair"][n, q])
            src.append(shard["image"][m])
            drv.append(shard["image"][n])
            ws.append(shard["weights"][m])
            wd.append(shard["weights"][n])
            flow.append(shard["flow"][n, q])
            visible.append(shard["visible"][n, q])
            boxes.append(shard["boxes"][n])
        pictures = self._pictures(src + drv)
        weights = torch.from_numpy(np.stack(ws + wd))
        grid = torch.from_numpy(np.stack(flow).astype(np.float32)).permute(0, 3, 1, 2)
        shown = torch.from_numpy(np.stack(visible))[:, None]
        inside = inside_boxes(torch.from_numpy(np.stack(boxes)), self.size)
        mouth, eyes = inside[:, :1], inside[:, 1:].amax(1, keepdim=True)
        count = len(rows)
        if rng is not None:
            flip = torch.from_numpy(rng.random(count) < 0.5)
            flip &= (weights[:count, _ONE_SIDED] == 0) & (weights[count:, _ONE_SIDED] == 0)
            pictures = torch.where(torch.cat([flip, flip])[:, None, None, None], pictures.flip(-1), pictures)
            weights = torch.where(torch.cat([flip, flip])[:, None], weights * _SIGNS, weights)
            mirrored = grid.flip(-1) * torch.tensor([-1.0, 1.0])[None, :, None, None]
            f = flip[:, None, None, None]
            grid, shown = torch.where(f, mirrored, grid), torch.where(f, shown.flip(-1), shown)
            mouth, eyes = torch.where(f, mouth.flip(-1), mouth), torch.where(f, eyes.flip(-1), eyes)
            pictures = _recolour(pictures, rng)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        seen, hidden = (shown == 1).float(), (shown == 2).float()
        source, driving = pictures[:count], pictures[count:]
        return Batch(source, driving, weights[:count], weights[count:], grid, seen, hidden, mouth, eyes)


_FACE = [*range(12), *range(_ONE_SIDED - 1, _ONE_SIDED + 7)]  # articulations, emotions and blink


def _face_over_turn(row: tuple[dict[str, NDArray[Any]], int, int]) -> float:
    """How much more a pair differs in the face than in the pose, in squared weights."""
    shard, n, column = row
    change = np.square(shard["weights"][n] - shard["weights"][shard["pair"][n, column]])
    return float(change[_FACE].sum() - 0.5 * change[BANK_SLICES["pose"]].sum())


def _recolour(pictures: Tensor, rng: np.random.Generator, alike: int = 2) -> Tensor:
    """Gain, gamma and saturation, and grain: renders must not be told apart from photographs by colour.

    ``alike`` is how many pictures of a person there are (sources first, then driving ones): they are
    changed alike.
    """
    count = len(pictures) // alike

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        value = torch.from_numpy(rng.uniform(low, high, (count, *shape)).astype(np.float32))
        return torch.cat([value] * alike)

    unit = ((pictures + 1) / 2).clamp(1e-4, 1) ** drawn(0.75, 1.35, 1, 1, 1)
    grey = unit.mean(1, keepdim=True)
    unit = grey + (unit - grey) * drawn(0.4, 1.3, 1, 1, 1)
    unit = unit * drawn(0.85, 1.15, 3, 1, 1)
    noise = torch.from_numpy(rng.standard_normal(unit.shape, dtype=np.float32)) * drawn(0.0, 0.015, 1, 1, 1)
    return (unit + noise).clamp(0, 1) * 2 - 1
