# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader that judges models: 68 landmarks, the motion and the person, read off rendered heads.

It is no part of the product and of no model: `edtalk calibrate` and `edtalk evaluate` look through it, so
that a checkpoint is not judged by its own encoder alone. Decoded pictures are softer than renders, so
pictures are blurred, recoloured and grained at random; two pictures of one person are recoloured
differently, so that a person is known by the face and not by the light.

    edtalk train landmarks --data data/train --heldout data/heldout --out runs/landmarks

Several folders may be named with commas. A run takes 15 minutes of one core (0.2 s a step); on held-out
heads the landmarks are then off by 0.8 % of the picture's width, and R2 is .86 for the pose, .91 for blinks,
.64 for gaze, .60 for emotions and .36 for the mouth's units, still rising. The reader is written where
`training.evaluation.reader` looks for it, in 16-bit floats, 1.5 MB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from core.files import written_whole
from core.models.edtalk import load_overlapping
from core.wire.errors import InputError

from ..evaluation.reader import COLUMNS, MOUTH, SIDE, LandmarkReader, reader_file
from ..factors import to_weights
from ..shared.loop import LoopSettings, from_command_line, rng_of, take_place, train


@dataclass(frozen=True)
class Schedule(LoopSettings):
    """A small network: high learning rate, long decay."""

    steps: int = 3400
    decay_from: float = 0.4
    floor: float = 0.01
    ema: float = 0.995
    save_every: int = 250
    log_every: int = 25


@dataclass(frozen=True)
class Settings:
    """Landmark reader on rendered heads."""

    data: str  # folders of shards, separated by commas
    heldout: Path
    out: Path
    reader: str = ""  # the file to write; empty: where the product looks for it
    start: str = ""  # another run's state.pt, to go on from
    people: int = 16  # a step, two pictures of each
    landmarks: float = 40.0  # weight of the distance of landmarks, in [-1, 1]
    heed: float = 2.0  # how much more brows, eyes and mouth count than jaw and nose
    motion: float = 0.2
    person: float = 0.15
    threads: int = 1
    loop: Schedule = field(default_factory=Schedule)


class Faces:
    """Single pictures of rendered shards, in pairs of one person. Raises InputError when there is none."""

    def __init__(self, roots: list[Path]) -> None:
        self.roots = roots
        self._names: set[Path] = set()
        self._shards: list[dict[str, NDArray[Any]]] = []
        self.refresh()
        if not self._shards:
            what = f"{roots[0]} holds no shards of rendered heads"
            raise InputError(what, hint=f"`edtalk heads render --out {roots[0]}` makes some")

    def refresh(self) -> None:
        """Open shards that have appeared since the last look."""
        for folder in sorted(folder for root in self.roots for folder in root.glob("shard_*")):
            if folder in self._names:
                continue
            names = ("image", "landmarks", "identity", "pose", "mouth", "expression")
            shard = {
                name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names
            }
            shard["weights"] = to_weights(shard["pose"], shard["mouth"], shard["expression"])
            self._shards.append(shard)
            self._names.add(folder)

    def spread(self) -> Tensor:
        """Standard deviation of each weight, [36]."""
        return torch.from_numpy(np.concatenate([shard["weights"] for shard in self._shards]).std(0))

    def draw(self, rng: np.random.Generator, people: int) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures [2P,3,128,128], landmarks [2P,68,2], weights [2P,36]; row P + i is the person of row i."""
        rows: list[list[tuple[dict[str, NDArray[Any]], int]]] = [[], []]
        for _ in range(people):
            shard = self._shards[rng.integers(len(self._shards))]
            one = int(rng.integers(len(shard["image"])))
            same = np.flatnonzero(shard["identity"] == shard["identity"][one])
            for row, n in zip(rows, (one, int(rng.choice(same))), strict=True):
                row.append((shard, n))
        return self._collect(rows[0] + rows[1])

    def fixed(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """The same pictures each time, spread over all shards."""
        rows = [(shard, n) for shard in self._shards for n in range(len(shard["image"]))]
        return self._collect(rows[:: max(1, len(rows) // count)][:count])

    def _collect(self, rows: list[tuple[dict[str, NDArray[Any]], int]]) -> tuple[Tensor, Tensor, Tensor]:
        images, landmarks, weights = (
            torch.from_numpy(np.stack([np.asarray(shard[name][n]) for shard, n in rows]))
            for name in ("image", "landmarks", "weights")
        )
        pictures = images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        if pictures.shape[-1] != SIDE:
            pictures = F.interpolate(pictures, size=(SIDE, SIDE), mode="area")
        return pictures.contiguous(memory_format=torch.channels_last), landmarks.float(), weights


def shaken(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Each picture in another light, of another sharpness, with grain."""
    count = len(pictures)

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, *shape)).astype(np.float32))

    unit = ((pictures + 1) / 2).clamp(1e-4, 1) ** drawn(0.7, 1.4, 1, 1, 1)
    grey = unit.mean(1, keepdim=True)
    unit = (grey + (unit - grey) * drawn(0.3, 1.4, 1, 1, 1)) * drawn(0.75, 1.25, 3, 1, 1)
    soft = F.avg_pool2d(unit, 3, 1, 1, count_include_pad=False)
    unit = torch.lerp(unit, soft, drawn(-0.5, 1.3, 1, 1, 1).clamp(-0.3, 1.0))
    noise = torch.from_numpy(rng.standard_normal(unit.shape, dtype=np.float32)) * drawn(0.0, 0.03, 1, 1, 1)
    return ((unit + noise).clamp(0, 1) * 2 - 1).contiguous(memory_format=torch.channels_last)


