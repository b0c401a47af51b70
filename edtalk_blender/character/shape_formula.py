# SPDX-License-Identifier: GPL-3.0-or-later
"""From the face's weights to a shape key's value: as numbers for a whole take, and as a driver's expression.

A control is a linear function of the 36 total weights (`edtalk_blender.face.controls`). A shape key is a sum
of controls, held within 0 and 1. Emotions and handles are part of the total weights, and since mixing is
linear (`core.wire.mixing`), a driver can say it with the sliders themselves:

    key = clamp(g generated + sum of e g (P - P_neutral) + sum of h g direction)

where g are the key's 36 gains, and the neutral slider takes its share of g generated away. Such an expression
needs no Python and works in a Blender without the add-on.
"""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np

from ...core.wire.channels import BANK_SLICES, CHANNELS
from ...core.wire.errors import InputError
from ...core.wire.mixing import NEUTRAL, emotional, neutral_of
from ..face import rig, sliders
from .shape_table import Terms

SMALL = 0.004
"""Gains below this move a shape key by less than anybody sees."""
LONGEST = 255
"""Letters of a driver's expression."""
_FIRST = BANK_SLICES["expression"].start

Variable = tuple[str, str]
"""Name of a driver's variable, and the data path on the rig that it reads."""


def gains_of(terms: Terms, controls: Mapping[str, np.ndarray], strength: float = 1.0) -> np.ndarray:
    """The 36 gains of a shape key; all 0 when nothing that the face has moves it."""
    gains = np.zeros(len(CHANNELS))
    for control, share in terms.items():
        if control in controls:
            gains += strength * share * controls[control]
    return gains


def values(total: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """A shape key's value [T], 0 to 1, from total weights [T, 36]."""
    return np.clip(total @ gains, 0.0, 1.0)


def expression(face: bpy.types.Object, gains: np.ndarray) -> tuple[str, list[Variable]]:
    """A driver's expression for these gains, and the properties of the rig that it reads."""
    variables: list[Variable] = []

    def read(path: str) -> str:
        name = _letters(len(variables))
        variables.append((name, path))
        return name

    there, presets = set(sliders.names_of(face)), sliders.presets_of(face)
    directions = {handle.name: np.array(handle.direction) for handle in sliders.directions_of(face)}
    neutral, moved = neutral_of(presets), {_FIRST + index for index in emotional(presets)}
    own = gains[_FIRST : _FIRST + len(neutral)]
    has_neutral = ("emotion", NEUTRAL) in there and NEUTRAL in presets
    plain, calmed = [], []  # terms that the neutral slider leaves alone, and those it takes away
    for index, gain in enumerate(gains):
        if abs(gain) >= SMALL:
            name = read(rig.path_of(CHANNELS[index]))
            (calmed if index in moved and has_neutral else plain).append(_term(gain, name))
    if calmed:
        calm = read(sliders.path_of("emotion", NEUTRAL))
        plain.append(f"+({_sum(calmed)})*(1-{calm})")
        level = sum(own[index - _FIRST] * neutral[index - _FIRST] for index in moved)
        if abs(level) >= SMALL:
            plain.append(_term(level, calm))
    for bone, name in sorted(there):
        if bone == "emotion" and name != NEUTRAL:
            gain = float(own @ (np.array(presets[name]) - np.array(neutral)))
        elif bone == "handle":
            gain = float(gains @ directions.get(name, np.zeros(len(gains))))
        else:
            continue
        if abs(gain) >= SMALL:
            plain.append(_term(gain, read(sliders.path_of(bone, name))))
    text = f"clamp({_sum(plain)})"
    if len(text) > LONGEST:
        raise InputError(
            "The handles of this face move too many channels at once for a driver", "Bake instead"
        )
    return text, variables


def _letters(number: int) -> str:
    """a, b, ... z, za, zb ...: short names, since an expression is short, and no words of drivers."""
    alphabet = "abcdfghijklmnopqrstuvwxyz"  # without e, the constant
    return alphabet[number] if number < len(alphabet) else f"z{alphabet[number - len(alphabet)]}"


def _term(gain: float, name: str) -> str:
    text = f"{gain:+.3f}".rstrip("0").rstrip(".").replace("+0.", "+.").replace("-0.", "-.")
    return f"{text}*{name}"


def _sum(terms: list[str]) -> str:
    return "".join(terms).removeprefix("+") or "0"
