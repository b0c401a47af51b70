# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage 7: a checkpoint learns one person or character, from a clip or a folder of pictures or renders.

    edtalk train person --data anna.mp4 --out runs/anna

leaves ``runs/anna/anna.safetensors``, which is used like any other checkpoint, and ``before_after.png``: rows
source, wanted, before, after, of frames it did not learn from. By default only the decoder learns, so that
weights go on meaning what they meant. Three things keep it quick and honest:

* the weights of each frame are fitted along with the decoder, starting from what the encoder reads, so that
  a mouth that was misread does not teach the decoder to mumble;
* for the first part of the run the weights alone are fitted;
* the decoder must answer random weights with the motion it had before (``--keep``), so that no slider dies.

What a run gave, for two rendered people no network had seen, from clips of 16 seconds: 400 steps, four and a
half minutes of one core; on the end of the clip, whole-picture error down by 9 and 13 %, skin, eyes and edges
clearly crisper; around the mouth 15 % down for the one and 4 % up for the other, whose lips were misread; by
true weights -4 and +1 %, so the sliders kept their meaning. Learning from read weights alone, without the
three, made the picture by true weights a fifth worse.

The clip should show one face, from several sides, talking, for half a minute or more. The person's consent is
yours to ask for.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.checkpoints import checkpoint
from core.checkpoints.checkpoint import Meta, default_checkpoint
from core.models.edtalk import EDTalk
from core.wire.errors import OutputExists

from ..heads.people import Faces, People
from ..shared.domain import other_media
from ..shared.loop import LoopSettings, from_command_line, reached, rng_of, take_place, train
from .clips import people_of
from .stage import PictureLoss, PictureSettings, marks, read, redrawn, train_only, write_rows

QUICK_SCALE = 20.0
"""How much faster fitted weights move than the network's: they are numbers of about 1, its weights learn in
small steps."""


@dataclass(frozen=True)
class Schedule(LoopSettings):
    """Minutes, not hours."""

    steps: int = 400
    learning_rate: float = 1e-3
    warmup: int = 20
    decay_from: float = 0.4
    ema: float = 0.98
    save_every: int = 100


@dataclass(frozen=True)
class Settings:
    """Fine-tune a checkpoint on one person or character."""

    data: Path  # a clip, a folder of clips and pictures, or of rendered shards
    out: Path
    name: str = ""  # of the new checkpoint; empty: the name of ``data``
    checkpoint: str = ""  # to start from; empty: the one that is shipped
    overwrite: bool = False  # replace the new checkpoint when it is there already
    learn_from: float = 0.8  # share of each clip; the rest says whether it got better
    everything: bool = False  # the encoder, too: slower, and weights change their meaning
    batch: int = 8
    threads: int = 0
    rest: float = 0.5  # share of sources that are the first frame
    fit: float = 0.2  # share of the run in which the frames' weights alone are fitted
    near: float = 0.02  # how strongly fitted weights are held to what was read
    keep: float = 2.0  # weight of the old motion under random weights
    media: float = 0.0  # share of pictures in other media
    picture: PictureSettings = field(default_factory=PictureSettings)
    loop: Schedule = field(default_factory=Schedule)


class Tuned(nn.Module):
    """The model and, beside it, what is added to the weights read off each frame: [N, 36]."""

    def __init__(self, model: EDTalk, frames: int) -> None:
        super().__init__()
        self.model = model
        self.added = nn.Parameter(torch.zeros(frames, model.config.banked))

    def weights(self, faces: Faces) -> Tensor:
        """Weights [B, 36] of frames: the true ones where they are known, else read and fitted."""
        if not bool(torch.isnan(faces.weights).any()):
            return faces.weights[:, : self.model.config.banked]
        seen: Tensor = self.model.navigator(self.model.encoder(faces.picture)[0]).float()
        return seen + QUICK_SCALE * self.added[faces.number]


