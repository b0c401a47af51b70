# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls: what a channel or handle of a checkpoint does to a face, by one name for all checkpoints.

A control is 0 at rest and 1 at full strength ("jaw_open"); `jaw_side`, `gaze_x` and `gaze_y` go from -1 to 1.
Shape keys that follow a face, and other programs' files, are spoken of in controls.
"""

from __future__ import annotations

FULL = {
    "jaw_open": 1.5,
    "wide": 1.5,
    "pucker": 1.5,
    "funnel": 1.5,
    "press": 1.5,
    "lip_teeth": 1.5,
    "upper_up": 1.5,
    "lower_down": 1.5,
    "tongue_up": 1.5,
    "tongue_out": 1.5,
    "jaw_side": 1.5,
    "jaw_fwd": 1.5,
    "angry": 1.5,
    "contempt": 1.5,
    "disgusted": 1.5,
    "fear": 1.5,
    "happy": 1.5,
    "sad": 1.5,
    "surprised": 1.5,
    "blink": 1.5,
    "gaze_x": 2.667,
    "gaze_y": 2.5,
}
"""Control -> weight of its channel at full strength, for checkpoints that name their channels."""

LABELS = {
    "Jaw Open": "jaw_open",
    "Wide": "wide",
    "Pucker": "pucker",
    "Funnel": "funnel",
    "Press": "press",
    "Lip to Teeth": "lip_teeth",
    "Upper Lip Up": "upper_up",
    "Lower Lip Down": "lower_down",
    "Tongue Up": "tongue_up",
    "Tongue Out": "tongue_out",
    "Jaw Sideways": "jaw_side",
    "Jaw Forward": "jaw_fwd",
    "Angry": "angry",
    "Contempt": "contempt",
    "Disgusted": "disgusted",
    "Fear": "fear",
    "Happy": "happy",
    "Sad": "sad",
    "Surprised": "surprised",
    "Blink": "blink",
    "Gaze X": "gaze_x",
    "Gaze Y": "gaze_y",
}
"""Label of a channel -> control."""

HANDLES = {
    "jaw_open": ("jaw_open", 1.0),
    "wide": ("wide", 1.0),
    "pucker": ("pucker", 1.0),
    "press": ("press", 1.0),
    "smile": ("smile", 1.0),
    "frown": ("frown", 1.0),
    "brow_up": ("brow_up", 1.0),
    "brow_down": ("brow_down", 1.0),
    "blink": ("blink", 1.0),
    "gaze_x": ("gaze_x", 23.0),
    "gaze_y": ("gaze_y", 17.0),
}
"""Handle -> control, and the handle's value at full strength, where channels have no names."""

SIGNED = ("jaw_side", "gaze_x", "gaze_y")
"""Controls with two directions."""

STAND_INS = {"happy": "smile", "sad": "frown", "surprised": "brow_up", "angry": "brow_down"}
"""Emotion -> the control that shows most of it, for checkpoints whose handles have no emotions."""
