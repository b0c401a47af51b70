# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage 1: encoder, navigators, banks and generator on rendered heads (the LIA stage, section 3).

What only a renderer knows makes a small budget enough:

* the true weights of every picture: the navigators are told them, and a good part of the banks is driven
  by them, so that the generator learns to warp at once instead of waiting for the encoder;
* the true flow, at every level of the generator;
* the portrait's own pixels as one more source level (``clean`` arithmetic), so that colour need not be
  learnt again.

Grow the picture: a run at 64 pixels first, then one at 128 that starts from its weights.

    R="torchrun --nproc-per-node 3 -m training.recipes.encoder_generator --data DATA --heldout HELD"
    $R --threads 1 --out RUN64 --size 64 --steps 3000
    $R --threads 1 --out RUN128 --size 128 --steps 5000 --grow-from RUN64/state.pt
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from core.models.config import EDTalkConfig
from core.models.edtalk import EDTalk, load_overlapping
from core.wire.channels import BANKS

from ..evaluation.distances import flow_l1, mask_truth, masked_l1, pyramid_l1, weight_regression
from ..evaluation.reconstruction import measure, redraw, sample_sheet
from ..heads.people import People
from ..heads.shards import Batch, HeadShards
from ..shared.ahead import Ahead
from ..shared.domain import other_media
from ..shared.loop import LoopSettings, from_command_line, rng_of, take_place, train
from .perceptual import PerceptualTerms
from .stage import PictureLoss, PictureSettings, recombination, write_config

CHANNELS = {4: 160, 8: 160, 16: 128, 32: 72, 64: 40, 128: 20, 256: 12}


class Shape(Protocol):
    """What of a recipe's settings decides the network's shape."""

    @property
    def size(self) -> int: ...
    @property
    def finer(self) -> int: ...
    @property
    def latent(self) -> int: ...
    @property
    def width(self) -> float: ...


@dataclass(frozen=True)
class Settings:
    """Encoder and generator on rendered heads."""

    data: Path
    heldout: Path
    out: Path
    size: int = 64
    finer: int = 1  # how many times finer pictures are read than drawn: 1, 2 ..
    latent: int = 160
    width: float = 1.0  # feature channels, as a share of ours
    batch: int = 12  # pairs a step, in each process
    reading: int = 0  # further pictures a step, in each process, that are only read: cheap beside a pair
    threads: int = 0
    ahead: int = 0  # steps whose pictures are made ready in advance, by as many threads: for a GPU
    compile: bool = False  # fuse encoder and decoder by torch.compile: for a GPU, whose start it delays
    grow_from: str = ""  # a smaller run's state.pt, to grow from
    # how often each bank is given its true weights; mouth and expression are read late, and until then
    # what is read would only teach the generator to ignore them
    true_mouth: float = 0.85
    true_pose: float = 0.75
    true_expression: float = 0.85
    mouth: float = 5.0  # weight of the mouth box
    eyes: float = 2.0
    flow: float = 3.0
    heed: float = 15.0  # how much more the flow counts in the mouth and eye boxes
    mask: float = 1.0  # weight of the portrait's share being where it should
    codes: float = 0.1  # weight of the navigators' regression
    # none of these by default; best in a last run that grows from a finished one
    media: float = 0.0  # share of pairs made to look filmed, scanned or painted
    features: str = ""  # a features.safetensors to look with, or "vgg" for torchvision's, if it is here
    perceptual: float = 4.0  # weight of what it sees
    judge: float = 0.0  # weight of a patch discriminator
    recombined: float = 0.0  # weight of heads that wear three others' mouth, pose and expression
    loop: LoopSettings = field(default_factory=LoopSettings)


def config_of(s: Shape) -> EDTalkConfig:
    """The small model we ship: ``clean`` arithmetic, expression module at the coarse levels."""
    reading = s.size * s.finer
    channels = {res: round(s.width * n) for res, n in CHANNELS.items() if res <= reading}
    return EDTalkConfig(
        size=s.size,
        latent=s.latent,
        channels=channels,
        arithmetic="clean",
        enhance=(8, 16),
        reading=reading if s.finer > 1 else 0,
    )


def config_of_run(run: Path) -> EDTalkConfig:
    """What the model in a run's ``state.pt`` is made of."""
    return EDTalkConfig.from_dict(json.loads((run / "config.json").read_text(encoding="utf-8")))


