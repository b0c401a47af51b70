# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage 3: expression by complementary learning (Tan et al. 2024, section 3.3).

The mouth and pose of stage 2 are held still. From a driving picture they read mouth and pose, which redraws
the source with the right lips and the right turn, but with its own expression. What is still missing is the
expression, so whatever helps to redraw the picture is one: the navigator, the bank and the modules that learn
here have nothing else to say. The published model learnt from speakers with many emotions, about six hours.

Rendered heads know mouth and pose, so there the complement is exactly the expression (``--true``); on clips
it is what the navigators do not read. Where true expressions are known they are asked for as well, and
rendered recombinations count as in stage 2.

    edtalk train expression --start RUN2 --data DATA --heldout HELD --out RUN3
    edtalk train expression --start RUN3 --data DATA --heldout HELD --out RUN3B --decoder --learning-rate 5e-5

The second run, once the first no longer falls, lets the decoder follow at a tenth of the pace. A model
without an expression bank is given one, fresh.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from core.models.edtalk import EDTalk
from core.wire.channels import BANK_SLICES

from ..heads.people import Faces
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
    with_expression,
    write_config,
)

EXPRESSION = BANK_SLICES["expression"]
REST = slice(0, EXPRESSION.start)


@dataclass(frozen=True)
class Schedule(LoopSettings):
    """A part of a model is learnt; the rest stands still."""

    steps: int = 4000
    learning_rate: float = 1e-3
    decay_from: float = 0.5


@dataclass(frozen=True)
class Settings:
    """Expression decoupling by self-reconstruction, on renders or on clips."""

    start: Path  # a run's folder, or a checkpoint
    data: Path  # rendered heads, or clips and pictures, a folder for each person
    heldout: Path
    out: Path
    batch: int = 8  # pairs a step, in each process
    threads: int = 0
    rest: float = 0.7  # share of sources that are the person's first frame, best a neutral one
    media: float = 0.0  # share of people in other media
    true: float = 0.75  # share of pairs whose mouth and pose are the true ones, where they are known
    codes: float = 0.35  # weight of true expressions, where they are known
    recombined: float = 1.0  # weight of rendered recombinations, where there are any
    decoder: bool = False  # let the decoder learn, too
    picture: PictureSettings = field(default_factory=PictureSettings)
    loop: Schedule = field(default_factory=Schedule)


def main(s: Settings) -> None:
    """Train to ``s.loop.steps`` (resuming), leaving ``state.pt``, ``log.jsonl`` and sheets in ``s.out``."""
    place = take_place(s.threads)
    torch.manual_seed(s.loop.seed)
    model = with_expression(model_from(s.start))
    if place.leads:
        write_config(s.out, model.config)
    learn_expression(model, s.decoder)
    model = model.to(place.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    people = people_of(s.data, s.out / "crops", model.config.read_size)
    heldout = people_of(s.heldout, s.out / "heldout_crops", model.config.read_size)
    spread = people.spread().to(place.device)
    compare = PictureLoss(s.picture, model)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = rng_of(s.loop.seed, step, place)
        pair = in_other_media(rng, s.media, *people.draw(rng, s.batch, s.rest))
        source, driving = (faces.to(place.device) for faces in pair)
        given = torch.from_numpy(rng.random((s.batch, 1)) < s.true * people.known).to(place.device)
        made, read = complement(model, source, driving, given)
        terms = compare(made, driving)
        if people.known and s.codes:
            true = driving.weights[:, EXPRESSION]
            terms["codes"] = s.codes * told(read[:, EXPRESSION], true, spread[EXPRESSION])
        if people.recombined and s.recombined:
            trio = people.recombinations(rng, max(1, s.batch // 2))
            terms["recombined"] = s.recombined * recombination(model, compare, *trio, place.device)
        return torch.stack(list(terms.values())).sum(), {k: float(v.detach()) for k, v in terms.items()}

    def look(step: int, average: nn.Module) -> dict[str, float]:
        assert isinstance(average, EDTalk)
        return looked_at(average, heldout, s.out, step)

    train(model, loss_of, s.loop, s.out, place, look if place.leads else None)


def complement(model: EDTalk, source: Faces, driving: Faces, given: Tensor) -> tuple[Tensor, Tensor]:
    """Sources redrawn as the driving pictures [B, 3, S, S], and the weights read [B, 36]; where ``given``
    [B, 1] says so, mouth and pose are the true ones."""
    with torch.no_grad():  # nothing in the encoder learns
        latent, features = model.encoder(torch.cat([source.picture, driving.picture]))
    own, seen = latent.chunk(2)
    read = model.navigator(seen).float()
    known = driving.weights[:, REST].nan_to_num()
    weights = torch.cat([torch.where(given, known, read[:, REST]), read[:, EXPRESSION]], 1)
    made = model.decode(own, [f[: len(own)] for f in features], weights, source.picture)
    return made.image, read


def learn_expression(model: EDTalk, decoder: bool) -> None:
    """Only the expression's navigator, bases and modules learn, and the decoder if asked for."""
    modules = [level.enhance for level in model.decoder.ordered if level.enhance is not None]
    own: list[nn.Module] = [model.navigator.heads["expression"], *modules]
    train_only(model, model.bank.directions, *own, *([model.decoder] if decoder else []))
    hold_bases(model.bank, REST)


if __name__ == "__main__":
    main(from_command_line(Settings))
