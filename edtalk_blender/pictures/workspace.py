# SPDX-License-Identifier: GPL-3.0-or-later
"""The workspace `Talking Head`: viewport, Image Editor, Graph Editor, Sequencer and Timeline, arranged for a
take and set to it.

Its layout is a template in the extension (`tools/make_workspace.py` builds it). What is shown depends on the
scene, so it is set when the workspace is added, and again when the first take has come. A workspace the
artist has rearranged is only shown, never set up again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import bpy
from bpy.app.handlers import persistent
from mathutils import Quaternion, Vector

from ..face import rig
from ..server_process import jobs
from ..settings.explained import ExplainedOperator
from ..settings.paths import absolute
from . import image_sequence

NAME = "Talking Head"
TEMPLATE = Path(__file__).resolve().parents[1] / "assets" / "workspace.blend"
MARK = "edtalk_workspace"
"""Custom property of a workspace that was added by the button, whatever it is called by now."""

FRONT = Quaternion((1.0, 0.0, 0.0), math.pi / 2)
DRAWN = 0.3
"""Seconds after which a workspace that was just added has been drawn."""
ROOM = 2.0
"""How far the view stands from a plane, in heights of the plane; a little air around it."""
WIDTH = 2 * 36 / 50
"""Width of what a viewport's lens of 50 mm sees, in distances, along the longer side of the viewport."""


_shown: tuple[int, str] = (0, "")
"""Whose take the editors were last given, and the name of its image: face's session uid, image."""


def find() -> bpy.types.WorkSpace | None:
    """The workspace that was added to this file, None when there is none."""
    return next((one for one in bpy.data.workspaces if MARK in one), None)


def show_take(
    face: bpy.types.Object,
    before: bpy.types.Image | None = None,
    timing: tuple[int, int, int] | None = None,
) -> None:
    """Let the workspace show a face's take where it shows nothing yet or the take `before` (by default the
    one that was worn before); editors that show something else are left alone. `timing` when it is not
    the take's own.
    """
    workspace = find()
    if workspace is None:
        return
    global _shown
    take = face.edtalk.take
    if take.image is not None:
        _shown = face.session_uid, take.image.name
    for space in (area.spaces.active for area in _areas(workspace, "IMAGE_EDITOR")):
        if space.image is None:
            space.image = take.image
            _soon(_fit)
            _soon(_fit_picture)
        elif space.image == (before or take.before) or _is_portrait(space.image, face):
            space.image = take.image
            _soon(_fit_picture)
    set_timing(face, timing or image_sequence.timing_of(face))


def _is_portrait(image: bpy.types.Image, face: bpy.types.Object) -> bool:
    """Was this editor lent to Show Crop? It goes back to the take with the next one."""
    return (
        image.source == "FILE"
        and bool(image.filepath)
        and absolute(image.filepath) == absolute(face.edtalk.portrait)
    )


def replace(images: set[bpy.types.Image], face: bpy.types.Object) -> None:
    """Let the workspace's editors that show one of these images show the face's take."""
    workspace, take = find(), face.edtalk.take
    for area in _areas(workspace, "IMAGE_EDITOR") if workspace is not None else ():
        if area.spaces.active.image in images:
            area.spaces.active.image = take.image
            _soon(_fit_picture)
    set_timing(face, image_sequence.timing_of(face))


def set_timing(face: bpy.types.Object, timing: tuple[int, int, int]) -> None:
    """Let editors of the workspace that show a face's take play it like this. Trap: an editor that asks for
    a picture that is still being made makes Blender believe that it is missing, for the plane, too.
    """
    workspace, image = find(), face.edtalk.take.image
    for area in _areas(workspace, "IMAGE_EDITOR") if workspace is not None and image is not None else ():
        if area.spaces.active.image == image:
            image_sequence.set_timing(area.spaces.active.image_user, *timing)


@persistent
def _replaced(*_: object) -> None:
    """Undo gives a face another take, but leaves editors alone: those that were given its take follow."""
    face = rig.active_face(bpy.context)
    image = face.edtalk.take.image if face is not None else None
    workspace = find()
    if workspace is None or image is None or face.session_uid != _shown[0] or image.name == _shown[1]:
        return
    plane = image_sequence.plane_of(face)
    timing = image_sequence.timing_of(face)
    if plane is not None:  # a muted take stands still
        user = image_sequence.texture_of(plane).image_user
        timing = user.frame_start, user.frame_duration, user.frame_offset + 1
    for area in _areas(workspace, "IMAGE_EDITOR"):
        held = area.spaces.active.image
        if held is None or held.name == _shown[1]:
            area.spaces.active.image = image
    show_take(face, timing=timing)


def look_at(face: bpy.types.Object) -> None:
    """Turn the workspace's viewports to the face's picture plane, from the front."""
    workspace, plane = find(), image_sequence.plane_of(face)
    if workspace is None or plane is None:
        return
    bpy.context.view_layer.update()
    for area in _areas(workspace, "VIEW_3D"):
        view = area.spaces.active.region_3d
        if view is not None and view.view_perspective != "CAMERA":
            turn(area, plane)
            overlay = area.spaces.active.overlay  # the floor, seen from its edge, crosses the picture
            overlay.show_floor = overlay.show_axis_x = overlay.show_axis_y = False


