# SPDX-License-Identifier: GPL-3.0-or-later
"""What each motion channel means for a model trained on synthetic heads.

A *factor* is a natural quantity of the rendered head: radians, shares of the picture, or 0..1 activations.
A *weight* is what the network and the animator see: ``weight = factor / scale``, so that weights have about
unit spread over the training set. The tables below alone keep names, meanings, signs and scales.

Sign conventions, all as seen in the picture (not from the person's side):
    yaw, tx, jaw_side, gaze_x   positive = towards picture right
    pitch, ty, gaze_y           positive = up
    roll                        positive = counter-clockwise (the crown leans to picture left)
    log_scale                   positive = larger
Mouth, emotion and blink activations go from 0 (absent) to 1 (full); only jaw_side has two directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from core.wire.channels import Channel

Array = NDArray[np.float32]

# Length and start of each bank in a row of 36 weights.
BANK_START = {"mouth": 0, "pose": 20, "expression": 26}
BANK_SIZE = {"mouth": 20, "pose": 6, "expression": 10}
WEIGHTS = 36

# Scale and soft range of an activation: full = weight 1.5.
_ON = (1 / 1.5, 0.0, 1.0)


@dataclass(frozen=True)
class Factor:
    """One motion factor. `scale`, `soft_min` and `soft_max` are in the factor's natural unit."""

    name: str
    label: str
    description: str
    bank: str
    index: int
    scale: float
    soft_min: float
    soft_max: float

    @property
    def column(self) -> int:
        """Place in a row of 36 weights (mouth | pose | expression)."""
        return BANK_START[self.bank] + self.index


def _bank(bank: str, *rows: tuple[str, str, str, float, float, float]) -> tuple[Factor, ...]:
    return tuple(
        Factor(name, label, text, bank, i, scale, low, high)
        for i, (name, label, text, scale, low, high) in enumerate(rows)
    )


POSE = _bank(
    "pose",
    ("yaw", "Yaw", "Turns the head: positive to picture right. Radians.", 0.25, -0.6, 0.6),
    ("pitch", "Pitch", "Nods the head: positive looks up. Radians.", 0.25, -0.45, 0.45),
    ("roll", "Roll", "Tilts the head: positive is counter-clockwise. Radians.", 0.25, -0.4, 0.4),
    ("tx", "Shift X", "Moves the head sideways: positive to picture right. Half widths.", 0.05, -0.15, 0.15),
    ("ty", "Shift Y", "Moves the head: positive up. Half heights.", 0.05, -0.15, 0.15),
    ("log_scale", "Size", "Natural logarithm of the size: positive is nearer and larger.", 0.08, -0.3, 0.3),
)

MOUTH = _bank(
    "mouth",
    ("jaw_open", "Jaw Open", "Opens the jaw, as in 'father'.", *_ON),
    ("wide", "Wide", "Pulls the mouth corners apart, as in 'see'.", *_ON),
    ("pucker", "Pucker", "Rounds the lips to a small opening, as in 'who'.", *_ON),
    ("funnel", "Funnel", "Pushes both lips forward, as in 'she'.", *_ON),
    ("press", "Press", "Presses the lips together, as in 'm', 'b', 'p'.", *_ON),
    ("lip_teeth", "Lip to Teeth", "Draws the lower lip under the upper teeth, as in 'f', 'v'.", *_ON),
    ("upper_up", "Upper Lip Up", "Raises the upper lip.", *_ON),
    ("lower_down", "Lower Lip Down", "Lowers the lower lip.", *_ON),
    ("tongue_up", "Tongue Up", "Lifts the tip of the tongue to the palate, as in 'l', 't', 'n'.", *_ON),
    ("tongue_out", "Tongue Out", "Brings the tongue between the teeth, as in 'th'.", *_ON),
    ("jaw_side", "Jaw Sideways", "Moves the jaw: positive to picture right.", 1 / 1.5, -1.0, 1.0),
    ("jaw_fwd", "Jaw Forward", "Pushes the jaw forward.", *_ON),
)

