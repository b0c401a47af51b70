# SPDX-License-Identifier: GPL-3.0-or-later
"""How the motion factors are made of the pack's 60 face pose units, and how far units may go.

A recipe is data: factor -> {unit: amount at full strength}. `Left` and `Right` are the person's own sides
(their left is picture right); `Both...` stands for the left and the right unit alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from training.factors import EMOTION_NAMES, MOUTH
from training.heads.pack import Floats, load_pack

# The base mesh frowns at rest: these make its neutral face friendly.
REST = {"BothInnerBrowUp": 0.42, "BothOuterBrowUp": 0.12, "BothMouthPullUp": 0.15}
REST_PITCH = 0.09  # rad, added to the pitch factor: the base head looks slightly down

MOUTH_RECIPES: dict[str, dict[str, float]] = {
    "jaw_open": {"JawDrop": 1.0},
    "wide": {"BothMouthPullSide": 0.9, "UpperLipStretched": 0.35},
    "pucker": {"LipsKiss": 1.0},
    "funnel": {"lowerLipForward": 0.8, "UpperLipForward": 0.8, "JawDrop": 0.12},
    "press": {"lowerLipBackward": 0.75, "UpperLipBackward": 0.3, "lowerLipUp": 0.3},
    "lip_teeth": {"lowerLipBackward": 1.0, "lowerLipUp": 0.45, "UpperLipUp": 0.35},
    "upper_up": {"UpperLipUp": 0.8},
    "lower_down": {"lowerLipDown": 0.8},
    "tongue_up": {"TonguePointUp": 1.0, "TongueUp": 0.4},
    "tongue_out": {"TongueOut": 0.8, "JawDrop": 0.1},
    "jaw_side": {"ChinLeft": 0.7, "MouthMoveLeft": 0.5},
    "jaw_fwd": {"ChinForward": 0.7},
}

EXPRESSION_RECIPES: dict[str, dict[str, float]] = {
    "angry": {
        "BothBrowDown": 0.9,
        "NoseWrinkler": 0.45,
        "BothUpperLidOpen": 0.35,
        "BothLowerLidUp": 0.35,
        "NasolabialDeepener": 0.7,
        "BothMouthPullDown": 0.35,
        "CheeksSuck": 0.2,
        "lowerLipUp": 0.25,
    },
    "contempt": {
        "LeftBrowDown": 0.12,
        "RightOuterBrowUp": 0.45,
        "LeftMouthPullUp": 0.75,
        "LeftCheekUp": 0.35,
        "BothUpperLidClosed": 0.15,
        "LeftMouthPullSide": 0.3,
    },
    "disgusted": {
        "NoseWrinkler": 0.9,
        "UpperLipUp": 0.45,
        "NasolabialDeepener": 1.0,
        "BothBrowDown": 0.55,
        "BothCheekUp": 0.7,
        "BothLowerLidUp": 0.5,
        "BothUpperLidClosed": 0.15,
        "BothMouthPlatysma": 0.3,
    },
    "fear": {
        "BothInnerBrowUp": 0.6,
        "BothOuterBrowUp": 0.3,
        "BothUpperLidOpen": 1.0,
        "BothMouthPlatysma": 0.45,
        "BothMouthPullSide": 0.25,
    },
    "happy": {
        "BothMouthPullUp": 0.7,
        "BothMouthPullSide": 0.35,
        "NasolabialDeepener": 0.5,
        "BothCheekUp": 0.75,
        "BothLowerLidUp": 0.45,
        "BothUpperLidClosed": 0.12,
    },
    "sad": {
        "BothInnerBrowUp": 0.6,
        "BothBrowDown": 0.1,
        "BothMouthPullDown": 0.65,
        "lowerLipUp": 0.35,
        "BothUpperLidClosed": 0.25,
    },
    "surprised": {"BothInnerBrowUp": 0.5, "BothOuterBrowUp": 0.9, "BothUpperLidOpen": 0.85},
}

# Units that break the linear skin earlier than at 1: the smile folds over itself, the philtrum tears.
LIMITS = {"BothMouthPullUp": 0.85, "UpperLipBackward": 0.3}


def unit_weights(
    mouth: Floats, expression: Floats, rest: float = 1.0, action: Mapping[str, float] | None = None
) -> Floats:
    """Unit weights [60] for mouth factors [12] and expression factors [10] (gaze is not a unit here).

    `rest` is how strongly this identity wears the friendly rest face; `action` is one more recipe, in
    units, for what no factor does alone (see `training.heads.actions`). Contradicting factors give way to
    each other and every unit is held within its limit, so no combination tears the lips.
    """
    pack = load_pack()
    rows = _matrices()
    units = rest * rows["rest"] + _settled(np.maximum(mouth, 0.0)) @ rows["mouth"]
    units = units + np.clip(expression[:7], 0.0, 1.0) @ rows["expression"]
    if action:
        units = units + _row(action)
    side = float(np.clip(mouth[10], -1.0, 1.0))
    if side < 0.0:
        units = units - side * rows["jaw_right"]
    units = np.clip(units, 0.0, rows["limits"])
    unit = pack.unit
    smile = max(units[unit["MouthLeftPullUp"]], units[unit["MouthRightPullUp"]])
    units[unit["lowerLipBackward"]] *= 1.0 - 0.8 * smile
    blink = float(np.clip(expression[7], 0.0, 1.0))
    for eye in ("Left", "Right"):
        closed, opened, lower = (unit[eye + lid] for lid in ("UpperLidClosed", "UpperLidOpen", "LowerLidUp"))
        units[closed] += blink * (1.0 - units[closed])
        units[opened] *= 1.0 - blink
        units[lower] = min(1.0, units[lower] + 0.25 * blink)
    return np.asarray(units)


def _settled(mouth: Floats) -> Floats:
    """Mouth factors after contradicting ones gave way: pressed lips close the jaw, a kiss narrows a grin."""
    result = np.clip(mouth, 0.0, 1.0)
    jaw, wide, pucker, funnel, press, lip_teeth, upper, lower = (float(x) for x in result[:8])
    sealed = max(press, 0.7 * lip_teeth)
    result[0] = jaw * (1.0 - 0.75 * sealed)
    result[1] = wide * (1.0 - 0.6 * max(pucker, funnel))
    result[2] = pucker * (1.0 - 0.4 * funnel)
    result[6] = upper * (1.0 - 0.7 * sealed)
    result[7] = lower * (1.0 - 0.8 * sealed)
    result[8:10] *= 1.0 - 0.8 * sealed
    return np.asarray(result)


def _row(recipe: Mapping[str, float]) -> Floats:
    unit = load_pack().unit
    row = np.zeros(len(unit))
    for name, amount in recipe.items():
        for expanded in _sides(name):
            row[unit[expanded]] += amount
    return row


def _sides(name: str) -> tuple[str, ...]:
    """Both sides of a `Both...` unit; the mouth units carry their side in the middle of the name."""
    for side in ("Both", "Left", "Right"):
        if name.startswith(side + "Mouth"):
            pattern = "Mouth{}" + name[len(side + "Mouth") :]
            return tuple(pattern.format(s) for s in (("Left", "Right") if side == "Both" else (side,)))
    if name.startswith("Both"):
        return "Left" + name[4:], "Right" + name[4:]
    return (name,)


@lru_cache(maxsize=1)
def _matrices() -> dict[str, Floats]:
    limits = np.ones(len(load_pack().unit))
    for name, limit in LIMITS.items():
        limits[[load_pack().unit[s] for s in _sides(name)]] = limit
    mirrored = {name.replace("Left", "Right"): amount for name, amount in MOUTH_RECIPES["jaw_side"].items()}
    return {
        "rest": _row(REST),
        "limits": limits,
        "jaw_right": _row(mirrored),
        "mouth": np.stack([_row(MOUTH_RECIPES[f.name]) for f in MOUTH]),
        "expression": np.stack([_row(EXPRESSION_RECIPES[name]) for name in EMOTION_NAMES]),
    }
