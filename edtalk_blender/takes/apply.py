# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a take meets Blender's data: the motion goes onto the rig, the weights are read off it, the
pictures are shown. All of it looks up what it needs, and does nothing where that is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ...core.wire import messages, moments
from ...core.wire.errors import OutputBlocked
from ..face import fcurves, placing, rig, sliders, take_action, teeth, word_marks
from ..face.rig import find_object, find_scene
from ..pictures import image_sequence, take_folder
from ..server_process.jobs import push_undo
from ..settings import timing
from ..settings.properties import copy_settings
from . import edit_on_top, moved_files, origin, owners, retime, take_rows
from .request import Order, files_of

NAMELESS = "Face"
"""What a face is called until its first take gives it the portrait's name."""


@dataclass(frozen=True)
class Pictures:
    """Which pictures a take shall have: scene frames and what each is made from."""

    numbers: np.ndarray  # int64 [N] scene frames, rising
    weights: np.ndarray  # float32 [N, 36]
    shift: int
    crop: tuple[float, float, float]
    model: str
    fps: float
    first: int  # of the whole take, of which these may be a part
    origin: Mapping[str, object]  # what files say of that: `mark` and `origin` of `messages.Decode`
    mouths: teeth.Rows  # knobs of the mouth, one row a frame

    def files(self, fmt: str) -> list[str]:
        """Picture names, one a scene frame."""
        return [take_folder.file_name(int(number) + self.shift, fmt) for number in self.numbers]


def land_motion(
    order: Order,
    described: messages.Described,
    analyzed: messages.Analyzed,
    portrait_size: tuple[int, int],
    motion: np.ndarray,
    rate: float,
) -> bpy.types.Object | None:
    """Write a take's curves and settings onto the rig, making a rig when there is none. None without a
    scene.
    """
    scene = find_scene(order.scene)
    if scene is None:
        return None
    face = find_object(order.rig) if order.rig else None
    if face is None:
        face = rig.make_rig(scene, Path(order.portrait).stem)
        face.location, _ = placing.free_place(scene, face.location)
        copy_settings(scene.edtalk, face.edtalk)
        face.edtalk.checkpoint = order.checkpoint
        make_active(face, scene)
    elif not face.edtalk.take.name and face.name.partition(".")[0] == NAMELESS:
        face.name = face.data.name = Path(order.portrait).stem
    sliders.fit_to_checkpoint(face, described)
    edit_on_top.land(face, order.take, timing.key_frames(len(motion), order.start, order.fps, rate), motion)
    count = timing.frame_count(len(motion), order.fps, rate)
    begin_take(order, face, order.start, order.start + count - 1)
    word_marks.land(take_action.take_of(face), analyzed.phones)
    take = face.edtalk.take
    take.crop, take.model = analyzed.crop, analyzed.model
    take.width, take.height = portrait_size
    take.portrait, take.checkpoint = files_of(order)
    take.sound, take.clip, take.seed = analyzed.sound, analyzed.clip, order.motion["seed"]
    moved_files.make_portable(face.edtalk)
    face[rig.REST] = list(analyzed.source_weights)
    take_rows.note(face, order)
    return face


def stands_beside(order: Order) -> str:
    """The end of a sentence that says where a new face went when something stood at the cursor, else ""."""
    face, scene = find_object(order.rig), find_scene(order.scene)
    if face is None or scene is None or face.location == scene.cursor.location:
        return ""
    _, in_the_way = placing.free_place(scene, scene.cursor.location)
    return f"; the face stands beside {in_the_way}, which is at the 3D cursor" if in_the_way else ""


def begin_take(order: Order, face: bpy.types.Object, first: int, last: int) -> None:
    """Let the face wear a take of these scene frames whose pictures are still to be made; until the first is
    there, plane and strips go on with the take before. Its folder is made, lest another file takes the name.
    """
    take = face.edtalk.take
    with suppress(OutputBlocked):
        take_folder.make_folder(order.folder)
        owners.note(order.folder)
    if take.shown or take.before is None:
        take.before = take.image
    face.edtalk_takes.other = take.name
    take.name, take.shown = order.take, False
    take.sound, take.clip, take.seed = "", "", -1
    take.shift = timing.file_shift(first)
    take_rows.set_range(take, first, last)
    retime.note(face, first, order.fps)
    take.image = image_sequence.make_image(
        order.take, order.folder / take_folder.file_name(first + take.shift, order.format)
    )
    scene = find_scene(order.scene)
    if order.extend_scene and scene is not None:
        scene.frame_end = max(scene.frame_end, last)


