# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do next, while a scene has no face yet: four steps, each with its state and its button.

The list is made from what is there, not from what was clicked: a portrait that is moved away is a step to
do again. Once there is a face the box is gone.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..face import rig
from ..face.rig import settings_of
from ..pictures import workspace
from ..server_process import jobs, python_search, setup, supervisor
from ..settings.paths import absolute, missing_file
from ..settings.preferences import EXTENSION


@dataclass(frozen=True)
class Step:
    """One step: what it is called, whether it is done, and how it stands in a few words."""

    name: str
    title: str
    done: bool
    state: str


def wanted(context: bpy.types.Context) -> bool:
    """Is this a scene to begin with?"""
    return not rig.faces_in(context.scene)


def steps(context: bpy.types.Context) -> list[Step]:
    """The four, in their order."""
    settings = settings_of(context)
    found = [_server(), _portrait(settings), _voice(settings)]
    ready = all(step.done for step in found)
    if jobs.current() is not None:
        state = "Under way: see the bar"
    else:
        state = "Everything is there: press it" if ready else "Comes last"
    return [*found, Step("generate", "Generate", False, state)]


def current(found: list[Step]) -> Step:
    """The one to do next."""
    return next((step for step in found if not step.done), found[-1])


def _server() -> Step:
    title = "The server's Python"
    server = supervisor.server_or_none()
    if server is not None and server.ready:
        return Step("server", title, True, f"Runs on {server.hello.device}, PyTorch {server.hello.torch}")
    found = python_search.answer()
    if found.python:
        return Step("server", title, True, f"Found: {found.python}")
    if not found.known:
        return Step("server", title, False, "Looking for it ...")
    make = setup.why_not_set_up() or "Set Up Server makes one; it says first what it downloads"
    return Step("server", title, False, f"None yet. {make}")


def _portrait(settings: bpy.types.PropertyGroup) -> Step:
    reason = missing_file(settings.portrait, "a portrait")
    if not settings.portrait.strip():
        reason = "A picture with one face that looks at the camera"
    return Step("portrait", "A portrait", not reason, reason or Path(absolute(settings.portrait)).name)


def _voice(settings: bpy.types.PropertyGroup) -> Step:
    paths = [path for path in (settings.audio, settings.driving) if path.strip()]
    if not paths:
        return Step("voice", "A sound", False, "Speech, any length (or a driving clip, below)")
    reason = next(filter(None, (missing_file(path, "a sound") for path in paths)), "")
    return Step("voice", "A sound", not reason, reason or ", ".join(Path(absolute(p)).name for p in paths))


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, letters: int) -> None:
    """The box."""
    found = steps(context)
    box = layout.box()
    box.use_property_split = False
    box.label(text="First Steps", icon="INFO")
    for number, step in enumerate(found, 1):
        column = box.column(align=True)
        words = column.column(align=True)
        words.active = step.done or step == current(found)
        icon = "CHECKBOX_HLT" if step.done else "CHECKBOX_DEHLT"
        words.label(text=f"{number}. {step.title}", icon=icon)
        if not (step.done and step.name in ("portrait", "voice")):  # the field below says which file it is
            for line in textwrap.wrap(step.state, letters):
                words.label(text=line, icon="BLANK1")
        _draw_button(column, step, settings_of(context))
    tips = []
    if not (found[1].done and found[2].done):
        tips.append("Or drop a portrait and a sound into this editor")
    if not bpy.data.filepath:
        tips.append("Save the file first, and the frames go beside it")
    for tip in tips:
        for number, line in enumerate(textwrap.wrap(tip, letters)):
            box.label(text=line, icon="DOT" if number == 0 else "BLANK1")
    workspace.draw(box)


def _draw_button(column: bpy.types.UILayout, step: Step, settings: bpy.types.PropertyGroup) -> None:
    row = column.row(align=True)
    if step.name == "server" and not step.done:
        row.operator("edtalk.set_up_server", icon="IMPORT")
        row.operator("edtalk.check_server")
        row = column.row(align=True)
        row.operator("edtalk.copy_server_command", icon="COPYDOWN")
        row.operator("edtalk.open_preferences", text="Preferences", icon="PREFERENCES")
    elif step.name == "portrait":
        row.prop(settings, "portrait", text="")
        row.operator("edtalk.pick_portrait", text="", icon="FILE_IMAGE")
    elif step.name == "voice":
        row.prop(settings, "audio", text="")
        row.operator("edtalk.pick_sound", text="", icon="FILE_SOUND")
    elif step.name == "generate" and jobs.current() is None:
        row.scale_y = 1.3
        row.operator("edtalk.generate_take", icon="PLAY")


class EDTALK_OT_open_preferences(bpy.types.Operator):
    """Open the preferences of EDTalk: the server's Python, device, checkpoints"""

    bl_idname = "edtalk.open_preferences"
    bl_label = "EDTalk Preferences"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Blender's own preferences, at this add-on."""
        if bpy.app.background:
            self.report({"WARNING"}, "There is no window to show preferences in")
            return {"CANCELLED"}
        bpy.ops.preferences.addon_show(module=EXTENSION)
        return {"FINISHED"}


CLASSES = (EDTALK_OT_open_preferences,)
