# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a weight moves this face: what turns a tolerance in pixels into one in weights.

The decoder says for every pixel where in the portrait it is read. A weight is moved by one unit to either
side of the portrait's own weights; the farthest that any pixel's reading place moves, each pixel counted by
the share of it that comes from the portrait, is the weight's sensitivity. It is given in shares of the
face's square, so it holds for pictures of any size: times the square's side it is in pixels.

A change of several weights moves no point by more than the sum of what each does alone, as far as the
decoder is straight between here and there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.wire.channels import CHANNELS

if TYPE_CHECKING:
    from core.engine.engine import Engine, Source

Progress = Callable[[str, int, int], None]
"""Called after every decoded picture with stage, done and total; what it raises ends the work."""

STEP = 1.0  # in weights: about what speech moves them by
STAGE = "measure"


def sensitivity(engine: Engine, source: Source, tell: Progress | None = None) -> NDArray[np.float32]:
    """float32 [36]: the most that one unit of each weight moves any point, in shares of the square's side."""
    count = len(CHANNELS)
    weights = np.repeat(source.weights[None], 1 + 2 * count, axis=0)
    for channel in range(count):
        weights[1 + 2 * channel, channel] += STEP
        weights[2 + 2 * channel, channel] -= STEP
    frames = engine.decode(source, weights)
    rest = next(frames)
    found = np.zeros(count, np.float32)
    for number, frame in enumerate(frames):
        moved = (frame.flow.float() - rest.flow.float()).pow(2).sum(0).sqrt() * rest.mask[0].float()
        share = float(moved.max()) / 2 / STEP  # places lie in [-1, 1], so the side is 2
        found[number // 2] = max(found[number // 2], share)
        if tell is not None:
            tell(STAGE, number + 1, 2 * count)
    return found
