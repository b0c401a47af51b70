# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene that holds only a copy of the rig, in which its curves can be read at any frame in 0.05 ms.

The copy must give what the animator sees in the user's scene. So

- it is never hidden: Blender evaluates no animation of a hidden object, and riggers hide their controls;
- what the rig's drivers, constraints and parents read is copied with it, again and again, and the copies read
  each other. This keeps what was posed but not keyed on those objects, too: evaluating an object writes the
  values of the frame into it;
- a driver that reads the user's scene (its frame, a custom property) reads a copy of that scene, with
  nothing in it; where no driver does, an empty scene is enough;
- time remapping, which stretches all curves, is taken over.

What cannot be followed so is Python: a driver that looks at `bpy`, or a handler of another add-on that moves
the rig at each frame. `doubtful` names it, and `probe` finds out whether it makes a difference.

Traps: `scenes.remove` looks at the window, and in `blender -b file.blend --command ...` there is none:
Blender crashes. `batch_remove` does not look.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import bpy

# A scene named like this is ours; handlers that watch for edits must not look at it.
READING_SCENE = ".edtalk_reading"

FOLLOWED = {*dir(math), "frame", "self", "depsgraph", "lerp", "clamp", "smoothstep", "True", "False"}
FOLLOWED |= {"min", "max", "abs", "int", "float", "bool", "round", "pow", "sum", "len"}
"""Names in the expression of a driver that give the same in any scene."""

OURS = __package__.rpartition(".")[0]


@contextmanager
def alone(
    rig: bpy.types.Object, like: bpy.types.Scene
) -> Iterator[tuple[bpy.types.Scene, bpy.types.Object, bpy.types.Depsgraph]]:
    """A scene in the time of `like`, a copy of `rig` in it, and what evaluates them; gone afterwards."""
    copies: dict[bpy.types.ID, bpy.types.ID] = {}
    try:
        needed = _needed(rig, like)
        for one in needed:
            if one != like:
                copies[one] = one.copy()
        scene = copies[like] = _empty_copy(like) if _reads(needed, like) else _new_scene(like)
        for copy in list(copies.values()):
            for holder, field in references(copy):
                known = copies.get(getattr(holder, field))
                if known is not None:
                    setattr(holder, field, known)
        double = copies[rig]
        _let_be_seen(double)
        scene.collection.objects.link(double)
        layer = scene.view_layers.get(bpy.context.view_layer.name) or scene.view_layers[0]
        layer.update()
        yield scene, double, layer.depsgraph
        scene.frame_set(like.frame_current)
    finally:
        bpy.data.batch_remove(list(copies.values()))


def references(id_: bpy.types.ID) -> Iterator[tuple[bpy.types.bpy_struct, str]]:
    """Where a data-block names another one that moves it: (holder, name of its pointer)."""
    data = getattr(id_, "animation_data", None)
    for curve in data.drivers if data is not None else ():
        for variable in curve.driver.variables:
            for target in variable.targets if variable.type != "CONTEXT_PROP" else ():
                yield target, "id"
    if isinstance(id_, bpy.types.Object):
        yield id_, "parent"
        bones = id_.pose.bones if id_.pose is not None else ()
        for owner in (id_, *bones):
            for constraint in owner.constraints:
                if hasattr(constraint, "target"):
                    yield constraint, "target"


def doubtful(rig: bpy.types.Object, like: bpy.types.Scene) -> str:
    """What may move the rig in a manner that cannot be followed, as the beginning of a sentence; "" for
    nothing of the kind.
    """
    for one in _needed(rig, like):
        data = getattr(one, "animation_data", None)
        for curve in data.drivers if data is not None else ():
            if not curve.mute and _names(curve.driver) - FOLLOWED:
                return (
                    f"The driver of {curve.data_path} in {one.name} uses Python ({curve.driver.expression})"
                )
    for handlers in (bpy.app.handlers.frame_change_pre, bpy.app.handlers.frame_change_post):
        for handler in handlers:
            module = getattr(handler, "__module__", "") or ""
            if not module.startswith(OURS):
                return f"{module or 'A script'} does something at each change of the frame"
    return ""


def _needed(rig: bpy.types.Object, like: bpy.types.Scene) -> list[bpy.types.ID]:
    """The rig first, then what moves it and can be copied; objects, and all else that is animated itself."""
    found, waiting = [], [rig]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.append(one)
        for holder, field in references(one):
            other = getattr(holder, field)
            if isinstance(other, bpy.types.Object) or (
                other is not None
                and not isinstance(other, (bpy.types.Scene, bpy.types.Key))  # a key goes with its mesh
                and not other.is_embedded_data
                and getattr(other, "animation_data", None) is not None
            ):
                waiting.append(other)
            elif other == like and like not in found:
                found.append(like)
    return found


def _reads(needed: list[bpy.types.ID], like: bpy.types.Scene) -> bool:
    """Does any driver ask for the scene?"""
    drivers = [
        curve.driver
        for one in needed
        if one != like and getattr(one, "animation_data", None) is not None
        for curve in one.animation_data.drivers
    ]
    return like in needed or any(
        "depsgraph" in driver.expression or any(v.type == "CONTEXT_PROP" for v in driver.variables)
        for driver in drivers
    )


def _new_scene(like: bpy.types.Scene) -> bpy.types.Scene:
    scene = bpy.data.scenes.new(READING_SCENE)
    for field in ("fps", "fps_base", "frame_map_old", "frame_map_new"):
        setattr(scene.render, field, getattr(like.render, field))
    return scene


def _empty_copy(like: bpy.types.Scene) -> bpy.types.Scene:
    """All that a driver may ask a scene for, and nothing that takes time."""
    scene = like.copy()
    scene.name = READING_SCENE
    for child in list(scene.collection.children):
        scene.collection.children.unlink(child)
    for ob in list(scene.collection.objects):
        scene.collection.objects.unlink(ob)
    if scene.sequence_editor is not None:
        scene.sequence_editor_clear()
    if scene.rigidbody_world is not None:
        scene.rigidbody_world.enabled = False
    return scene


def _let_be_seen(double: bpy.types.Object) -> None:
    """Keys or a driver of its own may hide it as well; a driver is stronger than keys."""
    double.hide_viewport = False
    data = double.animation_data
    if data is not None:
        double.driver_remove("hide_viewport")
        double.driver_add("hide_viewport").driver.expression = "0"


def _names(driver: bpy.types.Driver) -> set[str]:
    """The names in a driver's expression besides its variables."""
    if driver.type != "SCRIPTED":
        return set()
    with suppress(SyntaxError, ValueError, RecursionError):
        tree = ast.parse(driver.expression.strip(), mode="eval")
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        return names - {variable.name for variable in driver.variables}
    return set()  # Blender cannot read it either, so it moves nothing
