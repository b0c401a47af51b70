# SPDX-License-Identifier: GPL-3.0-or-later
"""How the crop and the faces look over the portrait, in pixels of an Image Editor's region.

The Image Editor counts from 0 to 1 across the image, from its lower left corner; crops and faces are in
pixels of the portrait, from its upper left one. `Frame` goes from one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin, tau

import bpy

from . import crop_box, found_faces
from .crop_box import HANDLES, Box

BRIGHT, THIN, SHADE = (1.0, 0.72, 0.2, 1.0), (1.0, 1.0, 1.0, 0.75), (0.0, 0.0, 0.0, 0.45)
FACE, CHOSEN = (0.55, 0.8, 1.0, 0.9), (0.45, 1.0, 0.5, 1.0)
OVAL = (0.5, 0.47, 0.36, 0.46)  # where a head belongs in the crop: middle and half axes, in its sides


@dataclass(frozen=True)
class Frame:
    """The portrait as one region shows it."""

    region: bpy.types.Region
    width: int
    height: int

    def to_region(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of the portrait -> pixels of the region."""
        return self.region.view2d.view_to_region(x / self.width, 1 - y / self.height, clip=False)

    def to_portrait(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of the region -> pixels of the portrait."""
        across, up = self.region.view2d.region_to_view(x, y)
        return across * self.width, (1 - up) * self.height

    @property
    def scale(self) -> float:
        """Pixels of the region for one of the portrait."""
        (left, _), (right, _) = self.to_region(0, 0), self.to_region(self.width, 0)
        return max(1e-6, (right - left) / self.width)

    def corners(self, box: Box) -> list[tuple[float, float]]:
        """The four corners of a box in the region, around."""
        x, y, side = box
        return [self.to_region(*at) for at in ((x, y), (x + side, y), (x + side, y + side), (x, y + side))]


def _frame(context: bpy.types.Context) -> Frame:
    width, height = context.space_data.image.size
    return Frame(context.region, width, height)


def draw_crop(frame: Frame, box: Box, by_hand: bool, held: bool, context: bpy.types.Context) -> None:
    """The square with its handles: bright while it is set by hand or held, thin while it was only found."""
    corners = frame.corners(box)
    if by_hand or held:
        _shade(frame, corners)
    colour = BRIGHT if by_hand or held else THIN
    draw_lines([*corners, corners[0]], colour, 2.0 if by_hand or held else 1.0)
    if held:
        draw_lines(_oval(frame, box), THIN, 1.0)
    size = 4.0 * context.preferences.system.ui_scale
    for name in HANDLES:
        x, y = frame.to_region(*crop_box.handle_at(box, name))
        draw_rectangle(x - size, y - size, x + size, y + size, colour)
    x, y, side = box
    draw_text(f"{side:.0f} px at {x:.0f}, {y:.0f}", corners[3][0], corners[3][1] - 18, 12, colour, context)


def draw_faces(frame: Frame, settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """The numbered faces, where there are several."""
    seen = found_faces.sighting_of(settings)
    if seen is None or len(seen.faces) < 2:
        return
    for number, face in enumerate(seen.faces, 1):
        left, top, width, height = face.box
        colour = CHOSEN if number == settings.face else FACE
        places = ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
        corners = [frame.to_region(*place) for place in places]
        draw_lines([*corners, corners[0]], colour, 2.0 if number == settings.face else 1.0)
        draw_text(str(number), corners[0][0] + 6, corners[0][1] - 26, 22, colour, context)


def _oval(frame: Frame, box: Box) -> list[tuple[float, float]]:
    """Where the head belongs."""
    x, y, side = box
    points = [(cos(tau * i / 64), sin(tau * i / 64)) for i in range(65)]
    return [
        frame.to_region(x + side * (OVAL[0] + OVAL[2] * right), y + side * (OVAL[1] + OVAL[3] * down))
        for right, down in points
    ]


def _shade(frame: Frame, corners: list[tuple[float, float]]) -> None:
    """Darken the portrait outside of the crop."""
    left, top = frame.to_region(0, 0)
    right, bottom = frame.to_region(frame.width, frame.height)
    x0, x1 = (min(max(x, left), right) for x in (corners[0][0], corners[1][0]))
    y0, y1 = (min(max(y, bottom), top) for y in (corners[2][1], corners[0][1]))
    for box in ((left, bottom, right, y0), (left, y1, right, top), (left, y0, x0, y1), (x1, y0, right, y1)):
        draw_rectangle(*box, SHADE)


def draw_rectangle(x0: float, y0: float, x1: float, y1: float, colour: tuple[float, ...]) -> None:
    """A filled rectangle."""
    if x1 > x0 and y1 > y0:
        _batch("TRI_STRIP", [(x0, y0), (x1, y0), (x0, y1), (x1, y1)], colour)


def draw_lines(points: list[tuple[float, float]], colour: tuple[float, ...], width: float) -> None:
    """A line through these points."""
    import gpu

    gpu.state.line_width_set(width)
    _batch("LINE_STRIP", points, colour)
    gpu.state.line_width_set(1.0)


def _batch(kind: str, points: list[tuple[float, float]], colour: tuple[float, ...]) -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_float("color", colour)
    batch_for_shader(shader, kind, {"pos": points}).draw(shader)
    gpu.state.blend_set("NONE")


def draw_text(
    text: str, x: float, y: float, size: float, colour: tuple[float, ...], context: bpy.types.Context
) -> None:
    """Text with a shadow; its size in points at normal interface scale."""
    import blf

    blf.size(0, size * context.preferences.system.ui_scale)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 3, 0.0, 0.0, 0.0, 0.9)
    blf.color(0, *colour)
    blf.position(0, x, y, 0)
    blf.draw(0, text)
    blf.disable(0, blf.SHADOW)
