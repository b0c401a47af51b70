# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouth shapes of speech sounds, as mouth factors.

Each viseme stands for the sounds in its name (ARPAbet letters) and gives the mouth of a clearly spoken one.
"""

from __future__ import annotations

import numpy as np

from core.heads.factors import MOUTH, Array

VISEMES: dict[str, dict[str, float]] = {
    "sil": {},
    "PBM": {"press": 0.9},
    "FV": {"lip_teeth": 0.95, "jaw_open": 0.06},
    "TH": {"tongue_out": 0.7, "jaw_open": 0.18, "lower_down": 0.2},
    "TDN": {"tongue_up": 0.8, "jaw_open": 0.14, "lower_down": 0.25},
    "L": {"tongue_up": 1.0, "jaw_open": 0.24, "lower_down": 0.15},
    "KG": {"jaw_open": 0.2, "lower_down": 0.2},
    "SZ": {"wide": 0.35, "lower_down": 0.45, "upper_up": 0.2, "jaw_open": 0.04},
    "SH": {"funnel": 0.75, "pucker": 0.3, "jaw_open": 0.08},
    "R": {"pucker": 0.45, "funnel": 0.3, "jaw_open": 0.14},
    "W": {"pucker": 0.95, "jaw_open": 0.05},
    "Y": {"wide": 0.4, "jaw_open": 0.1, "lower_down": 0.2},
    "HH": {"jaw_open": 0.2},
    "AA": {"jaw_open": 0.62, "wide": 0.08, "lower_down": 0.15},
    "AE": {"jaw_open": 0.5, "wide": 0.45, "lower_down": 0.25, "upper_up": 0.15},
    "AH": {"jaw_open": 0.38, "lower_down": 0.15},
    "AO": {"jaw_open": 0.5, "funnel": 0.5, "pucker": 0.15},
    "EH": {"jaw_open": 0.34, "wide": 0.35, "lower_down": 0.25},
    "ER": {"jaw_open": 0.22, "pucker": 0.35, "funnel": 0.25},
    "IH": {"jaw_open": 0.2, "wide": 0.35, "lower_down": 0.25},
    "IY": {"jaw_open": 0.12, "wide": 0.65, "lower_down": 0.35, "upper_up": 0.1},
    "UW": {"pucker": 0.9, "jaw_open": 0.14},
    "UH": {"pucker": 0.55, "jaw_open": 0.2},
    "OW": {"jaw_open": 0.4, "funnel": 0.4, "pucker": 0.25},
}


def mouth_of(viseme: str) -> Array:
    """Mouth factors [12] of a viseme; KeyError for an unknown name."""
    shape = VISEMES[viseme]
    return np.array([shape.get(factor.name, 0.0) for factor in MOUTH], np.float32)


def viseme_table() -> Array:
    """All visemes, [24, 12], in the order of `VISEMES`."""
    return np.stack([mouth_of(name) for name in VISEMES])
