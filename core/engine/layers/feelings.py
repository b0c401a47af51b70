# SPDX-License-Identifier: GPL-3.0-or-later
"""What feelings move besides what the network draws of them: jaw, lids, skin around mouth, nose and brows.

The network hardly draws on photographs what tells feelings apart: teeth in a smile, a dropped jaw, a wrinkled
nose, one raised corner. So how much of each feeling a frame's weights ask for is read here, against the
portrait's own, and `FEELINGS` says what is moved for it: some by the network, through the checkpoint's
handles, and some by the layers that move the portrait's own pixels.

With a what is asked of a feeling, o what the portrait is read to have of it (both 0 to 1; photographs are
often misread: a smile as disgust, a drawing as fear):

    felt    (a - o) / max(1 - o, SPAN), within 0 and 1
    taken   a portrait's own feeling is taken away by TAKEN of what is asked: a neutral face stays neutral

`FEELINGS` follows published descriptions of the expressions (Ekman and Friesen 1978; action units in
brackets).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import Weights, soft
from core.wire.channels import BANK_SLICES
from core.wire.mixing import NEUTRAL, neutral_of

Floats = NDArray[np.float64]

TAKEN = 0.15
SPAN = 0.4  # of a feeling are left to be felt at least, whatever the portrait is read to have of it
MOUTH = ("press", "jaw_open", "pucker", "wide")  # handles read together, so that none is taken for another
PRESS, PRESSED = "press", 0.5  # of it lips are shut for speech, whatever is felt: an m stays an m in a smile
THIN = 0.6  # of the unit, of lips that are pressed
EXPRESSION = BANK_SLICES["expression"]


@dataclass(frozen=True)
class Feeling:
    """What one feeling moves, at its full amount."""

    network: float = 1.0  # how much of it the network is still asked for
    handles: Mapping[str, float] = field(default_factory=dict)  # what it is asked for besides, by handles
    late: tuple[float, float] | None = (
        None  # amounts of the feeling between which these handles come in; then
    )
    # only as far as the portrait's mouth is shut: who shows teeth already opens it no further
    lids: float = 0.0  # how far lids close
    skin: Mapping[str, float] = field(default_factory=dict)  # units of `core.engine.layers.skin`


FEELINGS: dict[str, Feeling] = {
    # brows lowered and drawn together [4], lids tense [7], lips pressed [24]
    "angry": Feeling(
        handles={"press": 0.45},
        lids=0.13,
        skin={"brows_down": 0.5, "brows_together": 1.0, "corners_down": 0.5, "lips_thin": 0.7},
    ),
    # one corner tightened and raised [14], the other brow raised
    "contempt": Feeling(
        network=0.0,
        lids=0.18,
        skin={
            "left_corner_up": 1.4,
            "left_corner_out": 0.8,
            "left_cheek_up": 1.0,
            "left_lip_up": 0.7,
            "right_brow_up": 0.8,
        },
    ),
    # nose wrinkled [9], upper lip raised [10], corners down [15], lower lip pushed up [17]
    "disgusted": Feeling(
        network=0.7,
        handles={"press": 0.25},
        lids=0.22,
        skin={
            "nose_wrinkle": 1.7,
            "upper_lip_up": 1.6,
            "cheeks_up": 1.2,
            "corners_down": 1.5,
            "chin_up": 1.0,
        },
    ),
    # inner brows raised and together [1, 4], eyes wide [5], lips stretched [20], jaw dropped [26]
    "fear": Feeling(
        network=0.6,
        handles={"jaw_open": 0.3, "wide": 0.5},
        skin={"inner_brows_up": 1.0, "brows_together": 0.8, "corners_out": 0.6, "corners_down": 0.5},
    ),
    # cheeks raised [6], corners raised [12], teeth
    "happy": Feeling(
        network=0.4,
        handles={"jaw_open": 0.34, "wide": 0.75},
        late=(0.35, 0.8),
        lids=0.12,
        skin={"corners_up": 0.85, "corners_out": 1.5, "cheeks_up": 1.2, "upper_lip_up": 0.4},
    ),
    # inner brows raised [1], corners down [15], chin raised [17], lids heavy
    "sad": Feeling(
        lids=0.15,
        skin={"inner_brows_up": 1.0, "brows_together": 0.5, "corners_down": 1.4, "chin_up": 1.0},
    ),
    # brows high [1, 2], eyes wide [5], jaw dropped [26]
    "surprised": Feeling(
        network=0.5,  # drawn whole, it tears the lids of photographs apart
        handles={"jaw_open": 0.45},
        skin={"inner_brows_up": 0.7, "brows_up": 0.9},
    ),
}


class Feelings:
    """Reads feelings off weights. `own` [36] of the portrait, `presets` emotion -> 10 expression weights,
    `directions` handle -> [36] what one unit of it adds, `opened` how far the portrait's mouth is open, 0 to
    1."""

    def __init__(
        self,
        own: Weights,
        presets: Mapping[str, Sequence[float]],
        directions: Mapping[str, Sequence[float]],
        opened: float = 0.0,
    ) -> None:
        self.own = np.asarray(own, np.float64)
        self.names = [name for name in FEELINGS if name in presets and name != NEUTRAL]
        self._neutral = np.asarray(neutral_of(presets), np.float64)
        ways = np.array([presets[name] for name in self.names], np.float64).reshape(-1, len(self._neutral))
        self._ways = ways - self._neutral
        self._reads = np.linalg.pinv(self._ways)
        self._had = np.clip(self._shares(np.asarray(own, np.float32)[None])[0], 0, 1)
        self._network = np.array([FEELINGS[name].network for name in self.names])
        self._opened = min(max(opened, 0.0), 1.0)
        self._moves = np.array([self._move(name, directions) for name in self.names]).reshape(
            -1, len(self.own)
        )
        mouth = [name for name in MOUTH if name in directions]
        ways = np.array([directions[name] for name in mouth], np.float64).reshape(-1, len(self.own))
        reads = dict(zip(mouth, np.linalg.pinv(ways).T))
        self._press = reads.get(PRESS, np.zeros(len(self.own)))

    def felt(self, weights: Weights) -> Floats:
        """[N, feelings] how much of each feeling is asked for by weights [N, 36], 0 to 1."""
        had = self._had
        return np.asarray(np.clip((self._shares(weights) - had) / np.maximum(1 - had, SPAN), 0, 1))

    def sent(self, weights: Weights) -> Weights:
        """The weights [N, 36] that the network is to get for these."""
        shares, had = self._shares(weights), self._had
        kept = (1 - TAKEN) * (had - np.clip(shares, 0, had))
        less = (self._network - 1) * np.maximum(shares - had, 0)
        felt = self.felt(weights)
        if not felt.any() and not kept.any():
            return weights
        late = np.stack([self._late(part, FEELINGS[name]) for part, name in zip(felt.T, self.names)], 1)
        moved = np.zeros(np.shape(weights))
        moved[:, EXPRESSION] = (kept + less) @ self._ways
        moved += (late @ self._moves) * (1 - soft(self.pressed(weights) / PRESSED))[:, None]
        return np.asarray(weights + moved, np.float32)

    def lids(self, felt: Floats) -> float:
        """How far feelings [feelings] close the lids."""
        return float(np.clip(sum(FEELINGS[n].lids * a for n, a in zip(self.names, felt)), 0, 1))

    def pressed(self, weights: Weights) -> Floats:
        """[N] how far weights [N, 36] press the lips, for speech or otherwise: 0 to 1."""
        return np.asarray(np.clip((np.asarray(weights, np.float64) - self.own) @ self._press, 0, 1))

    def skin(self, felt: Floats, pressed: float) -> dict[str, float]:
        """Units of skin that feelings [feelings] and pressed lips move."""
        found = {"lips_thin": THIN * pressed}
        for name, amount in zip(self.names, felt):
            for unit, much in FEELINGS[name].skin.items():
                found[unit] = found.get(unit, 0.0) + much * float(amount)
        return found

    def _shares(self, weights: Weights) -> Floats:
        return np.asarray((np.asarray(weights, np.float64)[:, EXPRESSION] - self._neutral) @ self._reads)

    def _move(self, name: str, directions: Mapping[str, Sequence[float]]) -> Floats:
        total = np.zeros(len(self.own))
        for handle, amount in FEELINGS[name].handles.items():
            if handle in directions:
                total += amount * np.asarray(directions[handle])
        return total

    def _late(self, amount: Floats, feeling: Feeling) -> Floats:
        """[N] how far a feeling's handles are moved where [N] of it is felt."""
        if feeling.late is None:
            return amount
        begins, ends = feeling.late
        return np.asarray(soft(np.clip((amount - begins) / (ends - begins), 0, 1)) * (1 - self._opened))
