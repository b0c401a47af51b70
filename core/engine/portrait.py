# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait made ready for one engine: framed, encoded, and kept at the sizes that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from core.engine.around import Around, around
from core.engine.layers.face_layers import FaceLayers, face_layers, opens
from core.engine.layers.layer import Layer
from core.engine.rest import Rest, rest_of
from core.engine.turns import turns_of
from core.motion.motion import Weights
from core.pictures import face
from core.pictures import picture as pictures
from core.pictures.face_marks import FaceMarks
from core.pictures.picture import Crop, Levels, Picture
from core.wire.marks import Points

if TYPE_CHECKING:
    from core.engine.engine import Engine, Source

Composite = Literal["crop", "paste"]
"""The face's crop at a size of one's choice, or the whole portrait with the face pasted back."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A portrait made ready for one engine, once; kept by the caller for every take and preview of it."""

    picture: Picture
    crop: Crop
    source: Source
    """What the network needs of it."""
    rest: Rest
    """What the network makes of it when nothing is asked for."""
    doubts: tuple[str, ...] = ()
    """Sentences that the animator should read: why the face that was found may not be the right one."""
    layers: tuple[Layer, ...] = ()
    """What is drawn on its frames besides."""
    _sharp: dict[int, Around] = field(default_factory=dict, repr=False)
    _figures: dict[int, Around] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def weights(self) -> Weights:
        """[36] the portrait's own weights: these give back the portrait itself."""
        return self.source.weights

    def untouched(self, size: int, composite: Composite = "crop", depth: int = 8) -> Picture:
        """The portrait as a frame that nothing has been done to, in the same framing as decoded ones."""
        whole = self.picture.to_depth(depth)
        return whole if composite == "paste" else pictures.crop(whole, self.crop, size)

    @cached_property
    def matte(self) -> NDArray[np.uint16]:
        """[H, W] share of the figure in the whole picture, 0 to 65535; found when it is first asked for."""
        from core.pictures import matte

        return matte.figure(self.picture, self.crop)

    @cached_property
    def ground(self) -> Levels:
        """[H, W, 3] the whole picture's colour without the figure."""
        from core.pictures import matte

        return matte.ground(self.picture, self.matte, self.crop)

    def figure(self, size: int) -> Around:
        """The share of the figure, 0 to 1, one channel, in the crop at output size and around it."""
        with self._lock:  # frames are finished on several threads, and one of them is enough to look
            return _kept(self._figures, size, lambda: self._cut(self.matte, size))

    def at(self, size: int) -> Around:
        """The crop at output size, RGB in [-1, 1] and perhaps alpha in [0, 1], with what is around it."""
        with self._lock:
            return _kept(self._sharp, size, lambda: self._sharp_at(size))

    def _sharp_at(self, size: int) -> Around:
        made = self._cut(self.picture.rgb, size)
        made.picture[...] = made.picture * 2 - 1
        if self.picture.alpha is None:
            return made
        alpha = self._cut(self.picture.alpha, size)
        return Around(np.dstack([made.picture, alpha.picture]), made.margin)

    def _cut(self, levels: Levels, size: int) -> Around:
        """Levels of the whole picture [H, W] or [H, W, C], in [0, 1]: the crop and what is around it."""
        inner = pictures.resampled(levels, self.crop, size)
        inner = inner.astype(np.float32) / np.float32(np.iinfo(inner.dtype).max)
        return around(levels, self.crop, inner.reshape(size, size, -1))


def _kept(store: dict[int, Around], size: int, make: Callable[[], Around]) -> Around:
    """Kept are two sizes: the one being rendered, and the preview's."""
    if size not in store:
        made = make()
        for other in list(store)[:-1]:
            del store[other]
        store[size] = made
    return store[size]


def prepare_portrait(
    engine: Engine,
    picture: Picture,
    crop: Crop | None = None,
    number: int | None = None,
    name: str = "the picture",
) -> Portrait:
    """Frame the face (or take `crop` as it is; or face `number` of several, from the left), and encode it.

    Raises NoFace, SeveralFaces, and InputError for a crop that misses the picture.
    """
    doubts: tuple[str, ...] = ()
    if crop is None:
        found = face.find_face(picture.rgb, number, name)
        crop = face.crop_from_face(found, picture.rgb.shape)
        doubts = (found.sentence(name),) if found.doubt else ()
    source = engine.prepare(framed(engine, picture, crop))
    layers = face_layers(engine, picture, crop, source.weights)
    small = pictures.crop(picture, crop, engine.size).to_depth(8).rgb.astype(np.float32)
    rest = rest_of(engine, source, small / np.float32(127.5) - 1)
    plain = Portrait(picture, crop, source, rest, doubts)
    return replace(plain, layers=(*turns_of(engine, source, plain.rest, plain.at), *layers))


def marked(engine: Engine, portrait: Portrait, marks: Points) -> Portrait:
    """The portrait with the layers that stand on these marks, in place of those that were read. Raises
    InputError for marks that are no face.
    """
    found = FaceMarks.placed(marks, portrait.crop, portrait.picture.rgb.shape)
    drawn = not opens(engine, portrait.source, found)
    layers = face_layers(engine, portrait.picture, portrait.crop, portrait.weights, found, drawn)
    kept = [layer for layer in portrait.layers if not isinstance(layer, FaceLayers)]
    return replace(portrait, layers=(*kept, *layers))


def framed(engine: Engine, picture: Picture, where: Crop) -> NDArray[np.uint8]:
    """uint8 [R, R, 3] at the size the network reads, resampled as its checkpoint was trained."""
    if engine.config.arithmetic == "published":
        cut = pictures.crop(picture, where, where.side).to_depth(8)
        return pictures.from_model(pictures.published_picture(cut.rgb, engine.read_size))
    return pictures.crop(picture, where, engine.read_size).to_depth(8).rgb
