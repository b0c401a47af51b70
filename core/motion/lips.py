# SPDX-License-Identifier: GPL-3.0-or-later
"""What lips do, as two curves, and the mouth units that draw it.

A mouth in speech has an *aperture* (the gap between the inner lips, over closed) and a *width* (from corner
to corner, against the mouth at rest), both in distances of the outer eye corners. Figures of talkers are so
(`core.motion.talkers`), since units of a rig do not add up: a `Drawing` says which units draw a curve, and
how much of the width comes along with the jaw. Portraits differ: `core.engine.articulation` measures one's
own.

Legend: T steps of 1/25 s, K rows of a table, U = 12 units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.motion.talkers import figures

UNITS: tuple[str, ...] = (
    *("jaw_open", "wide", "pucker", "funnel", "press", "lip_teeth"),
    *("upper_up", "lower_down", "tongue_up", "tongue_out", "jaw_side", "jaw_fwd"),
)
"""What the first twelve mouth weights of a model that learnt from `training.heads` do, in their order."""
OPENERS = ("jaw_open", "lower_down", "upper_up")
"""The units that open the lips, which a table ties together."""
BELIEVED = (0.65, 1.6)
"""Least and most of the common apertures that a portrait's own may be."""
PRESSED = 0.9
"""Least `press` of lips that are shut."""


@dataclass(frozen=True)
class Drawing:
    """Which units draw an aperture; rows rise with it."""

    aperture: NDArray[Any]  # [K] eye distances
    openers: NDArray[Any]  # [K, 3] in the order of OPENERS
    width: NDArray[Any]  # [K] eye distances that come along
    wide: float  # eye distances that a full "wide" draws
    pucker: float  # and a full "pucker" takes
    funnel_opens: float  # aperture that comes with a full "funnel"
    touch: float  # below this aperture the lips go shut

    def units(self, aperture: NDArray[Any], width: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
        """Mouth units that draw two curves.

        Args:
            aperture, width: [T] eye distances.
            others: [T, 12] units as they would be, of which those that the curves do not draw are kept.
        Returns:
            float64 [T, 12], each within 0..1.
        """
        out = np.array(others, np.float64)
        parted = np.clip(aperture / self.touch, 0, 1)
        for name, column in zip(OPENERS, self.openers.T):
            out[:, UNITS.index(name)] = np.interp(aperture, self.aperture, column) * parted
        left: NDArray[Any] = width - np.interp(aperture, self.aperture, self.width) * parted
        out[:, UNITS.index("wide")] = left / self.wide
        out[:, UNITS.index("pucker")] = -left / self.pucker
        return np.clip(out, 0, 1)

    def every_second(self) -> Drawing:
        """Every second row of the table: enough to measure a portrait by. Fewer rows shift the moment at
        which small openings begin."""
        return replace(self, aperture=self.aperture[::2], openers=self.openers[::2], width=self.width[::2])

    def measured(self, aperture: NDArray[Any], width: NDArray[Any]) -> Drawing:
        """The same rows of units with what one portrait draws of them, [K] each, as a reader sees it.

        An aperture that falls where the units rise is the reader's noise or a smear: the most so far counts.
        A reader that sees much less than the common aperture, or much more, is believed as far as `BELIEVED`:
        it overlooks gaps in paintings and beards, where an eye sees them.
        """
        rising = np.maximum.accumulate(np.maximum(aperture - aperture[0], 0))
        rising = np.clip(rising, BELIEVED[0] * self.aperture, BELIEVED[1] * self.aperture)
        steps = 1e-5 * np.arange(len(rising))  # `np.interp` wants rows that rise
        return replace(self, aperture=rising + steps, width=width - width[0])


@cache
def common() -> Drawing:
    """What the shipped model draws of the average portrait."""
    rows = figures()["drawn"]
    return Drawing(
        np.array(rows["aperture"], np.float64),
        np.array([rows[name] for name in OPENERS], np.float64).T,
        np.array(rows["width"], np.float64),
        *(float(rows[name]) for name in ("wide", "pucker", "funnel_opens", "touch")),
    )
