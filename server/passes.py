# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of a take under all their names: what is seen, and the passes a compositor asked for.

take.0101.png          the picture
take_face.0101.png     the figure with alpha, frame by frame, the hold frame too
take_matte.0101.png    its alpha as grey
take_mouth.0101.png    the inside of the mouth with alpha
take_plate.png         the portrait without the figure, one file for all frames
take_passes.json       where the crop lies, what the files are, and in which colours
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.engine.finish import PICTURE, Finish
from core.files import written_whole
from core.pictures import image

from . import origins
from .take import Identity, Naming, claim

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.pictures.image import Format
    from core.pictures.picture import Picture

SCHEMA = 1
PLATE = "plate"
NOT_COLOUR = {"matte"}
COLOURS = {"png": "sRGB", "png16": "sRGB", "exr": "scene-linear Rec.709"}
ALPHAS = {"png": "straight", "png16": "straight", "exr": "associated"}


class Gallery:
    """Where the pictures of one decode go.

    Usage:
        gallery = Gallery(naming, form, finish)
        gallery.claim(identity, numbers, overwrite)
        gallery.hang(101, finish(frame))
    """

    def __init__(
        self, naming: Naming, form: Format, finish: Finish, origin: Mapping[str, str] | None = None
    ) -> None:
        self._form, self._finish, self._origin = form, finish, origin
        moving = [name for name in finish.passes if name != PLATE]
        self._names = {name: naming.of_pass(name) for name in (PICTURE, *moving)}
        self._plate, self._note = naming.still(PLATE), naming.still("passes", ".json")

    def claim(
        self,
        identity: Identity,
        numbers: list[int],
        overwrite: bool,
        inputs: Sequence[Path] = (),
        breathe: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the names, and write what does not change from frame to frame. The arguments, and what it
        raises, are those of `take.claim`.
        """
        for naming in self._names.values():
            claim(naming, identity, numbers, overwrite, inputs, breathe, self._origin)
        if PLATE in self._finish.passes:
            claim(self._plate, identity, [0], overwrite, inputs, breathe, self._origin)
            image.write(self._plate.path(0), self._finish.plate(), self._form, origin=self._origin)
        if self._finish.passes:
            claim(self._note, identity, [0], overwrite, inputs, breathe, self._origin)
            with written_whole(self._note.path(0)) as temporary:
                temporary.write_text(json.dumps(self.description(), indent=1), encoding="utf-8")

    def hang(
        self, number: int, made: Mapping[str, Picture], weights: NDArray[np.float32] | None = None
    ) -> None:
        """Write one frame's pictures; what is seen comes last, so that a frame that exists has its passes.
        `weights` [36] are those it was drawn from, for its record of origin.
        """
        origin = origins.of_frame(self._origin, weights)
        for name in sorted(made, reverse=True):
            path = self._names[name].path(number)
            image.write(path, made[name], self._form, name not in NOT_COLOUR, origin)

    def description(self) -> dict[str, Any]:
        """What a compositor must know of the files, as docs/formats.md says it."""
        portrait, pastes = self._finish.portrait, self._finish.pastes
        crop, whole = portrait.crop, portrait.picture
        size, scale = self._finish.size, self._finish.side / crop.side
        inside = [crop.x, crop.y, crop.side, crop.side] if pastes else [0, 0, size, size]
        files = {name or "picture": naming.pattern for name, naming in self._names.items()}
        if PLATE in self._finish.passes:
            files[PLATE] = self._plate.pattern
        return {
            "schema": SCHEMA,
            "portrait": {"width": whole.width, "height": whole.height},
            "crop": {"x": crop.x, "y": crop.y, "side": crop.side},
            "frame": {"width": whole.width, "height": whole.height} if pastes else _square(size),
            "crop_in_frame": dict(zip(("x", "y", "width", "height"), inside, strict=True)),
            "scale": scale,
            "colour": COLOURS[self._form],
            "alpha": ALPHAS[self._form],
            "files": files,
        }


def _square(size: int) -> dict[str, int]:
    return {"width": size, "height": size}
