# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: what the next take is made of, and what the rig's take was made of.

A face rig keeps its own settings, so a scene may hold several faces; while there is no rig the scene's
settings are shown, and the first rig starts with a copy of them. Only settings live here: the weights
are plain custom properties of the rig's bones and outlive the add-on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_type_hints

import bpy

from ...core.wire.channels import EMOTIONS, PARTS

# From 4.5 a file path must say that "//" is welcome; earlier versions do not know the word and always
# accept it.
BLEND_RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()

EMOTION_ITEMS = [("NONE", "None", "Leave the expression to the driving clip or to the animator")] + [
    (name, name.title(), f"The whole take is {name}") for name in EMOTIONS
]
EMOTION_ITEMS.append(
    ("auto", "Auto (from speech and text)", "Follows what the voice sounds like and what the transcript says")
)
COMPOSITE_ITEMS = [
    ("crop", "Face", "The square around the face alone"),
    ("paste", "Whole Portrait", "The face is put back into the whole picture"),
]
FORMAT_ITEMS = [
    ("png", "PNG", "8 bits a channel"),
    ("png16", "PNG 16", "16 bits a channel"),
    ("exr", "OpenEXR", "16-bit float"),
]
OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}
"""For pointers to groups of settings on objects: see `overridable`."""

PASS_ITEMS = [
    ("face", "Face", "The moving head and shoulders with alpha, to lie over any ground", 1),
    ("matte", "Matte", "That alpha alone, as grey levels (not a colour)", 2),
    ("plate", "Plate", "The portrait without head and shoulders; one file for all frames", 4),
    ("mouth", "Mouth", "Teeth, tongue and dark of the mouth alone with alpha, to be graded apart", 8),
]
SHOWS_ITEMS = [
    ("picture", "Picture", "The picture as it is"),
    ("face", "Face with Alpha", "The pass Face: only head and shoulders, over whatever is behind"),
]


def overridable(cls: type) -> type:
    """A class decorator: all properties of a group can be changed on a library override, and are saved with
    it; a collection can grow there.
    """
    for name, prop in get_type_hints(cls).items():
        keywords = getattr(prop, "keywords", None)
        if keywords is not None:
            grows = {"USE_INSERTION"} if prop.function is bpy.props.CollectionProperty else set()
            keywords["override"] = {"LIBRARY_OVERRIDABLE"} | grows
            cls.__annotations__[name] = prop
    return cls


def _path(name: str, description: str, subtype: str = "FILE_PATH", default: str = ""):
    return bpy.props.StringProperty(
        name=name, description=description, subtype=subtype, default=default, options=BLEND_RELATIVE
    )


def _tidy_range(take: EDTALK_Take, _context: bpy.types.Context) -> None:
    """File numbers begin at 0, where the portrait at rest is, and a take has a frame at least."""
    if take.first + take.shift < 1:
        take.first = 1 - take.shift
    elif take.last < take.first:
        take.last = take.first


ACTS: dict[str, Callable] = {}
"""Callbacks that higher modules register, so that property updates need no upward import: "crop" (settings)
when a crop by hand is switched on, "pass" (settings) when another pass is to be shown, "count" (face) returns
how many frames of its take are out of date, None while that is not known."""


def _begin_crop(settings: EDTALK_Settings, _context: bpy.types.Context) -> None:
    """A crop by hand begins with the one that was found."""
    ACTS["crop"](settings)


def _show_other(settings: EDTALK_Settings, _context: bpy.types.Context) -> None:
    """Bring what shows the face's take up to date."""
    if settings.id_data.id_type == "OBJECT":
        ACTS["pass"](settings)


