# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces: find them, frame one the way the network was trained, paste the result back without a seam.

The networks of `core.pictures.face_search` find them. Where those are not installed, finding is a vote among
OpenCV's Haar cascades (Viola and Jones 2001): each is easily fooled by folds and leaves, seldom two of them
by the same ones. Frontal cascades and both profiles vote. Every finder frames faces its own way, so what it
finds is first brought to one common box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import soft
from core.pictures import face_models, face_search
from core.pictures.face_search import Seen
from core.pictures.picture import Crop, Levels, Picture
from core.wire.errors import NoFace, SeveralFaces

DETECTION_SIDE = 480  # the picture is searched at this size: a face of a 12th of it is still found
SMALLEST_SHARE = 1 / 12  # of the picture's short side
PROMINENT_SHARE = 1 / 4  # a single vote counts when the face is this large: a portrait, not a pattern
LESSER_SHARE = 0.4  # beside a face, one smaller than this share of it is a bystander or a false hit
SURE = 3  # votes that a second face needs beside a first with as many or more
OVERLAP = 0.6  # of the larger face's width: nearer middles are one face
MOST_TILT = 25  # degrees; training has seen 23
SMALLEST_WIDTH = 40  # pixels: below it, even the network's own size shows more than the picture has
LYING = {1: "lies on its side", 2: "stands on its head", 3: "lies on its side"}
FEATHER = 0.06  # of the crop's side: `core.engine.anchor` has brought the motion to rest there

# Cascade file, mirrored, and how its box relates to the common one, which is that of the first: size
# factor, and shift in widths of the box (right, down). Fitted, as are the two constants below, to 300
# held-out synthetic heads with head pose regressed out; a single hit then finds the head's middle within
# 1.4 % of the crop's side, and its size within 7 %.
CASCADES: tuple[tuple[str, bool, float, float, float], ...] = (
    ("haarcascade_frontalface_alt2", False, 1.0, 0.0, 0.0),
    ("haarcascade_frontalface_default", False, 0.968, 0.0, 0.0),
    ("haarcascade_frontalface_alt", False, 0.998, 0.0, 0.0),
    ("haarcascade_profileface", False, 0.918, -0.133, 0.019),
    ("haarcascade_profileface", True, 0.918, 0.133, 0.019),
)
FACE_SHARE = 0.593  # of the crop's side is the common box wide
FACE_MIDDLE = (0.499, 0.467)  # where in the crop the box's middle lies (right, down)
MOST_SHRINK = 1.25  # a crop may frame the face this much tighter, rather than reach over the picture's border
MOST_SHIFT = 0.06  # and lie this share of its side off centre; training has seen both


@dataclass(frozen=True)
class FaceBox:
    """A face in a picture: left, top, width and height in pixels, how many cascades voted for it (as many as
    there are, where they were not asked), and why it should be looked at before going on: a clause, or ""."""

    x: float
    y: float
    width: float
    height: float
    votes: int
    doubt: str = ""

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def sentence(self, name: str) -> str:
        """The doubt, with the place, as one sentence for the animator."""
        x, y = (round(value) for value in self.middle)
        size = f"{round(self.width)} pixels wide"
        return f"The face in {name} at {x}, {y} ({size}) {self.doubt}: look at its crop, or set it by hand"


def find_faces(rgb: Levels) -> list[FaceBox]:
    """All faces of a picture [H, W, 3] that stand upright, from left to right; none is an empty list."""
    return _found(rgb)[0]


def _found(rgb: Levels) -> tuple[list[FaceBox], str]:
    """Upright faces from left to right; if there are none but some that lie, how the largest of them lies."""
    if face_models.why_not():
        return _voted(rgb), ""
    seen = face_search.search(rgb)
    boxed = [_boxed(one) for one in seen if not one.quarter]
    turned = "" if boxed or not seen else LYING[seen[0].quarter]
    return sorted(boxed, key=lambda face: face.x), turned


def _boxed(seen: Seen) -> FaceBox:
    (x, y), width = seen.common
    doubt = ""
    if not seen.sure:
        doubt = "may be none"
    elif abs(seen.tilt) > MOST_TILT:
        doubt = f"leans by {abs(seen.tilt):.0f} degrees"
    elif width < SMALLEST_WIDTH:
        doubt = "is very small"
    return FaceBox(x - width / 2, y - width / 2, width, width, len(CASCADES), doubt)


def _voted(rgb: Levels) -> list[FaceBox]:
    """What the cascades agree on."""
    grey, scale = _prepared(rgb)
    for even in (False, True):  # even out the light only when the plain picture shows nothing
        image = _evened(grey) if even else grey
        groups = [_agreed(group, scale) for group in _grouped(list(_hits(image)))]
        faces = [face for face in groups if face.votes >= 2]
        if not faces and not even:
            prominent = [face for face in groups if face.width / scale >= PROMINENT_SHARE * min(grey.shape)]
            faces = sorted(prominent, key=lambda face: -face.width)[:1]
        if faces:
            return sorted(_certain(faces), key=lambda face: face.x)
    return []


