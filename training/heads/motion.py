# SPDX-License-Identifier: GPL-3.0-or-later
"""Random motion for training: pose, mouth, emotion, blink and gaze drawn independently of each other.

Independence is what lets a model tell the banks apart: any mouth occurs with any emotion and any pose.
"""

from __future__ import annotations

import numpy as np

from core.wire.channels import STEPS_PER_SECOND
from training.factors import Array, Factors
from training.speech.visemes import VISEMES, mouth_track, timed

POSE_SIGMA = np.array([0.28, 0.14, 0.12, 0.06, 0.06, 0.12])
POSE_CLIP = np.array([0.6, 0.4, 0.4, 0.18, 0.18, 0.3])

# By mouth factor, in the order of factors.MOUTH: how often it appears in a free combination, and its ceiling.
FREE_CHANCE = np.array([0.55, 0.3, 0.22, 0.2, 0.1, 0.1, 0.25, 0.25, 0.15, 0.1, 0.2, 0.15])
FREE_CEILING = np.array([1.0, 0.9, 1.0, 0.9, 1.0, 1.0, 0.8, 0.9, 1.0, 0.9, 0.7, 0.8])


def random_factors(rng: np.random.Generator) -> Factors:
    """One frame of random motion."""
    pose = np.clip(rng.normal(size=6) * POSE_SIGMA, -POSE_CLIP, POSE_CLIP)
    return Factors(pose.astype(np.float32), random_mouth(rng), random_expression(rng))


def resting_factors(rng: np.random.Generator) -> Factors:
    """A neutral, nearly frontal frame with a closed mouth: how people hand in a portrait."""
    result = Factors.neutral()
    result.pose[:] = rng.normal(size=6) * POSE_SIGMA * 0.18
    result.expression[8:10] = rng.normal(size=2) * 0.03
    return result


def random_mouth(rng: np.random.Generator) -> Array:
    """Mouth factors [12]: half as in speech, a seventh closed, the rest free combinations."""
    kind = rng.choice(["speech", "closed", "free"], p=[0.52, 0.14, 0.34])
    if kind == "closed":
        return np.zeros(12, np.float32)
    if kind == "speech":
        return _spoken(rng)
    mouth = (rng.random(12) < FREE_CHANCE) * FREE_CEILING * rng.beta(1.1, 1.5, size=12)
    mouth[10] *= rng.choice([-1.0, 1.0])
    return np.asarray(mouth, np.float32)


def _spoken(rng: np.random.Generator) -> Array:
    """A moment of three random sounds that flow into each other."""
    ends = np.cumsum(rng.uniform(0.05, 0.2, 3))
    sounds = [
        (VISEMES[rng.integers(len(VISEMES))], end - length, end)
        for end, length in zip(ends, np.diff(ends, prepend=0.0))
    ]
    steps = int(ends[-1] * STEPS_PER_SECOND) + 1
    track = mouth_track(timed(sounds), steps, np.full(steps, rng.uniform(0.5, 1.25)))
    return np.asarray(track[rng.integers(steps)], np.float32)


def random_expression(rng: np.random.Generator) -> Array:
    """Expression factors [10]: none, one or two emotions of any strength; sometimes a blink; a gaze."""
    expression = np.zeros(10)
    count = int(rng.choice(3, p=[0.28, 0.48, 0.24]))
    chosen = rng.choice(7, count, replace=False)
    strength = rng.beta(1.3, 1.0, size=count)
    if count == 2:
        strength *= rng.dirichlet([2.0, 2.0]) * 1.3  # mixed emotions share one face
    expression[chosen] = strength
    if rng.random() < 0.3:
        expression[7] = np.clip(rng.uniform(0.0, 1.15), 0.0, 1.0)
    if rng.random() < 0.8:
        expression[8:10] = np.clip(rng.normal(size=2) * (0.16, 0.11), (-0.4, -0.3), (0.4, 0.3))
    return np.clip(expression, (0.0,) * 8 + (-1.0,) * 2, 1.0).astype(np.float32)
