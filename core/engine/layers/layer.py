# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn on an anchored frame before it is pasted back: lids that slide, teeth behind the lips.

A layer belongs to a portrait and is asked for each of its frames, in the order of `Portrait.layers`, on any
thread: it may remember nothing from one frame to the next. Each of its three methods may stay as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.engine.layers.mouth_draw import MouthLook
from core.motion.motion import Weights

Plane = NDArray[np.float32]


@dataclass
class Drawing:
    """A frame while it is drawn. S is the network's size, H the output's; places are x and y in [-1, 1]."""

    weights: Weights  # [36] as they were asked for
    flow: Plane  # [S,S,2] where the network reads each pixel in its source
    mask: Plane  # [S,S] how much of it the network takes from there: 0 within an opened mouth
    came_from: Plane  # [S,S,2] where the portrait shows what this frame shows here
    kept: Plane  # [S,S] share of the frame that is the moved portrait, not the network's paint
    x: Plane  # [H,H] where the portrait is read, in pixels of the crop at output size;
    y: Plane  # 0 is the middle of the first one
    picture: Plane | None = None  # [H,H,3 or 4] RGB in [-1,1] and alpha in [0,1], once it is there
    look: MouthLook | None = None  # of the inside of the mouth; None: nothing is asked for
    alone: bool = False  # is `mouth` wanted?
    mouth: Plane | None = None  # [H,H,4] the inside of the mouth alone: RGB in [-1,1], share in [0,1]


class Layer:
    """A layer that does nothing."""

    painted = True
    """May frames hold what the network paints? False: they are the portrait, moved, and what layers draw."""

    def sent(self, weights: Weights) -> Weights:
        """Weights [N,36] as the network is to get them: without what this layer draws in its place."""
        return weights

    def bend(self, drawing: Drawing) -> None:
        """Move where the portrait is read: change `x` and `y` in place."""

    def paint(self, drawing: Drawing) -> None:
        """Draw on `picture`, in place."""
