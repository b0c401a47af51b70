# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network leaves becomes pictures: the frame itself, and the passes a compositor asks for.

    picture   what is seen, alone or pasted back into the whole portrait; goes by the name ""
    face      the figure (head, neck, shoulders) as it moves, with straight alpha
    matte     that alpha alone, as grey levels
    plate     the portrait without the figure, the same for every frame

Where the figure is half transparent its colours are its own, without a rim of the ground it stood before.
`face` over `plate` is the picture again, but with a ground that keeps still. Towards the edges of a crop that
is pasted back the motion comes to rest: there the plate is the portrait, and the matte fades out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.engine import detail
from core.engine.portrait import Composite, Portrait
from core.motion.motion import soft
from core.pictures import face
from core.pictures import picture as pictures
from core.pictures.picture import Levels, Picture, from_model

if TYPE_CHECKING:
    import torch

    from core.engine.engine import Frame

PICTURE = ""
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

    def __call__(self, frame: Frame) -> dict[str, Picture]:
        """The network's frame as pictures: "" and each of the passes but the plate."""
        import torch

        with torch.inference_mode():
            planes = self._planes(frame)
            share = self._moved_figure(frame) if self.wants_figure else None
        rgb = from_model(planes[:3], self.depth)
        alpha = from_model(planes[3:] * 2 - 1, self.depth)[..., 0] if len(planes) > 3 else None
        cut = Picture(rgb, alpha)
        whole = self.portrait.picture.to_depth(self.depth)
        seen = face.paste_back(whole, cut, self.portrait.crop) if self.pastes else cut
        return {PICTURE: seen, **self._figure_passes(seen, share)}

    def at_rest(self) -> dict[str, Picture]:
        """The untouched portrait, as if it were a frame."""
        seen = self.portrait.untouched(self.size, self.composite, self.depth)
        share = self.portrait.figure(self.side) if self.wants_figure else None
        return {PICTURE: seen, **self._figure_passes(seen, share)}

    def plate(self) -> Picture:
        """The portrait without the figure, framed as the frames are."""
        portrait, where = self.portrait, self.portrait.crop
        whole = portrait.picture
        if not self.pastes:
            hidden = None if whole.alpha is None else np.zeros_like(whole.alpha)
            return pictures.crop(Picture(portrait.ground, hidden), where, self.size).to_depth(self.depth)
        inner = soft((face.rim(where, whole.rgb.shape) - detail.SETTLED) / face.FEATHER)  # where all moves
        share = face.into_whole(inner.astype(np.float32), where, whole.rgb.shape)
        rgb = whole.rgb + (portrait.ground.astype(np.float32) - whole.rgb) * share[..., None]
        alpha = None if whole.alpha is None else _levels(whole.alpha * (1 - share), whole.alpha.dtype)
        return Picture(_levels(rgb, whole.rgb.dtype), alpha).to_depth(self.depth)

    @property
    def wants_figure(self) -> bool:
        return "face" in self.passes or "matte" in self.passes

    def _planes(self, frame: Frame) -> NDArray[np.float32]:
        """[3 or 4, side, side] the crop in [-1, 1], with the portrait's alpha in [0, 1] moved along."""
        import torch

        sharp = self.portrait.at(self.side)
        flow, small = frame.flow[None].float(), frame.image[None].float()
        if self.detail_transfer:
            large = detail.transfer(small, flow, frame.mask[None].float(), sharp[:, :3])
        else:
            shrinks = self.side <= small.shape[-1]
            large = detail.down(small, self.side) if shrinks else detail.up(small, self.side)
        if sharp.shape[1] > 3:
            large = torch.cat([large, detail.warp(sharp[:, 3:], flow)], dim=1)
        if self.pastes:
            large = detail.settle(large, flow, sharp, self._rim(large))
        return np.asarray(large[0].cpu().numpy(), np.float32)

    def _moved_figure(self, frame: Frame) -> NDArray[np.float32]:
        """[side, side] share of the figure in a frame, moved as its pixels were."""
        import torch

        still = torch.from_numpy(self.portrait.figure(self.side))[None, None].to(frame.flow.device)
        share = detail.soft(self._rim(still) / detail.SETTLED) if self.pastes else None
        moved = detail.warp(still, frame.flow[None].float(), share)
        return np.asarray(moved[0, 0].cpu().numpy(), np.float32)

    def _rim(self, like: torch.Tensor) -> torch.Tensor:
        import torch

        distance = face.rim(self.portrait.crop, self.portrait.picture.rgb.shape)
        return torch.from_numpy(distance).to(like.device)

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


def _own_colours(rgb: Levels, share: NDArray[np.float32]) -> Levels:
    """Colours [H, W, 3] in which the half-transparent edge of a figure [H, W] is no mixture with the ground
    it stood before: there it takes the colours of the figure beside it.
    """
    from core.pictures.image import filled

    solid = np.clip((share - SOLID) / (OPAQUE - SOLID), 0, 1)
    return filled(rgb, solid[..., None]) if solid.any() else rgb


def _levels(values: NDArray[Any], kind: Any) -> Levels:
    return np.asarray(np.rint(values).astype(kind))
