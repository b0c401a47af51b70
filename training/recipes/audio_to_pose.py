# SPDX-License-Identifier: GPL-3.0-or-later
"""Audio-to-pose: from synthetic talks and heads that move by rule and chance, a flow that moves a head.

The pose part of the paper's Audio-to-Motion (section 3.3). There is no recording of anybody to learn from,
so the heads are those of `training.speech.gestures`: what research reports of nods, postures, pauses and
blinks, with chance for what speech does not decide. The flow can be no better than these rules; what it adds
is that it hears them in any recording, without knowing the words, and gives a new plausible motion for every
seed.

    python -m training.recipes.audio_to_pose --corpus CORPUS --out RUN

CORPUS is the one of `audio_to_mouth` and is made when it is not there. A pool of talks is drawn first (a
minute or two), and several heads for each of them. The loss is the flow's negative log-likelihood of each
piece of motion after true poses, plus the cross-entropy of blinks and the error of expected nods. A good run
takes ten minutes on one core. On voices never heard, drawn heads then tremble no more than the rules' and
turn about as far, their nods on stressed syllables are half as deep, and they rest less in pauses (speed
.76 of that in speech, the rules' .50).
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.models.audio_to_pose import (
    BLINK_MEMORY,
    LUCK,
    POSES,
    SETTLE,
    STRIDE,
    AudioToPose,
    AudioToPoseConfig,
    between,
    knotted,
    windowed,
)
from core.models.small import export
from core.motion.motion import smoothed
from core.wire.channels import STEPS_PER_SECOND
from training.evaluation.head_motion import average, blinks_at_ends
from training.shared.ahead import Ahead
from training.shared.loop import LoopSettings, from_command_line, take_place, train
from training.shared.voices import alike, by_engine, parted
from training.speech import corpus
from training.speech.corpus import Recordings
from training.speech.gestures import gestures
from training.speech.talks import Talk, talk

STRAY, COMES_BACK = 0.8, 1.2
"""How far a head is put out of its way in training, in deviations, and the seconds it takes to return:
without it, what is drawn can wander to where no head has ever been and be lost there."""
DUST = 0.01
"""Noise on what is to be learned, in deviations, so that no motion is infinitely likely."""
VARIANTS = 5
"""Heads that are drawn for each talk."""
NODS = 3.0
"""Weight of the expected nods in the loss."""
KEPT_BACK = 10
"""The last sentences of every voice, which no run trains on."""

Batch = tuple[Tensor, ...]
"""What `worn` returns."""


@dataclass(frozen=True)
class Schedule(LoopSettings):
    """Small batches of cheap data; likelihoods want full precision."""

    steps: int = 2600
    learning_rate: float = 1e-3
    warmup: int = 100
    decay_from: float = 0.4
    floor: float = 0.02
    clip: float = 3.0
    ema: float = 0.998
    save_every: int = 1000
    log_every: int = 100
    bf16: bool = False


@dataclass(frozen=True)
class Settings:
    """Audio-to-pose flow on synthetic talks."""

    corpus: Path
    out: Path
    hold_out: str = "flite-slt,flite-awb"  # voices that are only measured on
    talks: int = 260  # in the pool
    seconds: float = 16.0  # of one talk
    batch: int = 6  # talks a step
    flite: float = 0.6  # share of talks by flite, whose voices are the more human ones
    forget: float = 0.35  # share of pieces that are not told how the head moved before
    synthesise: bool = True
    workers: int = 2
    threads: int = 1
    loop: Schedule = field(default_factory=Schedule)


def pool(voices: list[Recordings], count: int, seconds: float, flite: float, seed: int) -> list[Talk]:
    """Talks of these voices, the same for the same seed."""
    groups = by_engine(voices)
    share = flite if all(groups) else float(bool(groups[0]))
    talks = []
    for number in range(count):
        rng = np.random.default_rng((seed, 77, number))
        group = groups[0 if rng.random() < share else 1]
        talks.append(talk(group[rng.integers(len(group))], seconds, rng, KEPT_BACK))
    return talks


def worn(one: Talk, config: AudioToPoseConfig, stillness: float, rng: np.random.Generator) -> Batch:
    """Put a new head on a talk and cut everything into B pieces.

    Returns:
        pieces [B, K, D], heard [B, window, P], past [B, past, D], stillness [B, 1], seconds since the last
        blink [B, K], whether one begins [B, K], where nods are expected [B, 1 + K].
    """
    pose, begins = gestures(one.visemes, one.clean, stillness, rng)
    count = len(one) // (STRIDE * config.piece)
    knots = knotted(pose)[: count * config.piece]
    starts = np.concatenate([[-BLINK_MEMORY * STEPS_PER_SECOND], np.flatnonzero(begins)])
    time = np.arange(len(knots)) * STRIDE
    since = (time - starts[np.searchsorted(starts, time) - 1]) / STEPS_PER_SECOND
    begin = knotted(begins[:, None].astype(np.float64))[: len(knots), 0] > 0
    nods = np.concatenate([np.zeros(1), knotted(one.nods[:, None])[: len(knots), 0]])
    before = np.concatenate([np.repeat(knots[:1], config.past, axis=0), knots])
    first = config.piece * np.arange(count)[:, None]
    columns = (
        knots.reshape(count, config.piece, len(POSES)),
        windowed(one.heard, config, count),
        before[first + np.arange(config.past)],
        np.full((count, 1), stillness),
        since.reshape(count, config.piece),
        begin.reshape(count, config.piece),
        nods[first + np.arange(config.piece + 1)],
    )
    return tuple(torch.from_numpy(column.astype(np.float32)) for column in columns)


def disturbed(batch: Batch, forget: float, rng: np.random.Generator) -> Batch:
    """The same pieces after pasts that were put out of their way, shaken or, a share `forget`, frozen."""
    pieces, past = batch[0].numpy(), batch[2].numpy()
    count, length = pieces.shape[:2]
    # a head that strayed comes back: both move away, and the piece on its way returns
    away = rng.normal(0, STRAY, (count, 1, len(POSES))) * (rng.random((count, 1, 1)) < 0.5)
    back = np.exp(-(np.arange(length) + 1) * STRIDE / STEPS_PER_SECOND / COMES_BACK)
    pieces = pieces + away * back[:, None] + rng.normal(0, DUST, pieces.shape)
    past = past + away
    past[:, :-2] += rng.normal(0, 0.03, past[:, :-2].shape)
    blind = rng.random(count) < forget
    past[blind] = past[blind, -1:]
    changed = (torch.from_numpy(column.astype(np.float32)) for column in (pieces, past))
    return (next(changed), batch[1], next(changed), *batch[3:])


def joined(parts: list[Batch]) -> Batch:
    """The pieces of several talks as one batch."""
    return tuple(torch.cat(column) for column in zip(*parts))


def loss_of_heads(net: AudioToPose, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Likelihood of the motion and of the blinks, and the error of what is expected of nods."""
    pieces, heard, past, stillness, since, begin, nods = batch
    surprise = net.surprise(pieces, heard, past, stillness).mean()
    blinks = functional.binary_cross_entropy_with_logits(net.hazard(heard, since), begin)
    expected = functional.mse_loss(net.nods(heard), nods)
    loss = surprise + blinks + NODS * expected
    return loss, {"surprise": surprise.item(), "blinks": blinks.item(), "nods": expected.item()}


