# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a new face stands: at the 3D cursor, as all that Blender adds, unless something is there already. In
Blender's default scene that is the cube, and a picture inside a cube is a face nobody sees.
"""

from __future__ import annotations

import bpy
from mathutils import Vector

REACH = Vector((1.0, 0.15, 1.3))
"""Half the size of the room that rig and square picture plane need around the rig."""
GAP = 0.5
UNSEEN = {"ARMATURE", "CAMERA", "EMPTY", "LATTICE", "LIGHT", "LIGHT_PROBE", "SPEAKER"}
TRIES = 50


def free_place(scene: bpy.types.Scene, at: Vector) -> tuple[Vector, str]:
    """The free place nearest to `at`, going right (+X), and the name of what is in the way at `at`, "" when
    nothing is. Looks at bounding boxes; gives up and stays where a scene is full.
    """
    boxes = _boxes(scene)
    place, in_the_way = at.copy(), ""
    for _ in range(TRIES):
        hit = next((box for box in boxes if _meet(place, box)), None)
        if hit is None:
            return place, in_the_way
        name, _, high = hit
        in_the_way = in_the_way or name
        place.x = high.x + REACH.x + GAP
    return at.copy(), ""


def _boxes(scene: bpy.types.Scene) -> list[tuple[str, Vector, Vector]]:
    """Name, lowest and highest corner of everything that is seen in the scene."""
    found = []
    for ob in scene.objects:
        if (ob.type not in UNSEEN and not ob.hide_render) or _is_picture(ob):
            corners = [ob.matrix_world @ Vector(corner) for corner in _corners(ob)]
            low = Vector(min(corner[axis] for corner in corners) for axis in range(3))
            high = Vector(max(corner[axis] for corner in corners) for axis in range(3))
            found.append((ob.name, low, high))
    return found


def _is_picture(ob: bpy.types.Object) -> bool:
    return ob.type == "EMPTY" and ob.empty_display_type == "IMAGE"


def _corners(ob: bpy.types.Object) -> list:
    if not _is_picture(ob):
        return list(ob.bound_box)
    half = ob.empty_display_size / 2  # of the longer side; Blender keeps no box of an empty
    return [(x, y, 0.0) for x in (-half, half) for y in (-half, half)]


def _meet(place: Vector, box: tuple[str, Vector, Vector]) -> bool:
    _, low, high = box
    return all(
        low[axis] < place[axis] + REACH[axis] and high[axis] > place[axis] - REACH[axis] for axis in range(3)
    )
