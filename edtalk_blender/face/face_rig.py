# SPDX-License-Identifier: GPL-3.0-or-later
"""A face rig for scripts: found again at each use, with its evaluated weights and its sliders by name.

A reference to an object is invalid after undo and after another file was opened, and using it may crash
Blender. So `FaceRig` keeps the object's session uid, which undo does not change, and looks it up each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import bpy
import numpy as np

from ...core.wire.channels import CHANNELS
from ...core.wire.errors import InputError
from . import fcurves, rig, sliders

FRAME_LIMIT = 1_048_574
"""Blender's scene frames lie within this on either side."""


class UnknownSlider(InputError, KeyError):
    """No emotion or handle of this name. A KeyError too, so that `in` and `get` work as with any mapping."""


class FaceRig:
    """One face rig of the current scene.

    Args:
        face: name of the rig, the rig itself, or None for the active one or the only one of the scene.

    Every method and property raises InputError when the rig was deleted, or is in another scene or file.
    """

    def __init__(self, face: str | bpy.types.Object | None = None) -> None:
        scene = bpy.context.scene
        faces = {one.name: one for one in rig.faces_in(scene)}
        if face is None:
            found, wrong = rig.active_face(bpy.context), f"There is no active face rig in {scene.name}"
        elif isinstance(face, str):
            found, wrong = faces.get(face), f"There is no face rig called {face} in {scene.name}"
        else:
            found, wrong = face, "This is no face rig"
        try:
            usable = isinstance(found, bpy.types.Object) and rig.is_face(found)
        except ReferenceError:  # Blender's word for an object that was deleted
            usable = False
        if not usable:
            hint = f"It has {', '.join(faces)}" if faces else "Make one with Face.make(portrait, audio)"
            raise InputError(wrong, hint)
        self.uid: int = found.session_uid

    def __repr__(self) -> str:
        found = rig.find_object(self.uid)
        return f"<{type(self).__name__} {found.name!r}>" if found is not None else "<Face, deleted>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FaceRig) and other.uid == self.uid

    def __hash__(self) -> int:
        return hash(self.uid)

    @property
    def object(self) -> bpy.types.Object:
        """The rig. Do not keep it: ask for it again after anything that may be undone."""
        found, scene = rig.find_object(self.uid), bpy.context.scene
        if not rig.is_face(found):
            raise InputError(
                "This face rig is gone: it was deleted, or another file was opened",
                hint="Make a new Face() from what the scene holds now",
            )
        if scene not in found.users_scene:
            raise InputError(
                f"{found.name} is not in the scene {scene.name}", hint="Open a scene that has it"
            )
        return found

    @property
    def name(self) -> str:
        """Name of the rig."""
        return self.object.name

    @property
    def settings(self) -> bpy.types.PropertyGroup:
        """What the panel shows for this face: `face.settings.portrait`, `.size`, `.emotion` ..."""
        return self.object.edtalk

    @property
    def frames(self) -> range:
        """Scene frames of the take, the last one included; empty before the first take."""
        take = self.settings.take
        return range(take.first, take.last + 1) if take.name else range(0)

    @property
    def emotions(self) -> Sliders:
        """Emotion -> its value now, 0 to 1. They can be set and keyed."""
        return Sliders(self, "emotion")

    @property
    def handles(self) -> Sliders:
        """Handle -> its value now; degrees for those that turn something. They can be set and keyed."""
        return Sliders(self, "handle")

    def weights(self, frames: float | Iterable[float] | None = None) -> np.ndarray:
        """Total weights float32 [N, 36] at scene frames, whole or between; the columns are
        `core.wire.channels.CHANNELS`. This is what pictures are made from: curves, drivers, NLA, emotions and
        handles.

        Args:
            frames: one frame or several; None for those of the take.

        Raises InputError for a frame that no scene has.
        """
        found = self.object
        wanted = self.frames if frames is None else frames
        try:
            numbers = np.atleast_1d(np.asarray(wanted if np.isscalar(wanted) else list(wanted), np.float64))
        except (TypeError, ValueError):
            numbers = np.array([[np.nan]])
        if numbers.ndim != 1 or not (np.abs(numbers) <= FRAME_LIMIT).all():
            raise InputError(
                "Frames are numbers within a million", hint="weights(101) or weights(range(1, 50))"
            )
        if not len(numbers):
            return np.empty((0, len(CHANNELS)), np.float32)
        return fcurves.read_weights(found, numbers, bpy.context.scene)


class Sliders(Mapping[str, float]):
    """The emotions or the handles of a face, by name.

    face.emotions["happy"] = 0.5            # now
    face.handles.key("yaw", 10, frame=120)  # and as a key in the curves
    """

    def __init__(self, face: FaceRig, bone: str) -> None:
        self._face, self._bone = face, bone

    def __iter__(self) -> Iterator[str]:
        return (name for bone, name in sliders.names_of(self._face.object) if bone == self._bone)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __getitem__(self, name: str) -> float:
        return float(self._pose_bone(name)[name])

    def __setitem__(self, name: str, value: float) -> None:
        bone = self._pose_bone(name)
        bone[name] = self._checked(bone, name, value)
        self._face.object.update_tag()

    def key(self, name: str, value: float, frame: float | None = None) -> None:
        """Insert a key of this value, at the scene's frame when no other is given. It goes where a key set by
        hand goes: into the layer of Edit on Top while there is one.

        Raises InputError for an unknown name, a value out of range, a linked face, a frame that no scene has.
        """
        bone, scene = self._pose_bone(name), bpy.context.scene
        number = scene.frame_current_final if frame is None else _number(frame, "A frame")
        if abs(number) > FRAME_LIMIT:
            raise InputError("A frame is a number within a million")
        before, bone[name] = bone[name], self._checked(bone, name, value)
        try:
            made = bone.keyframe_insert(f'["{name}"]', frame=number, group=self._bone)
        except (RuntimeError, TypeError) as error:  # Blender says why: an action that is linked, for one
            bone[name] = before
            raise InputError(str(error).strip().splitlines()[0]) from error
        if not made:
            bone[name] = before
            raise InputError(f"Blender inserted no key of {name}", hint="Is its curve locked or linked?")
        if number != scene.frame_current_final:
            bone[name] = before
        self._face.object.update_tag()

    def _pose_bone(self, name: str) -> bpy.types.PoseBone:
        if name not in list(self):
            known = ", ".join(self) or "none: press Update Face"
            raise UnknownSlider(
                f"{self._face.name} has no {self._bone} called {name}", hint=f"It has {known}"
            )
        return self._face.object.pose.bones[self._bone]

    def _checked(self, bone: bpy.types.PoseBone, name: str, value: float) -> float:
        """The value as a number in the slider's range. Blender checks that for its own buttons only."""
        if reason := rig.why_not_ours(self._face.object):
            raise InputError(reason)
        number, limits = _number(value, name), bone.id_properties_ui(name).as_dict()
        low, high = limits["min"], limits["max"]
        if not low <= number <= high:
            raise InputError(f"{name} is {low:g} to {high:g}, not {number:g}")
        return number


def _number(value: float, what: str) -> float:
    try:
        number = float(value) if not isinstance(value, str) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{what} is a number, not {value!r}")
    return number
