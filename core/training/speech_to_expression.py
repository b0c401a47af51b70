# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech-to-expression: from sentences that mean a feeling, said as it is said, a network that shows it.

The expression part of the paper's Audio-to-Motion (section 3.3). What is to be learned is made: texts from
frames and a lexicon of our own, voices by flite and espeak-ng whose speed, pitch, melody, loudness and
brightness follow what studies report of each feeling (`core.speech.feelings`). In half of the scenes one
of voice and text is masked, so that either is enough; a scene whose voice is masked gets new words.

    python -m core.training.speech_to_expression --corpus CORPUS --out RUN

CORPUS is made when it is not there (some minutes), then a pool of scenes. The loss is the cross-entropy of
the feeling at each fifth of a second plus the error of its strength. To train with larger models in place of
letters and prosody alone, give --reader and --listener, see `core.encoders`; the checkpoint then needs them.

A good run takes ten minutes on one core. On voices never heard it names the right one of eight feelings .97
of the time by text, .98 by both and .31 by voice alone (by chance .13), in texts of its own frames; of 64
sentences written by hand, one in two. What is learned of voices is how synthesisers were told to sound, so
people's voices are understood less well than that; the words carry most of it.
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

from core import encoders
from core.evaluation import feeling
from core.models.small import export
from core.models.speech_to_expression import (
    STRIDE,
    Heard,
    SpeechToExpression,
    SpeechToExpressionConfig,
    Written,
    written_of,
)
from core.prosody import FEATURES, prosody
from core.speech import augment, feelings
from core.speech.feelings import Spoken
from core.speech.synth import RATE, resampled
from core.training.loop import LoopSettings, Place, from_command_line, rng_of, take_place, train
from core.transcript import laid_out, words_of
from core.wire.channels import STEPS_PER_SECOND

SCENE = 300
"""Steps of a scene: 12 s."""
UNSAID = 0.2
"""How much a pause counts in the loss; the feeling of what was said before lingers in it."""


@dataclass(frozen=True)
class Schedule(LoopSettings):
    """Short and small; the pool is soon known by heart."""

    steps: int = 1500
    learning_rate: float = 2e-3
    warmup: int = 100
    decay_from: float = 0.3
    floor: float = 0.02
    ema: float = 0.995
    save_every: int = 300
    log_every: int = 50
    bf16: bool = False


@dataclass(frozen=True)
class Settings:
    """Speech-to-expression network on synthetic feelings."""

    corpus: Path
    out: Path
    hold_out: str = (
        "flite-awb,espeak-en-gb-scotland+Annie,espeak-en-gb-x-rp+robert"  # voices that are only measured on
    )
    scenes: int = 700  # in the pool
    batch: int = 12  # scenes a step
    dropout: float = 0.2
    masked: float = 0.5  # share of scenes that lack voice or text
    reader: str = ""  # a BERT-like model on this computer
    listener: str = ""  # a HuBERT-like one
    synthesise: bool = True
    threads: int = 1
    loop: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True)
class Scene:
    """Sentences of one voice, recorded.

    Attributes:
        heard: [SCENE, P] prosody; extra: what the listener heard, or None.
        texts, feelings, strengths: of each sentence.
        owner: [SCENE] which sentence a step belongs to, -1 before the first; said: [SCENE] whether it is
            being said.
    """

    heard: NDArray[Any]
    extra: Tensor | None
    texts: tuple[str, ...]
    feelings: tuple[int, ...]
    strengths: tuple[float, ...]
    owner: NDArray[Any]
    said: NDArray[Any]


Batch = tuple[Heard, Written, tuple[Tensor, Tensor], Tensor, Tensor, Tensor]
"""Heard, written, masks, class [B, S], strength [B, S], weight in the loss [B, S]."""


def scene(voice: Spoken, rng: np.random.Generator, listener: encoders.Listener | None = None) -> Scene:
    """Draw one to four sentences with pauses, the next of the same feeling half the time."""
    count = SCENE * RATE // STEPS_PER_SECOND
    wave, at = np.zeros(count, np.float32), int(rng.uniform(0, 0.8) * RATE)
    owner, said = np.full(SCENE, -1), np.zeros(SCENE, bool)
    chosen: list[int] = []
    throat = float(np.exp(rng.uniform(np.log(0.92), np.log(1.09))))
    while at < count - RATE:
        same = [i for i in range(len(voice)) if chosen and voice.feelings[i] == voice.feelings[chosen[-1]]]
        pick = int(rng.choice(same) if same and rng.random() < 0.5 else rng.integers(len(voice)))
        sound = resampled(voice.sound(pick), throat)[: count - at]
        wave[at : at + len(sound)] = sound
        first, last = at * STEPS_PER_SECOND // RATE, (at + len(sound)) * STEPS_PER_SECOND // RATE
        owner[first:], said[first:last] = len(chosen), True
        chosen.append(pick)
        at += len(sound) + int(np.exp(rng.uniform(np.log(0.25), np.log(1.5))) * RATE)
    recorded = augment.recorded(wave, rng)
    return Scene(
        prosody(recorded, SCENE),
        None if listener is None else listener(recorded, SCENE),
        tuple(str(voice.texts[i]) for i in chosen),
        tuple(int(voice.feelings[i]) for i in chosen),
        tuple(float(voice.strengths[i]) for i in chosen),
        owner,
        said,
    )


