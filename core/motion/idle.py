# SPDX-License-Identifier: GPL-3.0-or-later
"""What a face does of itself: the head holds and moves, eyes blink and look about; and emotions over time.

Figures are those of real talkers (`core.motion.talkers`): an amplitude of .5 is the median one, 1 a lively
one, 0 still. Where the checkpoint has a flow that hears the voice (`core.models.audio_to_pose`), what it
draws is added. The same seed gives the same motion. It starts at nothing, so the first frame is the portrait.
Which channel turns the head, moves the eyes or closes the lids is the checkpoint's to say, by its labels; for
brows it needs the handle "brow_up".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.motion.eyes import blinks, glances, lids, raised_brows
from core.motion.motion import Weights, smoothed, soft
from core.motion.sway import AXES, CALM, sway
from core.motion.talkers import figures
from core.sound.prosody import FEATURES, emphasis
from core.wire import mixing
from core.wire.channels import BANK_SLICES, CHANNELS, STEPS_PER_SECOND, Channel, bank_of
from core.wire.errors import InputError

# Label -> deviation of what a flow draws (`core.models.audio_to_pose`), its unit, as a share of the channel's
# soft range to one side. For synthetic heads that is 3.4 degrees of yaw, 2.3 of pitch, 1.7 of roll.
DRIFT: dict[str, float] = {
    "yaw": 0.10,
    "pitch": 0.09,
    "roll": 0.075,
    "shift x": 0.08,
    "shift y": 0.05,
    "size": 0.04,
}
UNLABELLED_DRIFT = 0.04  # for a pose channel whose meaning is not known
RANGE = {"yaw": 34.4, "pitch": 25.8, "roll": 22.9}  # degrees of a soft range to one side, of synthetic heads
GAZE = {"gaze x": 22.9, "gaze y": 17.2}
ONSET = 1.0  # seconds until the head's motion has its full size
SPOKEN = 2.5  # a head that is drawn to a voice, and a slider at its end
FEELING_ONSET = 0.8  # seconds until a face shows what it feels
RISE = 0.8  # degrees by which the head rises with a deviation of the voice's pitch
PITCH = 0.2  # octaves: that deviation
HELD = 0.5  # share of a turn of the head that the eyes take back, to stay with the viewer
BLINKS = (15.0, 40.0)  # a minute, of a calm and of a lively talker

_HEAD = figures()["head"]


def natural_motion(
    channels: Sequence[Channel],
    count: int,
    amplitude: float,
    seed: int = 0,
    heard: NDArray[np.float32] | None = None,
    own: NDArray[np.float32] | None = None,
    drawn: NDArray[np.float32] | None = None,
    stillness: float = CALM,
    brow_up: Sequence[float] = (),
) -> Weights:
    """What to add to the weights of `count` steps: float32 [count, 36], zero in the first row.

    channels   the checkpoint's 36
    amplitude  0 (nothing, no blinks either) to 1 (lively)
    heard      [count, 10] prosody of the voice (`core.sound.prosody`), if there is one
    own        [36] weights of the portrait, so that half-closed lids are not closed twice
    drawn      [count, 6] what a flow draws to the voice, in deviations of `DRIFT`, in its order
    stillness  0 to 1: a still head holds longer and moves less
    brow_up    [36] the handle's direction; empty: brows stay
    """
    added = np.zeros((count, len(CHANNELS)), np.float32)
    if amplitude <= 0 or count == 0:
        return added
    time = np.arange(count) / STEPS_PER_SECOND
    begun = soft(time / ONSET)
    speech = None if heard is None else heard[:, FEATURES.index("speech")]
    head, flowing = _head(count, amplitude, seed, heard, stillness), dict.fromkeys(DRIFT, np.zeros(count))
    if drawn is not None:
        flowing = {name: SPOKEN * amplitude * way for name, way in zip(DRIFT, drawn.T)}
    eyes = glances(count, np.random.default_rng([seed & 0xFFFFFFFF, 78])) * min(1.0, 2 * amplitude)
    eyes[:, 0] -= HELD * head["yaw"]
    for column, channel in enumerate(channels):
        # each channel has its own stream, so that what one does never depends on the others
        stream = (seed & 0xFFFFFFFF, column)
        random = np.random.default_rng(stream)
        label, bank = channel.label.lower(), bank_of(channel.name)
        if not channel.used:
            continue
        if label in RANGE and bank == "pose":
            turn = head[label] / RANGE[label] + DRIFT[label] * flowing[label]
            added[:, column] = channel.soft_max * begun * turn
        elif bank == "pose":
            way = amplitude * _chance(count, random, speech) + flowing.get(label, 0)
            added[:, column] = channel.soft_max * begun * DRIFT.get(label, UNLABELLED_DRIFT) * way
        elif label in GAZE:
            added[:, column] = channel.soft_max * begun * eyes[:, list(GAZE).index(label)] / GAZE[label]
        elif label == "blink":
            closed = channel.soft_max - (0.0 if own is None else float(own[column]))
            rates = (BLINKS[0], _HEAD["blinks_a_minute"], BLINKS[1])
            a_minute = float(np.interp(amplitude, (0, 0.5, 1), rates))
            starts = blinks(count / STEPS_PER_SECOND, a_minute, np.random.default_rng((*stream, 7)))
            added[:, column] = max(closed, 0.0) * lids(starts, count, random)
    if len(brow_up) and heard is not None:
        rise = raised_brows(emphasis(heard), np.random.default_rng([seed & 0xFFFFFFFF, 80]))
        added += (2 * amplitude * begun * rise)[:, None] * np.asarray(brow_up, np.float32)
    added[0] = 0
    return added


def _head(
    count: int, amplitude: float, seed: int, heard: NDArray[np.float32] | None, stillness: float
) -> dict[str, NDArray[np.float64]]:
    """Yaw, pitch and roll in degrees, [count] each."""
    speech = None if heard is None else heard[:, FEATURES.index("speech")]
    way = sway(count, seed, stillness, speech)
    median = np.array([_HEAD[axis] for axis in AXES])
    lively = np.array([_HEAD["lively"][axis] for axis in AXES])
    size = np.minimum(2 * amplitude, 1) * median + max(2 * amplitude - 1, 0) * (lively - median)
    turns = dict(zip(AXES, (size * way).T))
    if heard is not None:
        voice = np.clip(heard[:, FEATURES.index("pitch")], -0.6, 0.6) / PITCH
        turns["pitch"] = turns["pitch"] + RISE * min(1, 2 * amplitude) * smoothed(voice[:, None], 3)[:, 0]
    return turns


def spoken_motion(
    channels: Sequence[Channel],
    pose: NDArray[np.float32],
    starts: Sequence[float],
    amplitude: float,
    seed: int = 0,
    own: NDArray[np.float32] | None = None,
) -> Weights:
    """The same for a head that was drawn to speech: float32 [count, 36], zero in the first row.

    pose       [count, 6] in deviations of `DRIFT`, in its order
    starts     the seconds at which a blink begins
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
            shut = lids([start for start in starts if start > 0], len(pose), random)
            added[:, column] = max(closed, 0.0) * shut
    return added


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


def _chance(
    count: int, random: np.random.Generator, speech: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """A way of unit deviation for a pose channel that is no turn, or whose meaning is not known."""
    return sway(count, int(random.integers(1 << 31)), CALM, speech)[:, 0]
