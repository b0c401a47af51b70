# SPDX-License-Identifier: GPL-3.0-or-later
"""Audio-to-mouth: from synthetic speech alone, a network that hears mouth motion in any voice.

The mouth part of the paper's Audio-to-Motion (section 3.3), with the speech of `training.speech` in place of
talking people. The first run keeps voices back, to be measured on; the second goes on from it with all
voices.

    edtalk train audio-to-mouth --corpus CORPUS --out HELD --hold-out flite-slt,flite-awb
    edtalk train audio-to-mouth --corpus CORPUS --out ALL --start HELD/audio_to_mouth.safetensors

The corpus is made when it is not there (two minutes, with flite and espeak-ng installed). Each step draws
scenes of four seconds: sentences of a voice with pauses and breaths between them, a resized throat, louder
and softer stretches, a room, a microphone, noise; one scene in ten holds no speech at all, so that the
mouth stays shut in silence, noise and breath.

The loss is the cross-entropy of mouth units as shares of "on" (closed lips are nearly a yes-or-no matter),
plus the error of their velocity; with --expert, plus the sync term of `core.models.sync_expert`. A good run
takes half an hour on one core; the jaw then correlates with the truth by .88 (slt, a woman) and .90 (awb, a
man) in voices never heard, and three closures of the lips in four are met. (The sync term changed none of
these by more than .005 when such a network was trained on for 120 steps with it and without.)
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.models import small
from core.models.audio_to_mouth import CLEAN, AudioToMouthConfig, CleanAudioToMouth
from core.models.sync_expert import expert_of
from core.sound import mel
from training.evaluation.hearing import lost_spread, measure
from training.shared.ahead import Ahead
from training.shared.loop import LoopSettings, from_command_line, rng_of, take_place, train
from training.shared.voices import by_engine, parted
from training.speech import augment, corpus
from training.speech.corpus import Recordings
from training.speech.synth import RATE, Utterance
from training.speech.visemes import UNITS, mouth_track

SCENE = 100
"""Steps of one training scene: 4 s."""
KEPT_BACK = 10
"""The last sentences of every voice, which no run trains on."""
EMPHASIS = {"jaw_open": 2.0, "press": 2.5, "lip_teeth": 1.5, "tongue_up": 0.5, "tongue_out": 0.5}
"""Weights of units in the loss, 1 where not named: what an onlooker sees first."""


@dataclass(frozen=True)
class Schedule(LoopSettings):
    """A small network on cheap data: short steps, an early and long decay."""

    steps: int = 2400
    warmup: int = 100
    decay_from: float = 0.3
    floor: float = 0.02
    ema: float = 0.995
    save_every: int = 250
    log_every: int = 50


@dataclass(frozen=True)
class Settings:
    """Audio-to-mouth network on synthetic speech."""

    corpus: Path
    out: Path
    hold_out: str = ""  # voices never heard, comma-separated, e.g. "flite-slt,espeak-en+f4"
    start: str = ""  # audio_to_mouth.safetensors of another run, to go on from
    batch: int = 12  # scenes a step
    flite: float = 0.55  # share of scenes spoken by flite, whose voices are the more human ones
    velocity: float = 2.0  # weight of the velocity term
    expert: str = ""  # sync_expert.safetensors of its recipe, for the sync term
    sync: float = 0.03  # weight of that term
    synthesise: bool = True  # make the voices that are missing from the corpus
    workers: int = 2  # processes that make the corpus
    threads: int = 2
    loop: Schedule = field(default_factory=Schedule)


Marks = dict[str, dict[str, dict[str, float]]]
"""What was judged ("voices held out" or "sentences kept back") -> voice -> name of the number -> number."""


class Scenes:
    """Draws training scenes; the same generator state gives the same scene."""

    def __init__(self, recordings: list[Recordings], flite: float) -> None:
        self.groups = by_engine(recordings)
        self.share = flite if all(self.groups) else float(bool(self.groups[0]))

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """One scene: samples float32 [N] and mouth units float32 [SCENE, 12]."""
        count = SCENE * mel.SAMPLES_PER_STEP
        if rng.random() < 0.1:
            return self._nobody(count, rng), np.zeros((SCENE, len(UNITS)), np.float32)
        group = self.groups[0 if rng.random() < self.share else 1]
        voice = group[rng.integers(len(group))]
        throat = float(np.exp(rng.uniform(np.log(0.8), np.log(1.28)))) if rng.random() < 0.85 else 1.0
        sounds, visemes, at = [], [], 0
        start = int(rng.integers(0, RATE))  # the first sentence may already be under way
        while at < count + start:
            spoken = augment.resized(voice[int(rng.integers(len(voice) - KEPT_BACK))], throat)
            pause = augment.breath(int(rng.uniform(0.15, 1.2) * RATE), rng) * (
                0.02 if rng.random() < 0.3 else 0
            )
            for piece in (spoken.samples, pause.astype(np.float32)):
                sounds.append(piece)
            visemes.append(spoken.visemes + [0, at / RATE, at / RATE])
            at += len(spoken.samples) + len(pause)
        cut = np.concatenate(visemes) - [0, start / RATE, start / RATE]
        scene = Utterance(np.concatenate(sounds)[start : start + count], cut.astype(np.float32))
        samples, effort = augment.effort(scene, rng)
        return augment.recorded(samples, rng), mouth_track(scene.visemes, SCENE, effort)

    @staticmethod
    def _nobody(count: int, rng: np.random.Generator) -> NDArray[Any]:
        wave = np.zeros(count, np.float32)
        if rng.random() < 0.8:
            wave += augment.noise(count, rng) * np.float32(10 ** (rng.uniform(-80, -15) / 20))
        for _ in range(int(rng.integers(0, 4))):
            length = int(rng.uniform(0.2, 1.2) * RATE)
            at = int(rng.integers(0, count - length))
            wave[at : at + length] += augment.breath(length, rng) * np.float32(
                10 ** (rng.uniform(-60, -20) / 20)
            )
        return wave

    def batch(
        self, size: int, usual: NDArray[Any], frames: tuple[int, int], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Network input [B, F, 80] and mouth units [B, SCENE, 12]."""
        drawn = [self.draw(rng) for _ in range(size)]
        heard = [
            strained(mel.features(samples, mel.profile(samples), usual, *frames), rng) for samples, _ in drawn
        ]
        return torch.from_numpy(np.stack(heard)), torch.from_numpy(np.stack([units for _, units in drawn]))


