# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration portrait, and clips of a person driven by given weights.

    edtalk heads demo demo/portrait.png
    edtalk heads demo driving.mp4 --motion motion.npz --seed 1000300

A clip is silent; `training.commands.heads_talk` makes one that speaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.motion.motion import Motion
from core.pictures.video import write_preview
from training.factors import Factors, from_weights
from training.heads.light import BACKGROUND_SIDE, portrait_light
from training.heads.pack import Floats
from training.heads.render import HeadRenderer, Person

PORTRAIT_SEED = 1_000_142
"""A held-out person: no model embedded here has seen them."""

PORTRAIT_FACTORS = Factors.of(happy=0.35, log_scale=-0.12, ty=-0.02)


def portrait(size: int = 512, seed: int = PORTRAIT_SEED) -> NDArray[np.uint8]:
    """A friendly face in soft daylight before a plain wall: uint8 [size, size, 3]."""
    renderer = HeadRenderer(size)
    return renderer.draw(portrait_person(renderer, seed), PORTRAIT_FACTORS)


def portrait_person(renderer: HeadRenderer, seed: int = PORTRAIT_SEED) -> Person:
    """A person in the portrait's light and place."""
    return renderer.person(seed, light=portrait_light(), background=_wall())


def drive(renderer: HeadRenderer, person: Person, weights: ArrayLike) -> Iterator[NDArray[np.uint8]]:
    """Pictures uint8 [S, S, 3] of a person under rows of weights [T, 36] (mouth | pose | expression)."""
    for pose, mouth, expression in zip(*from_weights(weights), strict=True):
        yield renderer.draw(person, Factors(pose, mouth, expression))


def driving_clip(path: Path, motion: Motion, seed: int = PORTRAIT_SEED, size: int = 256) -> int:
    """Writes a clip of this person under a motion, at the motion's rate -> number of frames.

    Raises OutputBlocked when the file cannot be written.
    """
    renderer = HeadRenderer(size)
    return write_preview(path, drive(renderer, portrait_person(renderer, seed), motion.weights), motion.rate)


def _wall() -> Floats:
    y, x = np.mgrid[0 : 1 : BACKGROUND_SIDE * 1j, 0 : 1 : BACKGROUND_SIDE * 1j]
    falloff = 0.16 * np.hypot(x - 0.42, y - 0.35)
    return np.asarray(np.array([0.62, 0.66, 0.69]) - falloff[..., None] * np.array([1.0, 0.95, 0.9]))


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module docstring."""
    import argparse

    from PIL import Image

    parser = argparse.ArgumentParser(description="Draw the demonstration portrait, or a driven clip.")
    parser.add_argument("out", type=Path, help="a .png, or with --motion a .mp4")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=PORTRAIT_SEED)
    parser.add_argument("--motion", type=Path, help="a motion.npz to drive the person with")
    chosen = parser.parse_args(arguments)
    if chosen.motion:
        driving_clip(chosen.out, Motion.load(chosen.motion), chosen.seed, chosen.size)
    else:
        Image.fromarray(portrait(chosen.size, chosen.seed)).save(chosen.out)


if __name__ == "__main__":
    main()
