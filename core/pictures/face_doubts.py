# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator should know of the faces in a portrait before a take is made of one: one sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from core.pictures.face import FaceBox
from core.pictures.face_marks import FaceMarks

NEAR = 1.6  # of the larger face's width: nearer middles, and one face reaches into the other's crop
OVER = 0.03  # of a face's width: so far it may reach over the picture's edge
PROFILE = 0.13  # of the way between the outer eye corners: nearer to an end the nose's tip shows a profile
RIGHT_EYE, LEFT_EYE, NOSE = 0, 3, 9  # of the skull's marks: outer corners and the nose's tip


def doubts(
    shape: Sequence[int], faces: Sequence[FaceBox], marks: Sequence[FaceMarks | None], name: str
) -> tuple[str, ...]:
    """Sentences about the faces of a picture of shape (height, width, ...), from left to right; `marks` has
    those of each face as far as they were read.
    """
    if not faces:
        return (f"No face is sure in {name}: draw its crop by hand and press Place Marks",)
    found = [face.sentence(name) for face in faces if face.doubt]
    for number, face in enumerate(faces, 1):
        which = f"The face in {name}" if len(faces) == 1 else f"Face {number} of {name}"
        if edge := _cut(face, shape):
            found.append(f"{which} is cut by the {edge} edge of the picture: what lies beyond is made up")
        seen = marks[number - 1] if number <= len(marks) else None
        if seen is not None and is_profile(seen):
            found.append(f"{which} is turned away (a profile): choose a picture that shows both eyes")
    for (a, one), (b, two) in combinations(enumerate(faces, 1), 2):
        apart = float(np.hypot(*np.subtract(one.middle, two.middle)))
        if apart < NEAR * max(one.width, two.width):
            found.append(
                f"Faces {a} and {b} of {name} are near each other, so one lies in the other's crop: "
                "look at the crop"
            )
    return tuple(found)


def is_profile(marks: FaceMarks) -> bool:
    """Does the head look so far to a side that an eye is hidden?"""
    right, left = marks.skull[RIGHT_EYE, :2], marks.skull[LEFT_EYE, :2]
    along = left - right
    place = float((marks.skull[NOSE, :2] - right) @ along / max(float(along @ along), 1e-12))
    return not PROFILE < place < 1 - PROFILE


def _cut(face: FaceBox, shape: Sequence[int]) -> str:
    height, width = shape[:2]
    over = {
        "left": -face.x,
        "right": face.x + face.width - width,
        "upper": -face.y,
        "lower": face.y + face.height - height,
    }
    edge = max(over, key=lambda name: over[name])
    return edge if over[edge] > OVER * face.width else ""
