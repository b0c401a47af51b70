# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the curve tools are: in the panel, with what they act on, and in the Key menus of the Graph Editor
and the Dope Sheet, where they act on what is selected there.
"""

from __future__ import annotations

import bpy

from ..face import rig
from ..face.keys import top_place
from . import close_mouth, tools

TOOLS = (
    (tools.EDTALK_OT_simplify_curves, "IPO_LINEAR"),
    (tools.EDTALK_OT_smooth_curves, "SMOOTHCURVE"),
    (tools.EDTALK_OT_gain_curves, "DRIVER_TRANSFORM"),
    (tools.EDTALK_OT_shift_curves, "FRAME_NEXT"),
    (close_mouth.EDTALK_OT_close_mouth, "MUTE_IPO_ON"),
)


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, face: bpy.types.Object) -> None:
    """What the tools act on, and the tools, for the panel."""
    header, body = layout.panel("EDTALK_curves", default_closed=True)
    header.label(text="Curve Tools")
    if body is None:
        return
    scope = context.scene.edtalk_curves
    if top_place(face) is not None:
        body.prop(scope, "where")
    row = body.row(align=True)
    row.use_property_split = False  # the whole width, for whole words
    row.prop(scope, "banks")
    body.prop(scope, "range")
    column = body.column(align=True)
    for tool, icon in TOOLS:
        button = column.operator(tool.bl_idname, icon=icon)
        button.where, button.curves, button.range = scope.where, "BANKS", scope.range
        if tool is not close_mouth.EDTALK_OT_close_mouth:
            button.banks = scope.banks


class EDTALK_MT_curves(bpy.types.Menu):
    """The curve tools, for what is selected in this editor"""

    bl_idname = "EDTALK_MT_curves"
    bl_label = "EDTalk"

    def draw(self, _context: bpy.types.Context) -> None:
        """Each tool once."""
        for tool, icon in TOOLS:
            self.layout.operator(tool.bl_idname, icon=icon)


def _in_menu(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    if rig.active_face(context) is not None:
        menu.layout.separator()
        menu.layout.menu(EDTALK_MT_curves.bl_idname)


MENUS = ("GRAPH_MT_key", "DOPESHEET_MT_key")


def register() -> None:
    """The tools in the Key menus of Graph Editor and Dope Sheet."""
    for name in MENUS:
        getattr(bpy.types, name).append(_in_menu)


def unregister() -> None:
    """The reverse of `register`."""
    for name in MENUS:
        getattr(bpy.types, name).remove(_in_menu)


CLASSES = (EDTALK_MT_curves,)
