# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network leaves becomes pictures: the frame itself, and the passes a compositor asks for.

    picture   what is seen, alone or pasted back into the whole portrait; goes by the name ""
    face      the figure (head, neck, shoulders) as it moves, with straight alpha
    matte     that alpha alone, as grey levels
    plate     the portrait without the figure, the same for every frame
    mouth     the inside of the mouth as a layer drew it, with straight alpha; all clear where none did

Where the figure is half transparent its colours are its own, without a rim of the ground it stood before.
`face` over `plate` is the picture again, but with a ground that keeps still. Towards the edges of a crop that
is pasted back the motion comes to rest: there the plate is the portrait, and the matte fades out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.engine import anchor
from core.engine.layers.layer import Drawing
from core.engine.layers.mouth_draw import MouthLook
from core.engine.portrait import Composite, Portrait
from core.engine.rest import planes
from core.motion.motion import Weights, soft
from core.pictures import face
from core.pictures import picture as pictures
from core.pictures.picture import Levels, Picture, from_model

if TYPE_CHECKING:
    from core.engine.engine import Frame

PICTURE = ""
MOUTH = "mouth"
SOLID = 0.9  # share of the figure from which a pixel's colour begins to count as the figure's own
OPAQUE = 0.998  # share from which it is all the figure's: what 8 bits round to no ground at all