def pool(
    voices: list[Spoken], count: int, seed: int, listener: encoders.Listener | None = None
) -> list[Scene]:
    """Scenes of these voices, flite's as many as espeak's, the same for the same seed."""
    groups = [[v for v in voices if v.key.startswith(engine)] for engine in ("flite", "espeak")]
    groups = [group for group in groups if group]
    made = []
    for number in range(count):
        rng = np.random.default_rng((seed, 31, number))
        group = groups[number % len(groups)]
        made.append(scene(group[rng.integers(len(group))], rng, listener))
    return made


def batch_of(
    scenes: list[Scene],
    masked: float,
    rng: np.random.Generator,
    reader: encoders.Reader | None = None,
    only: str = "",
) -> Batch:
    """Scenes as the network meets them. `only` "voice" or "text" masks the other in all of them."""
    written, ears, eyes, classes, strengths, weights = [], [], [], [], [], []
    for one in scenes:
        luck = rng.random()
        deaf = only == "text" or (not only and luck < masked / 2)
        blind = only == "voice" or (not only and masked / 2 <= luck < masked)
        texts, felt, strong = one.texts, one.feelings, one.strengths
        if deaf and not only:  # nobody hears it, so other words may be said to the same time
            drawn = [_other(rng) for _ in texts]
            texts, felt, strong = zip(*drawn)
        words = words_of(" ".join(text if text[-1:] in ".!?" else text + "." for text in texts))
        extra = None if reader is None else reader(words)
        written.append(written_of(words, laid_out(words, one.heard, SCENE), extra))
        ears.append(float(not deaf))
        eyes.append(float(not blind))
        slow = slice(STRIDE // 2, None, STRIDE)
        owner, said = one.owner[slow], one.said[slow]
        classes.append(np.where(owner >= 0, np.array(felt)[owner.clip(0)], 0))
        strengths.append(np.where(owner >= 0, np.array(strong)[owner.clip(0)], 0))
        weights.append(np.where(owner < 0, 0.0, np.where(said, 1.0, UNSAID)))
    extras = [one.extra for one in scenes if one.extra is not None]
    voices = [shaken(one.heard, rng) if masked else one.heard for one in scenes]
    heard = Heard(torch.from_numpy(np.stack(voices)), torch.stack(extras) if extras else None)
    return (
        heard,
        _padded(written),
        (torch.tensor(ears), torch.tensor(eyes)),
        torch.from_numpy(np.stack(classes)),
        torch.from_numpy(np.stack(strengths)).float(),
        torch.from_numpy(np.stack(weights)).float(),
    )


def shaken(heard: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    """Prosody [T, P] as another speaker's: higher or lower, more or less melodious and bright, and noisy.

    There are few voices, and a network soon knows each of them; what it must not know them by is taken away.
    """
    table = heard.copy()
    melody = np.exp(rng.normal(0, 0.15))
    lifted = rng.normal(0, 0.35) - table[:, FEATURES.index("height")].mean()
    table[:, [FEATURES.index("pitch"), FEATURES.index("pitch change")]] *= melody
    table[:, FEATURES.index("height")] = (table[:, FEATURES.index("height")] + lifted) * melody
    table[:, FEATURES.index("brightness")] += rng.normal(0, 0.2)
    table[:, FEATURES.index("loudness")] *= np.exp(rng.normal(0, 0.1))
    return np.asarray(table + rng.normal(0, 0.04, table.shape), np.float32)


def _other(rng: np.random.Generator) -> tuple[str, int, float]:
    if rng.random() < 0.06:
        text, name, strength = feelings.denied(rng)
    else:
        name = str(rng.choice(feelings.CLASSES))
        text, strength = feelings.said_with(name, rng)
    return text, feelings.CLASSES.index(name), strength


def _padded(written: list[Written]) -> Written:
    most = max(one.cues.shape[1] for one in written)

    def filled(part: Tensor) -> Tensor:
        return functional.pad(part, (0, 0, 0, most - part.shape[1]))

    extras = [filled(one.extra) for one in written if one.extra is not None]
    return Written(
        torch.cat([filled(one.cues) for one in written]),
        torch.cat([filled(one.letters) for one in written]),
        torch.cat([one.place for one in written]),
        torch.cat(extras) if extras else None,
    )


def loss_of_batch(
    net: SpeechToExpression, batch: Batch, total: float | None = None
) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the feeling and error of its strength, weighted by what is being said.

    Args:
        total: the sum of weights to divide by, where this is one process's part of a larger batch.
    """
    heard, written, masks, classes, strengths, weights = batch
    logits, strong = net(heard, written, masks)
    entropy = functional.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none")
    felt = (classes > 0).float()
    off = ((strong - strengths).square() * felt).flatten()
    scale = weights.sum() if total is None else total
    entropy, error = ((part * weights.flatten()).sum() / scale for part in (entropy, off))
    return entropy + 2 * error, {"entropy": entropy.item(), "strength": error.item()}


@torch.no_grad()
def judge(
    net: SpeechToExpression, scenes: list[Scene], reader: encoders.Reader | None = None
) -> dict[str, float]:
    """Share of slow steps in which the right one of eight feelings leads: by voice, by text, by both; and of
    sentences written by hand."""
    marks = {}
    for name, only in (("voice", "voice"), ("text", "text"), ("both", "")):
        drawn = batch_of(scenes, 0.0, np.random.default_rng(0), reader, only)
        heard, written, masks, classes, _, weights = drawn
        logits, _ = net(heard, written, masks)
        said = weights == 1
        marks[f"by {name}"] = float((logits.argmax(-1) == classes)[said].float().mean())
    return marks | feeling.measure(net)


def main(settings: Settings) -> dict[str, float]:
    """Make corpus and pool, train, judge on voices held out and on sentences written by hand, export."""
    if settings.synthesise:
        for reason in feelings.make(settings.corpus):
            print(f"left out: {reason}")
    place = take_place(settings.threads)
    voices = [feelings.load(path) for path in sorted(settings.corpus.glob("*.npz"))]
    apart = {key for key in settings.hold_out.split(",") if key}
    if missing := apart - {voice.key for voice in voices}:
        raise ValueError(f"not in the corpus: {', '.join(sorted(missing))}")
    reader = encoders.Reader(settings.reader) if settings.reader else None
    listener = encoders.Listener(settings.listener) if settings.listener else None
    seed = settings.loop.seed
    trained = [voice for voice in voices if voice.key not in apart]
    scenes = pool(trained, settings.scenes, seed, listener)
    judged = pool([v for v in voices if v.key in apart] or trained, 60, seed + 1, listener)

    torch.manual_seed(seed)
    config = SpeechToExpressionConfig(
        dropout=settings.dropout,
        reader=settings.reader,
        reader_size=reader.size if reader else 0,
        listener=settings.listener,
        listener_size=listener.size if listener else 0,
    )
    net = SpeechToExpression(config).to(place.device).train()

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = rng_of(
            seed, step, Place(0, 1, place.device)
        )  # all processes draw the same, each takes its part
        chosen = [scenes[i] for i in rng.integers(len(scenes), size=settings.batch)]
        whole = batch_of(chosen, settings.masked, rng, reader)
        torch.manual_seed(1000 * step + place.rank)  # what is dropped is the same after a resume
        part, total = _part(whole, place)
        return loss_of_batch(net, part, total)

    def look(step: int, averaged: nn.Module) -> dict[str, float]:
        assert isinstance(averaged, SpeechToExpression)
        return judge(averaged, judged, reader)

    averaged = train(net, loss_of, settings.loop, settings.out, place, look)
    assert isinstance(averaged, SpeechToExpression)
    marks = judge(averaged.cpu(), judged, reader)
    if place.leads:
        export(settings.out / "speech_to_expression.safetensors", averaged, averaged.config.to_dict(), marks)
        (settings.out / "marks.json").write_text(json.dumps(marks, indent=1), encoding="utf-8")
    return marks


def _part(batch: Batch, place: Place) -> tuple[Batch, float]:
    """This process's takes on its device, and the weight that makes the mean over processes the whole's."""
    mine = slice(place.rank, None, place.world)
    heard, written, masks, *rest = batch

    def own(part: Tensor) -> Tensor:
        return part[mine].to(place.device)

    part = (
        Heard(own(heard.prosody), None if heard.extra is None else own(heard.extra)),
        Written(
            own(written.cues),
            own(written.letters),
            own(written.place),
            None if written.extra is None else own(written.extra),
        ),
        (own(masks[0]), own(masks[1])),
        own(rest[0]),
        own(rest[1]),
        own(rest[2]),
    )
    return part, float(rest[2].sum()) / place.world


if __name__ == "__main__":
    main(from_command_line(Settings))
