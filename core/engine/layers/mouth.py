# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of the mouth, drawn at output size: teeth, tongue and dark, rigid and in perspective.

The network paints it at 128 pixels: a dark blob, and teeth that stretch with the lips. Here the CC0 head's
teeth and tongue are posed by the frame (`core.engine.layers.mouth_place`) and drawn behind the lips, back to
front:

    dark < tongue < lower row < upper row < the portrait's own upper teeth < the frame with its lips

    clip    m = box smoothstep((1 - M (1 - inside(F)) - SHOWS[0]) / (SHOWS[1] - SHOWS[0])), M the network's
    mask
            enlarged by a cubic, box the outer lips carried by the flow F; inside(F), the portrait's inner
            lips moved by the flow, counts only where own teeth were found. So the network says where the
            mouth is open: steadier than any reader, and nothing leaks through closed lips
    fade    by how far the mouth's weights are from the portrait's own: at rest the picture is the portrait
    light   `core.engine.layers.mouth_draw`; the upper lip's shadow is m moved down
    blur    0.42 pixels per pixel that the portrait was enlarged by: teeth are no crisper than the face

A frame depends on its own weights, flow and mask and on the portrait alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.engine.layers import mouth_mesh
from core.engine.layers.carried import carried
from core.engine.layers.drawn_mouth import Opening
from core.engine.layers.mouth_colours import Colours, colours, inside, own_teeth
from core.engine.layers.mouth_draw import MouthLook, drawn, own_over
from core.engine.layers.mouth_place import Place, Pose
from core.pictures.face_marks import FaceMarks
from core.wire.channels import BANK_SLICES

Plane = NDArray[np.float32]

SHOWS = (0.32, 0.52)  # 1 - mask from which the inside shows, and shows fully
BOX_BLUR = 1 / 170  # of the side: how soft the lips bound the opening
BLUR = 0.42
CHANGED = 0.35  # distance of the mouth's weights from the portrait's own at which the layer is all there
SHADOW, LIT = 0.035, 0.66  # of the eye distance: how far the lip's shadow falls; what light is left in it


class Layer(NamedTuple):
    """The inside of a mouth where a frame shows it."""

    top: int
    left: int
    rgb: Plane  # [h, w, 3] levels 0 to 255
    share: Plane  # [h, w] 0 to 1

    def over(self, picture: Plane) -> Plane:
        """A picture [H, H, 3] in [-1, 1] with this laid over it."""
        result = picture.copy()
        part = result[self._where]
        part += (self.rgb / np.float32(127.5) - 1 - part) * self.share[..., None]
        return result

    def alone(self, size: int) -> Plane:
        """[H, H, 4] this without the picture: RGB in [-1, 1], and its share as alpha."""
        result = np.zeros((size, size, 4), np.float32)
        result[self._where] = np.dstack([self.rgb / np.float32(127.5) - 1, self.share])
        return result

    @property
    def _where(self) -> tuple[slice, slice]:
        height, width = self.share.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


