# SPDX-License-Identifier: GPL-3.0-or-later
"""How strongly a take moves each part of the face: how far its weights go from the portrait's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.motion.motion import Weights
from core.wire.channels import PARTS, Channel, bank_of


def strengthened(
    weights: Weights, own: Weights, channels: Sequence[Channel], strengths: Sequence[float]
) -> Weights:
    """Weights [T, 36] with each part `strengths` times as far from the portrait's own [36].

    Args:
        channels: the checkpoint's 36; the one that it calls "blink" is a part of its own.
        strengths: in the order of `PARTS`; 0 leaves the portrait's own, 1 changes nothing.

    A channel that was within its soft range stays there: lids are shut once, not twice.
    """
    if all(strength == 1 for strength in strengths):
        return weights
    of = dict(zip(PARTS, strengths, strict=True))
    parts = ["blink" if channel.label.lower() == "blink" else bank_of(channel.name) for channel in channels]
    factors = np.array([of[part] for part in parts], np.float32)
    low = np.minimum([channel.soft_min for channel in channels], np.minimum(weights, own))
    high = np.maximum([channel.soft_max for channel in channels], np.maximum(weights, own))
    return np.clip(own + factors * (weights - own), low, high).astype(np.float32)
