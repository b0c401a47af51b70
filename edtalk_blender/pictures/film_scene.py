# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene needs so that Blender's own Render Animation writes the film that Export Movie writes: strips
that fit, the takes' range, sound in step and in the file, pixels as they are on disk. All of it is a list of
changes, which can be shown before it is made; nothing is changed that is right already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy

from ..face import rig
from . import destinations, image_sequence, sequencer

GROUPS = {
    "SIZE": "Size",
    "STRIPS": "Strips",
    "RANGE": "Range",
    "SOUND": "Sound",
    "COLOUR": "Colour",
    "FILE": "File",
}
"""What can be set up -> its word. In this order, since strips are fitted to the size."""

DRAWN = "PERC_LOSSLESS"
"""Blender's quality of a film in which nobody sees the compression."""


@dataclass(frozen=True)
class Change:
    """One setting that must be another: an owner's attribute, its new value, and the setting in words."""

    group: str
    owner: bpy.types.bpy_struct
    name: str
    value: object
    label: str

    def make(self) -> str:
        """Set it; gives back what was changed, in words. Raises TypeError or ValueError where Blender does
        not know the value.
        """
        said = self.words()
        setattr(self.owner, self.name, self.value)
        return said

    def words(self) -> str:
        """`End 250 -> 160`."""
        old, new = (_short(value) for value in (getattr(self.owner, self.name), self.value))
        return f"{self.label} {old} -> {new}"


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def size_of(face: bpy.types.Object) -> tuple[int, int]:
    """Width and height of the pictures of the face's take, pixels; even, as H.264 wants them."""
    settings, take = face.edtalk, face.edtalk.take
    width, height = settings.size, settings.size
    if settings.composite == "paste" and take.width > 1 and take.height > 1:
        width, height = take.width, take.height
    return width + width % 2, height + height % 2


def changes(scene: bpy.types.Scene, face: bpy.types.Object, groups: set[str]) -> list[Change]:
    """What must change in `scene` for a film of `face` at the size of its pictures, in the groups asked for
    and in their order. The range is that of all takes that the faces of the scene wear.
    """
    found = []
    size = size_of(face) if "SIZE" in groups else None
    for group in GROUPS:
        if group in groups:
            rows = _strips(scene, size) if group == "STRIPS" else _of_group(scene, face, group)
            found += [Change(group, *row) for row in rows if _differs(getattr(row[0], row[1]), row[2])]
    return found


def _differs(old: object, new: object) -> bool:
    return abs(old - new) > 1e-5 if isinstance(new, float) else old != new


def _of_group(scene: bpy.types.Scene, face: bpy.types.Object, group: str) -> Iterator[tuple]:
    render = scene.render
    if group == "SIZE":
        width, height = size_of(face)
        yield render, "resolution_x", width, "Width"
        yield render, "resolution_y", height, "Height"
        yield render, "resolution_percentage", 100, "Scale"
    elif group == "RANGE":
        takes = [one.edtalk.take for one in rig.faces_in(scene) if one.edtalk.take.name]
        yield scene, "frame_start", max(0, min(take.first for take in takes)), "Start"
        yield scene, "frame_end", max(0, *(take.last for take in takes)), "End"
    elif group == "SOUND":
        yield scene, "sync_mode", "AUDIO_SYNC", "Sync"
        yield scene, "use_audio_scrub", True, "Audio Scrubbing"
    elif group == "COLOUR":
        yield from destinations.colour_changes(scene)
    else:
        settings = render.image_settings
        if hasattr(settings, "media_type"):  # from 5.0 a film is chosen first
            yield settings, "media_type", "VIDEO", "Media"
        yield settings, "file_format", "FFMPEG", "Format"
        yield render.ffmpeg, "format", "MPEG4", "Container"
        yield render.ffmpeg, "codec", "H264", "Video codec"
        yield render.ffmpeg, "constant_rate_factor", DRAWN, "Quality"
        yield render.ffmpeg, "audio_codec", "AAC", "Audio codec"
        yield render, "use_sequencer", True, "Sequencer"


def _strips(scene: bpy.types.Scene, size: tuple[int, int] | None) -> Iterator[tuple]:
    """Image strips of the scene's takes fill a frame of `size`, by default that of the scene's output."""
    percent = scene.render.resolution_percentage / 100
    full = (scene.render.resolution_x * percent, scene.render.resolution_y * percent)
    width, height = size or full
    for face in rig.faces_in(scene) if scene.sequence_editor is not None else ():
        for strip in sequencer.find_strips(scene, face.edtalk.take.name) if face.edtalk.take.name else ():
            if strip.type != "IMAGE":
                continue
            element = strip.elements[0]
            wide, high = element.orig_width, element.orig_height
            if not (wide and high):  # Blender has not looked at the file yet
                wide, high = size_of(face)
            scale = min(width / wide, height / high)
            for name, value, words in (
                ("scale_x", scale, "scale X"),
                ("scale_y", scale, "scale Y"),
                ("offset_x", 0.0, "offset X"),
                ("offset_y", 0.0, "offset Y"),
            ):
                yield strip.transform, name, value, f"{strip.name} {words}"


# ----------------------------------------------------------------------------------------------- a camera

AHEAD = 5.0
"""How far the camera stands before the picture; an orthographic one sees the same from anywhere."""


def camera_for(face: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Object:
    """An orthographic camera that sees the face's picture plane and nothing beside it, made once for a face
    and fitted again later. It becomes the scene's camera, and the output gets the size of the pictures.
    """
    plane = image_sequence.plane_of(face)
    found = next((one for one in face.children if one.type == "CAMERA"), None)
    if found is None:
        found = bpy.data.objects.new(f"{face.name} Camera", bpy.data.cameras.new(f"{face.name} Camera"))
        found.parent = face
        scene.collection.objects.link(found)
    found.data.type = "ORTHO"
    at = plane.location
    found.location = (at.x, at.y - AHEAD, at.z)
    found.rotation_euler = (1.5707963, 0.0, 0.0)
    width, height = 2.0 * abs(plane.scale.x), 2.0 * abs(plane.scale.z)
    found.data.ortho_scale = max(width, height)
    found.data.clip_end = max(found.data.clip_end, 2 * AHEAD)
    scene.camera = found
    for change in changes(scene, face, {"SIZE"}):
        change.make()
    return found
