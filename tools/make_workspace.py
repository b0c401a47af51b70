# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the workspace template that the extension appends, `edtalk_blender/assets/workspace.blend`.

    python tools/make_workspace.py     # with Blender 4.2 as a module, so that every later version can read it

It begins with Blender's own Layout workspace and only splits its viewport: Image Editor and Sequencer on the
left, viewport in the middle, Graph Editor below; Timeline, Outliner and Properties stay where they are. What
shows a take (image, camera, scene) is set when the workspace is added, not here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

NAME = "Talking Head"
TARGET = Path(__file__).resolve().parent.parent / "edtalk_blender" / "assets" / "workspace.blend"


def split(area: bpy.types.Area, direction: str, factor: float) -> bpy.types.Area:
    """Split an area at `factor` of its width ("VERTICAL") or height ("HORIZONTAL"); gives back the new one.

    The smaller part is the new one. Without a screen only areas that were in the file can be split, since new
    ones have no size yet; so `area` must be one of those, and stay it.
    """
    window = bpy.context.window_manager.windows[0]
    before = {other.as_pointer() for other in window.screen.areas}
    place = {"window": window, "screen": window.screen, "area": area, "region": area.regions[-1]}
    with bpy.context.temp_override(**place):
        bpy.ops.screen.area_split(direction=direction, factor=factor)
    return next(other for other in window.screen.areas if other.as_pointer() not in before)


def build() -> bpy.types.WorkSpace:
    """The workspace, in the open file. Only an area of the active screen can change its type."""
    workspace = bpy.context.window_manager.windows[0].workspace
    (picture,) = (area for area in workspace.screens[0].areas if area.type == "VIEW_3D")
    keys = split(picture, "HORIZONTAL", 0.3)
    middle = split(picture, "VERTICAL", 0.51)
    strips = split(picture, "HORIZONTAL", 0.35)
    keys.type, strips.type, picture.type = "GRAPH_EDITOR", "SEQUENCE_EDITOR", "IMAGE_EDITOR"
    strips.spaces.active.view_type = "SEQUENCER"
    graph = keys.spaces.active
    graph.use_normalization = True  # head turns and lips in one view
    graph.show_region_ui = False
    strips.spaces.active.show_seconds = False  # frames, as in the editors below
    view = middle.spaces.active
    view.show_region_ui = True  # the EDTalk tab
    view.shading.type, view.shading.color_type = "SOLID", "TEXTURE"
    view.shading.light = "FLAT"  # the picture in its own brightness
    workspace.name = workspace.screens[0].name = NAME
    return workspace


def main() -> int:
    """Build it and write it."""
    if bpy.app.version[:2] != (4, 2):
        print(f"This is Blender {bpy.app.version_string}; 4.2 is needed, so that 4.2 can read the file")
        return 1
    bpy.ops.wm.read_factory_settings()
    workspace = build()
    TARGET.parent.mkdir(exist_ok=True)
    bpy.data.libraries.write(str(TARGET), {workspace}, compress=True)
    print(f"{TARGET}: {TARGET.stat().st_size >> 10} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
