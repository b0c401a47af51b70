# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole evaluation of a checkpoint on held-out heads and voices, as one object of plain numbers.

    found = evaluate(path, Path("data/heldout"))
    found.numbers()      # the keys of `edtalk evaluate --json`
    tables(found)        # Markdown, in training.evaluation.tables

Held-out heads are rendered when they are not there yet, once.  Everything is fixed by seeds: the same
checkpoint gets the same numbers, up to rounding.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.checkpoints import checkpoint
from core.checkpoints.checkpoint import Meta
from core.engine.engine import Engine
from core.wire.errors import InputError

from ..factors import channels
from ..heads.dataset import HELD_OUT, DatasetSettings, render_dataset
from ..heads.shards import HeadShards
from .clips import Steadiness, lips_in_step, steadiness
from .disentanglement import CrossTalk, Kept, cross_talk, handles_kept
from .likeness import Distance, drift, landmark_distance
from .read_back import ReadBack, read_back
from .reader import load_reader
from .reconstruction import Redrawn, measure, redraw
from .voices import Hearing, hearing

Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Amounts:
    """How much is measured; the defaults take some three minutes on two cores."""

    identities: int = 64  # held-out people of the redrawn pairs
    pairs: int = 256
    people: int = 24  # of the cross-talk
    handled: int = 12  # people on whom handles are asked
    clips: int = 3
    sentences: int = 8  # of each voice
    spoken: int = 75  # steps of speech that are drawn for each group of voices


@dataclass(frozen=True)
class Way:
    """One way to make the driving picture out of the source: a row of the first table."""

    l1: float  # ratios to copying the source
    mouth_l1: float
    eyes_l1: float
    ssim: float
    psnr: float
    distance: Distance
    drift: float


@dataclass(frozen=True)
class Evaluation:
    """All that was measured."""

    meta: Meta
    size: int
    amounts: Amounts
    heads: int  # different people in the redrawn pairs
    ways: dict[str, Way]  # "copy", "read", "true", "truth"
    strangers: float  # drift between two different people
    reading: dict[str, ReadBack]  # block -> R2 of read weights
    copied: dict[str, ReadBack]  # the same when the source's weights are taken for the driving picture's
    talk: CrossTalk
    handles: list[Kept]
    steady: dict[str, Steadiness]
    hearing: Hearing
    in_step: dict[str, tuple[float, float]]  # group -> correlation of drawn lips, of rendered lips
    made: Redrawn
    seconds: float

    def numbers(self) -> dict[str, Any]:
        """The headline numbers under fixed names; None where they could not be measured."""
        heard = self.hearing.marks

        def by_group(name: str) -> dict[str, float | None]:
            return {group: heard[group][name] if group in heard else None for group in ("male", "female")}

        lags = [marks["lag_ms"] for marks in heard.values()]
        return {
            "l1_ratio": self.ways["read"].l1,
            "mouth_l1_ratio": self.ways["read"].mouth_l1,
            "ssim": self.ways["read"].ssim,
            "r2": {name: self.reading[name].pooled for name in ("pose", "mouth", "expression", "blink")},
            "cross_talk_max": self.talk.largest,
            "outside_mouth_energy": self.talk.outside["drawn"],
            "jaw_corr": by_group("r_jaw_open"),
            "press_corr": by_group("r_press"),
            "lag_ms": max(lags, key=abs) if lags else None,
            "seconds": self.seconds,
        }


def evaluate(
    path: Path, heldout: Path, amounts: Amounts = Amounts(), say: Say = lambda *_: None
) -> Evaluation:
    """Measure a checkpoint whose channels are the factors of `training.heads` (any that was trained here).

    Raises:
        InputError: a checkpoint of another kind, whose weights have no known truth.
        MissingCheckpoint, BadCheckpoint; NoGraphics where heads cannot be rendered.
    """
    began = time.monotonic()
    loaded = checkpoint.load(path)
    if [c.label for c in loaded.meta.channels] != [c.label for c in channels()]:
        raise InputError(
            f"The weights of {path.name} have no known truth: it was not trained on rendered heads",
            hint="`edtalk evaluate --clips FOLDER` measures any checkpoint on clips of your own",
        )
    size = loaded.model.config.size
    shards = held_out(heldout, loaded.model.config.read_size, amounts.identities, say)
    say("redrawing", 0, 1)
    made = redraw(loaded.model.eval(), shards, amounts.pairs)
    say("redrawing", 1, 1)
    meta = loaded.meta
    engine = Engine(
        loaded.model, "auto", meta.id, meta.channels, meta.emotions, loaded.audio_to_mouth, precision="fast"
    )
    heard = hearing(loaded.audio_to_mouth, amounts.sentences)
    say("listening", 1, 1)
    return Evaluation(
        meta=meta,
        size=size,
        amounts=amounts,
        heads=shards.identities(),
        **_redrawn(made),
        reading=read_back(made.read, made.batch.weights),
        copied=read_back(made.batch.source_weights, made.batch.weights),
        talk=cross_talk(engine, amounts.people, say),
        handles=handles_kept(engine, meta.handles, amounts.handled, say) if meta.handles else [],
        steady=steadiness(engine, amounts.clips, say=say),
        hearing=heard,
        in_step={
            group: lips_in_step(engine, said[:1], most=amounts.spoken)
            for group, said in heard.sentences.items()
        },
        made=made,
        seconds=time.monotonic() - began,
    )


def held_out(folder: Path, size: int, identities: int, say: Say) -> HeadShards:
    """Shards of people that no training sees, at least as large as is read; rendered once, then kept.

    Raises InputError for smaller ones.
    """
    settings = DatasetSettings(folder, identities, HELD_OUT, size=max(128, size))
    shards = list(settings.shards())
    missing = sum(not settings.folder(number).exists() for number, _ in shards)
    if missing:
        say("rendering", 0, missing)
        for done, _ in enumerate(render_dataset(settings)):
            say("rendering", done + 1, missing)
    found = HeadShards(folder, size)
    if found.smallest() < size:
        raise InputError(
            f"The held-out heads in {folder} are {found.smallest()} pixels wide and this model reads {size}",
            hint="Name another folder with --heldout, or delete this one: it is rendered anew",
        )
    return found


def _redrawn(made: Redrawn) -> dict[str, Any]:
    """The rows of the first table."""
    reader, numbers = load_reader(), measure(made)
    pictures = {
        "copy": made.batch.source, "read": made.by_read, "true": made.by_true, "truth": made.batch.driving
    }  # fmt: skip
    seen = {name: reader.read(picture.cpu().float()) for name, picture in pictures.items()}
    ways = {}
    for name, reading in seen.items():
        distance = landmark_distance(reading.landmarks, seen["truth"].landmarks)
        left = drift(reading, seen["copy"])
        if name == "truth":
            ways[name] = Way(0, 0, 0, 1, float("inf"), distance, left)
            continue
        l1, mouth, eyes = (
            1.0 if name == "copy" else numbers[f"{part}_ratio" + ("_true" if name == "true" else "")]
            for part in ("l1", "mouth_l1", "eyes_l1")
        )
        ways[name] = Way(l1, mouth, eyes, numbers[f"ssim_{name}"], numbers[f"psnr_{name}"], distance, left)
    person = seen["copy"].person
    others = 1 - (person @ torch.roll(person, len(person) // 2, 0).t()).diagonal()
    return {"ways": ways, "strangers": float(others.mean())}