def main(s: Settings) -> None:
    """Train to ``s.loop.steps`` (resuming), leaving ``state.pt``, ``log.jsonl`` and sample sheets in
    ``s.out``."""
    place = take_place(s.threads)
    torch.manual_seed(s.loop.seed)
    model = EDTalk(config_of(s))
    if place.leads:
        write_config(s.out, model.config)
    for name, weight in model.named_parameters():
        if name.endswith("flow.weight"):  # begin as a copy of the source: nothing moves until it is taught to
            torch.nn.init.zeros_(weight)
    if s.grow_from:
        load_overlapping(model, torch.load(s.grow_from, map_location="cpu", weights_only=True)["ema"])
    model = model.to(place.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if s.compile:
        model.encoder.compile()
        model.decoder.compile()
    side = model.config.read_size
    shards, heldout = HeadShards(s.data, side), HeadShards(s.heldout, side)
    spread = shards.spread().to(place.device)
    looks = PerceptualTerms(model, s.features, s.perceptual, s.judge)
    people = People(s.data, s.size) if s.recombined else None

    def drawn_for(step: int) -> tuple[Batch, Tensor, tuple[Tensor, Tensor] | None]:
        if step % 50 == 0:
            shards.refresh()
        rng = rng_of(s.loop.seed, step, place)
        batch = shards.draw(rng, s.batch)
        if s.media:
            pictures = other_media(torch.cat([batch.source, batch.driving]), rng, s.media, alike=2)
            batch = replace(batch, source=pictures[: s.batch], driving=pictures[s.batch :])
        share = (s.true_mouth, s.true_pose, s.true_expression)
        given = torch.from_numpy(rng.random((s.batch, len(BANKS))) < np.array(share))
        given = given.repeat_interleave(torch.tensor(list(BANKS.values())), 1)
        return batch, given, shards.draw_single(rng, s.reading) if s.reading else None

    ahead = Ahead(drawn_for, s.ahead)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        batch, given, more = ahead(step)
        batch, given = batch.to(place.device), given.to(place.device)
        wanted = batch.at(s.size)
        pictures, true = [batch.source, batch.driving], [batch.source_weights, batch.weights]
        if more is not None:
            pictures.append(more[0].to(place.device))
            true.append(more[1].to(place.device))
        latent, features = model.encoder(torch.cat(pictures))
        read = model.navigator(latent).float()
        weights = torch.where(given, batch.weights, read[s.batch : 2 * s.batch])
        drawn = model.decode(latent[: s.batch], [f[: s.batch] for f in features], weights, batch.source)
        terms = {
            "picture": pyramid_l1(drawn.image, wanted.driving),
            "mouth": s.mouth * masked_l1(drawn.image, wanted.driving, wanted.mouth),
            "eyes": s.eyes * masked_l1(drawn.image, wanted.driving, wanted.eyes),
            "flow": s.flow
            * flow_l1(drawn.flows, batch.flow, batch.visible, s.heed * (wanted.mouth + wanted.eyes)),
            "mask": s.mask * mask_truth(drawn.mask, batch.visible, batch.hidden),
            "codes": s.codes * weight_regression(read, torch.cat(true), spread),
        }
        terms |= looks(drawn.image, wanted.driving, 0.1 + wanted.mouth + wanted.eyes)
        if people is not None and people.recombined:
            trio = people.recombinations(rng_of(s.loop.seed + 1, step, place), max(1, s.batch // 3))
            compare = PictureLoss(PictureSettings(s.mouth, s.eyes), model)
            terms["recombined"] = s.recombined * recombination(model, compare, *trio, place.device)
        return torch.stack(list(terms.values())).sum(), {k: float(v.detach()) for k, v in terms.items()}

    def look(step: int, average: nn.Module) -> dict[str, float]:
        assert isinstance(average, EDTalk)
        made = redraw(average, heldout, 64)
        Image.fromarray(sample_sheet(made)).save(s.out / f"sheet_{step:06d}.png")
        return {k: v for k, v in measure(made).items() if "_copy" not in k}

    train(model, loss_of, s.loop, s.out, place, look if place.leads else None)
    ahead.close()


if __name__ == "__main__":
    main(from_command_line(Settings))
