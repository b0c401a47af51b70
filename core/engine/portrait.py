# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait made ready for one engine: framed, encoded, and kept at the sizes that are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from core.motion.motion import Weights
from core.pictures import face
from core.pictures import picture as pictures
from core.pictures.picture import Crop, Levels, Picture

if TYPE_CHECKING:
    import torch

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
    doubts: tuple[str, ...] = ()
    """Sentences that the animator should read: why the face that was found may not be the right one."""
    _sharp: dict[int, torch.Tensor] = field(default_factory=dict, repr=False)
    _figures: dict[int, NDArray[np.float32]] = field(default_factory=dict, repr=False)
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

    def figure(self, size: int) -> NDArray[np.float32]:
        """[size, size] share of the figure in the crop at output size, 0 to 1."""
        with self._lock:  # frames are finished on several threads, and one of them is enough to look
            share = self._figures.get(size)
            if share is None:
                cut = pictures.crop(Picture(self.picture.rgb, self.matte), self.crop, size)
                assert cut.alpha is not None
                share = cut.alpha.astype(np.float32) / np.float32(65535)
                self._figures.clear()
                self._figures[size] = share
            return share

    def at(self, size: int) -> torch.Tensor:
        """[1, 3 or 4, size, size] the crop at output size in [-1, 1], with alpha in [0, 1], on the
        engine's device."""
        import torch

        sharp = self._sharp.get(size)  # one look: frames are finished on several threads
        if sharp is None:
            cut = pictures.crop(self.picture, self.crop, size)
            planes = pictures.to_model(cut.rgb)
            if cut.alpha is not None:
                alpha = cut.alpha.astype(np.float32) / np.iinfo(cut.alpha.dtype).max
                planes = np.concatenate([planes, alpha[None]])
            sharp = torch.from_numpy(planes)[None].to(self.source.portrait.device)
            for other in list(self._sharp)[:-1]:  # kept are two: the size being rendered, and the preview's
                self._sharp.pop(other, None)
            self._sharp[size] = sharp
        return sharp


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
    small = framed(engine, picture, crop)
    return Portrait(picture, crop, engine.prepare(small), doubts)


def framed(engine: Engine, picture: Picture, where: Crop) -> NDArray[np.uint8]:
    """uint8 [R, R, 3] at the size the network reads, resampled as its checkpoint was trained."""
    if engine.config.arithmetic == "published":
        cut = pictures.crop(picture, where, where.side).to_depth(8)
        return pictures.from_model(pictures.published_picture(cut.rgb, engine.read_size))
    return pictures.crop(picture, where, engine.read_size).to_depth(8).rgb