def importance(heed: float) -> Tensor:
    """[68]: brows, eyes and mouth move little and matter much."""
    weight = torch.ones(68)
    weight[17:27], weight[36:48], weight[MOUTH] = heed, heed, heed
    return weight / weight.mean()


def write(reader: nn.Module, path: Path) -> None:
    """Write the reader in 16-bit floats, whole or not at all."""
    state = {k: t.half() if t.is_floating_point() else t for k, t in reader.state_dict().items()}
    with written_whole(path) as temporary:
        temporary.write_bytes(save({k: t.contiguous() for k, t in state.items()}))


@torch.inference_mode()
def marks(reader: LandmarkReader, held: tuple[Tensor, ...]) -> dict[str, float]:
    """Mean distance of landmarks in % of the picture's width, and how much of each bank's motion is read."""
    pictures, landmarks, weights = held
    seen = reader.read(pictures)
    off = (seen.landmarks - landmarks).norm(dim=2) * 50
    numbers = {"off": float(off.mean()), "off_mouth": float(off[:, MOUTH].mean())}
    gap, spread = (seen.weights - weights) ** 2, (weights - weights.mean(0)) ** 2
    for name, part in (("mouth", slice(0, 12)), ("pose", slice(20, 26)), ("emotion", slice(26, 33)),
                       ("blink", slice(33, 34)), ("gaze", slice(34, 36))):  # fmt: skip
        numbers[f"r2_{name}"] = float(1 - gap[:, part].sum() / spread[:, part].sum())
    return numbers


def main(s: Settings) -> None:
    """Train to ``s.loop.steps`` (resuming) and write the reader."""
    place = take_place(s.threads)
    torch.manual_seed(s.loop.seed)
    faces = Faces([Path(folder) for folder in s.data.split(",")])
    held = tuple(t.to(place.device) for t in Faces([s.heldout]).fixed(512))
    model = LandmarkReader().to(place.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if s.start:
        load_overlapping(model, torch.load(s.start, map_location="cpu", weights_only=True)["ema"])
    weight = importance(s.heed).to(place.device)
    columns = torch.tensor(COLUMNS)
    scale = (1 / faces.spread()[columns].clamp(min=1e-3)).to(place.device)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        if step % 100 == 0:
            faces.refresh()
        rng = rng_of(s.loop.seed, step, place)
        pictures, landmarks, weights = (t.to(place.device) for t in faces.draw(rng, s.people))
        seen = model(shaken(pictures, rng))
        off = ((seen.landmarks - landmarks).norm(dim=2) * weight).mean()
        gap = F.smooth_l1_loss(
            seen.weights[:, columns] * scale, weights[:, columns] * scale, reduction="none"
        )
        alike = seen.person[: s.people] @ seen.person[s.people :].t() / 0.1
        who = torch.arange(s.people, device=place.device)
        person = (F.cross_entropy(alike, who) + F.cross_entropy(alike.t(), who)) / 2
        loss = s.landmarks * off + s.motion * gap.sum(1).mean() + s.person * person
        logged = {"off": off * 50, "motion": gap.sum(1).mean(), "person": person}
        return loss, {name: float(value.detach()) for name, value in logged.items()}

    def look(step: int, average: nn.Module) -> dict[str, float]:
        assert isinstance(average, LandmarkReader)
        return marks(average, held)

    average = train(model, loss_of, s.loop, s.out, place, look if place.leads else None)
    if place.leads:
        write(average.cpu(), Path(s.reader) if s.reader else reader_file())


if __name__ == "__main__":
    main(from_command_line(Settings))
