# SPDX-License-Identifier: GPL-3.0-or-later
"""What Preferences > Add-ons > EDTalk shows: the server and how it is, checkpoints, how to get the server's
Python.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import bpy

from ..server_process import checkpoints, environment, jobs, python_search, setup, supervisor
from ..settings import timing
from ..settings.preferences import checkpoint_folder

MARKS = {True: "CHECKMARK", None: "INFO", False: "ERROR"}


def draw(layout: bpy.types.UILayout, chosen: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    """All of it."""
    layout.use_property_split = True
    letters = max(40, int(context.region.width / context.preferences.system.ui_scale / 7.5))
    found = python_search.answer()
    lacks = not found.python and bool(found.trouble)
    if lacks:  # what a new user needs comes first
        _draw_set_up(layout, letters)
    _draw_server(layout, chosen, letters)
    _draw_checkpoints(layout, chosen)
    if not lacks:
        header, body = layout.panel("EDTALK_set_up", default_closed=True)
        header.label(text="The Server's Python")
        if body is not None:
            _draw_set_up(body, letters)
    layout.prop(chosen, "cache_bar")


def _draw_server(layout: bpy.types.UILayout, chosen: bpy.types.AddonPreferences, letters: int) -> None:
    box = layout.box()
    box.label(text="Server", icon="CONSOLE")
    box.prop(chosen, "python")
    found = python_search.answer()  # a line in any case: nothing may jump away from under the pointer
    if found.python:
        said = "It has what the server needs" if chosen.python else f"Found by itself: {found.python}"
        box.label(text=said, icon="CHECKMARK")
    elif found.trouble:
        said = "None found yet: see The Server's Python above"
        said = "It cannot run the server: Check Server says why" if chosen.python else said
        box.label(text=said, icon="ERROR" if chosen.python else "INFO")
    else:
        box.label(text="Looking for it ...", icon="BLANK1")
    box.prop(chosen, "device")
    box.prop(chosen, "unload_minutes")
    box.prop(chosen, "idle_minutes")
    row = box.row(align=True)
    row.operator("edtalk.check_server")
    row.operator("edtalk.stop_server", text="Stop")
    row.operator("edtalk.open_log")
    row.operator("edtalk.copy_report")
    draw_progress(box)
    lines = setup.report()
    if lines:
        column = box.column(align=True)
        for line in lines:
            text = f"{line.name}: {line.value}" if line.name else line.value
            for number, part in enumerate(textwrap.wrap(text, letters)):
                column.label(text=part, icon=MARKS[line.fine] if number == 0 and line.name else "BLANK1")
    server = supervisor.server_or_none()
    if not lines and server is not None and server.alive:
        box.label(text=f"Running, process {server.pid}; log: {server.log}")


def draw_progress(layout: bpy.types.UILayout) -> None:
    """The job that runs, with its X; nothing while none does."""
    job = jobs.current()
    if job is None:
        return
    row = layout.row(align=True)
    text = timing.progress_text(job.stage, job.done, job.total, job.fps, job.eta)
    row.progress(factor=job.done / job.total if job.total else 0.0, text=text, type="BAR")
    row.operator("edtalk.cancel", text="", icon="X")
    quiet = supervisor.silence()
    if quiet > supervisor.SILENT:
        layout.label(text=supervisor.no_sign_of_life(quiet), icon="ERROR")
        layout.operator("edtalk.end_server", icon="CANCEL")


def _draw_checkpoints(layout: bpy.types.UILayout, chosen: bpy.types.AddonPreferences) -> None:
    box = layout.box()
    box.label(text="Checkpoints (the circle: what new faces begin with)", icon="FILE_3D")
    box.prop(chosen, "checkpoint_folder")
    folder = checkpoint_folder()
    if folder is not None and not folder.is_dir():
        box.label(text="There is no such folder", icon="ERROR")
    column = box.column(align=True)
    for found in checkpoints.in_folder(folder):
        path = "" if found.shipped else found.path
        row = column.row(align=True)
        if found.trouble:
            row.label(text="", icon="ERROR")
        else:
            icon = "RADIOBUT_ON" if chosen.checkpoint == path else "RADIOBUT_OFF"
            row.operator("edtalk.use_checkpoint", text="", icon=icon, emboss=False).path = path
        row.label(text=f"{found.label}: {found.about}")
    if chosen.checkpoint and checkpoints.look(Path(chosen.checkpoint)).trouble:
        box.label(text=f"{chosen.checkpoint} is gone: new faces begin with the one of EDTalk", icon="ERROR")


def _draw_set_up(layout: bpy.types.UILayout, letters: int) -> None:
    box = layout.box()
    box.label(text="The Server's Python", icon="IMPORT")
    column = box.column(align=True)
    said = (
        "The network runs in a Python of its own beside Blender; nothing is installed into Blender. "
        "Set Up Server makes it after asking; it downloads PyTorch and others from pypi.org, 1 to 3 GB. "
        "Or paste this command, which does the same, into a terminal:"
    )
    for line in textwrap.wrap(said, letters):
        column.label(text=line)
    column = box.column(align=True)
    for line in textwrap.wrap(environment.install_command(), letters):
        column.label(text=line, icon="BLANK1")
    _draw_wrapped(box, setup.set_up_trouble(), "ERROR", letters)
    row = box.row(align=True)
    row.operator("edtalk.set_up_server", icon="IMPORT")
    row.operator("edtalk.copy_server_command", icon="COPYDOWN")
    _draw_wrapped(box, setup.why_not_set_up(), "INFO", letters)
    system = bpy.context.preferences.system
    if hasattr(system, "use_online_access") and not bpy.app.online_access:
        box.prop(system, "use_online_access")


def _draw_wrapped(layout: bpy.types.UILayout, text: str, icon: str, letters: int) -> None:
    """A sentence in as many lines as it needs; a label alone would leave out its middle."""
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, letters)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")
