# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the stand-in give what the animator sees? Found out by playing a few frames of the user's own scene.

Only where Python may have a hand in it (`stand_in.doubtful`), since the user's scene may take a third of a
second a frame. Playing a scene overwrites what was posed but not keyed with the values of the curves, so all
values that curves move are written down before and put back afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import bpy
import numpy as np

from ...core.wire.channels import CHANNELS
from ...core.wire.errors import InputError
from . import fcurves, stand_in

FRAMES = 3
CLOSE = 1e-3


def check(rig: bpy.types.Object, like: bpy.types.Scene, numbers: np.ndarray, weights: np.ndarray) -> None:
    """Compare weights [N, 36] that were read at scene frames [N] with the scene as it plays. Raises
    InputError, with the cause, where they differ.
    """
    why = stand_in.doubtful(rig, like) if len(numbers) else ""
    if not why:
        return
    with _as_before(rig, like):
        layer = _layer_with(rig, like)
        for row in (
            np.unique(np.linspace(0, len(numbers) - 1, FRAMES).astype(int)) if layer is not None else ()
        ):
            like.frame_set(int(numbers[row]))
            apart = np.abs(fcurves.weights_now(rig, layer.depsgraph) - weights[row])
            if apart.max() > CLOSE:
                raise InputError(
                    f"{why}, and EDTalk reads another {CHANNELS[int(apart.argmax())]} than Blender shows "
                    f"at frame {numbers[row]}",
                    hint="Bake the animation of the rig to keys (Animation > Bake Action), or let the driver "
                    "use variables. All frames are kept",
                )


def _layer_with(rig: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.ViewLayer | None:
    """A view layer in which the rig is evaluated, made visible for the moment."""
    if rig.hide_viewport:
        rig.hide_viewport = False
    for layer in scene.view_layers:
        layer.update()  # it may not know the rig yet
        if rig.name in layer.objects:
            return layer
    return None


@contextmanager
def _as_before(rig: bpy.types.Object, scene: bpy.types.Scene) -> Iterator[None]:
    """Play a scene, and leave everything as it was."""
    frame, hidden = (scene.frame_current, scene.frame_subframe), rig.hide_viewport
    values = list(_animated_values())
    try:
        yield
    finally:
        scene.frame_set(frame[0], subframe=frame[1])
        if rig.hide_viewport != hidden:
            rig.hide_viewport = hidden
        for owner, path, index, value in values:
            if _value(owner, path, index) != value:
                with suppress(AttributeError, TypeError, ValueError, RuntimeError):
                    _set(owner, path, index, value)


def _animated_values() -> Iterator[tuple[bpy.types.ID, str, int, object]]:
    """Every value that the curves of a local data-block's action move."""
    for pool in (
        bpy.data.objects,
        bpy.data.scenes,
        bpy.data.armatures,
        bpy.data.shape_keys,
        bpy.data.cameras,
    ):
        for owner in pool:
            data = owner.animation_data if owner.library is None else None
            if data is None or data.action is None or (fcurves.LAYERED and data.action_slot is None):
                continue
            slot = data.action_slot if fcurves.LAYERED else None
            for curve in fcurves.curves_seen(data.action, slot):
                value = _value(owner, curve.data_path, curve.array_index)
                if value is not None:
                    yield owner, curve.data_path, curve.array_index, value


def _value(owner: bpy.types.ID, path: str, index: int) -> object:
    try:
        found = owner.path_resolve(path)
        return found if isinstance(found, (bool, int, float)) else found[index]
    except (ValueError, TypeError, IndexError, KeyError):
        return None


def _set(owner: bpy.types.ID, path: str, index: int, value: object) -> None:
    """Custom properties end in `["name"]`, all others in `.name` or are the name."""
    if path.endswith('"]'):
        head, _, name = path[:-2].rpartition('["')
        (owner.path_resolve(head) if head else owner)[name] = value
        return
    head, _, name = path.rpartition(".")
    holder = owner.path_resolve(head) if head else owner
    field = getattr(holder, name)
    if isinstance(field, (bool, int, float)):
        setattr(holder, name, value)
    else:
        field[index] = value