@overridable
class EDTALK_Take(bpy.types.PropertyGroup):
    """The take a rig wears: written by Generate, read by Render Changed."""

    name: bpy.props.StringProperty(name="Take", description="Name of the take's folder, action and pictures")
    image: bpy.props.PointerProperty(name="Frames", type=bpy.types.Image, description="The take's pictures")
    before: bpy.props.PointerProperty(
        type=bpy.types.Image, description="The take that was shown before: what shows it will show this one"
    )
    first: bpy.props.IntProperty(
        name="First Frame",
        description="First scene frame that Render Changed looks at",
        min=-1048573,
        update=_tidy_range,
    )
    last: bpy.props.IntProperty(
        name="Last Frame",
        description="Last scene frame that Render Changed looks at",
        min=-1048573,
        update=_tidy_range,
    )
    shown: bpy.props.BoolProperty(description="Plane and strips were made for this take")
    landing: bpy.props.BoolProperty(description="Its curves are there, its first picture is being made")
    rate: bpy.props.FloatProperty(description="Frames a second it was made for; 0: not known")
    shift: bpy.props.IntProperty(description="Added to a scene frame to get its file number")
    crop: bpy.props.FloatVectorProperty(size=3, description="Left, top and side of the face's square, pixels")
    model: bpy.props.StringProperty(name="Model", description="Checkpoint the weights belong to")
    portrait: bpy.props.StringProperty(description="Digest of the portrait the crop was found in")
    checkpoint: bpy.props.StringProperty(
        description="What its checkpoint was known by, empty for the one that comes with EDTalk"
    )
    sound: bpy.props.StringProperty(description="Digest of the sound it was made from, empty when not known")
    clip: bpy.props.StringProperty(description="Digest of its driving clip, empty when not known")
    seed: bpy.props.IntProperty(description="Seed of its idle motion, -1 when not known", default=-1)
    width: bpy.props.IntProperty(default=1)
    height: bpy.props.IntProperty(default=1)


