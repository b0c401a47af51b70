# SPDX-License-Identifier: GPL-3.0-or-later
"""How well an audio network hears a voice, measured on synthetic speech whose mouth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.models import audio_to_mouth
from core.models.audio_to_mouth import FULL, AudioToMouth
from core.wire.channels import STEPS_PER_SECOND
from training.speech.corpus import Recordings
from training.speech.synth import Utterance
from training.speech.visemes import UNITS, VISEMES, mouth_track


def last(voice: Recordings, count: int) -> list[Utterance]:
    """The last `count` sentences of a voice, or all when there are fewer."""
    return [voice[i] for i in range(max(0, len(voice) - count), len(voice))]


def heard_and_true(
    net: AudioToMouth, voice: Recordings, count: int
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Mouth units [T, 12] of a voice's last `count` sentences: as the network hears them, as they are."""
    said = last(voice, count)
    heard = [audio_to_mouth.mouth_from_audio(net, one.samples)[:, : len(UNITS)] / FULL for one in said]
    return heard, [mouth_track(one.visemes, len(units)) for one, units in zip(said, heard)]


def lost_spread(net: AudioToMouth, voices: list[Recordings], count: int, most: float = 1.35) -> NDArray[Any]:
    """How much more each unit [12] really moves than the network says: 1 for "just as much", at most `most`.

    A network that is not sure tells the average of what may be, which is less than any of it. On voices it
    was not trained on this shows as motion that is too small; its `gain` can give it back.
    """
    lost = []
    for voice in voices:
        heard, truth = (np.concatenate(tracks).std(0) for tracks in heard_and_true(net, voice, count))
        lost.append(np.where(truth > 1e-3, truth / np.maximum(heard, 1e-6), 1.0))
    return np.asarray(np.clip(np.mean(lost, axis=0), 1.0, most))


def measure(net: AudioToMouth, voice: Recordings, count: int) -> dict[str, float]:
    """How well a voice's last `count` sentences are heard: correlation of jaw and press, R2 of each unit,
    jaw lag in ms.

    A positive lag means that the predicted jaw comes late.
    """
    heard, truth = heard_and_true(net, voice, count)
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
    for said, units in zip(last(voice, count), heard):
        for number, start, end in said.visemes:
            if VISEMES[int(number)] == "p":
                step = int((start + end) / 2 * STEPS_PER_SECOND)
                met.append(units[max(0, step - 1) : step + 2, UNITS.index("press")].max(initial=0) > 0.5)
    return float(np.mean(met)) if met else float("nan")


def _correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.corrcoef(a, b)[0, 1])
