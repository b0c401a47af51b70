# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's pictures in the scene: plane, strips and images show what there is of them, from where it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy

from ...core.wire.errors import OutputBlocked, OutputExists
from ..face.rig import find_object, find_scene
from ..pictures import image_sequence, sequencer, take_folder, workspace
from ..server_process.jobs import push_undo
from ..settings import paths
from ..settings.properties import ACTS
from . import owners, take_rows, undo_steps
from .apply import Pictures
from .request import Order, base_folder, temporary_folder


def show_other_pass(settings: bpy.types.PropertyGroup) -> None:
    """Picture or face with alpha: let everything that shows a face's take show what its settings say now."""
    face, image = settings.id_data, settings.take.image
    if image is None:
        return
    shown, face_pass = image_sequence.shown_image(face), image_sequence.pass_of(image, "face")
    plane = image_sequence.plane_of(face)
    if plane is not None:
        image_sequence.show_take_on_plane(face, plane)
    for other in {image, face_pass} - {shown, None}:
        for holder, attribute, _ in list(image_sequence.users_of(other)):
            setattr(holder, attribute, shown)
    image_sequence.set_timing_everywhere(image, *image_sequence.timing_of(face))


ACTS["pass"] = show_other_pass


def add_strips(face: bpy.types.Object, scene: bpy.types.Scene) -> list:
    """Put the face's take into the sequencer of `scene`."""
    take, settings = face.edtalk.take, face.edtalk
    return sequencer.add_strips(
        scene,
        take.name,
        image_sequence.folder_of(take.image),
        _file_numbers(take),
        take.first,
        settings.format,
        settings.audio,
    )


def _file_numbers(take) -> range:
    numbers = take_folder.frames(take.first, take.last)
    return range(numbers.start + take.shift, numbers.stop + take.shift)


def show_take(order: Order, pictures: Pictures, arrived: int) -> None:
    """Let image, plane and strips show the take as far as it has arrived.

    Plane and strips are made once for a take; an animator who deletes them does not get them back. Trap:
    undo keeps a data-block as it is when it believes that nothing happened to it since the last undo step.
    A pointer set behind its back then leads to freed memory, so every change but that of a number is
    pushed at once, and what is pushed is how it shall be in the end.
    """
    if order.frames is not None:
        return  # a part of a take says nothing about how the whole stands
    face, scene = find_object(order.rig), find_scene(order.scene)
    if face is None or scene is None or face.edtalk.take.name != order.take or face.edtalk.take.image is None:
        return
    take, changed = face.edtalk.take, False
    step = undo_steps.GENERATE if take.landing else "EDTalk: Render Changed"
    take.landing = False
    path = order.folder / take_folder.file_name(int(pictures.numbers[0]) + pictures.shift, order.format)
    if image_sequence.file_of(take.image) != path:
        image_sequence.move_image(take.image, path)
        changed = True
    if not take.shown:
        if order.make_plane and image_sequence.plane_of(face) is None:
            image_sequence.make_plane(face, scene)
            workspace.look_at(face)
        strips = find_scene(order.strips)
        if strips is not None and strips.sequence_editor is not None:
            for row in take_rows.rows_of(face):
                sequencer.mute_strips(strips, row.key)
        if order.make_strips and strips is not None:
            add_strips(face, strips)
        image_sequence.follow(take.before, take.image)
        workspace.show_take(face, timing=image_sequence.timing_of(face, arrived))
        take.shown = changed = True
    changed |= _fit_strips(face, path.parent)
    plane = image_sequence.plane_of(face)
    if plane is not None and image_sequence.texture_of(plane).image != image_sequence.shown_image(face):
        changed = True
    if changed:
        if plane is not None:
            image_sequence.show_take_on_plane(face, plane)
        image_sequence.set_timing_everywhere(take.image, *image_sequence.timing_of(face))
        push_undo(step)
    if plane is not None:
        image_sequence.show_take_on_plane(face, plane, arrived)
    image_sequence.set_timing_everywhere(take.image, *image_sequence.timing_of(face, arrived))
    workspace.set_timing(face, image_sequence.timing_of(face, arrived))


def _fit_strips(face: bpy.types.Object, folder: Path) -> bool:
    """Let the strips of a take play all its frames, in the format they have by now."""
    take, changed = face.edtalk.take, False
    numbers = _file_numbers(take)
    for scene in bpy.data.scenes:
        if scene.sequence_editor is not None and scene.library is None:
            for strip in sequencer.find_strips(scene, take.name):
                if strip.type == "IMAGE":
                    changed |= sequencer.fit_strip(strip, folder, numbers, face.edtalk.format)
    return changed


def refresh_take(order: Order) -> None:
    """Make Blender read the take's pictures again."""
    face, strips = find_object(order.rig), find_scene(order.strips)
    image = face.edtalk.take.image if face is not None else None
    sequencer.refresh(image, strips, order.take)


def is_temporary(face: bpy.types.Object) -> bool:
    """Was the face's take made before its file was saved?"""
    image = face.edtalk.take.image
    if image is None:
        return False
    parent, here = image_sequence.folder_of(image).parent, temporary_folder()
    return parent in (here, here.with_name("edtalk"))  # as it was called before 0.2


def bring_beside_file(face: bpy.types.Object) -> Path:
    """Bring a temporary take to where it would be had the file been saved; gives back the new folder.

    The temporary files stay, since an undo makes the image point to them again. Raises OutputBlocked or
    OutputExists when the frames cannot go there.
    """
    take = face.edtalk.take
    old, new = image_sequence.folder_of(take.image), base_folder(face.edtalk)[0] / take.name
    if new.exists():
        raise OutputExists(f"{new} exists already", hint="Choose another output folder")
    take_folder.make_folder(new.parent)
    try:
        shutil.copytree(old, new)
    except OSError as error:
        raise OutputBlocked(f"The frames could not be copied to {new}: {error}") from error
    owners.note(new)
    move_take(face, new)
    return new


def move_take(face: bpy.types.Object, folder: Path) -> None:
    """Let everything that shows the face's take read its files in another folder."""
    take = face.edtalk.take
    first = take.first + take.shift
    suffix = image_sequence.file_of(take.image).suffix
    name = take_folder.file_name(first, face.edtalk.format)
    image_sequence.move_image(take.image, folder / (Path(name).with_suffix(suffix) if suffix else name))
    for scene in bpy.data.scenes:
        if scene.sequence_editor is not None and scene.library is None:
            for strip in sequencer.find_strips(scene, take.name):
                if strip.type == "IMAGE":
                    strip.directory = paths.short_path(folder)