def main(s: Settings) -> Path:
    """Train (resuming), write the new checkpoint and the sheet; returns the checkpoint's path."""
    began = time.monotonic()
    place = take_place(s.threads)
    name = s.name or s.data.stem
    made = s.out / f"{name}.safetensors"
    if made.exists() and not s.overwrite:
        raise OutputExists(f"{made} is there already", hint="Choose another --name, or say --overwrite")
    torch.manual_seed(s.loop.seed)
    start = checkpoint.load(s.checkpoint or default_checkpoint())
    people, kept_back = divided(s, start.model.config.read_size)
    before = copy.deepcopy(start.model).to(place.device).eval().requires_grad_(False)
    tuned = Tuned(start.model, people.before[-1]).to(place.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model = tuned.model
    train_only(tuned, tuned.added, *([model] if s.everything else [model.decoder]))
    learning = [p for p in model.parameters() if p.requires_grad]
    compare = PictureLoss(s.picture, tuned)
    reach = slider_reach(start.meta, model.config.banked).to(place.device)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = rng_of(s.loop.seed, step, place)
        fitted = step >= s.fit * s.loop.steps or people.known
        for parameter in learning:
            parameter.requires_grad_(fitted)
        source, driving = (faces.to(place.device) for faces in people.draw(rng, s.batch, s.rest))
        if s.media:
            both = other_media(torch.cat([source.picture, driving.picture]), rng, s.media, 2)
            source, driving = (replace(f, picture=p) for f, p in zip((source, driving), both.chunk(2)))
        latent, features = model.encoder(source.picture)
        drawn = model.decode(latent, features, tuned.weights(driving), source.picture)
        terms = compare(drawn.image, driving)
        terms["near"] = s.near * (QUICK_SCALE * tuned.added[driving.number]).square().sum(1).mean()
        if fitted and s.keep:
            half = max(1, s.batch // 2)
            random = random_weights(rng, half, reach)
            terms["keep"] = s.keep * kept_motion(model, before, source.picture[:half], random)
        return torch.stack(list(terms.values())).sum(), {k: float(v.detach()) for k, v in terms.items()}

    def look(step: int, average: nn.Module) -> dict[str, float]:
        assert isinstance(average, Tuned)
        return measured(average.model.eval(), kept_back)

    average = train(tuned, loss_of, s.loop, s.out, place, look if place.leads else None)
    if place.leads and reached(s.out) < s.loop.steps:
        print(f"stopped after {reached(s.out)} of {s.loop.steps} steps; the same command goes on", flush=True)
    elif place.leads:
        assert isinstance(average, Tuned)
        after = average.model.eval()
        numbers = {"before": measured(before, kept_back), "after": measured(after, kept_back)}
        write_rows(s.out / "before_after.png", sheet(before, after, kept_back))
        meta = checkpoint.save(
            made,
            after,
            renamed(start.meta, name, s),
            start.audio_to_mouth,
            audio_to_pose=start.audio_to_pose,
            speech_to_expression=start.speech_to_expression,
        )
        print(report(numbers, time.monotonic() - began), f"{meta.id}: {made}", sep="\n", flush=True)
    return made


def divided(s: Settings, size: int) -> tuple[People, People]:
    """Frames to learn from, and frames to measure on: the end of every clip. Where that leaves fewer than
    two, as with a handful of pictures, all frames serve for both."""
    everything = people_of(s.data, s.out / "crops", size)
    fewest = min(len(group) for group in everything.groups)
    if fewest - round(s.learn_from * fewest) < 2:
        print("Too few frames to keep any back: before and after are measured on those it learns from")
        return everything, everything
    first, last = (0.0, s.learn_from), (s.learn_from, 1.0)
    return people_of(s.data, s.out / "crops", size, first), people_of(s.data, s.out / "crops", size, last)


def kept_motion(model: EDTalk, before: EDTalk, picture: Tensor, weights: Tensor) -> Tensor:
    """How far the decoder's answer to weights [B, 36] has moved from what it was: flow in quarters of the
    picture's side and share of the portrait, at every level; scalar."""
    with torch.no_grad():
        latent, features = before.encoder(picture)
        old = before.decode(latent, features, weights, picture)
    latent, features = model.encoder(picture)
    new = model.decode(latent, features, weights, picture)
    gaps = [4 * (a - b).abs().mean() for a, b in zip(new.flows, old.flows, strict=True)]
    return torch.stack([*gaps, (new.mask - old.mask).abs().mean()]).sum()


def slider_reach(meta: Meta, banked: int) -> Tensor:
    """[2, K] soft range of each slider; 0 for those the checkpoint does not use."""
    ranges = [(c.soft_min, c.soft_max) if c.used else (0.0, 0.0) for c in meta.channels[:banked]]
    return torch.tensor(ranges).t()


def random_weights(rng: np.random.Generator, count: int, reach: Tensor) -> Tensor:
    """[B, K]: about a third of the sliders somewhere in their range, the others at rest."""
    shape = (count, reach.shape[1])
    place = torch.from_numpy(rng.random(shape).astype(np.float32)).to(reach.device)
    moved = torch.from_numpy(rng.random(shape) < 0.35).to(reach.device)
    return torch.where(moved, torch.lerp(reach[0], reach[1], place), torch.zeros_like(place))


def measured(model: EDTalk, people: People, count: int = 48) -> dict[str, float]:
    """Marks of frames kept back, redrawn from the first of them with the weights read (and the true ones)."""
    source, driving = (f.to(next(model.parameters()).device) for f in people.fixed(count))
    numbers = marks(redrawn(model, source, read(model, driving.picture)), source, driving)
    if people.known:
        made = redrawn(model, source, driving.weights[:, : model.config.banked])
        numbers |= marks(made, source, driving, "_true")
    return numbers


def sheet(before: EDTalk, after: EDTalk, people: People, columns: int = 10) -> list[Tensor]:
    """Rows source, wanted, before, after."""
    source, driving = (f.to(next(before.parameters()).device) for f in people.fixed(columns))
    return [
        source.at(before.config.size).picture,
        driving.at(before.config.size).picture,
        *(redrawn(model, source, read(model, driving.picture)) for model in (before, after)),
    ]


def renamed(meta: Meta, name: str, s: Settings) -> Meta:
    """What the new checkpoint says about itself: everything the old one did, and what came on top."""
    what = "whole network" if s.everything else "decoder"
    note = f"{meta.note} Then its {what} learnt from {s.data.name}, {s.loop.steps} steps.".strip()
    licence = f"{meta.licence}; rights in the pictures of {s.data.name} are their owner's"
    return replace(meta, name=name, note=note, licence=licence)


def report(numbers: dict[str, dict[str, float]], seconds: float) -> str:
    """Before and after, for people."""
    lines = [f"{seconds:.0f} seconds; errors as shares of leaving the picture as it is"]
    labels = {"l1_ratio": "whole picture", "mouth_l1_ratio": "mouth", "eyes_l1_ratio": "eyes"}
    for key, label in labels.items():
        lines.append(f"  {label:<14}{numbers['before'][key]:.3f} -> {numbers['after'][key]:.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main(from_command_line(Settings))