@overridable
class EDTALK_Settings(bpy.types.PropertyGroup):
    """What Generate asks for."""

    portrait: _path("Portrait", "Picture of the face that shall talk")
    audio: _path("Audio", "Sound that is spoken: wav, flac, ogg, mp3, or a clip with sound")
    driving: _path("Driving Clip", "Clip whose head motion and expression are taken over; optional")
    checkpoint: _path("Checkpoint", "Model file; empty: the one that comes with EDTalk")
    folder: _path(
        "Folder", "Folder for the takes; each take gets a folder of its own in it", "DIR_PATH", "//edtalk/"
    )
    start: bpy.props.IntProperty(
        name="Start Frame", description="Scene frame at which the take begins", default=1, min=-1048573
    )
    emotion: bpy.props.EnumProperty(
        name="Emotion", description="Expression of the whole take", items=EMOTION_ITEMS
    )
    transcript: bpy.props.StringProperty(
        name="Transcript",
        description="What is said, or a .txt, .srt or .vtt file with it: the mouth follows its words where "
        "pocketsphinx is installed, the emotion Auto their meaning (English). Empty: voice alone counts",
    )
    transcript_text: bpy.props.StringProperty(
        name="Transcript Text",
        description="Name of a text block of this file that holds what is said, in place of the transcript",
    )
    idle: bpy.props.FloatProperty(
        name="Idle Motion",
        description="Natural head motion and blinks: 0 none, 1 lively",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    stillness: bpy.props.FloatProperty(
        name="Stillness",
        description="How calm the head is while it goes with the voice: 0 lively, 1 hardly moving",
        default=0.3,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    articulation: bpy.props.FloatProperty(
        name="Articulation",
        description="How far the lips move in speech: 0.5 mumbles, 1 speaks clearly, 1.5 over-articulates; "
        "closed lips stay closed",
        default=1.0,
        min=0.0,
        max=2.0,
        soft_min=0.5,
        soft_max=1.5,
        subtype="FACTOR",
    )
    strength: bpy.props.FloatVectorProperty(
        name="Strength",
        description="How far a new take moves mouth, pose, expression and lids away from the portrait's own: "
        "0 not at all, 1 as analysed",
        size=len(PARTS),
        default=(1.0,) * len(PARTS),
        min=0.0,
        max=2.0,
        subtype="NONE",
    )
    seed: bpy.props.IntProperty(name="Seed", description="Another seed, another idle motion", min=0)
    face: bpy.props.IntProperty(
        name="Face",
        description="Which face of the portrait, from the left; 0: there is only one",
        min=0,
        max=1000,
    )
    use_crop: bpy.props.BoolProperty(
        name="Crop by Hand",
        description="Set the square around the face by hand instead of finding it",
        update=_begin_crop,
    )
    crop: bpy.props.FloatVectorProperty(
        name="Crop",
        description="Left, top and side of the square around the face, in pixels of the portrait",
        size=3,
        precision=1,
        default=(0.0, 0.0, 256.0),
    )
    show_marks: bpy.props.BoolProperty(
        name="Show Marks",
        description="Show the marks of lips, lids, irises, brows and chin over the portrait in the Image "
        "Editor, to be dragged, in place of the crop",
    )
    marks: bpy.props.StringProperty(
        description="Face marks that were set by hand, by name, as JSON; empty: as they are read"
    )
    marks_portrait: bpy.props.StringProperty(description="Digest of the portrait that the marks belong to")
    marks_placed: bpy.props.BoolProperty(description="They were placed by hand, so the skull follows them")
    marks_own: bpy.props.StringProperty(description="Names of the lines that were dragged themselves")
    size: bpy.props.IntProperty(
        name="Size",
        description="Side of the face's square in the pictures, pixels",
        default=512,
        min=64,
        max=4096,
    )
    composite: bpy.props.EnumProperty(
        name="Picture", description="What the pictures show", items=COMPOSITE_ITEMS
    )
    detail: bpy.props.BoolProperty(
        name="Portrait Detail",
        description="Carry the portrait's own sharpness over to the pictures",
        default=True,
    )
    format: bpy.props.EnumProperty(
        name="Format", description="File format of the pictures", items=FORMAT_ITEMS
    )
    passes: bpy.props.EnumProperty(
        name="Passes",
        description="Files for compositing beside the pictures",
        items=PASS_ITEMS,
        options={"ENUM_FLAG"},
    )
    shows: bpy.props.EnumProperty(
        name="Show",
        description="What plane, compositor, camera background and reference show",
        items=SHOWS_ITEMS,
        update=_show_other,
    )
    write_origin: bpy.props.BoolProperty(
        name="Write Origin",
        description="Write into pictures and films that they are synthetic, as the law of the EU asks, and "
        "what they were made of: version, checkpoint, seed, digests of portrait and sound; no path, no user",
        default=True,
    )
    shown: bpy.props.StringProperty(
        name="Who Is Shown",
        description="Whose face this is; kept with the face and written into its pictures and films. One "
        "line, at most 500 characters",
    )
    permission: bpy.props.StringProperty(
        name="Permission",
        description="On what permission the person is shown, a contract for instance; kept and written as "
        "Who Is Shown",
    )
    asked: bpy.props.BoolProperty(name="Not Now", description="Do not ask again who this face shows")
    make_plane: bpy.props.BoolProperty(
        name="Picture Plane", description="Show the take on a plane in the 3D View", default=True
    )
    make_strips: bpy.props.BoolProperty(
        name="Strips", description="Put the pictures and the sound into the sequencer", default=True
    )
    extend_scene: bpy.props.BoolProperty(
        name="Extend Scene", description="Let the scene end no earlier than the take", default=True
    )
    take: bpy.props.PointerProperty(type=EDTALK_Take)


def copy_settings(source: bpy.types.PropertyGroup, target: bpy.types.PropertyGroup) -> None:
    """Copy every setting, but not the take."""
    for name in EDTALK_Settings.__annotations__:
        if name != "take":
            setattr(target, name, getattr(source, name))


def register() -> None:
    """Hang the settings on scenes and objects; called after the classes are known."""
    bpy.types.Scene.edtalk = bpy.props.PointerProperty(type=EDTALK_Settings)
    bpy.types.Object.edtalk = bpy.props.PointerProperty(type=EDTALK_Settings, override=OVERRIDABLE)


def unregister() -> None:
    """The reverse of `register`."""
    del bpy.types.Object.edtalk
    del bpy.types.Scene.edtalk


CLASSES = (EDTALK_Take, EDTALK_Settings)
