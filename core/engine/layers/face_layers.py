# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn on a real face besides the network's frame: mouth, closing lips, eyes, and skin that feels.

They stand on marks of the face (`core.pictures.face_marks`), read once a portrait, and on the checkpoint's
handles, which say what of a frame's weights is a blink, a gaze, a turn. Without either, frames stay as they
are.

The network gets the weights without what lids and irises draw, so nothing is drawn twice. Order: the inside
of the mouth, then lips that close over it, then the eyes, then the skin, which takes all of them along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.engine.layers.carried import carried
from core.engine.layers.drawn_mouth import DrawnMouth
from core.engine.layers.eye_motion import EyeMotion
from core.engine.layers.feelings import Feelings
from core.engine.layers.layer import Drawing, Layer
from core.engine.layers.lids import Lids
from core.engine.layers.lip_layer import Lips
from core.engine.layers.mouth import SHOWS, Mouth
from core.engine.layers.skin import Skin
from core.engine.rest import planes
from core.motion.motion import Weights
from core.pictures import picture as pictures
from core.pictures.face_marks import FaceMarks
from core.pictures.picture import Crop, Picture

if TYPE_CHECKING:
    from core.engine.engine import Engine, Source

Plane = NDArray[np.float32]

TURNS = ("yaw", "pitch", "roll")
"""Handles without which nobody knows how a frame's head is turned, so teeth cannot be placed."""
LIPS = ("press", "jaw_open")
GAP = (0.05, 0.12)  # of the eye distance: lips of a mouth that is shut, and of one that is open
SIZES = 2  # output sizes whose mouth is kept: the one being rendered, and the preview's


class FaceLayers(Layer):
    """Mouth, lips and eyes of one portrait. It remembers nothing from one frame to the next."""

    def __init__(
        self,
        picture: Picture,
        crop: Crop,
        marks: FaceMarks,
        own: Weights,
        directions: dict[str, tuple[float, ...]],
        presets: Mapping[str, Sequence[float]],
        drawn: bool = False,
    ) -> None:
        """`drawn`: the network does not open this mouth, so a layer does."""
        self._picture, self._crop, self._marks = picture, crop, marks
        self._own, self._directions = own, directions
        self._eyes = EyeMotion(own, directions)
        self._lids = Lids(marks, self._eyes) if self._eyes.reads else None
        self._lips = Lips(marks, own, directions) if set(LIPS) <= set(directions) else None
        self._feelings, self._skin = Feelings(own, presets, directions, _opened(marks)), Skin(marks)
        self.painted = not drawn  # it paints a drawing's eyes as it would paint a person's
        self._drawn = DrawnMouth(marks, own, directions) if drawn else None
        self._mouths: dict[int, Mouth] = {}
        self._lock = Lock()

    def sent(self, weights: Weights) -> Weights:
        """Weights [N, 36] without blinks and gaze, and without a drawn mouth's motion: all that is drawn
        here; with what feelings ask besides."""
        if not len(weights):
            return weights
        weights = self._feelings.sent(weights)
        if self._drawn is not None:
            weights = self._drawn.sent(weights)
        return weights if self._lids is None else np.stack([self._eyes.quiet(row) for row in weights])

    def paint(self, drawing: Drawing) -> None:
        """Draw on the frame's picture, in place."""
        picture = drawing.picture
        assert picture is not None
        rgb, weights = np.ascontiguousarray(picture[..., :3]), drawing.weights
        flow, mask = _flow(drawing), drawing.mask[None]
        mouth, opening = self._mouth(len(rgb)), None
        if self._drawn is not None:
            rgb, opening = self._drawn(weights, flow, rgb)
        if mouth is not None and (opening is not None or self._drawn is None):
            inside = mouth.layer(weights, flow, mask, drawing.look, opening)
            rgb = rgb if inside is None else inside.over(rgb)
            if inside is not None and drawing.alone:
                drawing.mouth = inside.alone(len(rgb))
        if self._lips is not None and self._drawn is None:
            rgb = self._lips(weights, flow, mask, rgb)
            if drawing.mouth is not None:
                drawing.mouth = self._lips(weights, flow, mask, drawing.mouth)
        felt = self._feelings.felt(weights[None])[0]
        if self._lids is not None:
            asked = self._eyes.asked(weights)
            rgb = self._lids.draw(asked.narrowed(self._feelings.lids(felt)), flow, rgb)
        pressed = float(self._feelings.pressed(weights[None])[0])
        rgb = self._skin(self._feelings.skin(felt, pressed), flow, rgb)
        picture[..., :3] = rgb

    def _mouth(self, size: int) -> Mouth | None:
        if not set(TURNS) <= set(self._directions):
            return None
        with self._lock:  # frames are finished on several threads
            if size not in self._mouths:
                for other in list(self._mouths)[: 1 - SIZES]:
                    del self._mouths[other]
                cut = pictures.crop(self._picture, self._crop, size).to_depth(8).rgb
                portrait = (cut.astype(np.float32) / 127.5 - 1).astype(np.float32)
                enlarged = size / self._crop.side
                self._mouths[size] = Mouth(portrait, self._marks, self._own, self._directions, enlarged)
            return self._mouths[size]