def turn(area: bpy.types.Area, plane: bpy.types.Object) -> None:
    """Turn a 3D View to a picture plane, from the front, so that all of it is seen beside the sidebar."""
    view = area.spaces.active.region_3d
    view.view_perspective = "PERSP"
    view.view_rotation = plane.matrix_world.to_quaternion() @ FRONT
    view.view_distance = ROOM * max(plane.dimensions)
    aside = Vector((_covered(area) * WIDTH * view.view_distance / 2, 0.0, 0.0))
    view.view_location = plane.matrix_world.translation + view.view_rotation @ aside


def _covered(area: bpy.types.Area) -> float:
    """How much more of the viewport the sidebar on the right covers than the tools on the left, in longer
    sides of the viewport: the face belongs into the middle of what is seen.
    """
    widths = {region.type: region.width for region in area.regions}
    longer = max(area.width, area.height)
    if bpy.app.background or not longer or widths.get("UI", 1) >= area.width:
        return 0.0
    return (widths.get("UI", 1) - widths.get("TOOLS", 1)) / longer


def _areas(workspace: bpy.types.WorkSpace, kind: str) -> list[bpy.types.Area]:
    return [area for screen in workspace.screens for area in screen.areas if area.type == kind]


def add(context: bpy.types.Context) -> bpy.types.WorkSpace:
    """Append the template, set it to the scene's face if there is one, and show it."""
    before = set(bpy.data.workspaces)
    bpy.ops.workspace.append_activate(idname=NAME, filepath=str(TEMPLATE))
    (workspace,) = set(bpy.data.workspaces) - before
    workspace[MARK] = True
    if hasattr(workspace, "sequencer_scene"):
        workspace.sequencer_scene = context.scene
    _soon(_open_tab)
    face = rig.active_face(context)
    if face is not None:
        show_take(face)
        look_at(face)
        _soon(_look)
    return workspace


def _soon(act: Callable[[], float | None]) -> None:
    """Do something to the workspace once it has been drawn; without a window there is nothing to do."""
    if not bpy.app.background and not bpy.app.timers.is_registered(act):
        bpy.app.timers.register(act, first_interval=DRAWN)


def _fit() -> None:
    """Zoom picture, curves and strips so that all of the take is seen."""
    _view_picture()
    _view_all("GRAPH_EDITOR", bpy.ops.graph.view_all)
    _view_all("SEQUENCE_EDITOR", bpy.ops.sequencer.view_all)


def _fit_picture() -> float | None:
    """The same for the picture alone, once all frames are there: where one is missing, Blender takes the
    picture for a small one.
    """
    if jobs.current() is not None:
        return DRAWN
    _view_picture()
    return None


def _view_picture() -> None:
    _view_all("IMAGE_EDITOR", partial(bpy.ops.image.view_all, fit_view=True))


def _view_all(kind: str, act: Callable[[], set[str]]) -> None:
    """Press Home in the workspace's editors of a kind."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas if MARK in window.workspace else ():
            region = next((region for region in area.regions if region.type == "WINDOW"), None)
            with bpy.context.temp_override(window=window, area=area, region=region), suppress(RuntimeError):
                if area.type == kind:
                    act()


def _look() -> None:
    """Turn to the face once more: how much of it the sidebar covers is known once it has been drawn."""
    face = rig.active_face(bpy.context)
    if face is not None:
        look_at(face)


def _open_tab() -> None:
    """Let the sidebar of the viewport begin with EDTalk; its tabs are known once it has been drawn."""
    workspace = find()
    for screen in workspace.screens if workspace is not None else ():
        for area in screen.areas:
            for region in area.regions if area.type == "VIEW_3D" else ():
                if region.type == "UI":
                    with suppress(AttributeError, TypeError):  # in some versions it takes the user's click
                        region.active_panel_category = "EDTalk"
                        region.tag_redraw()


class EDTALK_OT_add_workspace(ExplainedOperator, bpy.types.Operator):
    """Add a workspace for talking heads: viewport, picture, curves, strips and timeline; or go there"""

    bl_idname = "edtalk.add_workspace"
    bl_label = "Talking Head Workspace"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        """It needs a window."""
        return "There is no window to add a workspace to" if context.window is None else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Once a file; then it is shown."""
        there = find()
        if there is not None:
            context.window.workspace = there
            self.report({"INFO"}, f"Workspace {there.name}")
            return {"FINISHED"}
        made = add(context)
        self.report({"INFO"}, f"Added workspace {made.name}: a right click on its tab removes it")
        return {"FINISHED"}


def draw(layout: bpy.types.UILayout) -> None:
    """The button, until the workspace is there."""
    if find() is None:
        layout.operator("edtalk.add_workspace", text="Add Talking Head Workspace", icon="WORKSPACE")


def _draw_menu_entry(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.operator("edtalk.add_workspace", icon="WORKSPACE")


def register() -> None:
    """An entry in Blender's Window menu, too, and an eye on undo."""
    bpy.types.TOPBAR_MT_window.append(_draw_menu_entry)
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.append(_replaced)


def unregister() -> None:
    """The reverse of `register`."""
    for handlers in (bpy.app.handlers.redo_post, bpy.app.handlers.undo_post):
        handlers.remove(_replaced)
    bpy.types.TOPBAR_MT_window.remove(_draw_menu_entry)
    for act in (_open_tab, _look, _fit, _fit_picture):
        if bpy.app.timers.is_registered(act):
            bpy.app.timers.unregister(act)


CLASSES = (EDTALK_OT_add_workspace,)
