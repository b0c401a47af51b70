# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen in a portrait: its faces, numbered from 1 from the left, and the crop that suits each.

Find Face asks the server once and keeps the answer in the .blend, with a digest of the portrait, so that a
retouched or another portrait is not framed by what was seen in the one before. Generate looks anyway and
leaves its answer here too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path

import bpy

from ...core.wire import messages
from ...core.wire.errors import NoFace, SeveralFaces
from ..face import rig
from ..pictures import take_folder
from ..server_process import jobs
from ..server_process.supervisor import ask, ready_server
from ..settings.paths import absolute
from ..settings.properties import ACTS, OVERRIDABLE, overridable
from . import crop_box
from .crop_box import Box

UNTOUCHED = (0.0, 0.0, 256.0)
"""The crop that the settings begin with: nobody has set one."""


@overridable
class EDTALK_SeenFace(bpy.types.PropertyGroup):
    """A face in a portrait"""

    box: bpy.props.FloatVectorProperty(size=4, description="Left, top, width and height of the face, pixels")
    crop: bpy.props.FloatVectorProperty(size=3, description="Left, top and side of the square to show")
    marks: bpy.props.StringProperty(description="The marks that were read, see `face_marks`")


@overridable
class EDTALK_Sighting(bpy.types.PropertyGroup):
    """What was seen in a portrait"""

    portrait: bpy.props.StringProperty(description="Digest of the portrait")
    width: bpy.props.IntProperty()
    height: bpy.props.IntProperty()
    upright: bpy.props.StringProperty(description="An upright copy, where the file lies on its side")
    places: bpy.props.CollectionProperty(type=EDTALK_SeenFace)
    count: bpy.props.IntProperty(description="Faces that were seen; more places are left over from before")
    by_hand: bpy.props.PointerProperty(type=EDTALK_SeenFace, description="What was read in a crop by hand")

    @property
    def faces(self) -> list[EDTALK_SeenFace]:
        """The faces from left to right. On a library override places can be added, but none removed."""
        return list(self.places)[: self.count]


def sighting_of(settings: bpy.types.PropertyGroup) -> EDTALK_Sighting | None:
    """What was seen in the portrait of these settings, None when nobody looked at it as it is now."""
    seen = settings.id_data.edtalk_seen
    return (
        seen
        if seen.portrait and seen.portrait == take_folder.file_digest(absolute(settings.portrait))
        else None
    )


def crop_of(settings: bpy.types.PropertyGroup) -> Box | None:
    """The crop as far as it is known: set by hand, or found."""
    return tuple(settings.crop) if settings.use_crop else found_crop(settings)


def found_crop(settings: bpy.types.PropertyGroup) -> Box | None:
    """The crop of the chosen face, or that of the take, None while neither is known."""
    seen, number = sighting_of(settings), settings.face
    if seen is not None and len(seen.faces) and (number or len(seen.faces) == 1):
        if number <= len(seen.faces):
            return tuple(seen.faces[max(0, number - 1)].crop)
    take = settings.take
    if take.name and take.portrait == take_folder.file_digest(absolute(settings.portrait)):
        return tuple(take.crop)
    return None


def marks_read(settings: bpy.types.PropertyGroup) -> str:
    """The marks of the face that is chosen, or in the crop that was set by hand, as text; "" for none."""
    seen, crop = sighting_of(settings), crop_of(settings)
    places = [*seen.faces, seen.by_hand] if seen is not None else []
    near = [one for one in places if one.marks and crop is not None and _is_near(tuple(one.crop), crop)]
    return near[0].marks if near else ""


def _is_near(one: Box, other: Box) -> bool:
    """Do two crops frame the same face?"""
    middles = [(x + side / 2, y + side / 2) for x, y, side in (one, other)]
    reach = max(one[2], other[2]) / 4
    return all(abs(a - b) < reach for a, b in zip(*middles, strict=True))


def chosen_crop(settings: bpy.types.PropertyGroup) -> Box | None:
    """The crop that was chosen, in whole pixels as the server takes it: by hand, or with a face of several;
    None leaves it to the server.
    """
    if settings.use_crop:
        return tuple(float(round(value)) for value in settings.crop)
    return found_crop(settings) if settings.face and sighting_of(settings) is not None else None


def pick(settings: bpy.types.PropertyGroup, number: int) -> None:
    """Choose a face, counted from 1; a crop that was set by hand is set anew around it."""
    settings.face = number
    seen = sighting_of(settings)
    if settings.use_crop and seen is not None and number <= len(seen.faces):
        settings.crop = seen.faces[number - 1].crop


def _text_of(seen: messages.Inspected, index: int) -> str:
    """Marks that were read, as they are kept."""
    points = seen.marks[index] if index < len(seen.marks) else None
    return json.dumps(points, separators=(",", ":")) if points is not None else ""