def face_layers(
    engine: Engine,
    picture: Picture,
    crop: Crop,
    own: Weights,
    marks: FaceMarks | None = None,
    drawn: bool = False,
) -> tuple[Layer, ...]:
    """What can be drawn on this portrait; nothing where no face is read or no handles are known. Marks that a
    person has placed count in place of those that are read; `drawn`: the network does not open this mouth."""
    from core.engine.layers.mark_reader import marks_of

    directions = {handle.name: tuple(handle.direction) for handle in engine.handles}
    if not directions:
        return ()
    marks = marks or marks_of(picture.rgb, crop)
    if marks is None:
        return ()
    return (FaceLayers(picture, crop, marks, own, directions, engine.emotions, drawn),)


def opens(engine: Engine, source: Source, marks: FaceMarks) -> bool:
    """Does the network open this mouth when it is asked to, as it does those of people?"""
    jaw = next((handle.direction for handle in engine.handles if handle.name == "jaw_open"), None)
    if jaw is None:
        return True
    (frame,) = engine.decode(source, (source.weights + np.array(jaw, np.float32))[None])
    _, flow, mask = planes(frame)
    lips = carried(np.ascontiguousarray(np.moveaxis(flow, -1, 0)), marks.lips_outer[:, :2])
    low, high = np.clip(np.round([lips.min(0), lips.max(0)] * np.array(len(mask))), 0, len(mask) - 1)
    part = mask[int(low[1]) : int(high[1]) + 1, int(low[0]) : int(high[0]) + 1]
    return bool(part.min() < 1 - SHOWS[1])


def _opened(marks: FaceMarks) -> float:
    """How far the portrait's mouth is open, 0 to 1: parted lips count as half."""
    gap = float(np.linalg.norm(marks.lips_inner[15, :2] - marks.lips_inner[5, :2])) / marks.eye_distance
    return min(max((gap - GAP[0]) / (GAP[1] - GAP[0]), 0.0), 1.0)


def _flow(drawing: Drawing) -> Plane:
    """[2, S, S] where the portrait is read, in [-1, 1]: the motion that the picture was moved by."""
    import cv2

    size, side = len(drawing.x), len(drawing.mask)
    flow = np.stack([drawing.x, drawing.y], -1)
    flow = (flow + np.float32(0.5)) * np.float32(2 / size) - np.float32(1)
    if size != side:
        flow = np.asarray(cv2.resize(flow, (side, side), interpolation=cv2.INTER_AREA), np.float32)
    return np.ascontiguousarray(np.moveaxis(flow, -1, 0))
