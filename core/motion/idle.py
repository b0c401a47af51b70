# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face does of itself: the head drifts and sways a little, the eyes blink; and emotions over time.

Idle motion is either drawn by the checkpoint's own flow, which hears the voice (`spoken_motion`; see
`core.models.audio_to_pose`), or, without one, a sum of slow sines of random phase, more of it while the
voice is loud, and blinks at random intervals. The same seed gives the same motion, and the beginning does
not depend on how long the take is. It starts at nothing, so the first frame is the portrait. Which channel
turns the head or closes the lids is the checkpoint's to say, by its labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import Weights, soft
from core.wire import mixing
from core.wire.channels import BANK_SLICES, CHANNELS, STEPS_PER_SECOND, Channel, bank_of
from core.wire.errors import InputError

# Label -> standard deviation of the drift as a share of the channel's soft range to one side. For
# synthetic heads that is 3.4 degrees of yaw, 2.3 of pitch, 1.7 of roll: a person listening, not one
# looking around.
DRIFT: dict[str, float] = {
    "yaw": 0.10,
    "pitch": 0.09,
    "roll": 0.075,
    "shift x": 0.08,
    "shift y": 0.05,
    "size": 0.04,
}
UNLABELLED_DRIFT = 0.04  # for a pose channel whose meaning is not known
SLOWEST, FASTEST, SINES = 0.08, 0.7, 9  # cycles a second, and how many in between
ONSET = 1.5  # seconds until the drift has its full size
SPOKEN = 2.5  # a head that is drawn to a voice, and a slider at its end
FEELING_ONSET = 0.8  # seconds until a face shows what it feels
QUIET, LOUD = 0.7, 1.3  # size of the drift in silence and at full voice
NOD = 0.6  # how far a stressed syllable lowers the head, in deviations of pitch

BLINK_EVERY = (2.0, 6.0)  # seconds
BLINK_LASTS = (0.2, 0.3)
BLINK_CLOSING = 0.4  # share of a blink in which the lids close; they open more slowly


def natural_motion(
    channels: Sequence[Channel],
    count: int,
    amplitude: float,
    seed: int = 0,
    energy: NDArray[np.float32] | None = None,
    own: NDArray[np.float32] | None = None,
) -> Weights:
    """What to add to the weights of `count` steps: float32 [count, 36], zero in the first row.

    channels   the checkpoint's 36
    amplitude  0 (nothing, no blinks either) to 1 (lively); it sizes the drift, a blink always closes the lids
    energy     [count] loudness of the voice, 0 to 1 (see `loudness`)
    own        [36] weights of the portrait, so that half-closed lids are not closed twice
    """
    added = np.zeros((count, len(CHANNELS)), np.float32)
    if amplitude <= 0:
        return added
    time = np.arange(count) / STEPS_PER_SECOND
    voice = np.zeros(count) if energy is None else np.asarray(energy, np.float64)[:count]
    voice = np.pad(voice, (0, count - len(voice)))
    size = amplitude * soft(time / ONSET) * (QUIET + (LOUD - QUIET) * voice)
    for column, channel in enumerate(channels):
        # each channel has its own stream, so that what one does never depends on the others
        random = np.random.default_rng([seed & 0xFFFFFFFF, column])
        label = channel.label.lower()
        if channel.used and bank_of(channel.name) == "pose":
            deviation = channel.soft_max * DRIFT.get(label, UNLABELLED_DRIFT)
            wave = _drift(time, random) - (NOD * voice if label == "pitch" else 0)
            added[:, column] = deviation * size * wave
        elif channel.used and label == "blink":
            closed = channel.soft_max - (0.0 if own is None else float(own[column]))
            added[:, column] = max(closed, 0.0) * _blinks(time, random)
    return added


