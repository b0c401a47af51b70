# SPDX-License-Identifier: GPL-3.0-or-later
"""The takes of a face, as it remembers them: a row each, kept on the rig in the .blend.

The take that a face wears lives in its settings, as before; the other ones lie in their rows, with their
action, their pictures, and the settings they were made with, so that wearing one again finds everything as
it was. Files from before there were rows are read for what can still be known by `migrate`.

Trap: undo and file load replace data-blocks, so rows are named, and nothing keeps a reference to one.
"""

from __future__ import annotations

import json
from contextlib import suppress

import bpy

from ...core.wire.messages import PASSES
from ..face import take_action
from ..pictures import image_sequence, sequencer
from ..settings import files, paths
from ..settings.paths import absolute, found_again
from ..settings.properties import ACTS, OVERRIDABLE, EDTALK_Settings, EDTALK_Take, overridable

NOT_KEPT = {
    *("take", "folder", "start", "shows", "make_plane", "make_strips", "extend_scene", "show_marks"),
    *("write_origin", "shown", "permission", "asked"),
}
"""Settings of the scene, the display and the face, which a take does not bring back."""

PATHS = ("portrait", "audio", "driving", "checkpoint")


def _renamed(row: EDTALK_TakeRow, _context: bpy.types.Context) -> None:
    """A row was given another name: action, pictures and strips go by it from now on; the folder stays."""
    old, new = row.key, row.name.strip()
    if not old or new == old:
        return
    face = row.id_data
    others = {other.key for other in rows_of(face) if other.key != old}
    if not new or new in others:
        row.name = old  # which comes back here, and leaves at once
        return
    row.key = new
    if row.name != new:
        row.name = new
    take = face.edtalk.take if face.edtalk.take.name == old else row.take
    for image in {take.image, row.take.image} - {None}:
        for one, suffix in images_of(image):
            if one.library is None:
                one.name = f"{new}{suffix}"
    if row.action is not None and row.action.library is None:
        row.action.name = new
    for scene in bpy.data.scenes:
        if scene.sequence_editor is not None:
            for strip in sequencer.find_strips(scene, old):
                strip["edtalk_take"] = new
                strip.name = new if strip.type == "IMAGE" else f"{new} Sound"
    row.take.name = new
    take.name = new
    if face.edtalk_takes.other == old:
        face.edtalk_takes.other = new


@overridable
class EDTALK_TakeRow(bpy.types.PropertyGroup):
    """A take of a face"""

    name: bpy.props.StringProperty(
        name="Take", description="Name of the take in this file; its folder keeps its own", update=_renamed
    )
    key: bpy.props.StringProperty(description="The name before it is changed")
    action: bpy.props.PointerProperty(type=bpy.types.Action, description="The take's curves")
    take: bpy.props.PointerProperty(type=EDTALK_Take)
    made_of: bpy.props.StringProperty(description="The settings it was made with, as JSON")
    stale: bpy.props.IntProperty(
        description="Frames out of date when it was last worn, -1: unknown", default=-1
    )
    muted: bpy.props.BoolProperty(
        name="Mute", description="Show the portrait at rest; nothing of the take is lost"
    )


@overridable
class EDTALK_Takes(bpy.types.PropertyGroup):
    """All takes of a face"""

    rows: bpy.props.CollectionProperty(type=EDTALK_TakeRow)
    index: bpy.props.IntProperty(name="Take", description="The take that the buttons beside the list are for")
    other: bpy.props.StringProperty(description="The take that was worn before, for A/B")
    beside: bpy.props.PointerProperty(
        type=bpy.types.Object, description="The plane that shows another take beside the face"
    )


def rows_of(face: bpy.types.Object) -> bpy.types.CollectionProperty:
    """The rows of a face."""
    return face.edtalk_takes.rows


def row_named(face: bpy.types.Object, name: str) -> EDTALK_TakeRow | None:
    """The row of a take, None when it is not listed."""
    return next((row for row in rows_of(face) if row.key == name), None)


def worn_row(face: bpy.types.Object) -> EDTALK_TakeRow | None:
    """The row of the take that the face wears."""
    return row_named(face, face.edtalk.take.name) if face.edtalk.take.name else None


def is_muted(face: bpy.types.Object) -> bool:
    """Is the take that the face wears muted?"""
    row = worn_row(face)
    return row is not None and row.muted


def take_in(face: bpy.types.Object, row: EDTALK_TakeRow) -> EDTALK_Take:
    """What is known of a take: in the face's settings while it is worn, else in its row."""
    return face.edtalk.take if row.key == face.edtalk.take.name else row.take


