# SPDX-License-Identifier: GPL-3.0-or-later
"""What the numbers in our files mean, said in the words of the colour configuration that is in use: a studio
may have replaced Blender's by its own (the variable OCIO), in which every space has another name.

- Data is told by a flag, which finds the role of the configuration.
- Pictures of 8 and 16 bits are what the configuration takes such files for.
- EXR files hold linear light of Rec.709's primaries. No role means that, and Blender tells a script neither
  roles nor aliases, so the space is recognised among those that are there: its name says linear and Rec.709
  (or sRGB, which has the same primaries), and nothing that contradicts.
"""

from __future__ import annotations

import re

import bpy

_LINEAR = re.compile(r"lin")
_PRIMARIES = re.compile(r"709|srgb")
_OTHERS = re.compile(
    r"2020|p3|ap0|ap1|aces|adobe|xyz|gamut|log|gamma|texture|display|encoded|camera|transfer|curve|raw"
)
UNTOUCHED = ("Standard", "Un-tone-mapped", "Untone-mapped", "Un-tonemapped", "Untonemapped")
"""What Blender's and the ACES configurations call a view without a tone curve."""


def linear_name(items: list[str]) -> str | None:
    """The linear space with Rec.709's primaries among the names of a configuration, None without one."""
    plain = {name: re.sub(r"[^a-z0-9]", "", name.lower()) for name in items}
    found = [
        name
        for name, text in plain.items()
        if _LINEAR.search(text) and _PRIMARIES.search(text) and not _OTHERS.search(text)
    ]
    return min(found, key=lambda name: ("709" not in plain[name], len(name)), default=None)


def untouched_view(view: bpy.types.ColorManagedViewSettings) -> str | None:
    """The view transform that changes no more than the display needs, None where no name says so. Which there
    are depends on the display, and only the interface knows.
    """
    known = bpy.types.UILayout.enum_item_name
    return next((name for name in UNTOUCHED if known(view, "view_transform", name)), None)


def names(owner: bpy.types.bpy_struct, field: str) -> list[str]:
    """The names a setting can have."""
    return [item.identifier for item in owner.bl_rna.properties[field].enum_items]


def is_data(reader) -> bool:
    """Does an image or a strip take its numbers for data?"""
    return bool(reader.colorspace_settings.is_data)


def read_as_data(reader) -> None:
    """Numbers that are no colours: a matte."""
    reader.colorspace_settings.is_data = True


def read_as_linear(reader) -> bool:
    """The colours of our EXR files; False where the configuration has no such space, and then the one that it
    takes EXR files for stays.
    """
    name = linear_name(names(reader.colorspace_settings, "name"))
    if name is not None:
        reader.colorspace_settings.name = name
    return name is not None


def read_as_picture(reader) -> None:
    """What the configuration takes files of 8 and 16 bits for."""
    fresh = bpy.data.images.new(".edtalk", 1, 1)
    reader.colorspace_settings.name = fresh.colorspace_settings.name
    bpy.data.images.remove(fresh)
