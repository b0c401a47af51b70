# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab EDTalk, the same in the 3D View and in the Sequencer.

Always visible on top: which face, its status, portrait, sound, Generate, Render Changed, the last message,
and what is shown while you work. Below, in sub-panels, what is used every minute first: emotions, handles,
takes; then source, take, output, curves, weights. All but emotions and takes begin closed, so that status,
buttons and sliders are seen together. While a job runs, its progress and an X take the place of the buttons.
"""

from __future__ import annotations

import textwrap

import bpy

from ...core.wire.channels import BANKS, PARTS
from ..curves import menu
from ..face import rig, strengths, teeth
from ..face.rig import settings_of
from ..pictures import destinations, workspace
from ..portrait import transcript
from ..preview import live
from ..server_process import jobs, supervisor
from ..settings.preferences import preferences
from ..takes import edit_on_top, status, take_rows
from ..takes.exchange import weights as exchange
from . import (
    capture_buttons,
    crop_buttons,
    face_buttons,
    first_steps,
    generate_buttons,
    movie_buttons,
    origin_buttons,
    preferences_view,
    retime_buttons,
    shape_buttons,
    slider_buttons,
    take_list,
)
from .desk import film_buttons, message_line, pick_buttons

# Icons that every version has; strip colours, for one, were renamed in 4.4.
GREEN, YELLOW, GREY = "COLLECTION_COLOR_04", "COLLECTION_COLOR_03", "DOT"

BANK_TITLES = {"pose": "Head Pose", "expression": "Expression", "mouth": "Mouth"}


class EDTalkPanel:
    """The panel; a class for each editor names the place."""

    bl_label = "EDTalk"
    bl_region_type = "UI"
    bl_category = "EDTalk"

    def draw(self, context: bpy.types.Context) -> None:
        """Drawn by Blender."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings, face = settings_of(context), rig.active_face(context)
        face_buttons.draw(layout, context, face)
        _draw_status(layout, face, _letters(context))
        if face is not None:
            retime_buttons.draw(layout, context, face)
        if first_steps.wanted(context):
            preferences_view.draw_progress(layout)
            first_steps.draw(layout, context, _letters(context))
        else:
            _draw_road(layout, settings, face, _letters(context))
        message_line.draw(layout, context, _letters(context))
        if face is not None:
            _draw_sight(layout, context, _letters(context))
            slider_buttons.draw(layout, face)
            strengths.draw(layout, face)
            body = take_list.draw(layout, face)
            if body is not None:
                edit_on_top.draw(body, face)
                capture_buttons.draw(body)
        _draw_source(layout, settings)
        _draw_take(layout, settings)
        _draw_output(layout, settings)
        if face is not None:
            teeth.draw(layout, face)
            menu.draw(layout, context, face)
            _draw_weights(layout, face)
            shape_buttons.draw(layout, face)
        _draw_server(layout)


def _draw_status(layout: bpy.types.UILayout, face: bpy.types.Object | None, letters: int) -> None:
    """Green, yellow or grey, with words."""
    if face is None or not face.edtalk.take.name:
        return
    take, stale = face.edtalk.take, status.stale_frames(face)
    if take_rows.is_muted(face):
        text, icon = ": muted", GREY
    elif stale is None:
        text, icon = "", GREY
    elif stale:
        text, icon = _stale_words(stale, status.missing_frames(face))
    else:
        text, icon = ": up to date", GREEN
    layout.label(text=_both_ends(take.name, text, letters), icon=icon)


def _both_ends(name: str, state: str, letters: int) -> str:
    """A take and its state in so many letters: the state is what matters, and the end of the name."""
    room = max(6, letters - len(state))
    return f"{name if len(name) <= room else '...' + name[3 - room :]}{state}"


def _stale_words(stale: int, missing: int) -> tuple[str, str]:
    """What the status says of frames that are not as they should be; missing ones are not wrong."""
    if stale == missing:
        return f": {missing} not rendered yet", GREY
    also = f", {missing} missing" if missing else ""
    return f": {stale - missing} out of date{also}", YELLOW


def _draw_road(
    layout: bpy.types.UILayout,
    settings: bpy.types.PropertyGroup,
    face: bpy.types.Object | None,
    letters: int,
) -> None:
    column = layout.column(align=True)
    pick_buttons.draw(column, settings, letters)
    column = layout.column(align=True)
    column.scale_y = 1.2
    if jobs.current() is not None:  # as high as the three buttons, so that nothing below moves
        preferences_view.draw_progress(column)
        column.label(text=jobs.current().title)
        column.label()
        return
    generate_buttons.draw(column, face, len(rig.faces_in(bpy.context.scene)) > 1)
    movie_buttons.draw(column)


