# SPDX-License-Identifier: GPL-3.0-or-later
"""A small decode, asked of a server's runtime: three frames after one that is held, with passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.motion.motion import Motion
from core.wire.messages import Decode


def three_frames(
    checkpoint: Path, portrait: Path, folder: Path, origin: dict[str, str] | None = None
) -> Decode:
    """Frames 101 to 103 of random weights into `folder`/out, 100 held; their motion is written there."""
    weights = np.random.default_rng(0).normal(0, 1, (3, 36)).astype(np.float32)
    Motion(weights, 24.0, numbers=np.arange(101, 104)).save(folder / "motion.npz")
    return Decode(
        portrait=str(portrait),
        motion=str(folder / "motion.npz"),
        out=str(folder / "out"),
        checkpoint=str(checkpoint),
        crop=(16, 0, 64),
        size=48,
        hold=100,
        passes=("face", "matte", "plate"),
        origin=origin,
    )