def find_face(rgb: Levels, face: int | None = None, name: str = "the picture") -> FaceBox:
    """The one face of a picture [H, W, 3], or number `face` of several, counted from the left, from 0.

    Raises NoFace, and SeveralFaces when there is a choice and none was made.
    """
    faces, turned = _found(rgb)
    by_hand = "Set the crop by hand: left, top and side of a square around the whole head"
    if turned:
        raise NoFace(
            f"The face in {name} {turned}",
            hint=f"Turn the picture upright in an image editor, and choose it again. {by_hand}",
        )
    if not faces:
        raise NoFace(
            f"No face was found in {name}",
            hint=f"Use a picture that shows the face from the front. {by_hand}",
        )
    if face is not None:
        if not 0 <= face < len(faces):
            found = "one face was" if len(faces) == 1 else f"{len(faces)} faces were"
            raise NoFace(f"Only {found} found in {name}, so the one you chose is not there", hint=by_hand)
        return faces[face]
    if len(faces) > 1:
        raise SeveralFaces(  # no numbers: a panel counts them from 1, a command line from 0
            f"{len(faces)} faces were found in {name}",
            hint=f"Choose one, counted from the left. Or: {by_hand.lower()}",
        )
    return faces[0]


def crop_from_face(face: FaceBox, shape: Sequence[int]) -> Crop:
    """The square around a face, framed as in training, in a picture of shape (height, width, ...).

    Near the picture's border it shrinks and shifts a little, within what training has seen, before it
    reaches over the border.
    """
    height, width = shape[:2]
    side = face.width / FACE_SHARE
    side = min(side, max(min(width, height), side / MOST_SHRINK))
    x, y = (middle - share * side for middle, share in zip(face.middle, FACE_MIDDLE))
    x, y = _inside(x, side, width), _inside(y, side, height)
    return Crop(round(x), round(y), max(1, round(side)))


def paste_back(portrait: Picture, face: Picture, where: Crop, feather: float = FEATHER) -> Picture:
    """The whole portrait with the square `face`, of `where.side` pixels, in place of its crop.

    It fades in over `feather` of the side from each edge, but not where the edge is the picture's own
    border. Raises ValueError when the face has another size or depth.
    """
    if face.rgb.shape[:2] != (where.side, where.side) or face.rgb.dtype != portrait.rgb.dtype:
        raise ValueError(
            f"a {where.side} pixel {portrait.rgb.dtype} face is needed, not {face.rgb.shape} {face.rgb.dtype}"
        )
    share = soft(rim(where, portrait.rgb.shape) / feather)
    top, left = max(where.y, 0), max(where.x, 0)
    bottom, right = min(where.y + where.side, portrait.height), min(where.x + where.side, portrait.width)
    there = np.s_[top:bottom, left:right]
    here = np.s_[top - where.y : bottom - where.y, left - where.x : right - where.x]

    def mixed(below: Levels, above: Levels) -> Levels:
        result = below.copy()
        amount = share[here].reshape(*share[here].shape, *[1] * (below.ndim - 2))
        old = below[there].astype(np.float32)
        result[there] = np.rint(old + (above[here].astype(np.float32) - old) * amount).astype(below.dtype)
        return result

    alpha = portrait.alpha
    if alpha is not None and face.alpha is not None:
        alpha = mixed(alpha, face.alpha)
    return Picture(mixed(portrait.rgb, face.rgb), alpha)


def rim(where: Crop, shape: Sequence[int]) -> NDArray[np.float32]:
    """[side, side] distance of each pixel from the nearest edge of the crop, as a share of its side.

    Edges at or beyond the border of the picture, of shape (height, width, ...), do not count: nothing
    adjoins there.
    """
    height, width = shape[:2]
    down, right = _distance(where.y, where.side, height), _distance(where.x, where.side, width)
    return np.minimum.outer(down, right)


def inside(where: Crop, shape: Sequence[int], of_crop: bool = False) -> tuple[slice, slice]:
    """Rows and columns of what a crop and a picture of shape (height, width, ...) share, in the picture or
    in the crop.
    """
    height, width = shape[:2]
    top, left = max(where.y, 0), max(where.x, 0)
    bottom, right = min(where.y + where.side, height), min(where.x + where.side, width)
    y, x = (where.y, where.x) if of_crop else (0, 0)
    return slice(top - y, bottom - y), slice(left - x, right - x)