@dataclass(frozen=True)
class Finish:
    """How frames of a portrait are finished. `size` is the side of a picture of the crop alone; the whole
    portrait keeps its own size.
    """

    portrait: Portrait
    size: int = 512
    composite: Composite = "crop"
    detail_transfer: bool = True
    depth: int = 8
    passes: Sequence[str] = ()

    @property
    def pastes(self) -> bool:
        return self.composite == "paste"

    @property
    def side(self) -> int:
        """Pixels of the crop's side while it is worked on."""
        return self.portrait.crop.side if self.pastes else self.size

    def sent(self, weights: Weights) -> Weights:
        """Weights [N, 36] as the network is to get them: some of what is asked for is drawn by layers."""
        for layer in self.portrait.layers:
            weights = layer.sent(weights)
        return weights

    def __call__(self, frame: Frame, weights: Weights, look: MouthLook | None = None) -> dict[str, Picture]:
        """The network's frame of these weights [36], as asked for, as pictures: "" and each of the passes but
        the plate. `look` is how its mouth shall be drawn.
        """
        drawing = self._drawn(frame, weights, look)
        drawn = drawing.picture
        assert drawn is not None
        rgb = from_model(np.moveaxis(drawn[..., :3], -1, 0), self.depth)
        alpha = None
        if drawn.shape[-1] > 3:
            alpha = _levels(np.clip(drawn[..., 3], 0, 1) * np.iinfo(rgb.dtype).max, rgb.dtype)
        cut = Picture(rgb, alpha)
        whole = self.portrait.picture.to_depth(self.depth)
        seen = face.paste_back(whole, cut, self.portrait.crop) if self.pastes else cut
        share = self._moved_figure(drawing) if self.wants_figure else None
        return {PICTURE: seen, **self._figure_passes(seen, share), **self._mouth_pass(drawing.mouth)}

    def at_rest(self) -> dict[str, Picture]:
        """The untouched portrait, as if it were a frame."""
        seen = self.portrait.untouched(self.size, self.composite, self.depth)
        share = self.portrait.figure(self.side).inner[..., 0] if self.wants_figure else None
        return {PICTURE: seen, **self._figure_passes(seen, share), **self._mouth_pass(None)}

    def plate(self) -> Picture:
        """The portrait without the figure, framed as the frames are."""
        portrait, where = self.portrait, self.portrait.crop
        whole = portrait.picture
        if not self.pastes:
            hidden = None if whole.alpha is None else np.zeros_like(whole.alpha)
            return pictures.crop(Picture(portrait.ground, hidden), where, self.size).to_depth(self.depth)
        inner = soft((face.rim(where, whole.rgb.shape) - anchor.SETTLED) / face.FEATHER)  # where all moves
        share = face.into_whole(inner.astype(np.float32), where, whole.rgb.shape)
        rgb = whole.rgb + (portrait.ground.astype(np.float32) - whole.rgb) * share[..., None]
        alpha = None if whole.alpha is None else _levels(whole.alpha * (1 - share), whole.alpha.dtype)
        return Picture(_levels(rgb, whole.rgb.dtype), alpha).to_depth(self.depth)

    @property
    def wants_figure(self) -> bool:
        return "face" in self.passes or "matte" in self.passes

    @cached_property
    def _rim(self) -> NDArray[np.float32] | None:
        """[S, S] distance from the edges at which the motion comes to rest, in sides of the crop."""
        if not self.pastes:
            return None
        distance = face.rim(self.portrait.crop, self.portrait.picture.rgb.shape)
        return anchor.sized(distance, self.portrait.rest.side)

    def _drawn(self, frame: Frame, weights: Weights, look: MouthLook | None) -> Drawing:
        """The crop at `side`, anchored and with its layers."""
        portrait, (image, flow, mask) = self.portrait, planes(frame)
        sent = self.sent(weights[None])[0]
        seen = portrait.at(portrait.rest.side).inner[..., :3]
        changed = anchor.change(portrait.rest, image, flow, mask, sent, seen, self._rim)
        if not all(layer.painted for layer in portrait.layers):
            changed = replace(changed, kept=np.ones_like(mask), added=np.zeros_like(image))
        size = self.side if self.detail_transfer else min(self.side, portrait.rest.side)
        x, y = anchor.places(changed.offset, size)
        drawing = Drawing(weights, flow, mask, changed.came_from, changed.kept, x, y, look=look)
        drawing.alone = MOUTH in self.passes
        for layer in portrait.layers:
            layer.bend(drawing)
        own = anchor.taken(portrait.at(size), drawing.x, drawing.y)
        rgb = anchor.composed(changed, np.ascontiguousarray(own[..., :3]))
        drawing.picture = rgb if own.shape[-1] == 3 else np.dstack([rgb, own[..., 3]])
        for layer in portrait.layers:
            layer.paint(drawing)
        drawing.picture = anchor.sized(drawing.picture, self.side, smooth=True)
        return drawing

    def _moved_figure(self, drawing: Drawing) -> NDArray[np.float32]:
        """[side, side] share of the figure in a frame, moved as its pixels were."""
        figure = self.portrait.figure(len(drawing.x))
        share = anchor.taken(figure, drawing.x, drawing.y)[..., 0]
        return np.clip(anchor.sized(share, self.side, smooth=True), 0, 1)

    def _figure_passes(self, seen: Picture, share: NDArray[np.float32] | None) -> dict[str, Picture]:
        if share is None:
            return {}
        rgb, where, shape = seen.rgb, self.portrait.crop, seen.rgb.shape
        if "face" in self.passes:
            here = face.inside(where, shape) if self.pastes else np.s_[:, :]
            own = share[face.inside(where, shape, of_crop=True)] if self.pastes else share
            rgb = rgb.copy()
            rgb[here] = _own_colours(rgb[here], own)
        if self.pastes:
            inner = share * soft(face.rim(where, shape) / face.FEATHER)
            share = face.into_whole(inner.astype(np.float32), where, shape)
        alpha = _levels(share * np.iinfo(rgb.dtype).max, rgb.dtype)
        made = {"face": Picture(rgb, alpha), "matte": Picture(np.broadcast_to(alpha[..., None], shape))}
        return {name: made[name] for name in self.passes if name in made}

    def _mouth_pass(self, drawn: NDArray[np.float32] | None) -> dict[str, Picture]:
        """The inside of the mouth [H, H, 4] alone, framed as the frames are; None: nothing was drawn."""
        if MOUTH not in self.passes:
            return {}
        whole, where = self.portrait.picture.rgb.shape, self.portrait.crop
        if drawn is None:
            drawn = np.zeros((self.side, self.side, 4), np.float32)
        drawn = anchor.sized(drawn, self.side, smooth=True)
        if self.pastes:
            share = drawn[..., 3] * soft(face.rim(where, whole) / face.FEATHER)
            drawn = np.dstack([drawn[..., :3], share.astype(np.float32)])
            drawn = np.dstack([face.into_whole(plane, where, whole) for plane in np.moveaxis(drawn, -1, 0)])
        rgb = from_model(np.moveaxis(drawn[..., :3], -1, 0), self.depth)
        return {
            MOUTH: Picture(rgb, _levels(np.clip(drawn[..., 3], 0, 1) * np.iinfo(rgb.dtype).max, rgb.dtype))
        }


def _own_colours(rgb: Levels, share: NDArray[np.float32]) -> Levels:
    """Colours [H, W, 3] in which the half-transparent edge of a figure [H, W] is no mixture with the ground
    it stood before: there it takes the colours of the figure beside it.
    """
    from core.pictures.image import filled

    solid = np.clip((share - SOLID) / (OPAQUE - SOLID), 0, 1)
    return filled(rgb, solid[..., None]) if solid.any() else rgb


def _levels(values: NDArray[Any], kind: Any) -> Levels:
    return np.asarray(np.rint(values).astype(kind))