def spoken_motion(
    channels: Sequence[Channel],
    pose: NDArray[np.float32],
    blinks: Sequence[float],
    amplitude: float,
    seed: int = 0,
    own: NDArray[np.float32] | None = None,
) -> Weights:
    """The same for a head that was drawn to speech: float32 [count, 36], zero in the first row.

    pose       [count, 6] in deviations of `DRIFT`, in its order
    blinks     the seconds at which a blink begins
    amplitude  0 (nothing) to 1, where the head moves `SPOKEN` times as much as it was drawn
    """
    added = np.zeros((len(pose), len(CHANNELS)), np.float32)
    if amplitude <= 0:
        return added
    time = np.arange(len(pose)) / STEPS_PER_SECOND
    size = SPOKEN * amplitude * soft(time / ONSET)
    columns = dict(zip(DRIFT, pose.T))
    for column, channel in enumerate(channels):
        label = channel.label.lower()
        if channel.used and bank_of(channel.name) == "pose" and label in columns:
            added[:, column] = channel.soft_max * DRIFT[label] * size * columns[label]
        elif channel.used and label == "blink":
            closed = channel.soft_max - (0.0 if own is None else float(own[column]))
            random = np.random.default_rng([seed & 0xFFFFFFFF, column])
            starts = [start for start in blinks if start > 0]
            lids = _lids(time, starts, [random.uniform(*BLINK_LASTS) for _ in starts])
            added[:, column] = max(closed, 0.0) * lids
    return added


def loudness(samples: NDArray[np.float32], count: int, rate: int = 16000) -> NDArray[np.float32]:
    """[count] loudness of each step, 0 to 1, smoothed over some 0.2 s; 1 is the recording's own loud
    voice."""
    step = rate // STEPS_PER_SECOND
    power = np.zeros(count)
    for first in range(0, count, 1000):  # an hour of sound is not squared at once
        part = samples[first * step : min(first + 1000, count) * step].astype(np.float64)
        part = np.pad(part, (0, -len(part) % step)).reshape(-1, step)
        power[first : first + len(part)] = np.sqrt((part**2).mean(axis=1))
    width = np.hanning(9)
    power = np.convolve(power, width / width.sum(), "same")[:count] if count >= 9 else power
    top = float(np.percentile(power, 95))
    return np.clip(power / top, 0, 1).astype(np.float32) if top > 1e-4 else np.zeros(count, np.float32)


def emotion_track(
    text: str, emotions: Mapping[str, Sequence[float]], own: NDArray[np.float32], count: int
) -> Weights:
    """Expression weights of `count` steps under emotions: float32 [count, 10].

    text      a mix, "happy:0.8+surprised:0.2", or mixes keyed by seconds, "0:neutral,2:happy,3.5:sad:0.5",
              with soft transitions; "" leaves the portrait's own
    emotions  name -> 10 weights, from the checkpoint; neutral is not zero, and an intensity counts from there
    own       [10] the portrait's own expression, which gives way as far as emotions take over

    Raises InputError for an unknown name or a text that cannot be read.
    """
    base = np.asarray(own, np.float32)
    keys = [(at, _mixed(mix, emotions, base)) for at, mix in parse_track(text, tuple(emotions))]
    if not keys:
        return np.repeat(base[None], count, axis=0)
    time = np.arange(count) / STEPS_PER_SECOND
    times = np.array([at for at, _ in keys])
    place = np.interp(time, times, np.arange(len(keys)))
    before = np.minimum(np.floor(place).astype(int), len(keys) - 1)
    after = np.minimum(before + 1, len(keys) - 1)
    share = soft(place - before)[:, None]
    table = np.stack([weights for _, weights in keys])
    track: Weights = (table[before] * (1 - share) + table[after] * share).astype(np.float32)
    return track


def felt_track(
    shares: NDArray[np.float32],
    names: Sequence[str],
    emotions: Mapping[str, Sequence[float]],
    own: NDArray[np.float32],
) -> Weights:
    """Expression weights of feelings in any mix at every step: float32 [count, 10].

    shares    [count, len(names)] how much of each feeling, within 0..1 and together at most 1
    names     the feelings; one without a preset in `emotions` leaves the face as it is
    emotions  as in `emotion_track`, whose rule for mixing this follows; it begins at the portrait's own
    """
    base = np.asarray(own, np.float32)
    table = np.array(list(emotions.values()), np.float32)
    neutral = np.asarray(emotions.get("neutral", np.zeros(len(base))), np.float32)
    known = [number for number, name in enumerate(names) if name in emotions]
    presets = np.array([emotions[names[number]] for number in known], np.float32).reshape(-1, len(base))
    begun = soft(np.arange(len(shares)) / STEPS_PER_SECOND / FEELING_ONSET)
    parts = np.asarray(shares[:, known] * begun[:, None], np.float32)
    total = np.minimum(parts.sum(axis=1, keepdims=True), 1)
    track = base * (1 - total) + neutral * total + parts @ (presets - neutral)
    moved = np.ptp(table, axis=0) > 0 if len(table) else np.zeros(len(base), bool)
    return np.where(moved, track, base).astype(np.float32)


