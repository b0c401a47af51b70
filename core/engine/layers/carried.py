# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a frame shows what stood at given places of the portrait: the flow, asked the other way round.

A flow F says for each place of the frame where it is read in the portrait. A mark p of the portrait is seen
where F(x) = p. A damped fixed point finds it: x <- x + DAMPED (p - F(x)); a flow is the identity and a
little more, so it settles within a hundredth of a pixel of 128."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS, DAMPED = 10, 0.7


def carried(flow: NDArray[np.float32], points: Floats) -> Floats:
    """[N, 2] where the frame shows the points [N, 2] of the portrait; both in sides of the crop.

    flow  [2, S, S]  x and y in [-1, 1] where each pixel of the frame is read (align_corners False). It must
    be the
                     one that the picture was moved by
    """
    side = flow.shape[-1]
    goal = points * side - 0.5
    read = np.moveaxis((flow + 1) * (side / 2) - 0.5, 0, -1)
    at = goal.copy()
    for _ in range(STEPS):
        at = np.clip(at + DAMPED * (goal - _sampled(read, at)), 0, side - 1)
    return (at + 0.5) / side


def _sampled(field: NDArray[np.float32], at: Floats) -> Floats:
    """[N, 2] a field [S, S, 2] read between its pixels at [N, 2]."""
    low = np.minimum(at.astype(np.int64), len(field) - 2)
    x, y = (at - low).T[..., None]
    column, row = low.T
    upper = field[row, column] * (1 - x) + field[row, column + 1] * x
    lower = field[row + 1, column] * (1 - x) + field[row + 1, column + 1] * x
    return np.asarray(upper * (1 - y) + lower * y, np.float64)
