# SPDX-License-Identifier: GPL-3.0-or-later
"""Short clips of held-out people: a smooth motion that shows trembling, and speech that shows lip sync.

The rig renders each clip, which is the ground truth; the model redraws it from the resting portrait.

Shapes: T frames, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.engine.engine import Engine
from core.models import audio_to_mouth

from ..factors import Factors, from_weights, to_weights
from ..heads.dataset import HELD_OUT
from ..heads.motion import random_factors, resting_factors
from ..heads.render import HeadRenderer
from ..speech.synth import Utterance
from ..speech.visemes import mouth_track
from .calibration import pictures_of
from .likeness import correlation, landmark_distance, lip_gap, tremble
from .reader import LandmarkReader, load_reader

Rows = NDArray[np.float32]

FIRST_PERSON = HELD_OUT + 3000
KEY_EVERY = 9
"""Steps between two random motions of a smooth clip."""


@dataclass(frozen=True)
class Steadiness:
    """Of one way to make the clips' frames; in percent of the picture's width."""

    tremble: float
    mouth: float  # M-LMD to the rendered frames
    face: float  # F-LMD to the rendered frames


def smooth_motion(rng: np.random.Generator, steps: int) -> Rows:
    """Weights [T, 36] that glide from one random motion to the next."""
    keys = []
    for _ in range(steps // KEY_EVERY + 2):
        motion = random_factors(rng)
        keys.append(to_weights(motion.pose[None], motion.mouth[None], motion.expression[None])[0])
    place = np.arange(steps) / KEY_EVERY
    first = place.astype(int)
    share = place - first
    share = (share * share * (3 - 2 * share))[:, None]
    track = np.stack(keys)
    return np.asarray(track[first] * (1 - share) + track[first + 1] * share, np.float32)


def steadiness(
    engine: Engine, clips: int = 3, steps: int = 45, say: Callable[[str, int, int], None] = lambda *_: None
) -> dict[str, Steadiness]:
    """Trembling and landmark distances of smooth clips: copying, read weights, true weights, ground truth."""
    reader, renderer = load_reader(), HeadRenderer(engine.read_size)
    found: dict[str, list[Steadiness]] = {name: [] for name in ("copy", "read", "true", "truth")}
    for k in range(clips):
        rng = np.random.default_rng((FIRST_PERSON + k, 51))
        person = renderer.person(FIRST_PERSON + k)
        try:
            portrait = renderer.draw(person, resting_factors(rng))
            weights = smooth_motion(rng, steps)
            frames = np.stack([renderer.draw(person, f) for f in _factors(weights)])
        finally:
            person.release()
        source = engine.prepare(portrait)
        truth = reader.read(_pictures(frames)).landmarks
        seen = {
            "copy": reader.read(_pictures(portrait[None])).landmarks.expand_as(truth),
            "read": reader.read(pictures_of(engine, source, engine.weights_of(frames))).landmarks,
            "true": reader.read(pictures_of(engine, source, weights)).landmarks,
            "truth": truth,
        }
        for name, landmarks in seen.items():
            found[name].append(Steadiness(tremble(landmarks), *landmark_distance(landmarks, truth)))
        say("clips", k + 1, clips)
    return {
        name: Steadiness(*(float(np.mean([getattr(one, part) for one in many]))
                           for part in ("tremble", "mouth", "face")))
        for name, many in found.items()
    }  # fmt: skip


def lips_in_step(
    engine: Engine, said: list[Utterance], seed: int = FIRST_PERSON + 100, most: int = 100
) -> tuple[float, float]:
    """Speech -> weights -> pictures -> lips: correlation of the redrawn lips' opening, as the reader sees it,
    with the opening the visemes ask for; and the same for renders of the true motion (the reader's ceiling).
    """
    assert engine.audio_to_mouth is not None
    reader, renderer = load_reader(), HeadRenderer(engine.read_size)
    person = renderer.person(seed)
    rest = resting_factors(np.random.default_rng((seed, 51)))
    heard_gaps, true_gaps, wanted = [], [], []
    try:
        source = engine.prepare(renderer.draw(person, rest))
        for one in said:
            heard = audio_to_mouth.mouth_from_audio(engine.audio_to_mouth, one.samples)[:most]
            weights = np.repeat(source.weights[None], len(heard), 0)
            weights[:, : heard.shape[1]] = heard
            heard_gaps.append(_gaps(reader, pictures_of(engine, source, weights)))
            mouths = mouth_track(one.visemes, len(heard))
            spoken = [Factors(rest.pose, mouth, rest.expression) for mouth in mouths]
            frames = np.stack([renderer.draw(person, factors) for factors in spoken])
            true_gaps.append(_gaps(reader, _pictures(frames)))
            places = [renderer.landmarks(person, factors) for factors in spoken]
            wanted.append(lip_gap(torch.from_numpy(np.stack(places)).float()))
    finally:
        person.release()
    goal = torch.cat(wanted)
    return correlation(torch.cat(heard_gaps), goal), correlation(torch.cat(true_gaps), goal)


def _gaps(reader: LandmarkReader, pictures: Tensor) -> Tensor:
    return lip_gap(reader.read(pictures).landmarks)


def _factors(weights: Rows) -> list[Factors]:
    return [Factors(*banks) for banks in zip(*from_weights(weights), strict=True)]


def _pictures(levels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(levels).permute(0, 3, 1, 2) / 127.5 - 1
