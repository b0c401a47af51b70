# SPDX-License-Identifier: GPL-3.0-or-later
"""What is heard, as lips that move like a talker's: weights in, weights out, after the audio network.

The network of the shipped checkpoint was taught by a table of visemes that opened the mouth too seldom and
narrowed it too much. What it hears is right all the same: read as an *aperture* and a *width*, linear sums
of its units fitted to the lips of real talkers, it has an r of .56 with lips of talkers it never met, where
its own units, as drawn, have .39. `core.motion.lips` turns the curves into units again, by what the portrait
at hand draws of them (`drawing_of`).

    aperture   mean + gain (read - mean), 0 where the lips press, half where the lower lip meets the teeth
    pauses     open a quarter of a second before speech, half open after it, shut in long silence
    amount     1 is a clear talker; .7 to 1.4 is what talkers span. Closures are met at every amount

The sums belong to one network. They lie in `core/motion/talkers.json` under the digest of its tensors; what
another network hears goes on as it is.

Legend: T steps of 1/25 s, W = 20 mouth weights, U = 12 units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from core.engine import lip_reader
from core.models.audio_to_mouth import FULL, AudioToMouth
from core.motion.lips import OPENERS, PRESSED, UNITS, Drawing, common
from core.motion.motion import Weights, smoothed
from core.motion.talkers import figures, presence
from core.motion.visemes import Spoken
from core.sound.voice_activity import spoken
from core.wire.channels import BANK_SLICES, STEPS_PER_SECOND

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from core.engine.portrait import Portrait

NORMAL = 1.0
STEADY = {"aperture": 0.6, "width": 1.0}  # deviation in steps of the Gaussians that take the trembling out
PRESSING = (0.4, 0.7)  # between these shares of "press" the lips go shut
BITING = (0.2, 0.8)  # the same of "lip to teeth"
BITTEN = 0.5  # share of the opening that a bite takes
WORDS = 0.55  # share of the words in the curves where they are known; the rest is heard
FIRM = ("press", "lip_teeth")
"""Units that mumbling does not weaken."""

_own: WeakKeyDictionary[Portrait, Drawing | None] = WeakKeyDictionary()  # what was measured, while it is kept

Reader = Callable[[NDArray[np.uint8]], tuple[NDArray[Any], NDArray[Any]] | None]
"""Pictures [N, S, S, 3] of one face -> aperture and width of its mouth [N] in eye distances, or None."""


@dataclass(frozen=True)
class Readout:
    """How a network's units become curves: intercepts and coefficients [U], and the gain about the mean."""

    aperture: tuple[float, NDArray[Any]]
    width: tuple[float, NDArray[Any]]
    gain: tuple[float, float]

    def curves(self, heard: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Units [T, U] -> aperture over closed lips and width against pauses, [T] each, in eye distances."""
        speaking = figures()["speaking"]
        open_by, wide_by = (start + heard @ slope for start, slope in (self.aperture, self.width))
        mean = speaking["aperture"]
        return (
            np.maximum(0, mean + self.gain[0] * (open_by - mean)),
            self.gain[1] * wide_by - speaking["width_mean"],
        )


def readout_of(network: str) -> Readout | None:
    """The readout of the audio network with this digest (`Engine.audio_id`), None for one that has none."""
    rows = figures()["readouts"].get(network)
    if not isinstance(rows, dict):
        return None
    sums = {
        name: (rows[name]["start"], np.array([rows[name]["units"].get(unit, 0.0) for unit in UNITS]))
        for name in ("aperture", "width")
    }
    return Readout(sums["aperture"], sums["width"], (rows["aperture"]["gain"], rows["width"]["gain"]))


def articulated(
    net: AudioToMouth,
    heard: Weights,
    samples: NDArray[Any],
    readout: Readout | None,
    drawing: Drawing | None = None,
    amount: float = NORMAL,
    said: Spoken | None = None,
) -> Weights:
    """Mouth weights [T, 20] as a network hears them -> as they shall be drawn, float32 [T, 20].

    Args:
        net: that network.
        samples: [N] the sound, 16 kHz mono: where it is silent for long, the mouth is shut.
        readout: of that network; None leaves what it heard, but for the amount.
        drawing: what this portrait draws of units; None is the average portrait.
        amount: of articulation, 0 (shut lips) to 2.
        said: what the lips of a transcript do; where it is known, the curves are the mean of both, and
            contacts are its own.
    """
    if readout is None:
        return _scaled(heard, amount, net.config.kind == "clean")
    drawing = drawing or common()
    units = np.asarray(heard[:, : len(UNITS)] / FULL, np.float64)
    of = dict(zip(UNITS, units.T))
    there = presence(spoken(samples, len(heard)), STEPS_PER_SECOND)
    aperture, width = readout.curves(units)
    aperture = smoothed(aperture[:, None] * there[:, None], STEADY["aperture"])[:, 0]
    width = smoothed((width * np.minimum(1, 1.5 * there))[:, None], STEADY["width"])[:, 0]
    shut, bite = _ramp(of["press"], *PRESSING), _ramp(of["lip_teeth"], *BITING)
    if said is not None:
        share = WORDS * said.known
        aperture, width = (
            (1 - share) * heard_ + share * text
            for heard_, text in ((aperture, said.aperture), (width, said.width))
        )
        shut, bite = (
            (1 - said.known) * heard_ + said.known * text
            for heard_, text in ((shut, said.shut), (bite, said.bite))
        )
    aperture = amount * np.maximum(0, aperture - drawing.funnel_opens * of["funnel"])
    aperture = aperture * (1 - BITTEN * bite) * (1 - shut)
    drawn = drawing.units(aperture, amount * width, units)
    press = UNITS.index("press")
    if said is not None:
        teeth = UNITS.index("lip_teeth")
        drawn[:, teeth] = (1 - said.known) * units[:, teeth] + said.known * said.bite
    drawn[:, press] = np.maximum(units[:, press] * (shut > 0), PRESSED * shut)
    out = np.array(heard, np.float32)
    out[:, : len(UNITS)] = FULL * drawn
    return out


def _scaled(heard: Weights, amount: float, named: bool) -> Weights:
    """Units (`named`) by the amount, but for contacts; weights without a name about their mean."""
    if amount == NORMAL:
        return heard
    if not named:
        rest = heard.mean(axis=0, keepdims=True)
        return np.asarray(rest + amount * (heard - rest), np.float32)
    amounts = np.full(heard.shape[1], amount, np.float32)
    amounts[[UNITS.index(unit) for unit in FIRM]] = NORMAL
    return np.asarray((heard * amounts).clip(0, FULL), np.float32)


def own_drawing(engine: Engine, portrait: Portrait, read: Reader = lip_reader.read) -> Drawing | None:
    """`drawing_of` this portrait, measured once."""
    if portrait not in _own:
        _own[portrait] = drawing_of(engine, portrait, read)
    return _own[portrait]


def drawing_of(engine: Engine, portrait: Portrait, read: Reader) -> Drawing | None:
    """What this portrait draws of the units that open its lips, from seven pictures of it; None where the
    reader finds no face in one of them.

    Portraits differ more than tables do: a tenth of `jaw_open` parts the lips of one by .01 and of another
    by .14 eye distances, and behind a beard nothing opens at first.
    """
    rows = common().every_second()
    weights = np.repeat(portrait.weights[None], len(rows.aperture), axis=0)
    mouth = np.zeros((len(weights), BANK_SLICES["mouth"].stop))
    for name, column in zip(OPENERS, rows.openers.T):
        mouth[:, UNITS.index(name)] = FULL * column
    weights[:, BANK_SLICES["mouth"]] = mouth
    frames = engine.decode(portrait.source, weights)
    levels = [frame.image.clamp(-1, 1).add(1).mul(127.5).round().byte() for frame in frames]
    seen = read(np.stack([picture.permute(1, 2, 0).cpu().numpy() for picture in levels]))
    return None if seen is None else rows.measured(*seen)


def _ramp(x: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    return np.clip((x - low) / (high - low), 0, 1)
