# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy to Shape Keys: the curves of a face drive a 3D character, by drivers or by baked keys.

Drivers follow the face as it is animated, emotions, handles and hand edits included. Baked keys are a take's
values at its frames, in an action of their own: for a character that goes to another program. What was
recognised, what was not and what has nothing to follow is written into a text, "EDTalk Shape Keys".
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from ..face import controls, fcurves, rig
from ..takes.exchange import weights as exchange
from . import shape_formula, shape_names

REPORT = "EDTalk Shape Keys"


def meshes_of(target: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes of a character that have shape keys: the object itself, and all below it."""
    found = [target, *target.children_recursive]
    return [ob for ob in found if ob.type == "MESH" and ob.data.shape_keys is not None]


def _is_ours(driver: bpy.types.FCurve) -> bool:
    """Does a driver follow a face rig?"""
    targets = [target for variable in driver.driver.variables for target in variable.targets]
    return bool(targets) and all(rig.is_face(target.id) for target in targets)


def _driver_of(keys: bpy.types.Key, name: str) -> bpy.types.FCurve | None:
    data = keys.animation_data
    path = f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'
    return data.drivers.find(path) if data is not None else None


def all_drivers(meshes: list[bpy.types.Object]) -> Iterator[tuple[bpy.types.Key, str]]:
    """Every shape key that follows a face."""
    for mesh in meshes:
        for block in mesh.data.shape_keys.key_blocks:
            driver = _driver_of(mesh.data.shape_keys, block.name)
            if driver is not None and _is_ours(driver):
                yield mesh.data.shape_keys, block.name


def _drive(face: bpy.types.Object, block: bpy.types.ShapeKey, gains: np.ndarray) -> None:
    text, variables = shape_formula.expression(face, gains)
    block.driver_remove("value")
    driver = block.driver_add("value").driver
    driver.type = "SCRIPTED"
    for name, path in variables:
        variable = driver.variables.new()
        variable.name, variable.type = name, "SINGLE_PROP"
        variable.targets[0].id_type = "OBJECT"
        variable.targets[0].id = face
        variable.targets[0].data_path = path
    driver.expression = text


class Tally:
    """What happened to the shape keys of a character."""

    def __init__(self) -> None:
        self.moved: dict[str, str] = {}
        self.idle: list[str] = []
        self.kept: list[str] = []
        self.unknown: list[str] = []
        self.missing: list[str] = []
        self.kind = ""
        self.baked = False

    def text(self, face: bpy.types.Object, target: bpy.types.Object) -> str:
        """For the text data-block."""
        lines = [f"{target.name} follows {face.name}: names of {self.kind}", ""]
        lines += [f"{own}  <-  {known}" for own, known in self.moved.items()]
        for title, names in (
            ("Found, but nothing of the face moves them", self.idle),
            ("Left as they are: they have drivers or keys of their own", self.kept),
            ("Not recognised", self.unknown),
            ("The character does not have", self.missing),
        ):
            if names:
                lines += ["", f"{title}:", *(f"    {name}" for name in names)]
        return "\n".join(lines) + "\n"

    def sentence(self, target: bpy.types.Object) -> str:
        """For the status bar."""
        done = "are keyed" if self.baked else "follow the face"
        parts = [f"{len(self.moved)} shape keys of {target.name} {done} ({self.kind})"]
        if self.kept:
            parts.append(f"{len(self.kept)} have drivers or keys of their own and were left alone")
        if self.idle:
            parts.append(f"{len(self.idle)} have nothing to follow")
        if self.missing:
            parts.append(f"{len(self.missing)} of {self.kind} are missing")
        return "; ".join(parts) + f". The text {REPORT} lists them"


def copy(
    face: bpy.types.Object,
    target: bpy.types.Object,
    scene: bpy.types.Scene,
    way: str,
    kind: str,
    strength: float,
    replace: bool,
) -> Tally:
    """Let a character follow a face; gives back what was done to which shape key. Raises InputError."""
    known, tally, meshes = controls.gains_of(face), Tally(), meshes_of(target)
    every = [block.name for mesh in meshes for block in _blocks(mesh)]
    match = shape_names.recognise(dict.fromkeys(every), kind)
    tally.kind = "ARKit" if match.kind == "ARKIT" else "visemes"
    tally.baked = way == "BAKE"
    tally.unknown, tally.missing = list(match.unknown), list(match.missing)
    frames = exchange.range_of(face, scene)
    total = fcurves.read_weights(face, frames, scene) if tally.baked else None
    for mesh in meshes:
        keys, curves = mesh.data.shape_keys, None
        for block in _blocks(mesh):
            if block.name not in match.found:
                continue
            gains = shape_formula.gains_of(match.table[match.found[block.name]], known, strength)
            if not np.abs(gains).max() >= shape_formula.SMALL:
                tally.idle.append(block.name)
            elif _is_taken(keys, block.name, way) and not replace:
                tally.kept.append(block.name)
            elif way == "DRIVERS":
                _drive(face, block, gains)
                tally.moved[block.name] = match.found[block.name]
            else:
                block.driver_remove("value")
                curves = curves if curves is not None else _curves_for(keys, face)
                _key(curves, block.name, frames, shape_formula.values(total, gains))
                tally.moved[block.name] = match.found[block.name]
        keys.update_tag()
    return tally


def _blocks(mesh: bpy.types.Object) -> list[bpy.types.ShapeKey]:
    """All shape keys but the one the others count from."""
    keys = mesh.data.shape_keys
    return [block for block in keys.key_blocks if block != keys.reference_key]


def _is_taken(keys: bpy.types.Key, name: str, way: str) -> bool:
    """Is a shape key moved by something that is not ours? Baking makes an action of its own, so keys in the
    one before are in nobody's way.
    """
    driver = _driver_of(keys, name)
    if driver is not None:
        return not _is_ours(driver)
    data = keys.animation_data
    if way == "BAKE" or data is None or data.action is None:
        return False
    slot = data.action_slot if fcurves.LAYERED else None
    if fcurves.LAYERED and slot is None:
        return False
    path = f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'
    return fcurves.curves_in(data.action, slot).fcurves.find(path) is not None


def _curves_for(keys: bpy.types.Key, face: bpy.types.Object):
    """A fresh action for a mesh's shape keys; the one before is kept, and what else it moves goes on: its
    curves for other keys are copied over.
    """
    data = keys.animation_data or keys.animation_data_create()
    name = f"{face.edtalk.take.name or face.name} Shape Keys"
    if data.action is not None:
        data.action.use_fake_user = True
        slot = data.action_slot.identifier if fcurves.LAYERED and data.action_slot is not None else ""
        action = data.action.copy()
        action.name = name
        data.action = action
        if slot:
            data.action_slot = action.slots[slot]
    else:
        data.action = bpy.data.actions.new(name)
    if fcurves.LAYERED and data.action_slot is None:
        data.action_slot = data.action.slots.new(id_type="KEY", name=keys.name)
    return fcurves.curves_in(data.action, data.action_slot if fcurves.LAYERED else None)


def _key(curves, name: str, frames: range, values: np.ndarray) -> None:
    path = f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'
    old = curves.fcurves.find(path)
    if old is not None:
        curves.fcurves.remove(old)
    curve = curves.fcurves.new(path)
    points = np.stack([np.asarray(frames, np.float32), values.astype(np.float32)], axis=1)
    curve.keyframe_points.add(len(points))
    curve.keyframe_points.foreach_set("co", points.ravel())
    kinds = (("interpolation", fcurves.LINEAR), ("type", fcurves.GENERATED))
    for attribute, value in kinds:
        curve.keyframe_points.foreach_set(attribute, np.full(len(points), value, np.int32))
    curve.update()
