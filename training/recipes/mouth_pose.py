# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage 2: mouth and pose are taken apart by cross-reconstruction (Tan et al. 2024, section 3.2).

Nothing need be known about the pictures but where eyes and mouth are. Of two people a and b, two composites
are made: a with b's mouth, and b with a's mouth. Then a must be redrawn from its own picture, and again from
the *mouth* of the one composite and the *pose* of the other. A pose navigator that looked at the mouth, or
a mouth navigator that looked at the pose, would draw the wrong picture.

Terms: both redrawings against a (differences at three sizes, mouth and eyes, features and a judge if asked
for), and exp(-cos) of the composites' mouth and pose displacements with those of a itself. Where a renderer
knows the true weights they are asked for as well, so that channels keep their names, and where it drew
*recombinations* (``edtalk heads render --recombined 4``) mouth, pose and expression of three other heads must
give the picture that was rendered.

    edtalk train mouth-pose --start RUN128 --data DATA --heldout HELD --out RUN2      renders
    edtalk train mouth-pose --start RUN128 --data CLIPS --heldout OTHERS --out RUN2   folders of clips

Everything learns but the expression's part, which is the next stage's. The published model took 4000 steps
of 8 people, an hour on two GPUs; `r2_mouth` and `mouth_l1_ratio` in the log say whether it works here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.edtalk import EDTalk
from core.wire.channels import BANK_SLICES

from ..heads.people import Faces
from ..shared.composites import with_mouth_of
from ..shared.loop import LoopSettings, from_command_line, rng_of, take_place, train
from .clips import people_of
from .stage import (
    PictureLoss,
    PictureSettings,
    hold_bases,
    in_other_media,
    looked_at,
    model_from,
    recombination,
    told,
    train_only,
    write_config,
)

MOUTH, POSE, EXPRESSION = (BANK_SLICES[bank] for bank in ("mouth", "pose", "expression"))


@dataclass(frozen=True)
class Schedule(LoopSettings):
    """A model that exists already is changed gently."""

    steps: int = 4000
    learning_rate: float = 5e-4
    decay_from: float = 0.5


@dataclass(frozen=True)
class Settings:
    """Mouth-pose decoupling by cross-reconstruction, on renders or on clips."""

    start: Path  # a run's folder, or a checkpoint
    data: Path  # rendered heads, or clips and pictures, a folder for each person
    heldout: Path
    out: Path
    batch: int = 4  # people a step, in each process; each lends its mouth to another
    threads: int = 0
    rest: float = 0.5  # share of sources that are the person's first frame
    media: float = 0.0  # share of people in other media
    alike: float = 1.0  # weight of the composites' displacements being those of the picture itself
    true: float = 0.5  # share of the straight redrawings by true mouth and pose, where they are known
    codes: float = 0.35  # weight of true weights, where they are known
    recombined: float = 1.0  # weight of rendered recombinations, where there are any
    picture: PictureSettings = field(default_factory=PictureSettings)
    loop: Schedule = field(default_factory=Schedule)


def main(s: Settings) -> None:
    """Train to ``s.loop.steps`` (resuming), leaving ``state.pt``, ``log.jsonl`` and sheets in ``s.out``."""
    place = take_place(s.threads)
    torch.manual_seed(s.loop.seed)
    model = model_from(s.start)
    if place.leads:
        write_config(s.out, model.config)
    hold_expression(model)
    model = model.to(place.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    people = people_of(s.data, s.out / "crops", model.config.read_size)
    heldout = people_of(s.heldout, s.out / "heldout_crops", model.config.read_size)
    spread = people.spread().to(place.device)
    compare = PictureLoss(s.picture, model)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = rng_of(s.loop.seed, step, place)
        source, driving = in_other_media(rng, s.media, *people.draw(rng, s.batch, s.rest))
        source, driving = source.to(place.device), driving.to(place.device)
        given = torch.from_numpy(rng.random((s.batch, 1)) < s.true * people.known).to(place.device)
        terms, read, true = cross_reconstruction(model, compare, source, driving, given)
        terms["alike"] = s.alike * terms["alike"]
        if people.known and s.codes:
            terms["codes"] = s.codes * told(read, true, spread[: POSE.stop])
        if people.recombined and s.recombined:
            trio = people.recombinations(rng, max(1, s.batch // 2))
            terms["recombined"] = s.recombined * recombination(model, compare, *trio, place.device)
        return torch.stack(list(terms.values())).sum(), {k: float(v.detach()) for k, v in terms.items()}

    def look(step: int, average: nn.Module) -> dict[str, float]:
        assert isinstance(average, EDTalk)
        return looked_at(average, heldout, s.out, step)

    train(model, loss_of, s.loop, s.out, place, look if place.leads else None)


def cross_reconstruction(
    model: EDTalk, compare: PictureLoss, source: Faces, driving: Faces, given: Tensor
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The terms of one step, and mouth and pose weights [4B, 26] as read and as they truly are.

    Person b is the next in the batch, so each of the B people is once a and once b. Where ``given`` [B, 1]
    says so, a is redrawn from its true weights rather than its own picture's.
    """
    count, other = len(source.picture), driving.rolled()
    wearing = with_mouth_of(driving, other)  # a's pose, b's mouth
    worn = with_mouth_of(other, driving)  # b's pose, a's mouth
    latent, features = model.encoder(torch.cat([source.picture, driving.picture, wearing, worn]))
    read = model.navigator(latent).float()
    _, own, of_wearing, of_worn = read.chunk(4)
    known = not bool(torch.isnan(driving.weights).any())
    drawn = (driving.weights if known else own.detach())[:, : read.shape[1]]
    straight = torch.where(given, drawn[:, : POSE.stop], own[:, : POSE.stop])
    straight = torch.cat([straight, drawn[:, POSE.stop :]], 1)
    crossed = torch.cat([of_worn[:, MOUTH], of_wearing[:, POSE], drawn[:, POSE.stop :]], 1)
    made = model.decode(
        latent[:count].repeat(2, 1),
        [f[:count].repeat(2, 1, 1, 1) for f in features],
        torch.cat([straight, crossed]),
        source.picture.repeat(2, 1, 1, 1),
    )
    terms = compare(made.image, driving)
    terms["alike"] = unlike(of_worn[:, MOUTH], own[:, MOUTH]) + unlike(of_wearing[:, POSE], own[:, POSE])
    a, b = driving.weights, other.weights
    true = torch.cat([source.weights, a, swapped(a, b), swapped(b, a)])
    return terms, read[:, : POSE.stop], true[:, : POSE.stop]


def unlike(a: Tensor, b: Tensor) -> Tensor:
    """Mean of exp(-cos) of two displacements, less its least value; scalar from 0.

    Bases are orthonormal, so the angle between displacements [B, D] is that between their weights [B, n].
    """
    return torch.exp(-F.cosine_similarity(a, b, dim=1)).mean() - torch.exp(torch.tensor(-1.0))


def swapped(pose: Tensor, mouth: Tensor) -> Tensor:
    """Pose of the one, mouth of the other: [B, 36] each, the expression being the pose's."""
    return torch.cat([mouth[:, MOUTH], pose[:, POSE.start :]], 1)


def hold_expression(model: EDTalk) -> None:
    """Everything learns but the expression's navigator, bases and modules."""
    train_only(model, model)
    if model.config.expression:
        model.navigator.heads["expression"].requires_grad_(False)
        hold_bases(model.bank, EXPRESSION)
        for level in model.decoder.ordered:
            if level.enhance is not None:
                level.enhance.requires_grad_(False)


if __name__ == "__main__":
    main(from_command_line(Settings))