def spread_of(talks: list[Talk], net: AudioToPose) -> Tensor:
    """Deviation of each knot of a piece from the last pose before it, [K, D]."""
    rng = np.random.default_rng(5)
    pieces, _, past, *_ = joined([worn(one, net.config, float(rng.uniform()), rng) for one in talks])
    return (pieces - past[:, -1:]).std(0).clamp(min=1e-3)


@torch.no_grad()
def drawn(net: AudioToPose, talks: list[Talk], seed: int, stillness: float = 0.3) -> list[NDArray[Any]]:
    """Heads of the network for these talks, all at once, [T, 6] each."""
    config = net.config
    count = min(map(len, talks)) // (STRIDE * config.piece)
    heard = torch.from_numpy(np.stack([windowed(one.heard, config, count) for one in talks]))
    calm = torch.full((len(talks), 1), stillness)
    track = torch.zeros(len(talks), config.past, len(POSES))
    noise = torch.Generator().manual_seed(seed)
    for piece in range(count):
        z = torch.randn(len(talks), config.piece * len(POSES), generator=noise)
        past = track[:, -config.past :]
        made = net.follow(z.clamp(-LUCK, LUCK), heard[:, piece], past, calm)
        track = torch.cat([track, made], dim=1)
    return [smoothed(between(one[config.past :].numpy()), SETTLE) for one in track]