def land_changes(
    order: Order, face: bpy.types.Object, described: messages.Described, seen: messages.Inspected | None
) -> None:
    """Bring the rig up to date with the panel before its frames are made again.

    `seen` is the portrait when it is another one than before. A rig that was copied from another one begins
    a take of its own, with a plane of its own; it has the other one's strips already.
    """
    take, changed = face.edtalk.take, False
    if seen is not None:
        take.portrait = take_folder.file_digest(order.portrait)
        take.width, take.height = seen.width, seen.height
        take.crop, changed = order.crop or seen.crop, True
    elif order.crop is not None and tuple(take.crop) != order.crop:
        take.crop, changed = order.crop, True
    if take.checkpoint != files_of(order)[1]:
        take.checkpoint, changed = files_of(order)[1], True
    if take.model != described.id:
        take.model, changed = described.id, True
        sliders.fit_to_checkpoint(face, described)
    if take.name != order.take or take.image is None:
        take.name, take.shown, changed = order.take, True, True
        take.image = image_sequence.make_image(
            order.take, order.folder / take_folder.file_name(take.first + take.shift, order.format)
        )
        scene = find_scene(order.scene)
        if order.make_plane and scene is not None and image_sequence.plane_of(face) is None:
            image_sequence.make_plane(face, scene)
    if take_rows.note(face, order) or changed:
        push_undo("EDTalk: Change Take")


def make_active(face: bpy.types.Object, scene: bpy.types.Scene) -> bool:
    """Select a rig alone, as every Add operator does; not while something else is edited, which is False. The
    context's own view layer may be another scene's, or gone, inside somebody's override.
    """
    shown = [w.view_layer for w in bpy.context.window_manager.windows if w.scene == scene]
    layer = shown[0] if shown else scene.view_layers[0]
    layer.update()
    if face.name not in layer.objects:
        return False
    if layer.objects.active is not None and layer.objects.active.mode != "OBJECT":
        return False
    for ob in list(layer.objects.selected):
        ob.select_set(False, view_layer=layer)
    layer.objects.active = face
    face.select_set(True, view_layer=layer)
    return face.select_get(view_layer=layer)


def numbers_of(face: bpy.types.Object, frames: frozenset[int] | None = None) -> np.ndarray:
    """The scene frames of the face's take, or those of them that are asked for, int64 [N]."""
    take = face.edtalk.take
    whole = take_folder.frames(take.first, take.last)
    numbers = np.arange(whole.start, whole.stop)
    return numbers if frames is None else numbers[np.isin(numbers, sorted(frames))]


def sample(
    face: bpy.types.Object, scene: bpy.types.Scene, fps: float, frames: frozenset[int] | None = None
) -> Pictures:
    """The rig's evaluated weights at the scene frames of its take, or at those of them that are asked for."""
    numbers = numbers_of(face, frames)
    return pictures_of(face, fps, numbers, *fcurves.read_rows(face, numbers, scene))


def pictures_of(
    face: bpy.types.Object, fps: float, numbers: np.ndarray, weights: np.ndarray, mouths: teeth.Rows
) -> Pictures:
    """The pictures of the face's take at these scene frames."""
    take = face.edtalk.take
    return Pictures(
        numbers=numbers,
        weights=weights,
        shift=take.shift,
        crop=tuple(take.crop),
        model=take.model,
        fps=fps,
        first=take.first,
        origin=origin.asked(face),
        mouths=mouths,
    )


def hidden(pictures: Pictures, motion: np.ndarray, rate: float, order: Order) -> list[str]:
    """A warning when NLA tracks or drivers keep the new take from showing as it was analysed; an edit layer,
    emotions and handles are meant to.
    """
    face, scene = find_object(order.rig), find_scene(order.scene)
    if face is None or scene is None or edit_on_top.base_strip(face) is not None:
        return []
    steps = np.maximum(moments.carried(pictures.numbers - order.start, order.fps, rate), 0)
    lower = np.clip(steps.astype(int), 0, len(motion) - 1)
    upper = np.minimum(lower + 1, len(motion) - 1)
    share = np.clip(steps - lower, 0, 1)[:, None]
    wanted = motion[lower] * (1 - share) + motion[upper] * share
    shown = fcurves.read_generated(face, pictures.numbers, scene)
    if np.abs(wanted - shown).max() < 0.01:
        return []
    old, new = scene.render.frame_map_old, scene.render.frame_map_new
    if old != new:
        return [
            f"Time Stretching ({old} to {new}) moves the curves of this take away from its frames and its "
            "sound: set both to 100 in Output > Frame Range, then press Render Changed"
        ]
    return ["NLA tracks or drivers of the rig change what this take shows"]
