# SPDX-License-Identifier: GPL-3.0-or-later
"""Which shape keys follow which controls of the face, as data: ARKit's 52, and the usual visemes. No bpy.

A control is what a channel or handle of the checkpoint means ("jaw_open"), 1 at full strength; gains are
shares of a shape key at full strength of the control. They follow the recipes by which the synthetic heads
were made, so that a 3D character does what the picture does. `Left` is the character's own left. Keys that
nothing here moves (puffed cheeks, a closed mouth) are listed with no terms, so that it can be said that
they were found and have nothing to follow.
"""

from __future__ import annotations

Terms = dict[str, float]

_SIDES: dict[str, Terms] = {
    "eyeBlink": {"blink": 1.0, "sad": 0.25, "happy": 0.12, "contempt": 0.15, "disgusted": 0.15},
    "eyeLookDown": {"gaze_y": -1.0},
    "eyeLookUp": {"gaze_y": 1.0},
    "eyeSquint": {"disgusted": 0.5, "happy": 0.45, "angry": 0.35, "smile": 0.4, "blink": 0.25},
    "eyeWide": {"fear": 1.0, "surprised": 0.85, "angry": 0.35, "blink": -1.0},
    "mouthSmile": {"happy": 0.8, "smile": 1.0},
    "mouthFrown": {"sad": 0.65, "angry": 0.35, "frown": 1.0},
    "mouthDimple": {"wide": 0.2, "happy": 0.2},
    "mouthStretch": {"wide": 0.6, "fear": 0.45, "disgusted": 0.3},
    "mouthPress": {"press": 0.7},
    "mouthLowerDown": {"lower_down": 0.8},
    "mouthUpperUp": {"upper_up": 0.8, "disgusted": 0.45},
    "browDown": {"angry": 0.9, "disgusted": 0.55, "sad": 0.1, "brow_down": 1.0},
    "browOuterUp": {"surprised": 0.9, "fear": 0.3, "brow_up": 1.0},
    "cheekSquint": {"happy": 0.75, "disgusted": 0.7, "smile": 0.5},
    "noseSneer": {"disgusted": 0.9, "angry": 0.45},
}
_LEFT: dict[str, Terms] = {
    "eyeLookOut": {"gaze_x": 1.0},
    "eyeLookIn": {"gaze_x": -1.0},
    "mouthSmile": {"contempt": 0.75},
    "mouthDimple": {"contempt": 0.3},
    "browDown": {"contempt": 0.12},
    "cheekSquint": {"contempt": 0.35},
}
_RIGHT: dict[str, Terms] = {
    "eyeLookOut": {"gaze_x": -1.0},
    "eyeLookIn": {"gaze_x": 1.0},
    "browOuterUp": {"contempt": 0.45},
}
_MIDDLE: dict[str, Terms] = {
    "jawOpen": {"jaw_open": 1.0, "funnel": 0.12, "tongue_out": 0.1},
    "jawForward": {"jaw_fwd": 0.7},
    "jawLeft": {"jaw_side": 0.7},
    "jawRight": {"jaw_side": -0.7},
    "mouthClose": {},
    "mouthFunnel": {"funnel": 0.9},
    "mouthPucker": {"pucker": 1.0},
    "mouthLeft": {"jaw_side": 0.5},
    "mouthRight": {"jaw_side": -0.5},
    "mouthRollLower": {"lip_teeth": 1.0, "press": 0.5},
    "mouthRollUpper": {"press": 0.3},
    "mouthShrugLower": {"sad": 0.35, "angry": 0.25, "press": 0.2},
    "mouthShrugUpper": {"lip_teeth": 0.2},
    "browInnerUp": {"sad": 0.6, "fear": 0.6, "surprised": 0.5, "brow_up": 0.8},
    "cheekPuff": {},
    "tongueOut": {"tongue_out": 0.8},
}


def _both() -> dict[str, Terms]:
    names = list(dict.fromkeys([*_SIDES, *_LEFT]))
    table = {}
    for side, own in (("Left", _LEFT), ("Right", _RIGHT)):
        table |= {f"{name}{side}": {**_SIDES.get(name, {}), **own.get(name, {})} for name in names}
    return table


ARKIT: dict[str, Terms] = {**_both(), **_MIDDLE}
"""The 52 shape keys of ARKit."""

VISEMES: dict[str, Terms] = {
    "sil": {},
    "PP": {"press": 1.0},
    "FF": {"lip_teeth": 1.0},
    "TH": {"tongue_out": 1.0},
    "DD": {"tongue_up": 0.5},
    "kk": {},
    "CH": {"funnel": 0.7},
    "SS": {"wide": 0.3},
    "nn": {"tongue_up": 0.4},
    "RR": {"pucker": 0.2},
    "aa": {"jaw_open": 0.9, "pucker": -0.4, "funnel": -0.3, "wide": -0.2},
    "E": {"wide": 0.5},
    "ih": {"wide": 0.4},
    "oh": {"funnel": 0.3, "pucker": 0.3, "jaw_open": 0.2},
    "ou": {"pucker": 0.8},
    "blink": {"blink": 1.0},
}
"""Mouth shapes of speech by their common names, and the blink that such characters have beside them."""

VISEME_NAMES: dict[str, tuple[str, ...]] = {
    "aa": ("aa", "a", "ah", "あ", "mtha"),
    "E": ("e", "eh", "え", "mthe"),
    "ih": ("ih", "i", "ee", "い", "mthi"),
    "oh": ("oh", "o", "お", "mtho"),
    "ou": ("ou", "u", "oo", "う", "mthu"),
    "PP": ("pp", "mbp", "bmp"),
    "FF": ("ff", "fv"),
    "TH": ("th",),
    "DD": ("dd",),
    "kk": ("kk",),
    "CH": ("ch",),
    "SS": ("ss",),
    "nn": ("nn",),
    "RR": ("rr",),
    "sil": ("sil",),
    "blink": ("blink", "まばたき", "eyeclose"),
}
"""Viseme -> what it is called, in small letters without separators."""

VISEME_PREFIXES = ("viseme", "vrcv", "vrc", "vis", "v", "phoneme", "fcl", "mouth")
"""What may stand before a viseme's name, from the longest to none at all."""
