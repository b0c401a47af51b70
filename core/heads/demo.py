# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration portrait, and clips of a person driven by given weights.

    python -m core.heads.demo demo/portrait.png
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.heads.factors import Factors, from_weights
from core.heads.light import BACKGROUND_SIDE, portrait_light
from core.heads.pack import Floats
from core.heads.render import HeadRenderer, Person

PORTRAIT_SEED = 1_000_126
"""A held-out person: no model embedded here has seen them."""

PORTRAIT_SMILE = 0.3


def portrait(size: int = 512, seed: int = PORTRAIT_SEED) -> NDArray[np.uint8]:
    """A friendly face in soft daylight before a plain wall: uint8 [size, size, 3]."""
    renderer = HeadRenderer(size)
    return renderer.draw(portrait_person(renderer, seed), Factors.of(happy=PORTRAIT_SMILE))


def portrait_person(renderer: HeadRenderer, seed: int = PORTRAIT_SEED) -> Person:
    """A person in the portrait's light and place."""
    return renderer.person(seed, light=portrait_light(), background=_wall())


def drive(renderer: HeadRenderer, person: Person, weights: ArrayLike) -> Iterator[NDArray[np.uint8]]:
    """Pictures uint8 [S, S, 3] of a person under rows of weights [T, 36] (mouth | pose | expression)."""
    for pose, mouth, expression in zip(*from_weights(weights), strict=True):
        yield renderer.draw(person, Factors(pose, mouth, expression))


def _wall() -> Floats:
    y, x = np.mgrid[0:1:BACKGROUND_SIDE * 1j, 0:1:BACKGROUND_SIDE * 1j]
    falloff = 0.16 * np.hypot(x - 0.42, y - 0.35)
    return np.asarray(np.array([0.62, 0.66, 0.69]) - falloff[..., None] * np.array([1.0, 0.95, 0.9]))


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module docstring."""
    import argparse

    from PIL import Image

    parser = argparse.ArgumentParser(description="Draw the demonstration portrait.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seed", type=int, default=PORTRAIT_SEED)
    chosen = parser.parse_args(arguments)
    Image.fromarray(portrait(chosen.size, chosen.seed)).save(chosen.out)


if __name__ == "__main__":
    main()