EXPRESSION = _bank(
    "expression",
    ("angry", "Angry", "Brows down, lids tense, mouth corners down.", *_ON),
    ("contempt", "Contempt", "One mouth corner and the other brow raised.", *_ON),
    ("disgusted", "Disgusted", "Wrinkled nose, raised upper lip, narrowed eyes.", *_ON),
    ("fear", "Fear", "Inner brows raised, eyes wide, mouth corners stretched back.", *_ON),
    ("happy", "Happy", "Mouth corners and cheeks raised: a smile that reaches the eyes.", *_ON),
    ("sad", "Sad", "Inner brows raised, lids heavy, mouth corners down.", *_ON),
    ("surprised", "Surprised", "Brows high, eyes wide.", *_ON),
    ("blink", "Blink", "Closes both eyes: 1 is shut.", *_ON),
    ("gaze_x", "Gaze X", "Turns the eyes: positive to picture right. Radians.", 0.15, -0.4, 0.4),
    ("gaze_y", "Gaze Y", "Turns the eyes: positive up. Radians.", 0.12, -0.3, 0.3),
)

FACTORS = MOUTH + POSE + EXPRESSION

EMOTION_NAMES = tuple(f.name for f in EXPRESSION[:7])
"""The emotions with a factor of their own, in bank order ("neutral" is their absence)."""


@dataclass(frozen=True)
class Factors:
    """One frame's motion in natural units: pose [6], mouth [12], expression [10], float32."""

    pose: Array
    mouth: Array
    expression: Array

    @classmethod
    def neutral(cls) -> Factors:
        """Frontal, closed mouth, open eyes looking at the camera."""
        return cls(*(np.zeros(len(t), np.float32) for t in (POSE, MOUTH, EXPRESSION)))

    @classmethod
    def of(cls, **values: float) -> Factors:
        """Neutral but for the named factors: ``Factors.of(yaw=0.3, jaw_open=0.5)``."""
        result = cls.neutral()
        for name, value in values.items():
            factor = next(f for f in FACTORS if f.name == name)
            bank: Array = getattr(result, factor.bank)
            bank[factor.index] = value
        return result


def to_weights(pose: ArrayLike, mouth: ArrayLike, expression: ArrayLike) -> Array:
    """Rows of weights from factors.

    Args:
        pose: [N, 6], mouth: [N, 12], expression: [N, 10], natural units.
    Returns:
        float32 [N, 36], order mouth | pose | expression; the eight spare mouth channels are 0.
    """
    rows = len(np.atleast_2d(np.asarray(pose)))
    weights = np.zeros((rows, WEIGHTS), np.float32)
    for table, values in ((MOUTH, mouth), (POSE, pose), (EXPRESSION, expression)):
        start = table[0].column
        weights[:, start : start + len(table)] = np.asarray(values, np.float32) / _scales(table)
    return weights


def from_weights(weights: ArrayLike) -> tuple[Array, Array, Array]:
    """Inverse of `to_weights`: [N, 36] -> pose [N, 6], mouth [N, 12], expression [N, 10] in natural units."""
    rows = np.atleast_2d(np.asarray(weights, np.float32))
    pose, mouth, expression = (
        rows[:, t[0].column : t[0].column + len(t)] * _scales(t) for t in (POSE, MOUTH, EXPRESSION)
    )
    return pose, mouth, expression


def channels() -> list[Channel]:
    """The 36 channels as the wire describes them, soft ranges in weights; spare ones have `used=False`."""
    from core.wire.channels import Channel

    by_column = {f.column: f for f in FACTORS}
    result = []
    for bank, start in BANK_START.items():
        for index in range(BANK_SIZE[bank]):
            name = f"{bank}_{index:02d}"
            factor = by_column.get(start + index)
            if factor is None:
                result.append(
                    Channel(
                        name=name,
                        label=f"Spare {index:02d}",
                        description="Not used by this checkpoint.",
                        soft_min=-3.0,
                        soft_max=3.0,
                        default=0.0,
                        used=False,
                    )
                )
                continue
            result.append(
                Channel(
                    name=name,
                    label=factor.label,
                    description=factor.description,
                    soft_min=round(factor.soft_min / factor.scale, 3),
                    soft_max=round(factor.soft_max / factor.scale, 3),
                    default=0.0,
                    used=True,
                )
            )
    return result


def emotions() -> dict[str, list[float]]:
    """Ten expression weights for each emotion at full strength; "neutral" is all zeros."""
    table = {"neutral": [0.0] * 10}
    for factor in EXPRESSION[:7]:
        table[factor.name] = [1 / factor.scale if f is factor else 0.0 for f in EXPRESSION]
    return dict(sorted(table.items()))


def _scales(table: tuple[Factor, ...]) -> Array:
    return np.array([f.scale for f in table], np.float32)
