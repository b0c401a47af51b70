# SPDX-License-Identifier: GPL-3.0-or-later
"""A take in the Sequencer: an image strip with its pictures, and below it a strip with its sound. Both bear
the take's name as a custom property, so that they are found whatever they are called and wherever they lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy

from ..settings import paths
from . import image_sequence, passes, take_folder

CHANNELS = 128
"""As many as Blender has."""


def strips_of(scene: bpy.types.Scene):
    """All top-level strips of a scene: `.sequences` before 4.4, then `.strips`."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def free_channel(scene: bpy.types.Scene, start: int, end: int, height: int) -> int:
    """The lowest channel above which `height` channels have nothing between these scene frames; 0 where all
    are taken: Blender would put the strips over others.
    """
    taken = {
        strip.channel
        for strip in strips_of(scene)
        if strip.frame_final_start < end and strip.frame_final_end > start
    }
    channel = 1
    while any(channel + i in taken for i in range(height)):
        channel += 1
    return channel if channel + height - 1 <= CHANNELS else 0


def find_strips(scene: bpy.types.Scene, take: str) -> list:
    """The strips that were added for a take, those in meta strips included."""
    return [strip for strip in _within(strips_of(scene)) if strip.get("edtalk_take") == take]


def remove_strip(scene: bpy.types.Scene, strip) -> None:
    """Take a strip away, from the meta strip it is in if it is in one."""
    holders = [strips_of(scene), *(_inside(one) for one in _within(strips_of(scene)) if one.type == "META")]
    next(strips for strips in holders if strip in strips.values()).remove(strip)


def _within(strips) -> Iterator:
    for strip in strips:
        yield strip
        if strip.type == "META":
            yield from _within(_inside(strip))


def _inside(meta):
    """The strips of a meta strip: `.sequences` before 4.4, then `.strips`."""
    return meta.strips if hasattr(meta, "strips") else meta.sequences


def add_strips(
    scene: bpy.types.Scene, take: str, folder: Path, numbers: Sequence[int], start: int, fmt: str, audio: str
) -> list:
    """Image strip for these file numbers, and below it a sound strip, on free channels from scene frame
    `start`.

    Gives back the strips that could be made; Blender builds without sound make no sound strip.
    """
    strips = strips_of(scene)
    channel = free_channel(scene, start, start + len(numbers), 2)
    if not channel:
        return []
    names = [take_folder.file_name(number, fmt) for number in numbers]
    made = []
    if audio:
        try:
            sound = strips.new_sound(f"{take} Sound", audio, channel=channel, frame_start=start)
            made.append(sound)
        except RuntimeError:
            pass  # "compiled without Audaspace", or a sound that Blender cannot read but the server could
    first = paths.short_path(folder / names[0])
    picture = strips.new_image(take, first, channel=channel + 1, frame_start=start, fit_method="FIT")
    for name in names[1:]:
        picture.elements.append(name)
    made.append(picture)
    for strip in made:
        strip["edtalk_take"] = take
    return made


def fit_strip(strip, folder: Path, numbers: Sequence[int], fmt: str) -> bool:
    """Let an image strip play these file numbers of a take, each at its frame. The end of a strip that was
    cut stays. Gives back whether anything had to be changed.
    """
    names = [take_folder.file_name(number, fmt) for number in numbers]
    old = [element.filename for element in strip.elements]
    if old[0] == names[0] and len(old) == len(names):
        return False
    first = passes.number_in(old[0])
    image_sequence.know_colour(strip, folder / names[0], Path(old[0]).suffix)
    while len(strip.elements) > len(names):
        strip.elements.pop(len(strip.elements) - 1)
    for element, name in zip(strip.elements, names):
        element.filename = name
    cut = strip.frame_offset_end > 0
    for name in names[len(old) :]:
        strip.elements.append(name)
    if cut:
        strip.frame_offset_end += max(0, len(names) - len(old))
    if first is not None:
        strip.frame_start += numbers[0] - first
    return True


def mute_strips(scene: bpy.types.Scene, take: str) -> None:
    """Silence an earlier take's strips, so that two voices do not speak at once; nothing is removed."""
    for strip in find_strips(scene, take):
        strip.mute = True


def refresh(image: bpy.types.Image | None, scene: bpy.types.Scene | None, take: str) -> None:
    """Make Blender read the take's files again."""
    if image is not None:
        for one in image_sequence.with_passes(image):
            one.reload()
    if scene is not None and scene.sequence_editor is not None:
        for strip in find_strips(scene, take):
            if strip.type == "IMAGE":
                strip.invalidate_cache("RAW")