def keep(
    owner: bpy.types.ID,
    portrait: str,
    seen: messages.Inspected,
    upright: str = "",
    asked: Box | None = None,
) -> None:
    """Write down what the server saw; `asked` is the crop by hand in which it read besides. A choice of face
    that cannot be meant any more is taken back.
    """
    sighting, digest = owner.edtalk_seen, take_folder.file_digest(portrait)
    if sighting.portrait != digest or upright or not seen.turned:
        sighting.upright = upright if seen.turned else ""
    again = sighting.portrait == digest  # what was read before still holds where nothing is read now
    sighting.portrait, sighting.width, sighting.height = digest, seen.width, seen.height
    sighting.count = len(seen.crops)
    for index, (box, crop) in enumerate(zip(seen.faces, seen.crops)):
        face = sighting.places[index] if index < len(sighting.places) else sighting.places.add()
        face.marks = _text_of(seen, index) or (face.marks if again and tuple(face.crop) == crop else "")
        face.box, face.crop = box, crop
    if asked is not None:
        sighting.by_hand.crop, sighting.by_hand.marks = asked, _text_of(seen, len(seen.crops))
    elif not again:
        sighting.by_hand.marks = ""
    if owner.edtalk.face > len(seen.faces):
        owner.edtalk.face = 0


def one_face(seen: messages.Inspected, portrait: str, number: int | None) -> Box:
    """The crop of the face that is meant (`number` from 0; None where there is one only). Raises NoFace and
    SeveralFaces in the panel's words, which count from 1.
    """
    name, count = Path(portrait).name, len(seen.faces)
    by_hand = "or draw the crop by hand"
    if not count:
        raise NoFace(f"No face was found in {name}", f"Use a more frontal picture, {by_hand}")
    if number is not None and number >= count:
        faces = "one face was" if count == 1 else f"{count} faces were"
        raise NoFace(f"There is no face {number + 1} in {name}: {faces} found", f"Choose another, {by_hand}")
    if number is None and count > 1:
        raise SeveralFaces(
            f"{count} faces were found in {name}",
            f"Press Find Face and choose 1 to {count}, counted from the left, {by_hand}",
        )
    return seen.crops[number or 0]


# ------------------------------------------------------------------------------------------- finding it


def find(owner: int, is_object: bool, portrait: str):
    """Job: look for faces in a portrait and keep them with the rig or scene of this session uid."""
    return lambda job: _find(job, owner, is_object, portrait)


def _find(job: jobs.Job, owner: int, is_object: bool, portrait: str) -> Generator[None, None, jobs.Outcome]:
    server = yield from ready_server(job)
    copy = str(_upright_file(portrait))
    pool = bpy.data.objects if is_object else bpy.data.scenes
    before = next((one for one in pool if one.session_uid == owner), None)
    by_hand = before is not None and before.edtalk.use_crop
    asked = chosen_crop(before.edtalk) if by_hand else None
    question = messages.Inspect(portrait=portrait, upright=copy, read=True, crop=asked)
    seen = yield from ask(job, server, question)
    pool = bpy.data.objects if is_object else bpy.data.scenes
    found = next((one for one in pool if one.session_uid == owner), None)
    if found is None or absolute(found.edtalk.portrait) != portrait:
        return jobs.Outcome("INFO", "The portrait was changed meanwhile")
    keep(found, portrait, seen, copy, asked)
    settings, count = found.edtalk, len(seen.faces)
    if settings.use_crop or not count:
        _begin_crop(settings, found.edtalk_seen)
    jobs.push_undo("EDTalk: Find Face")
    jobs.redraw()
    jobs.redraw(*jobs.PICTURES)
    name = Path(portrait).name
    if not count:
        text = "The crop is yours to draw now: show the portrait, drag its corners, and press Place Marks"
        return jobs.Outcome("WARNING", f"No face was found in {name}", text)
    hints = list(seen.warnings)
    if count > 1 and not settings.face:
        hints.insert(0, f"Choose 1 to {count}, counted from the left")
    faces = "One face" if count == 1 else f"{count} faces"
    return jobs.Outcome("WARNING" if hints else "INFO", f"{faces} found in {name}", ". ".join(hints))


def _begin_crop(settings: bpy.types.PropertyGroup, seen: EDTALK_Sighting) -> None:
    """Set the crop by hand to the face that was found, or to somewhere to begin with."""
    if len(seen.faces) and (settings.face or len(seen.faces) == 1):
        settings.crop = seen.faces[max(0, settings.face - 1)].crop
    elif not settings.use_crop or tuple(settings.crop) == UNTOUCHED:
        settings.crop = crop_box.first_guess(seen.width, seen.height)
    settings.use_crop = True


def _upright_file(portrait: str) -> Path:
    """Where an upright copy goes: a temporary file that the same portrait always has."""
    return (
        take_folder.private_folder() / f"upright_{take_folder.file_digest(portrait)[:16]}_{os.getpid()}.png"
    )


def owner_of(context: bpy.types.Context) -> bpy.types.ID:
    """What the settings on show belong to: the active face, or the scene while there is none."""
    face = rig.active_face(context)
    return face if face is not None else context.scene


def start_by_hand(settings: bpy.types.PropertyGroup) -> None:
    """Crop by Hand was switched on: begin with the crop that is known, not with one of another picture."""
    if not settings.use_crop or tuple(settings.crop) != UNTOUCHED:
        return
    known = found_crop(settings)
    if known is not None:
        settings.crop = known


ACTS["crop"] = start_by_hand


def register() -> None:
    """Hang the sightings on scenes and objects."""
    bpy.types.Scene.edtalk_seen = bpy.props.PointerProperty(type=EDTALK_Sighting)
    bpy.types.Object.edtalk_seen = bpy.props.PointerProperty(type=EDTALK_Sighting, override=OVERRIDABLE)


def unregister() -> None:
    """The reverse of `register`."""
    del bpy.types.Object.edtalk_seen
    del bpy.types.Scene.edtalk_seen


CLASSES = (EDTALK_SeenFace, EDTALK_Sighting)
