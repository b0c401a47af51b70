# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes that mean something: sentences of one voice that follow each other, recorded by chance, and batches
of them as `core.models.speech_to_expression` meets them, one of voice and text now and then masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.models import pretrained
from core.models.speech_to_expression import STRIDE, Heard, Written, written_of
from core.sound.prosody import FEATURES, prosody
from core.sound.transcript import laid_out, words_of
from core.wire.channels import STEPS_PER_SECOND
from training.shared.voices import by_engine
from training.speech import augment, feelings, sayings
from training.speech.feelings import Spoken
from training.speech.synth import RATE, resampled

SCENE = 300
"""Steps of a scene: 12 s."""
UNSAID = 0.2
"""How much a pause counts in the loss; the feeling of what was said before lingers in it."""


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


def scene(voice: Spoken, rng: np.random.Generator, listener: pretrained.Listener | None = None) -> Scene:
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
    voices: list[Spoken], count: int, seed: int, listener: pretrained.Listener | None = None
) -> list[Scene]:
    """Scenes of these voices, flite's as many as espeak's, the same for the same seed."""
    groups = [group for group in by_engine(voices) if group]
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
    reader: pretrained.Reader | None = None,
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
        text, name, strength = sayings.denied(rng)
    else:
        name = str(rng.choice(feelings.CLASSES))
        text, strength = sayings.said_with(name, rng)
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
