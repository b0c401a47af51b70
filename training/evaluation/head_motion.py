# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a head move as talking heads do? Numbers that any head track can be asked for, with known speech.

None of them compares a track with one "true" one, for many motions go with the same sentence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.sound.prosody import FEATURES
from core.wire.channels import STEPS_PER_SECOND
from training.speech.gestures import UNIT, accents
from training.speech.talks import Talk

STRONG = 1.0
"""Strength from which a syllable counts as stressed."""


def measure(pose: NDArray[Any], talk: Talk) -> dict[str, float]:
    """How a head track [T, 6] in unit deviations goes with a talk.

    Returns:
        yaw, pitch, roll: deviation in degrees.
        speed: root mean square speed of the three, degrees a second.
        jerk: root mean square third difference of the three, degrees: what looks like trembling.
        nod: how much lower the head is 0.05 s after the middle of stressed syllables than 0.3 s before and
            after, in degrees; 0 for a head that does not hear.
        rest: speed in pauses as a share of the speed in speech.
    """
    degrees = np.asarray(pose[:, :3], np.float64) * UNIT[:3]
    speed = np.sqrt(np.square(np.diff(degrees, axis=0, prepend=degrees[:1])).sum(1)) * STEPS_PER_SECOND
    speech = talk.clean[:, FEATURES.index("speech")] > 0.5
    quiet = talk.clean[:, FEATURES.index("silent for")] > 0.15
    middles = [middle for middle, strength in accents(talk.visemes, talk.clean) if strength > STRONG]
    step = (np.array(middles) * STEPS_PER_SECOND + 1).astype(int)
    step = step[(step > 9) & (step < len(degrees) - 10)]
    pitch = degrees[:, 1]
    around = (pitch[step - 8] + pitch[step + 8]) / 2
    return {
        **dict(zip(("yaw", "pitch", "roll"), degrees.std(0).tolist())),
        "speed": _rms(speed),
        "jerk": _rms(np.diff(degrees, 3, axis=0)),
        "nod": float((around - pitch[step]).mean()) if len(step) else float("nan"),
        "rest": _rms(speed[quiet]) / max(_rms(speed[speech]), 1e-9) if quiet.any() and speech.any() else 0.0,
    }


def average(tracks: list[NDArray[Any]], talks: list[Talk]) -> dict[str, float]:
    """The mean of `measure` over several talks."""
    tables = [measure(pose, talk) for pose, talk in zip(tracks, talks)]
    return {name: float(np.nanmean([table[name] for table in tables])) for name in tables[0]}


def blinks_at_ends(begins: list[NDArray[np.bool_]], talks: list[Talk]) -> dict[str, float]:
    """Blinks a minute, and how much likelier one begins within 0.4 s of a phrase's end than elsewhere."""
    near, far, near_time, far_time = 0, 0, 0, 0
    for begin, talk in zip(begins, talks):
        silent = talk.clean[:, FEATURES.index("silent for")] * 2
        end = (silent > 0.02) & (silent < 0.4)
        near, near_time = near + int(begin[end].sum()), near_time + int(end.sum())
        far, far_time = far + int(begin[~end].sum()), far_time + int((~end).sum())
    minutes = (near_time + far_time) / STEPS_PER_SECOND / 60
    ratio = (near / max(near_time, 1)) / max(far / max(far_time, 1), 1e-9)
    return {"blinks a minute": (near + far) / minutes, "at ends": ratio}


def _rms(values: NDArray[Any]) -> float:
    return float(np.sqrt(np.square(values).mean())) if values.size else 0.0
