# SPDX-License-Identifier: GPL-3.0-or-later
"""Sync expert: from the scenes of audio-to-mouth, a judge of whether a mouth says a sound now.

    python -m training.recipes.sync_expert --corpus CORPUS --out RUN

The paper trains audio-to-mouth with Wav2Lip's expert, which cannot be shipped; this one is ours, and hears
the same synthetic voices. Voices are kept back to be measured on: how often, of a fifth of a second as that
expert sees it, the mouth in sync is preferred to the same mouth 80 to 200 ms early or late. A good run takes
five minutes on an idle core and is right 98 times in a hundred or more at 80 ms, on clean voices.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.models.small import export
from core.models.sync_expert import REACH, SyncExpert, scores
from core.sound import mel
from training.recipes.audio_to_mouth import KEPT_BACK, SCENE, Scenes, usual_spectrum
from training.shared.loop import LoopSettings, from_command_line, take_place, train
from training.shared.voices import alike, parted
from training.speech import corpus
from training.speech.corpus import Recordings
from training.speech.visemes import mouth_track

STRETCH = 5
"""Steps that are judged together: a fifth of a second."""


@dataclass(frozen=True)
class Schedule(LoopSettings):
    """Short."""

    steps: int = 300
    warmup: int = 50
    decay_from: float = 0.3
    floor: float = 0.02
    ema: float = 0.99
    save_every: int = 100
    log_every: int = 25
    bf16: bool = False


@dataclass(frozen=True)
class Settings:
    """Lip-sync expert on synthetic speech."""

    corpus: Path
    out: Path
    hold_out: str = "flite-slt,flite-awb"  # voices that are only measured on
    batch: int = 4  # scenes a step
    flite: float = 0.55
    synthesise: bool = True
    workers: int = 2
    threads: int = 1
    loop: Schedule = field(default_factory=Schedule)


def measure(net: SyncExpert, voice: Recordings, count: int) -> dict[str, float]:
    """Share of stretches of a voice's last sentences in which the mouth in sync is preferred to one that is
    off by so many milliseconds, early and late together."""
    right: dict[int, list[float]] = {shift: [] for shift in (2, 3, 5)}
    for number in range(max(0, len(voice) - count), len(voice)):
        said = voice[number]
        units = mouth_track(said.visemes, -(-len(said.samples) // mel.SAMPLES_PER_STEP))
        if len(units) < STRETCH + 2 * REACH:
            continue
        table = scores(net, said.samples, units)
        sums = np.cumsum(np.pad(table, ((1, 0), (0, 0))), axis=0)
        judged = sums[STRETCH:] - sums[:-STRETCH]
        for shift, wins in right.items():
            for off in (REACH - shift, REACH + shift):
                wins += (judged[:, REACH] > judged[:, off]).tolist()
    return {f"{40 * shift} ms": float(np.mean(wins)) for shift, wins in right.items() if wins}


def main(settings: Settings) -> dict[str, Any]:
    """Make the corpus, train, measure on the voices held out, export. Raises InputError for one not there."""
    made = corpus.make(settings.corpus, workers=settings.workers) if settings.synthesise else []
    place = take_place(settings.threads)
    trained, apart = parted(settings.corpus, settings.hold_out, corpus.load, made)
    judged = apart or trained
    seed = settings.loop.seed
    torch.manual_seed(seed)
    net = SyncExpert()
    net.ears.usual.copy_(torch.from_numpy(usual_spectrum(trained)))
    net.to(place.device).train()
    scenes, frames = Scenes(trained, settings.flite), net.ears.frames(0, SCENE)
    usual = net.ears.usual.double().cpu().numpy()

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        torch.manual_seed(1000 * step + place.rank)  # what is dropped is the same after a resume
        heard, units = scenes.batch(settings.batch, usual, frames, alike(seed, step))
        mine = slice(place.rank, None, place.world)
        loss = net.agreement(heard[mine].to(place.device), units[mine].to(place.device))
        return loss, {"loss": loss.item()}

    def look(step: int, averaged: nn.Module) -> dict[str, float]:
        assert isinstance(averaged, SyncExpert)
        return {
            f"{voice.key} {name}": value
            for voice in judged
            for name, value in measure(averaged, voice, KEPT_BACK).items()
        }

    averaged = train(net, loss_of, settings.loop, settings.out, place, look)
    assert isinstance(averaged, SyncExpert)
    marks = {voice.key: measure(averaged.cpu(), voice, 40) for voice in judged}
    if place.leads:
        export(settings.out / "sync_expert.safetensors", averaged, averaged.config.to_dict(), marks)
        (settings.out / "marks.json").write_text(json.dumps(marks, indent=1), encoding="utf-8")
    return marks


if __name__ == "__main__":
    main(from_command_line(Settings))