def strained(features: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    """What one voice has and another has not, shaken: [F, 80] -> [F, 80].

    The bands are stretched by up to 6 % (a throat of another shape at the same pitch), blurred now and then,
    two groups of them and a moment go missing (Park et al., "SpecAugment", 2019), and all of it is a
    little noisy.
    """
    bands = np.arange(mel.BANDS)
    place = np.clip(bands * np.exp(rng.uniform(-0.06, 0.06)) + rng.uniform(-1, 1), 0, mel.BANDS - 1)
    left = np.minimum(place.astype(int), mel.BANDS - 2)
    share = (place - left).astype(np.float32)
    moved = features[:, left] * (1 - share) + features[:, left + 1] * share
    if rng.random() < 0.3:
        blurred = moved.copy()
        blurred[:, 1:-1] = (moved[:, :-2] + moved[:, 1:-1] + moved[:, 2:]) / 3
        moved = blurred
    moved += rng.uniform(0, 0.15) * rng.standard_normal(moved.shape, np.float32)
    for axis, most in ((1, 10), (1, 10), (0, 4)):
        length = int(rng.integers(0, most + 1))
        at = int(rng.integers(0, moved.shape[axis] - length))
        moved[(slice(None),) * axis + (slice(at, at + length),)] = 0
    return np.asarray(moved, np.float32)


def usual_spectrum(recordings: list[Recordings]) -> NDArray[Any]:
    """Average of the voices' average spectra, float64 [80]."""
    spectra = [mel.profile(voice[i].samples).spectrum for voice in recordings for i in range(6)]
    return np.asarray(np.mean(spectra, axis=0))


def loss_of_units(logits: Tensor, units: Tensor, velocity: float) -> tuple[Tensor, dict[str, float]]:
    """Weighted cross-entropy of units [B, T, 12] plus `velocity` times the error of their steps in time."""
    weight = units.new_tensor([EMPHASIS.get(unit, 1.0) for unit in UNITS])
    logits = logits.float()
    entropy = (functional.binary_cross_entropy_with_logits(logits, units, reduction="none") * weight).mean()
    moving = ((torch.sigmoid(logits).diff(dim=1) - units.diff(dim=1)).abs() * weight).mean()
    return entropy + velocity * moving, {"entropy": entropy.item(), "velocity": moving.item()}


def export(net: CleanAudioToMouth, path: Path, marks: Marks) -> None:
    """Write the network as half-precision safetensors that carry their own config and marks."""
    small.export(path, net, net.config.to_dict(), marks)


def restore(path: Path) -> CleanAudioToMouth:
    """Inverse of `export`, in evaluation mode."""
    return small.restore(path, lambda values: CleanAudioToMouth(AudioToMouthConfig.from_dict(values)))


def main(settings: Settings) -> Marks:
    """Make the corpus, train, measure on the voices held out (or, with none, on sentences kept back), export.

    Raises InputError for a voice that is not there.
    """
    made = corpus.make(settings.corpus, workers=settings.workers) if settings.synthesise else []
    place = take_place(settings.threads)
    trained, apart = parted(settings.corpus, settings.hold_out, corpus.load, made)
    judged = apart or by_engine(trained)[0]

    torch.manual_seed(settings.loop.seed)
    net = restore(Path(settings.start)) if settings.start else CleanAudioToMouth(CLEAN)
    net.usual.copy_(torch.from_numpy(usual_spectrum(trained)))
    net.to(place.device).train()
    scenes, frames = Scenes(trained, settings.flite), net.frames(0, SCENE)
    usual = net.usual.double().cpu().numpy()
    expert = expert_of(Path(settings.expert)).to(place.device) if settings.expert else None
    first, last = expert.ears.frames(0, SCENE) if expert is not None else frames
    narrower = slice(first - frames[0], last - frames[0])  # the expert hears less far

    def prepare(step: int) -> tuple[Tensor, Tensor]:
        return scenes.batch(settings.batch, usual, frames, rng_of(settings.loop.seed, step, place))

    ahead = Ahead(prepare, 1)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        heard, units = ahead(step)
        torch.manual_seed(1000 * step + place.rank)  # what is dropped is the same after a resume
        logits, truth = net.logits(heard.to(place.device)), units.to(place.device)
        loss, numbers = loss_of_units(logits, truth, settings.velocity)
        if expert is not None:
            known = heard[:, narrower].to(place.device)
            late = expert.agreement(known, torch.sigmoid(logits).float())
            loss, numbers = loss + settings.sync * late, {**numbers, "sync": late.item()}
        return loss, numbers

    def look(step: int, average: nn.Module) -> dict[str, float]:
        assert isinstance(average, CleanAudioToMouth)
        return {
            f"{voice.key} {name}": value
            for voice in judged
            for name, value in measure(average, voice, KEPT_BACK).items()
            if name in ("r_jaw_open", "r_press", "closed", "lag_ms")
        }

    average = train(net, loss_of, settings.loop, settings.out, place, look)
    ahead.close()
    assert isinstance(average, CleanAudioToMouth)
    if apart:
        average.gain.copy_(torch.from_numpy(lost_spread(average, judged, 40)))
    judging, count = ("voices held out", 60) if apart else ("sentences kept back", KEPT_BACK)
    marks: Marks = small.marks_of(Path(settings.start)) if settings.start else {}
    marks[judging] = {voice.key: measure(average, voice, count) for voice in judged}
    if place.leads:
        export(average.cpu(), settings.out / "audio_to_mouth.safetensors", marks)
        (settings.out / "marks.json").write_text(json.dumps(marks, indent=1), encoding="utf-8")
    return marks


if __name__ == "__main__":
    main(from_command_line(Settings))