def into_whole(values: NDArray[np.float32], where: Crop, shape: Sequence[int]) -> NDArray[np.float32]:
    """Values [side, side] of a crop, in their place in a picture of shape (height, width, ...); else 0."""
    whole = np.zeros(shape[:2], np.float32)
    whole[inside(where, shape)] = values[inside(where, shape, of_crop=True)]
    return whole


# --- the vote -------------------------------------------------------------------------------------


def _prepared(rgb: Levels) -> tuple[NDArray[np.uint8], float]:
    """Grey 8-bit levels at detection size, and how many picture pixels one of its pixels stands for."""
    import cv2

    levels = rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
    grey = cv2.cvtColor(np.ascontiguousarray(levels), cv2.COLOR_RGB2GRAY)
    scale = max(grey.shape) / DETECTION_SIDE
    if not 0.5 <= scale <= 1:  # small pictures are enlarged: the cascades' own grid is 20 to 24 pixels
        size = (max(1, round(grey.shape[1] / scale)), max(1, round(grey.shape[0] / scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
        return np.asarray(grey, np.uint8), scale
    return np.asarray(grey, np.uint8), 1.0


def _evened(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.createCLAHE(3.0, (4, 4)).apply(grey), np.uint8)


@cache
def _cascade(name: str) -> Any:
    import cv2

    # Read here and handed over as text: OpenCV opens files by narrow paths, which fail on Windows for some
    # user names.
    text = (Path(cv2.__file__).parent / "data" / f"{name}.xml").read_text(encoding="utf-8")
    storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
    cascade = cv2.CascadeClassifier()
    if not cascade.read(storage.getFirstTopLevelNode()):
        raise RuntimeError(f"OpenCV did not accept its own {name}.xml")
    return cascade


def _hits(grey: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """(cascade number, common box [middle x, middle y, width]) for every hit, in pixels of the searched
    picture."""
    smallest = max(24, round(SMALLEST_SHARE * min(grey.shape)))
    for number, (name, mirrored, factor, right, down) in enumerate(CASCADES):
        image = np.ascontiguousarray(grey[:, ::-1]) if mirrored else grey
        for x, y, width, _ in _cascade(name).detectMultiScale(image, 1.08, 3, 0, (smallest, smallest)):
            x = grey.shape[1] - x - width if mirrored else x
            middle = (x + width * (0.5 + right), y + width * (0.5 + down))
            yield number, np.array([*middle, width * factor], np.float64)


def _grouped(hits: list[tuple[int, NDArray[np.float64]]]) -> list[list[tuple[int, NDArray[np.float64]]]]:
    """Hits that mean the same face, together: near each other and of similar size."""
    groups: list[list[tuple[int, NDArray[np.float64]]]] = []
    for hit in hits:
        for group in groups:
            mean = np.mean([box for _, box in group], axis=0)
            apart = float(np.hypot(*(hit[1][:2] - mean[:2]))) / max(mean[2], hit[1][2])
            if apart < 0.3 and 0.55 < hit[1][2] / mean[2] < 1.8:
                group.append(hit)
                break
        else:
            groups.append([hit])
    return groups


def _certain(faces: list[FaceBox]) -> list[FaceBox]:
    """Without what lies on a better face, is far smaller than it, or is less sure."""
    best, *others = sorted(faces, key=lambda face: (-face.votes, -face.width))
    kept = [best]
    for face in others:
        apart = min(
            np.hypot(*np.subtract(face.middle, other.middle)) / max(face.width, other.width) for other in kept
        )
        if (
            apart > OVERLAP
            and face.width >= LESSER_SHARE * best.width
            and face.votes >= min(SURE, best.votes)
        ):
            kept.append(face)
    return kept


def _agreed(group: list[tuple[int, NDArray[np.float64]]], scale: float) -> FaceBox:
    """Profiles vote, but where a frontal cascade has hit as well, it alone says where: it is the more
    exact."""
    frontal = [box for number, box in group if "frontal" in CASCADES[number][0]]
    x, y, width = np.median(frontal or [box for _, box in group], axis=0) * scale
    return FaceBox(x - width / 2, y - width / 2, width, width, len({number for number, _ in group}))


# --- framing and feathering -----------------------------------------------------------------------


def _inside(start: float, side: float, length: int) -> float:
    """Shift an interval towards 0..length, by no more than MOST_SHIFT of its side."""
    over = min(start, 0.0) if start < 0 else max(start + side - length, 0.0)
    if side >= length:  # it cannot fit: leave equal strips on both ends
        over = start - (length - side) / 2
    return start - float(np.clip(over, -MOST_SHIFT * side, MOST_SHIFT * side))


def _distance(start: int, side: int, length: int) -> NDArray[np.float32]:
    place = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    low = place if start > 0 else np.ones_like(place)
    high = place[::-1] if start + side < length else np.ones_like(place)
    return np.minimum(low, high)
