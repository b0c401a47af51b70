# SPDX-License-Identifier: GPL-3.0-or-later
"""How a head moves and eyes blink while somebody speaks: rules after what research reports, and chance.

No recording of a person is used, so the heads that `training.recipes.audio_to_pose` learns from are made
here, for synthetic speech whose syllables are known. The rules:

    accents     a stressed syllable is met by a nod, down quickly and up more slowly, with a small overshoot;
                the stronger the stress the larger; now and then a tilt instead, or nothing (Hadar et al.
                1983; Graf et al. 2002, "Visual prosody"; McClave 2000)
    postures    at the beginning of a phrase, and less often at its end, the head takes another position and
                stays near it (Kendon 1972; Graf et al. 2002); nothing is held far from the front for long
    last words  some phrases end in a slow nod (Ishi et al. 2014)
    melody      the head rises a little with the voice (Kuratate et al. 1999; Munhall et al. 2004)
    sway        a head is never quite still while its owner speaks, and settles in pauses (Hadar et al. 1984)
    together    a turn carries some tilt and shift with it, a nod some drop, as a neck does
    blinks      some twenty a minute in speech and fewer at rest, about half a second apart at least; four
                times as likely where a phrase ends, likelier in a large turn, rarer within a phrase
                (Bentivoglio et al. 1997; Evinger et al. 1994; Nakano and Kitazawa 2010)

Sizes are those of a lively speaker, some degrees; `stillness` takes them back and makes them rarer. What the
audio does not decide is drawn by chance, which is what a flow is there to learn.

Legend: T steps of 1/25 s; pose dimensions are `core.motion.idle.DRIFT`'s six, in its unit deviations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.sound.prosody import FEATURES
from core.wire.channels import STEPS_PER_SECOND
from training.speech.visemes import VISEMES

UNIT = np.array([3.44, 2.32, 1.72, 1.2, 0.75, 1.2])
"""One unit of each dimension in degrees (yaw, pitch, roll) or hundredths (shifts, size)."""
POSTURE = np.array([6.3, 3.2, 2.8, 1.5, 0.75, 1.5])
"""Spread of postures, in the same."""
SWAY = np.array([1.1, 0.8, 0.6, 0.5, 0.25, 0.4])
FARTHEST = 2.2
"""Postures lie within so many spreads."""
VOWELS = np.array([name in "aa ae ah ao oh eh er ih iy uh uw ue oe".split() for name in VISEMES])
PAUSE = 0.18
"""Seconds of silence that part phrases."""
DOWN, UP = 0.155, 0.28
"""Seconds a beat takes to its peak, and from there."""
SURE = 0.9
"""Share of stressed syllables that are met by a beat."""
USUAL = 0.75
"""Liveliness of the head that `usual_nods` speaks of."""
BLINKS_AT_REST, BLINKS_IN_SPEECH = 0.26, 0.46
"""A second, before what the phrase does to them; refractory time takes some away again."""

Table = NDArray[Any]


def gestures(
    visemes: Table, heard: Table, stillness: float, rng: np.random.Generator
) -> tuple[Table, NDArray[np.bool_]]:
    """Head and lids of one talk.

    Args:
        visemes: [K, 3] rows of (viseme number, start, end) in seconds.
        heard: [T, P] prosody of the clean sound.
        stillness: 0 (lively) to 1 (hardly moves).
    Returns:
        float32 [T, 6] pose, and bool [T], true where a blink begins.
    """
    steps = len(heard)
    time = (np.arange(steps) + 0.5) / STEPS_PER_SECOND
    lively = 1 - stillness
    phrases = _phrases(visemes)
    pose = np.zeros((steps, 6))
    moves = _postures(phrases, lively, steps / STEPS_PER_SECOND, rng)
    for start, lasts, change in moves:
        pose += _eased((time - start) / lasts)[:, None] * change
    pose += _nods(visemes, heard, phrases, lively, time, rng)
    speech = _slow(heard[:, FEATURES.index("speech")], 0.6)
    pose += _sway(steps, rng) * ((0.25 + 0.75 * speech) * (0.25 + 0.75 * lively))[:, None]
    melody = _slow(heard[:, FEATURES.index("pitch")], 0.15)
    pose[:, 1] += (1.0 + 2.0 * lively) * np.clip(melody, -0.6, 0.6)
    pose = np.stack([_slow(column, 0.06) for column in pose.T], axis=1)
    return (pose / UNIT).astype(np.float32), _blinks(heard, phrases, moves, rng)


def _phrases(visemes: Table) -> list[tuple[float, float]]:
    """Start and end of each stretch of speech between pauses."""
    found: list[tuple[float, float]] = []
    for number, start, end in visemes:
        if int(number) == 0:
            continue
        if found and start - found[-1][1] < PAUSE:
            found[-1] = (found[-1][0], float(end))
        else:
            found.append((float(start), float(end)))
    return found


def _postures(
    phrases: list[tuple[float, float]], lively: float, seconds: float, rng: np.random.Generator
) -> list[tuple[float, float, Table]]:
    """Moves from posture to posture: (start, duration, change [6])."""
    here, moves = np.zeros(6), []
    # a talk may begin anywhere, as this one is cut from a longer one
    when = [(0.0, 1.0)]
    for start, end in phrases:
        when.append((start + rng.uniform(-0.25, 0.1), 0.3 + 0.5 * lively))
        when.append((end + rng.uniform(-0.2, 0.15), 0.15 + 0.2 * lively))
        for middle in np.arange(start + 2.2, end - 0.8, 2.2):  # a long phrase has clauses
            when.append((middle + rng.uniform(-0.5, 0.5), 0.35 * lively))
        if rng.random() < 0.5:  # to rest, some time into the pause
            when.append((end + rng.uniform(0.5, 1.0), -1.0))
    size = POSTURE * (0.25 + 0.75 * lively)
    for start, chance in when:
        if chance < 0:
            there = here * rng.uniform(0.2, 0.7)
        elif rng.random() < chance:
            there = 0.25 * here + size * np.clip(rng.normal(size=6), -FARTHEST, FARTHEST) * rng.beta(2, 1.5)
            there[2] += 0.22 * there[0] * rng.choice([-1, 1], p=[0.3, 0.7])
            there[3] += 0.12 * there[0]
            there[4] += 0.08 * there[1]
        else:
            continue
        lasts = float(np.clip(0.35 + 0.07 * np.abs(there - here)[:3].max() + rng.normal(0, 0.08), 0.3, 1.2))
        moves.append((start - (2 * lasts if start == 0 else 0), lasts, there - here))
        here = there
    return [move for move in moves if move[0] < seconds]


def _nods(
    visemes: Table,
    heard: Table,
    phrases: list[tuple[float, float]],
    lively: float,
    time: Table,
    rng: np.random.Generator,
) -> Table:
    """Beats on stressed syllables, and slow nods at the ends of phrases: [T, 6] in degrees."""
    track = np.zeros((len(time), 6))
    for middle, strength in _beats(visemes, heard, lively):
        if rng.random() > SURE:
            continue
        size = _size(strength, lively) * np.clip(rng.normal(1, 0.15), 0.5, 1.5)
        beat = size * _beat(time, middle + rng.normal(0.02, 0.012), DOWN, UP * rng.uniform(0.9, 1.15))
        if rng.random() < 0.9:
            track[:, 1] -= beat
            track[:, 4] -= 0.10 * beat
            track[:, 0] += rng.normal(0, 0.2) * beat
        else:  # a tilt
            track[:, 2] += rng.choice([-0.8, 0.8]) * beat
    for _, end in phrases:
        if rng.random() < 0.3 * (0.3 + 0.7 * lively):
            size = rng.uniform(2.0, 4.5) * (0.4 + 0.6 * lively)
            beat = _beat(time, end + rng.uniform(-0.15, 0.1), rng.uniform(0.22, 0.3), rng.uniform(0.4, 0.6))
            track[:, 1] -= size * beat
            track[:, 4] -= 0.1 * size * beat
    return track


def _beats(visemes: Table, heard: Table, lively: float) -> list[tuple[float, float]]:
    """The syllables that are met by a beat: stressed enough, and not while the last beat goes on."""
    found: list[tuple[float, float]] = []
    for middle, strength in accents(visemes, heard):
        if strength > 1.15 - 0.6 * lively and (not found or middle > found[-1][0] + UP):
            found.append((middle, strength))
    return found


def _size(strength: float, lively: float) -> float:
    """Degrees of a beat."""
    return float(np.clip(1.4 + 1.2 * strength, 0.8, 5.0) * (0.35 + 0.75 * lively))


def usual_nods(visemes: Table, heard: Table) -> Table:
    """How far a lively head goes down for the stress it meets, float32 [T] in units of pitch.

    There is no chance in it: it is what a listener can know of nods from the sound.
    """
    time = (np.arange(len(heard)) + 0.5) / STEPS_PER_SECOND
    track = np.zeros(len(heard))
    for middle, strength in _beats(visemes, heard, USUAL):
        here = slice(*np.searchsorted(time, (middle - 0.5, middle + 1.0)))
        track[here] += _size(strength, USUAL) * _beat(time[here], middle + 0.02, DOWN, UP)
    return np.asarray(track / UNIT[1], np.float32)


def accents(visemes: Table, heard: Table) -> list[tuple[float, float]]:
    """(middle in seconds, strength) of each syllable; strengths have mean 0 and deviation 1 or so.

    Stress is told by loudness, pitch and length together, against the syllables around it.
    """
    rows = visemes[VOWELS[visemes[:, 0].astype(int)]] if len(visemes) else np.zeros((0, 3))
    if not len(rows):
        return []
    measured = []
    for _, start, end in rows:
        first = int(np.clip(start * STEPS_PER_SECOND, 0, len(heard) - 1))
        part = heard[first : max(first + 1, int(np.ceil(end * STEPS_PER_SECOND)))]
        loud, pitch = part[:, FEATURES.index("loudness")].max(), part[:, FEATURES.index("pitch")].max()
        measured.append((float(loud), float(pitch), float(np.log(end - start + 0.02))))
    table = np.array(measured)
    around = np.stack([_slow(column, 9.0, rate=1) for column in table.T], axis=1)
    apart = (table - around) / np.maximum(table.std(axis=0), (0.05, 0.03, 0.1))
    strength = apart @ (0.45, 0.55, 0.4)
    return list(zip(rows[:, 1:].mean(axis=1).tolist(), strength.tolist()))


def _beat(time: Table, peak: float, down: float, up: float) -> Table:
    """One nod, 1 at its peak, and a sixth of it the other way afterwards."""
    there = _eased((time - peak + down) / down)
    back = _eased((time - peak) / up)
    again = _eased((time - peak - 0.8 * up) / (0.9 * up))
    return np.asarray(there - 1.16 * back + 0.16 * again)


def _eased(place: Table) -> Table:
    """From 0 to 1 with the least jerk (Flash and Hogan 1985)."""
    place = np.clip(place, 0, 1)
    return np.asarray(place**3 * (10 - 15 * place + 6 * place**2))


def _sway(steps: int, rng: np.random.Generator) -> Table:
    """Slow noise, [T, 6] in degrees."""
    noise = rng.normal(size=(steps + 200, 6))
    slow = np.stack([_slow(column, 0.45) for column in noise.T], axis=1)[100:-100]
    return np.asarray(slow / max(float(slow.std()), 1e-6) * SWAY)


def _blinks(
    heard: Table,
    phrases: list[tuple[float, float]],
    moves: list[tuple[float, float, Table]],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    time = (np.arange(len(heard)) + 0.5) / STEPS_PER_SECOND
    speech = heard[:, FEATURES.index("speech")]
    rate = BLINKS_AT_REST + (BLINKS_IN_SPEECH - BLINKS_AT_REST) * _slow(speech, 1.0)
    rate = rate * np.where(speech > 0.5, 0.75, 1.0)
    for _, end in phrases:
        rate = rate * (1 + 3.5 * np.exp(-0.5 * ((time - end - 0.12) / 0.16) ** 2))
    for start, lasts, change in moves:
        if np.abs(change[:2]).max() > 5:
            rate = rate * (1 + 2.5 * np.exp(-0.5 * ((time - start - 0.3 * lasts) / 0.15) ** 2))
    begins = np.zeros(len(heard), bool)
    last = -float(rng.uniform(0, 4))
    for step, (now, chance, luck) in enumerate(
        zip(time.tolist(), (rate / STEPS_PER_SECOND).tolist(), rng.random(len(heard)).tolist())
    ):
        if luck < chance * min(1.0, (now - last - 0.4) / 1.2):
            begins[step], last = True, now
    return begins


def _slow(values: Table, seconds: float, rate: int = STEPS_PER_SECOND) -> Table:
    """A Gaussian of this deviation, with held ends."""
    sigma = seconds * rate
    reach = max(1, int(np.ceil(3 * sigma)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(values, reach, mode="edge")
    return np.asarray(np.convolve(padded, kernel / kernel.sum(), "valid"))
