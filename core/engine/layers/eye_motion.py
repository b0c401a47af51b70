# SPDX-License-Identifier: GPL-3.0-or-later
"""What a frame's weights ask of lids and irises, and the same weights without it.

Lids and irises are drawn by `core.engine.layers.lids`. The network is then given the weights without blink
and gaze, so that nothing is drawn twice.

    motion = EyeMotion(own, {handle.name: handle.direction for handle in engine.handles})
    asked = motion.asked(weights)
    network sees motion.quiet(weights)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]

NAMES = ("blink", "blink_right", "blink_left", "gaze_x", "gaze_y")
"""Handles that the lids layer draws, as far as a checkpoint has them; right and left are the person's own."""


@dataclass(frozen=True)
class Asked:
    """Of one frame: how far each lid closes, the person's right first, 0 to 1, and where the eyes turn,
    degrees, positive to picture right and up."""

    blink: tuple[float, float] = (0.0, 0.0)
    gaze: tuple[float, float] = (0.0, 0.0)

    def narrowed(self, by: float) -> Asked:
        """The same with what is still open of both eyes closed by a share, 0 to 1."""
        right, left = (1 - (1 - blink) * (1 - by) for blink in self.blink)
        return Asked((right, left), self.gaze) if by > 0 else self


class EyeMotion:
    """Reads blink and gaze off weights, as changes since the portrait's own, by the checkpoint's handles."""

    def __init__(self, own: Weights, directions: Mapping[str, Sequence[float]]) -> None:
        """`own` [36] weights of the portrait; `directions` handle -> [36] what one unit of it adds."""
        self.own = np.asarray(own, np.float32)
        self._names = [name for name in NAMES if name in directions]
        ways = np.array([directions[name] for name in self._names], np.float64)
        self._ways = ways.reshape(-1, len(self.own))
        self._reads = np.linalg.pinv(self._ways)  # [36, handles]

    @property
    def reads(self) -> bool:
        """Whether the checkpoint says what a blink is. Without it the network draws lids and irises as
        before."""
        return "blink" in self._names or {"blink_right", "blink_left"} <= {*self._names}

    def asked(self, weights: Weights) -> Asked:
        """What a frame's weights [36] ask of the eyes."""
        amounts = self._amounts(weights)
        both = amounts.get("blink", 0.0)
        right, left = (min(both + amounts.get(f"blink_{side}", 0.0), 1.0) for side in ("right", "left"))
        return Asked((right, left), (amounts.get("gaze_x", 0.0), amounts.get("gaze_y", 0.0)))

    def quiet(self, weights: Weights) -> Weights:
        """The weights [36] without what the layer draws."""
        amounts = self._amounts(weights)
        taken = np.array([amounts[name] for name in self._names]) @ self._ways
        return np.asarray(weights - taken, np.float32)

    def _amounts(self, weights: Weights) -> dict[str, float]:
        """Handle -> amount. A lid that opens wider than the portrait's is the network's work."""
        if not self.reads:
            return dict.fromkeys(self._names, 0.0)
        read = (np.asarray(weights, np.float64) - self.own) @ self._reads
        return {
            name: max(0.0, float(value)) if name.startswith("blink") else float(value)
            for name, value in zip(self._names, read)
        }
