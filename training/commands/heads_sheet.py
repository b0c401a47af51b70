# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets, to look at what the generator makes.

    edtalk heads sheet out.png --people 8 --frames 10      random people (rows) in random motion
    edtalk heads sheet out.png --factors --first-seed 7    one person under every factor in turn

People and motion are drawn as those of the data set are.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.commands.heads_demo import PORTRAIT_SEED
from training.factors import FACTORS, Factors
from training.heads.dataset import HELD_OUT, motion_of
from training.heads.render import HeadRenderer
from training.speech.visemes import VISEMES, mouth_track, timed

Picture = NDArray[np.uint8]


def people_sheet(renderer: HeadRenderer, seeds: Iterable[int], frames: int) -> Picture:
    """One row per person, as the data set shows them: at rest, then in random motion."""
    rows = []
    for seed in seeds:
        person = renderer.person(seed)
        rows.append([renderer.draw(person, factors) for factors in motion_of(seed, frames)])
        person.release()
    return grid([picture for row in rows for picture in row], frames)


def factor_sheet(renderer: HeadRenderer, seed: int, columns: int = 10) -> Picture:
    """One person at rest, under each factor at its soft maximum, then speaking each viseme."""
    person = renderer.person(seed)
    motions = [Factors.neutral(), *(Factors.of(**{f.name: f.soft_max}) for f in FACTORS)]
    for name in VISEMES:
        motion = Factors.neutral()
        motion.mouth[:] = mouth_track(timed([(name, 0.0, 0.2)]), 5)[2]
        motions.append(motion)
    pictures = [renderer.draw(person, motion) for motion in motions]
    person.release()
    return grid(pictures, columns)


def grid(pictures: list[Picture], columns: int) -> Picture:
    """Pictures of one size side by side; a last row that is not full ends in black."""
    empty = np.zeros_like(pictures[0])
    filled = [*pictures, *[empty] * (-len(pictures) % columns)]
    rows = [np.concatenate(filled[i : i + columns], axis=1) for i in range(0, len(filled), columns)]
    return np.concatenate(rows)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module docstring."""
    import argparse

    from PIL import Image

    parser = argparse.ArgumentParser(description="Draw a contact sheet of synthetic heads.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--first-seed", type=int, help="of the people (default: people kept back)")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--factors", action="store_true", help="one person under every factor instead")
    chosen = parser.parse_args(arguments)
    renderer = HeadRenderer(chosen.size)
    first = chosen.first_seed
    if chosen.factors:
        sheet = factor_sheet(renderer, PORTRAIT_SEED if first is None else first)
    else:
        first = HELD_OUT if first is None else first
        sheet = people_sheet(renderer, range(first, first + chosen.people), chosen.frames)
    Image.fromarray(sheet).save(chosen.out)


if __name__ == "__main__":
    main()
