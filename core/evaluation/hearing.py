# SPDX-License-Identifier: GPL-3.0-or-later
"""How well an audio network hears a voice, measured on synthetic speech whose mouth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import audio
from core.models.audio_to_mouth import FULL, AudioToMouth
from core.speech.corpus import Recordings
from core.speech.visemes import UNITS, VISEMES, mouth_track
from core.wire.channels import STEPS_PER_SECOND


def measure(net: AudioToMouth, voice: Recordings, count: int) -> dict[str, float]:
    """How well a voice's last `count` sentences are heard: correlation of jaw and press, R2 of each unit,
    jaw lag in ms.

    A positive lag means that the predicted jaw comes late.
    """
    truth, heard = [], []
    for i in range(len(voice) - count, len(voice)):
        said = voice[i]
        heard.append(audio.mouth_from_audio(net, said.samples)[:, : len(UNITS)] / FULL)
        truth.append(mouth_track(said.visemes, len(heard[-1])))
    y, p = np.concatenate(truth), np.concatenate(heard)
    numbers = {
        f"r_{unit}": _correlation(p[:, UNITS.index(unit)], y[:, UNITS.index(unit)])
        for unit in ("jaw_open", "press")
    }
    spread = np.square(y - y.mean(0)).sum(0)
    numbers |= {
        f"R2_{unit}": float(1 - np.square(p - y)[:, i].sum() / spread[i])
        for i, unit in enumerate(UNITS)
        if spread[i] > 1e-3
    }
    numbers["closed"] = closures_met(voice, heard, count)
    lags = np.arange(-3, 4)
    match = [_correlation(np.roll(p[:, 0], -lag)[3:-3], y[3:-3, 0]) for lag in lags]
    best = int(np.clip(np.argmax(match), 1, len(lags) - 2))
    before, here, after = match[best - 1 : best + 2]
    numbers["lag_ms"] = 40 * float(lags[best] + 0.5 * (before - after) / (before - 2 * here + after))
    return numbers


def closures_met(voice: Recordings, heard: list[NDArray[Any]], count: int) -> float:
    """Share of "p", "b", "m" whose press rises above one half within a step of the middle of the sound."""
    met = []
    for said, units in zip((voice[i] for i in range(len(voice) - count, len(voice))), heard):
        for number, start, end in said.visemes:
            if VISEMES[int(number)] == "p":
                step = int((start + end) / 2 * STEPS_PER_SECOND)
                met.append(units[max(0, step - 1) : step + 2, UNITS.index("press")].max(initial=0) > 0.5)
    return float(np.mean(met)) if met else float("nan")


def _correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.corrcoef(a, b)[0, 1])
