# SPDX-License-Identifier: GPL-3.0-or-later
"""The named actions of a face that animators ask for, as the rig performs them.

Some are factors ("yaw"), others no factor does alone ("smile" without the happy eyes), so they are recipes of
face units.  `training.evaluation.calibration` renders them and finds the weights that do the same to a model.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.factors import FACTORS, Factors


@dataclass(frozen=True)
class Action:
    """One action. `value` is its full amount in `unit`, at which factors and units are those given."""

    name: str
    label: str
    description: str
    unit: str  # "deg", or "" for a share of the full movement
    value: float
    two_sided: bool
    banks: tuple[str, ...]  # where its weights may come from
    factors: dict[str, float] = field(default_factory=dict)  # natural units
    units: dict[str, float] = field(default_factory=dict)  # as in training.heads.recipes

    def at(self, share: float, rest: Factors) -> tuple[Factors, dict[str, float]]:
        """Factors and units of a share of the full amount (-1..1, or 0..1), on top of `rest`."""
        moved = Factors(rest.pose.copy(), rest.mouth.copy(), rest.expression.copy())
        for name, amount in self.factors.items():
            factor = next(f for f in FACTORS if f.name == name)
            getattr(moved, factor.bank)[factor.index] += amount * share
        return moved, {name: amount * share for name, amount in self.units.items()}


def _turn(name: str, label: str, text: str, degrees: float) -> Action:
    turned = {name: float(np.deg2rad(degrees))}
    bank = "expression" if name.startswith("gaze") else "pose"
    return Action(name, label, text, "deg", degrees, True, (bank,), factors=turned)


def _mouth(name: str, label: str, text: str) -> Action:
    return Action(name, label, text, "", 1.0, False, ("mouth",), factors={name: 1.0})


def _units(name: str, label: str, text: str, banks: tuple[str, ...], **units: float) -> Action:
    return Action(name, label, text, "", 1.0, False, banks, units=units)


_FACE, _EYES = ("mouth", "expression"), ("expression",)

ACTIONS: tuple[Action, ...] = (
    _turn("yaw", "Yaw", "Turns the head: positive to picture right", 20.0),
    _turn("pitch", "Pitch", "Nods the head: positive looks up", 14.0),
    _turn("roll", "Roll", "Tilts the head: positive is counter-clockwise", 14.0),
    _mouth("jaw_open", "Jaw Open", "Opens the jaw"),
    _mouth("wide", "Lips Wide", "Pulls the mouth corners apart, as in 'see'"),
    _mouth("pucker", "Lips Pucker", "Rounds the lips to a small opening, as in 'who'"),
    _mouth("press", "Lips Press", "Presses the lips together, as in 'm'"),
    _units("smile", "Smile", "Raises the mouth corners", _FACE,
           BothMouthPullUp=0.7, BothMouthPullSide=0.35, BothCheekUp=0.4, NasolabialDeepener=0.3),
    _units("frown", "Frown", "Lowers the mouth corners, with a little sorrow in the brows", _FACE,
           BothMouthPullDown=0.65, lowerLipUp=0.35, BothInnerBrowUp=0.25, BothUpperLidClosed=0.1),
    _units("brow_up", "Brows Up", "Raises the brows", _EYES, BothInnerBrowUp=0.6, BothOuterBrowUp=0.8),
    _units("brow_down", "Brows Down", "Lowers the brows and draws them together", _EYES, BothBrowDown=0.9),
    Action("blink", "Blink", "Closes both eyes: 1 is shut", "", 1.0, False, _EYES, factors={"blink": 1.0}),
    _turn("gaze_x", "Gaze X", "Turns the eyes: positive to picture right", 15.0),
    _turn("gaze_y", "Gaze Y", "Turns the eyes: positive up", 10.0),
)  # fmt: skip
