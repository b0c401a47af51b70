# SPDX-License-Identifier: GPL-3.0-or-later
"""The public face of the head generator: people by seed, pictures by factors.

    renderer = HeadRenderer(256)
    person = renderer.person(7)
    picture = renderer.draw(person, Factors.of(yaw=0.2, jaw_open=0.5))   # uint8 [256, 256, 3]

The same seed and factors give the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.factors import Factors
from training.heads.errors import NoGraphics
from training.heads.figure import build_figure
from training.heads.light import Light
from training.heads.pack import Floats
from training.heads.pose import Posed

if TYPE_CHECKING:
    from training.heads.renderer import Drawable

# Opening of the lips, dm: below the first nothing of the inside is seen, at the second light falls in freely.
LIPS_SEALED, LIPS_WIDE = 0.012, 0.4

Person: TypeAlias = "Drawable"


@dataclass(frozen=True)
class Frame:
    """A picture with what labels are made from.

    `image` uint8 [S, S, 3]; `triangles` uint32 [2S, 2S], number of the triangle seen + 1, or 0;
    `screen` [M, 3]: x right, y down in [-1, 1] and distance (dm) of every vertex;
    `landmarks` [68, 2] in [-1, 1].
    """

    image: NDArray[np.uint8]
    triangles: NDArray[np.uint32]
    screen: Floats
    landmarks: Floats


class HeadRenderer:
    """Renders synthetic people at `size` x `size` pixels. Raises NoGraphics without OpenGL 3.3."""

    def __init__(self, size: int) -> None:
        try:
            from training.heads.renderer import Renderer
        except ModuleNotFoundError as error:
            raise NoGraphics(
                "The Python package moderngl is missing, which draws the synthetic heads",
                hint="pip install moderngl",
            ) from error
        self.size = size
        self._renderer = Renderer(size)

    def person(self, seed: int, light: Light | None = None, background: Floats | None = None) -> Person:
        """The person of this seed, in their own light and place unless others are given.

        Give it back with `person.release()` when many are made.
        """
        figure = build_figure(seed)
        if light is not None:
            figure = replace(figure, light=light)
        if background is not None:
            figure = replace(figure, background=background)
        return self._renderer.upload(figure)

    def draw(
        self, person: Person, factors: Factors, action: Mapping[str, float] | None = None
    ) -> NDArray[np.uint8]:
        """The picture alone: uint8 [S, S, 3], RGB."""
        return self.frame(person, factors, action).image

    def frame(self, person: Person, factors: Factors, action: Mapping[str, float] | None = None) -> Frame:
        """The picture and its geometry; `action` adds a recipe of face units (`training.heads.actions`)."""
        posed = person.figure.pose(factors, action)
        drawn = self._renderer.draw(person, posed, _daylight(person, posed))
        screen = posed.screen
        return Frame(drawn.image, drawn.triangles, screen, screen[person.figure.landmark_vertices, :2])

    def landmarks(self, person: Person, factors: Factors) -> Floats:
        """68 landmarks [68, 2], x right and y down in [-1, 1], without drawing.

        Order: jaw 17, brows 10, nose 9, eyes 12, outer lips 12, inner lips 8; picture left first.
        """
        return person.figure.pose(factors).screen[person.figure.landmark_vertices, :2]


def _daylight(person: Person, posed: Posed) -> float:
    lips = posed.position[person.figure.landmark_vertices[60:68]]
    gap = float(np.linalg.norm(lips[[1, 2, 3]] - lips[[7, 6, 5]], axis=1).max())
    return float(np.clip((gap - LIPS_SEALED) / LIPS_WIDE, 0.0, 1.0))