class Mouth:
    """Prepared once a portrait and output size.

    portrait    [H, H, 3] its crop in [-1, 1]
    own         [36] the portrait's weights
    directions  handle -> [36] what one unit of it adds; those of the pose are needed
    enlarged    pixels of the crop per pixel of the file
    """

    def __init__(
        self,
        portrait: Plane,
        marks: FaceMarks,
        own: NDArray[np.float32],
        directions: Mapping[str, Sequence[float]],
        enlarged: float = 1.0,
        look: MouthLook | None = None,
    ) -> None:
        self.look = look or MouthLook()
        self.size = portrait.shape[0]
        self._mesh = mouth_mesh.load()
        self._marks, self._own_weights = marks, np.asarray(own, np.float32)
        self._blur = BLUR * enlarged if enlarged > 1.2 else 0.0
        self.place = Place(self._mesh, marks, self.size, own, directions)
        levels = ((portrait + 1) * 127.5).astype(np.float32)
        self._colours = colours(levels, marks)
        down = self.place.rest_turn[:2, 1] / np.linalg.norm(self.place.rest_turn[:2, 1])
        rest = self.place.rest
        self.own = own_teeth(levels, marks, self._colours.tooth, down, rest.scale)
        self._inside: Plane | None = None
        self._with_own: Colours = self._colours
        if self.own is not None:
            self._inside = inside(marks.lips_inner, self.size)
            self._with_own = replace(self._colours, tooth=self.own.tooth)
            seen, _ = self.place.project(self.place.at[None], rest)
            lower = float((self.own.lowest - seen[0]) @ down) / rest.scale
            self.place.at = self.place.at + np.array([0.0, lower, 0.0])
            self.place.rest = self.place.pose(own, self.place._points(None))

    def __call__(
        self,
        weights: NDArray[np.float32],
        flow: Plane,
        mask: Plane,
        picture: Plane,
        look: MouthLook | None = None,
    ) -> Plane:
        """The picture [H, H, 3] of the crop, in [-1, 1], with the inside of its mouth drawn anew.

        flow [2, S, S] the one the picture was moved by; mask [1, S, S] share that comes from the portrait
        """
        layer = self.layer(weights, flow, mask, look)
        return picture if layer is None else layer.over(picture)

    def layer(
        self,
        weights: NDArray[np.float32],
        flow: Plane,
        mask: Plane,
        look: MouthLook | None = None,
        opening: Opening | None = None,
    ) -> Layer | None:
        """What `__call__` lays over the frame, for a pass of its own; None where nothing shows. An `opening`
        that was drawn counts in place of the network's mask.
        """
        look = look or self.look
        there = self._changed(weights)
        if look.teeth == "off" or there <= 0:
            return None
        found = self._opening(flow, mask[0]) if opening is None else opening[:3]
        if found is None:
            return None
        top, left, share = found
        pose = self.place.in_frame(weights, flow)
        if opening is not None:
            pose = self.place.dropped(pose, opening.drop)
        tints = self._with_own if look.teeth in ("auto", "own") else self._colours
        rgb = drawn(self.place, pose, look, tints, (top, left), share.shape)
        if self._blur:
            import cv2

            rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), self._blur), np.float32)
        rgb = rgb * self._lip_shadow(share, pose)[..., None]
        own = self.own if look.teeth in ("auto", "own") else None
        if own is not None:
            rgb = own_over(self.place, pose, look, own, (top, left), rgb)
        return Layer(top, left, np.clip(rgb, 0, 255).astype(np.float32), share * np.float32(there))

    def _changed(self, weights: NDArray[np.float32]) -> float:
        change = np.asarray(weights, np.float64) - self._own_weights
        mouth, felt = change[BANK_SLICES["mouth"]], change[BANK_SLICES["expression"]]
        far = float(np.sqrt((mouth**2).sum() + 0.25 * (felt**2).sum()))
        return float(_soft(np.array(far / CHANGED, np.float32)))

    # --- the opening ---------------------------------------------------------------------------------

    def _opening(self, flow: Plane, mask: Plane) -> tuple[int, int, Plane] | None:
        """Top, left and share [h, w] of the opening between the lips; None where there is none."""
        import cv2

        side, size = mask.shape[0], self.size
        lips = carried(flow, self._marks.lips_outer[:, :2]) * size - 0.5
        soft = size * BOX_BLUR
        low = np.maximum(np.floor(lips.min(0) - 3 * soft), 0).astype(int)
        high = np.minimum(np.ceil(lips.max(0) + 3 * soft), size - 1).astype(int)
        if (high - low < 2).any():
            return None
        wide, tall = (high - low + 1).tolist()
        small = mask
        if self._inside is not None and self.own is not None:
            within = cv2.resize(self._inside, (side, side), interpolation=cv2.INTER_AREA)
            x, y = (((axis + 1) * side - 1) / 2 for axis in flow)
            moved = cv2.remap(within, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
            small = (mask * (1 - moved)).astype(np.float32)
        x = ((np.arange(wide, dtype=np.float32) + np.float32(low[0] + 0.5)) * (side / size) - 0.5).astype(
            np.float32
        )
        y = ((np.arange(tall, dtype=np.float32) + np.float32(low[1] + 0.5)) * (side / size) - 0.5).astype(
            np.float32
        )
        columns, rows = np.meshgrid(x, y)
        large = cv2.remap(small, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        box = np.zeros((tall, wide), np.uint8)
        cv2.fillPoly(box, [np.round((lips - low) * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
        bound = cv2.GaussianBlur(box.astype(np.float32) / 255, (0, 0), soft)
        share = _soft((1 - large - SHOWS[0]) / (SHOWS[1] - SHOWS[0])) * np.clip(bound * 1.6, 0, 1)
        rows_on, columns_on = np.nonzero(share > 0.02)
        if not len(rows_on):
            return None
        top, left = max(rows_on.min() - 2, 0), max(columns_on.min() - 2, 0)
        share = np.ascontiguousarray(share[top : rows_on.max() + 3, left : columns_on.max() + 3])
        return int(top + low[1]), int(left + low[0]), share.astype(np.float32)

    def _lip_shadow(self, share: Plane, pose: Pose) -> Plane:
        """[h, w] light through the opening: the upper lip takes it from above, at the corners both lips
        do."""
        import cv2

        far = SHADOW * self.place.eye * pose.scale
        pad = int(3 * far) + 2
        down = pose.turn[:2, 1] * far
        wide = cv2.copyMakeBorder(share, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0,))
        shift = np.array([[1, 0, down[0]], [0, 1, down[1]]], np.float32)
        moved = cv2.warpAffine(wide, shift, wide.shape[::-1])
        lit = cv2.GaussianBlur(moved, (0, 0), max(0.8 * far, 0.6))[pad:-pad, pad:-pad]
        return np.asarray(LIT + (1 - LIT) * np.clip(lit / 0.75, 0, 1), np.float32)


def _soft(place: Plane) -> Plane:
    place = np.clip(place, 0, 1)
    return np.asarray(place * place * (3 - 2 * place), np.float32)
