# SPDX-License-Identifier: GPL-3.0-or-later
"""The crop as something to be taken hold of: which part of it a pointer is on, and where dragging leads.

Plain arithmetic, no bpy. A box is (x, y, side): left, top and side of a square in pixels of the portrait, y
downwards from the top edge, as in the panel and on the wire.
"""

from __future__ import annotations

Box = tuple[float, float, float]

SMALLEST = 16.0
INSIDE = 0.26
"""Share of the side that stays in the picture each way: the server wants a quarter, and rounds to pixels."""

HANDLES = {
    "NW": (-1, -1),
    "N": (0, -1),
    "NE": (1, -1),
    "W": (-1, 0),
    "E": (1, 0),
    "SW": (-1, 1),
    "S": (0, 1),
    "SE": (1, 1),
}
"""Handle -> on which side of the middle it lies, right and down."""
MOVE = "MOVE"


def handle_at(box: Box, handle: str) -> tuple[float, float]:
    """Where a handle lies."""
    x, y, side = box
    right, down = HANDLES[handle]
    return x + side * (right + 1) / 2, y + side * (down + 1) / 2


def part_at(box: Box, x: float, y: float, reach: float) -> str:
    """The part of a box at a place: a handle no farther than `reach` pixels, MOVE inside, "" outside. Where
    handles crowd, corners win, and a small box can still be moved by its middle.
    """
    reach = min(reach, box[2] / 3)
    corners_first = sorted(HANDLES, key=lambda name: -abs(HANDLES[name][0]) - abs(HANDLES[name][1]))
    for name in corners_first:
        at_x, at_y = handle_at(box, name)
        if abs(x - at_x) <= reach and abs(y - at_y) <= reach:
            return name
    inside = box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[2]
    return MOVE if inside else ""


def dragged(box: Box, part: str, right: float, down: float) -> Box:
    """The box after its part was dragged this far. A corner leaves the opposite one where it is, an edge the
    middle of the opposite one.
    """
    x, y, side = box
    if part == MOVE:
        return x + right, y + down, side
    sign_x, sign_y = HANDLES[part]
    if sign_x and sign_y:
        grown = side + max(sign_x * right, sign_y * down)
    else:
        grown = side + sign_x * right + sign_y * down
    grown = max(SMALLEST, grown)
    more = grown - side
    return x - more * (1 - sign_x) / 2, y - more * (1 - sign_y) / 2, grown


def kept(box: Box, width: int, height: int) -> Box:
    """A box in whole pixels that lies on a picture of this size as far as the server wants it to."""
    x, y, side = box
    side = float(round(min(max(side, SMALLEST), min(width, height) / INSIDE / 1.05)))
    return _kept(x, side, width), _kept(y, side, height), side


def _kept(start: float, side: float, length: int) -> float:
    need = INSIDE * side
    return float(round(min(max(start, need - side), length - need)))


def first_guess(width: int, height: int) -> Box:
    """A box to begin with where nothing is known: as large as fits, a little above the middle as portraits
    are.
    """
    side = float(min(width, height))
    return float(round((width - side) / 2)), float(round((height - side) / 3)), side