def parse_track(text: str, known: Sequence[str]) -> list[tuple[float, dict[str, float]]]:
    """Text as in `emotion_track` -> [(seconds, {emotion: intensity 0..1})] in order of time. Raises
    InputError."""
    keys: list[tuple[float, dict[str, float]]] = []
    parts = [part.strip() for part in text.split(",") if part.strip()]
    timed = [part for part in parts if _number(part.split(":")[0]) is not None]
    if timed and len(timed) != len(parts):
        raise _unreadable(text, "some parts begin with a time and some do not")
    if not timed:
        return [(0.0, _parse_mix("+".join(parts), text, known))] if parts else []
    for part in parts:
        stamp, _, mix = part.partition(":")
        keys.append((float(stamp), _parse_mix(mix, text, known)))
    if any(later <= earlier for (earlier, _), (later, _) in pairwise(keys)):
        raise _unreadable(text, "times must rise")
    return keys


def _parse_mix(mix: str, text: str, known: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in mix.split("+"):
        name, _, amount = (piece.strip() for piece in item.partition(":"))
        if name not in known:
            choice = ", ".join(known) or "none: this checkpoint has no emotions"
            where = "" if name == text.strip() else f" in {text!r}"
            raise InputError(f"There is no emotion {name!r}{where}", hint=f"Emotions are {choice}")
        intensity = _number(amount) if amount else 1.0
        if intensity is None or not 0 <= intensity <= 1:
            raise _unreadable(text, f"the intensity of {name} must lie between 0 and 1")
        found[name] = intensity
    return found


def _mixed(mix: Mapping[str, float], emotions: Mapping[str, Sequence[float]], own: Weights) -> Weights:
    """Emotions as `core.wire.mixing` has it, where the portrait's own expression gives way as far as they
    take over: by their intensity in all, at most 1.
    """
    sliders = {**mix, mixing.NEUTRAL: min(1.0, sum(mix.values()))}
    first = BANK_SLICES["expression"].start
    total = mixing.mix([0.0] * first + own.tolist(), sliders, {}, emotions, ())
    return np.array(total[first:], np.float32)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _unreadable(text: str, why: str) -> InputError:
    return InputError(
        f"The emotion {text!r} cannot be read: {why}",
        hint='Write "happy", "happy:0.8+surprised:0.2", or with seconds "0:neutral,2:happy"',
    )


def _drift(time: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Band-limited noise of unit deviation: slow sines, the faster the smaller."""
    frequency = np.geomspace(SLOWEST, FASTEST, SINES) * random.uniform(0.85, 1.15, SINES)
    strength = frequency**-0.7
    strength *= np.sqrt(2 / (strength**2).sum())
    phase = random.uniform(0, 2 * np.pi, SINES)
    return np.asarray((strength * np.sin(2 * np.pi * time[:, None] * frequency + phase)).sum(axis=1))


def _blinks(time: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """0 open, 1 shut."""
    starts, lengths = [], []
    start = random.uniform(1.0, BLINK_EVERY[1] - BLINK_EVERY[0])
    while len(time) and start < time[-1]:
        starts.append(start)
        lengths.append(random.uniform(*BLINK_LASTS))
        start += random.uniform(*BLINK_EVERY)
    return _lids(time, starts, lengths)


def _lids(
    time: NDArray[np.float64], starts: Sequence[float], lengths: Sequence[float]
) -> NDArray[np.float64]:
    """Lids under blinks that start and last so many seconds: 0 open, 1 shut."""
    lids = np.zeros(len(time))
    for start, lasts in zip(starts, lengths):
        place = (time - start) / lasts
        closing, opening = place / BLINK_CLOSING, (1 - place) / (1 - BLINK_CLOSING)
        shut = np.clip(np.minimum(closing, opening), 0, 1)
        # a step is as long as the lids take to close: make sure that one of them sees the eyes shut
        shut[int(np.argmin(np.abs(place - BLINK_CLOSING)))] = 1.0
        lids = np.maximum(lids, np.sin(shut * np.pi / 2))
    return lids
