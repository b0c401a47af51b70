# SPDX-License-Identifier: GPL-3.0-or-later
"""What eyes and brows do of themselves while somebody talks: they blink, look about, and rise on accents.

Blinks come at chance moments, some 28 a minute; those of real talkers did not gather at pauses. Lids close in
two steps of 1/25 s, are shut for two and open in about four (`core.motion.talkers`; Evinger et al. 1991 have
the same shape). Eyes rest on the viewer, jump a little nearly twice a second, and look aside now and then; a
jump takes a single step.

All chances are drawn from left to right, so the beginning does not depend on how long the take is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import soft
from core.motion.talkers import figures
from core.wire.channels import STEPS_PER_SECOND

APART = 0.4  # seconds between the end of a blink and the next one, at least
OPENING = (0.8, 1.3)  # an opening may be quicker or slower than most
DWELL = 0.55  # seconds (median) between jumps of the eyes
DWELL_SPREAD = 0.6  # deviation of their logarithm
NEAR = (0.9, 0.5)  # degrees (deviation) by which eyes jump about what they rest on: sideways, up
ASIDE = 0.09  # chance of a jump to be a look aside
ASIDE_DEGREES, ASIDE_UP = (4.0, 9.0), 2.0
ASIDE_LASTS = (0.4, 1.2)  # seconds
ACCENT = 1.2  # emphasis (`core.sound.prosody`, deviations) from which a syllable counts as accented
RAISED = 0.4  # chance of an accent to raise the brows
RISE = (0.15, 0.4)  # share of a full rise of the brows
RISING, FALLING = 4, 10  # steps


def blinks(seconds: float, a_minute: float, random: np.random.Generator) -> list[float]:
    """Seconds at which blinks begin, at chance moments, so many a minute."""
    shape = figures()["head"]
    busy = (shape["closing"] + shape["shut"] + shape["opening"]) / STEPS_PER_SECOND + APART
    wait = max(60 / a_minute - busy, 0.05) if a_minute > 0 else np.inf
    starts, now = [], 0.2 + float(random.exponential(min(wait, 1e6)))
    while now < seconds:
        starts.append(now)
        now += busy + float(random.exponential(min(wait, 1e6)))
    return starts


def lids(starts: Sequence[float], steps: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Lids under blinks that begin at `starts` (s): [steps], 0 open, 1 shut."""
    shape = figures()["head"]
    out = np.zeros(steps)
    for start in starts:
        slower = random.uniform(*OPENING)
        first = round(start * STEPS_PER_SECOND)
        here = np.arange(first, min(steps, first + 20))
        down = (here - first) / shape["closing"]
        up = 1 - (here - first - shape["closing"] - shape["shut"] + 1) / (shape["opening"] * slower)
        out[here] = np.maximum(out[here], soft(np.minimum(down, up)))
    return out


def glances(steps: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Where the eyes look, [steps, 2] degrees to picture right and up; they begin at the viewer."""
    out, now = np.zeros((steps, 2)), 0
    while now < steps:
        aside = random.random() < ASIDE
        lasts = DWELL * np.exp(DWELL_SPREAD * random.standard_normal())
        place = random.standard_normal(2) * NEAR
        side = random.choice((-1, 1)) * random.uniform(*ASIDE_DEGREES)
        if aside and now:
            place = np.array([side, ASIDE_UP * random.standard_normal()])
            lasts = random.uniform(*ASIDE_LASTS)
        until = now + max(2, round(lasts * STEPS_PER_SECOND))
        out[now:until] = place if now else 0.0
        now = until
    return out


def raised_brows(emphasis: NDArray[Any], random: np.random.Generator) -> NDArray[np.float64]:
    """How far accents raise the brows, [steps] of 0 to .4; `emphasis` [steps, 2] as in
    `core.sound.prosody`."""
    stress = np.asarray(emphasis, np.float64).sum(axis=1)
    peaks = (stress[1:-1] > stress[:-2]) & (stress[1:-1] >= stress[2:]) & (stress[1:-1] > ACCENT)
    out = np.zeros(len(stress))
    free = 0
    for peak in np.flatnonzero(peaks) + 1:
        luck, rise = random.random(), random.uniform(*RISE)
        if luck > RAISED or peak < free:
            continue
        here = np.arange(max(0, peak - RISING), min(len(stress), peak + FALLING))
        shape = np.minimum((here - peak + RISING) / RISING, (peak + FALLING - here) / FALLING)
        out[here] = np.maximum(out[here], rise * soft(shape))
        free = peak + FALLING
    return out