def _draw_source(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    header, body = layout.panel("EDTALK_source", default_closed=True)
    header.label(text="Crop and Driving Clip")
    if body is None:
        return
    body.prop(settings, "portrait")
    body.prop(settings, "audio")
    body.prop(settings, "driving")
    crop_buttons.draw(body, bpy.context)


def _draw_take(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    header, body = layout.panel("EDTALK_take", default_closed=True)
    header.label(text="Take Settings")
    if body is None:
        return
    body.prop(settings, "start")
    body.prop(settings, "emotion")
    transcript.draw(body, settings)
    body.prop(settings, "articulation")
    body.prop(settings, "idle")
    body.prop(settings, "stillness")
    column = body.column(align=True, heading="Strength")
    for number, part in enumerate(PARTS):
        column.prop(settings, "strength", index=number, text=part.title(), slider=True)
    body.prop(settings, "seed")
    row = body.row(align=True)
    row.prop(settings, "checkpoint")
    row.menu("EDTALK_MT_checkpoints", text="", icon="DOWNARROW_HLT")
    exchange.draw(body)


def _draw_output(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    header, body = layout.panel("EDTALK_output", default_closed=True)
    header.label(text="Output")
    if body is None:
        return
    body.prop(settings, "folder")
    if settings.folder.startswith("//") and not bpy.data.filepath:
        body.label(text="Not saved yet: frames go to a temporary folder", icon="INFO")
    body.prop(settings, "composite")
    body.prop(settings, "size")
    body.prop(settings, "detail")
    body.prop(settings, "format")
    row = body.row(heading="Passes", align=True)
    row.prop(settings, "passes", toggle=True)
    if "face" in settings.passes:
        body.prop(settings, "shows")
    column = body.column(heading="Add")
    column.prop(settings, "make_plane")
    column.prop(settings, "make_strips")
    column.prop(settings, "extend_scene")
    origin_buttons.draw_settings(body, settings)
    if settings.take.name:
        row = body.row(align=True)
        row.prop(settings.take, "first", text="Frames")
        row.prop(settings.take, "last", text="")
        body.label(text="Show the take in this scene:")
        row = body.row(align=True)
        row.operator("edtalk.add_plane")
        row.operator("edtalk.add_strips")
        film_buttons.draw(body)
        destinations.draw(body, bpy.context.scene)


def _draw_sight(layout: bpy.types.UILayout, context: bpy.types.Context, letters: int) -> None:
    row, chosen = layout.row(align=True), preferences()
    row.use_property_split = False
    row.operator("edtalk.live_preview", icon="HIDE_OFF", depress=live.is_on())
    if chosen is not None:
        row.prop(chosen, "cache_bar", toggle=True)
    row.operator("edtalk.frame_face", text="", icon="ZOOM_SELECTED")
    workspace.draw(layout)
    if bpy.data.filepath and bpy.ops.edtalk.bring_take.poll():
        row = layout.row()
        row.alert = True  # a restart of the computer empties that folder
        row.operator("edtalk.bring_take", icon="FILE_FOLDER")
    last = message_line.outcome(context)
    if live.trouble() and (last is None or live.trouble() not in jobs.sentence(last)):  # once is enough
        column = layout.column(align=True)
        for number, line in enumerate(_wrapped(live.trouble(), letters)):
            column.label(text=line, icon="ERROR" if number == 0 else "BLANK1")


def _draw_weights(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    header, banks = layout.panel("EDTALK_weights", default_closed=True)
    header.label(text="Weights")
    for bank in sorted(BANKS, key=list(BANK_TITLES).index) if banks is not None else ():
        header, body = banks.panel(f"EDTALK_weights_{bank}", default_closed=True)
        header.label(text=BANK_TITLES[bank])
        if body is None:
            continue
        column = body.column(align=True)
        column.use_property_decorate = True  # the key diamond beside each slider
        for name, label in rig.labels_of(face, bank):
            column.prop(face.pose.bones[bank], f'["{name}"]', text=label, slider=True)


def _draw_server(layout: bpy.types.UILayout) -> None:
    header, body = layout.panel("EDTALK_server", default_closed=True)
    server = supervisor.server_or_none()
    ready = server is not None and server.ready
    header.label(text="Server", icon=GREEN if ready else GREY)
    if body is None:
        return
    if ready:
        hello = server.hello
        body.label(text=f"Python {hello.python}, torch {hello.torch}")
        body.label(
            text=f"Device {hello.device}" + (f", {hello.memory_mb} MB free" if hello.memory_mb else "")
        )
    else:
        body.label(text="Not running; it starts when it is needed")
    row = body.row(align=True)
    row.operator("edtalk.check_server")
    row.operator("edtalk.stop_server", text="Stop")
    row = body.row(align=True)
    row.operator("edtalk.open_log")
    row.operator("edtalk.copy_server_command")


def _letters(context: bpy.types.Context) -> int:
    """How many letters beside an icon fit into the sidebar."""
    return max(20, int((context.region.width / context.preferences.system.ui_scale - 60) / 6.5))


def _wrapped(text: str, letters: int) -> list[str]:
    """Labels do not wrap in Blender, so a sentence is broken by hand."""
    return textwrap.wrap(text, letters)[:10]


class EDTALK_PT_view3d(EDTalkPanel, bpy.types.Panel):
    """In the sidebar of the 3D View"""

    bl_idname = "EDTALK_PT_view3d"
    bl_space_type = "VIEW_3D"


class EDTALK_PT_sequencer(EDTalkPanel, bpy.types.Panel):
    """In the sidebar of the Sequencer"""

    bl_idname = "EDTALK_PT_sequencer"
    bl_space_type = "SEQUENCE_EDITOR"


CLASSES = (EDTALK_PT_view3d, EDTALK_PT_sequencer)
