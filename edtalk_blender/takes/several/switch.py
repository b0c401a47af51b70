# SPDX-License-Identifier: GPL-3.0-or-later
"""Wearing a take: the face changes over to it, or is muted, and whatever shows the face's pictures follows:
planes, compositor nodes, camera backgrounds, reference empties, and the strips of the sequencer, where the
takes that are not worn are muted. Hand keys of Edit on Top stay where they are.
"""

from __future__ import annotations

import bpy

from ...face import rig, take_action
from ...pictures import image_sequence, sequencer, workspace
from .. import display, status, take_rows

FAR = 1_000_000
"""A scene frame that no scene reaches: pictures that begin there show what lies before the first."""


def switch(face: bpy.types.Object, row: take_rows.EDTALK_TakeRow) -> None:
    """Let the face wear the take of a row: curves, panel, pictures."""
    take = face.edtalk.take
    if row.key == take.name:
        return
    name, before = take.name, take.image
    take_rows.save_to_row(face)
    take_action.wake(face)
    if row.action is not None:
        # A rig that was copied: the two are to be edited apart. Linked curves cannot be edited at all.
        if _wears_it(row.action, face) or row.action.library is not None:
            row.action = row.action.copy()
        take_action.wear(face, row.action)
    take_rows.copy_take(row.take, take)
    take.name = row.key
    take_rows.recall(face, row)
    face.edtalk_takes.other = name
    face.edtalk_takes.index = list(take_rows.rows_of(face)).index(row)
    if row.muted:
        take_action.rest(face)
    show(face, before, name)
    status.forget()


def _wears_it(action: bpy.types.Action, but: bpy.types.Object) -> bool:
    return any(ob != but and rig.is_face(ob) and take_action.take_of(ob) == action for ob in bpy.data.objects)


def mute(face: bpy.types.Object, row: take_rows.EDTALK_TakeRow, muted: bool) -> None:
    """Show the portrait at rest instead of a take, or the take again."""
    row.muted = muted
    if row.key != face.edtalk.take.name:
        return
    if muted:
        take_action.rest(face)
    else:
        take_action.wake(face)
    show(face, face.edtalk.take.image, row.key)
    status.forget()


def show(face: bpy.types.Object, before: bpy.types.Image | None, name: str) -> None:
    """Let everything that showed the take `name`, with the image `before`, show the one that is worn."""
    take, muted = face.edtalk.take, take_rows.is_muted(face)
    if not take.shown or take.image is None:  # it has no pictures yet; Render Changed shows them
        take.before = before
        for scene in cut_scenes():
            sequencer.mute_strips(scene, name)
        return
    timing = image_sequence.timing_of(face)
    if muted:
        timing = FAR, 1, timing[2]
    aspect = image_sequence.aspect_of(face)
    for plane in _planes(face, before):
        image_sequence.show_on_plane(plane, image_sequence.shown_image(face), aspect, *timing)
        plane.scale = (aspect, 1.0, 1.0)
    image_sequence.follow(before, take.image)
    image_sequence.set_timing_everywhere(take.image, *timing)
    workspace.show_take(face, before, timing)
    for scene in cut_scenes():
        _show_in_sequencer(face, scene, name, muted)


def _planes(face: bpy.types.Object, before: bpy.types.Image | None) -> list[bpy.types.Object]:
    """The face's picture planes: its children, and whatever else shows its pictures and is no other's."""
    shown = {before, face.edtalk.take.image} - {None}
    found, images = [], {one for image in shown for one, _ in take_rows.images_of(image)}
    for ob in bpy.data.objects:
        node = image_sequence.texture_of(ob)
        if node is None or (ob.parent != face and rig.is_face(ob.parent)):
            continue
        if ob.parent == face or node.image in images:
            found.append(ob)
    return found


def cut_scenes() -> list[bpy.types.Scene]:
    """The scenes of this file that have a sequencer."""
    return [scene for scene in bpy.data.scenes if scene.sequence_editor is not None and scene.library is None]


def _show_in_sequencer(face: bpy.types.Object, scene: bpy.types.Scene, name: str, muted: bool) -> None:
    take = face.edtalk.take
    old = sequencer.find_strips(scene, name) if name != take.name else []
    new = sequencer.find_strips(scene, take.name)
    if not new and any(not strip.mute for strip in old) and not muted:
        new = display.add_strips(face, scene)
    for strip in old:
        strip.mute = True
    for strip in new:
        strip.mute = muted