def judge(net: AudioToPose, talks: list[Talk], stillness: float = 0.3) -> dict[str, float]:
    """The network's heads and the rules' on the same talks, side by side."""
    rng = np.random.default_rng(11)
    ruled = [gestures(one.visemes, one.clean, stillness, rng) for one in talks]
    marks = {f"rules {name}": value for name, value in average([pose for pose, _ in ruled], talks).items()}
    made = drawn(net, talks, 3, stillness)
    marks |= {f"drawn {name}": value for name, value in average(made, _cut(talks, len(made[0]))).items()}
    marks |= {f"rules {k}": v for k, v in blinks_at_ends([begin for _, begin in ruled], talks).items()}
    with torch.no_grad():
        batch = joined([worn(one, net.config, stillness, rng) for one in talks])
        _, held = loss_of_heads(net, batch)
        rate = float(batch[5].mean())
    guess = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    return marks | {f"held out {k}": v for k, v in held.items()} | {"blinks by rate alone": float(guess)}


def _cut(talks: list[Talk], steps: int) -> list[Talk]:
    return [
        Talk(
            one.visemes[one.visemes[:, 2] < steps / STEPS_PER_SECOND],
            one.clean[:steps],
            one.heard[:steps],
            one.nods[:steps],
        )
        for one in talks
    ]


def main(settings: Settings) -> dict[str, float]:
    """Make corpus and pool, train, judge on voices held out, export. Raises InputError for one not there."""
    made = corpus.make(settings.corpus, workers=settings.workers) if settings.synthesise else []
    place = take_place(settings.threads)
    trained, apart = parted(settings.corpus, settings.hold_out, corpus.load, made)
    seed, length = settings.loop.seed, settings.seconds
    talks = pool(trained, settings.talks, length, settings.flite, seed)
    judged = pool(apart or trained, 24, length, settings.flite, seed + 1)

    torch.manual_seed(seed)
    net = AudioToPose(AudioToPoseConfig())
    net.spread.copy_(spread_of(talks[:40], net))
    net.to(place.device).train()

    @functools.cache
    def head(number: int, variant: int) -> Batch:
        rng = np.random.default_rng((seed, 13, number, variant))
        return worn(talks[number], net.config, float(rng.uniform()), rng)

    def prepare(step: int) -> Batch:
        rng = alike(seed, step)
        chosen = rng.integers((len(talks), VARIANTS), size=(settings.batch, 2)).tolist()
        batch = disturbed(joined([head(*one) for one in chosen]), settings.forget, rng)
        used = len(batch[0]) - len(batch[0]) % place.world
        return tuple(column[place.rank : used : place.world] for column in batch)

    ahead = Ahead(prepare, 1)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        return loss_of_heads(net, tuple(part.to(place.device) for part in ahead(step)))

    def look(step: int, averaged: nn.Module) -> dict[str, float]:
        assert isinstance(averaged, AudioToPose)
        return judge(averaged, judged)

    averaged = train(net, loss_of, settings.loop, settings.out, place, look)
    ahead.close()
    assert isinstance(averaged, AudioToPose)
    averaged.cpu()
    marks = judge(averaged, judged)
    if place.leads:
        export(settings.out / "audio_to_pose.safetensors", averaged, averaged.config.to_dict(), marks)
        (settings.out / "marks.json").write_text(json.dumps(marks, indent=1), encoding="utf-8")
    return marks


if __name__ == "__main__":
    main(from_command_line(Settings))