def images_of(image: bpy.types.Image) -> list[tuple[bpy.types.Image, str]]:
    """A take's image and those of its passes, each with what its name has after the take's."""
    found = [(image_sequence.pass_of(image, name), f" {name.title()}") for name in PASSES]
    return [(image, ""), *((one, suffix) for one, suffix in found if one is not None)]


def copy_take(source: EDTALK_Take, target: EDTALK_Take) -> None:
    """Copy all that is known of a take. The range goes in an order in which no number is tidied away."""
    for name in EDTALK_Take.__annotations__:
        if name not in {"first", "last"}:
            setattr(target, name, getattr(source, name))
    set_range(target, source.first, source.last)


def set_range(take: EDTALK_Take, first: int, last: int) -> None:
    """Set first and last scene frame; a last frame must never lie before the first, meanwhile neither."""
    if first > take.first:
        take.last, take.first = max(last, take.last), first
    else:
        take.first = first
    take.last = last


def note(face: bpy.types.Object, order=None) -> bool:
    """The face wears a take, new or changed: write what it is made of into its row. Gives back whether
    anything was written. `order` is what it was made by, if it was made just now.
    """
    take = face.edtalk.take
    if not take.name:
        return False
    row, made_of = row_named(face, take.name), _made_of(face, order)
    if row is None:
        row = new_row(face, take.name)
        face.edtalk_takes.index = len(rows_of(face)) - 1
    elif row.made_of == made_of and row.action is not None:
        return False
    row.made_of = made_of
    row.action = row.action or take_action.take_of(face)
    copy_take(take, row.take)
    return True


def new_row(face: bpy.types.Object, name: str) -> EDTALK_TakeRow:
    """One more, at the end, of a take of this name."""
    row = rows_of(face).add()
    row.name = name  # while it has no key, naming it renames nothing
    row.key = name
    return row


def _made_of(face: bpy.types.Object, order=None) -> str:
    settings, kept = face.edtalk, {}
    for name in EDTALK_Settings.__annotations__:
        if name in NOT_KEPT:
            continue
        value = getattr(settings, name)
        if order is not None and name in PATHS:  # the panel may say something else by now
            value = getattr(order, name)
        if name in PATHS:
            value = [paths.short_path(value), absolute(value)] if value else ""
        if isinstance(value, set):
            value = sorted(value)
        elif not isinstance(value, (str, int, float, bool)):
            value = list(value)
        kept[name] = value
    return json.dumps(kept, sort_keys=True)


def settings_in(row: EDTALK_TakeRow) -> dict[str, object]:
    """The settings a take was made with, as far as they are known."""
    try:
        found = json.loads(row.made_of or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    found = {"marks": "", **found} if found else found  # takes of before there were marks had none
    for name in PATHS:
        if isinstance(found.get(name), list):
            found[name] = _path_now(found[name])
    return found


def _path_now(known: list[str]) -> str:
    """A file that was known by these paths, where it is by now: the project may have been moved, or saved
    elsewhere.
    """
    for path in known:
        if files.is_regular(absolute(path)):
            return paths.short_path(absolute(path))
    return found_again(known[0]) or known[0] if known else ""


def recall(face: bpy.types.Object, row: EDTALK_TakeRow) -> None:
    """Set the panel to what a take was made with; settings of another version of EDTalk are passed over."""
    for name, value in settings_in(row).items():
        if name in EDTALK_Settings.__annotations__ and name not in NOT_KEPT:
            with suppress(TypeError, ValueError):
                is_set = isinstance(getattr(face.edtalk, name), set)
                setattr(face.edtalk, name, set(value) if is_set else value)


def save_to_row(face: bpy.types.Object) -> None:
    """Write the state of the take that the face shows into its row, before another take is shown."""
    take = face.edtalk.take
    if not take.name:
        return
    row = worn_row(face) or (note(face) and worn_row(face))
    copy_take(take, row.take)
    action = take_action.take_of(face)
    if action is not None and not any(other.action == action for other in rows_of(face) if other != row):
        row.action = action
    stale = ACTS["count"](face)
    row.stale = -1 if stale is None else stale


def register() -> None:
    """Hang the rows on objects; called after the classes are known."""
    bpy.types.Object.edtalk_takes = bpy.props.PointerProperty(type=EDTALK_Takes, override=OVERRIDABLE)


def unregister() -> None:
    """The reverse of `register`."""
    del bpy.types.Object.edtalk_takes


CLASSES = (EDTALK_TakeRow, EDTALK_Takes)
