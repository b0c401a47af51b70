# SPDX-License-Identifier: GPL-3.0-or-later
"""How the last job ended, in one line of the panel that has a fixed place and a fixed height, so that no
message moves a button from under the pointer. A click on it shows all of it, with the button that helps; the
x takes it away.

A message belongs to what caused it. It goes when that is no longer in front of the user: after undo and redo,
after saving and loading, and when another face, take, portrait, person of the portrait or server's Python is
chosen.
"""

from __future__ import annotations

import textwrap

import bpy
from bpy.app.handlers import persistent

from ...face import rig
from ...face.rig import settings_of
from ...portrait import found_faces
from ...server_process import jobs
from ...settings.preferences import preferences

HANDLERS = ("undo_post", "redo_post", "save_post", "load_post")
ICONS = {"ERROR": "ERROR", "WARNING": "INFO", "INFO": "CHECKMARK"}
ABOUT_PYTHON = ("Python", "server")
"""Words of a trouble that Set Up Server and the preferences help with."""

_shown: jobs.Outcome | None = None
_scene: tuple[str, ...] = ()  # what was in front of the user when it was first shown
_dismissed: jobs.Outcome | None = None


def outcome(context: bpy.types.Context) -> jobs.Outcome | None:
    """The message that still belongs to what is in front of the user, None when there is none."""
    global _shown, _scene
    last = jobs.last()
    if last is None or last is _dismissed:
        return None
    now = _in_front(context)
    if last is not _shown:
        _shown, _scene = last, now
    return last if now == _scene else None


def dismiss() -> None:
    """The message that there is has been read."""
    global _dismissed
    _dismissed = jobs.last()


def _in_front(context: bpy.types.Context) -> tuple[str, ...]:
    settings, face, chosen = settings_of(context), rig.active_face(context), preferences()
    who = (face.name, face.edtalk.take.name) if face is not None else ("", "")
    return (*who, settings.portrait, str(settings.face), chosen.python if chosen is not None else "")


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, letters: int) -> None:
    """One line, empty while there is nothing to say."""
    found = outcome(context)
    row = layout.row(align=True)
    if found is None:
        row.label(text="")
        return
    row.alert = found.level == "ERROR"
    text = shortened(found.text, letters)
    row.operator("edtalk.show_message", text=text, icon=ICONS[found.level], emboss=False)
    row.operator("edtalk.dismiss_message", text="", icon="X", emboss=False)


def shortened(text: str, letters: int) -> str:
    """The beginning of a sentence, as much as fits; a click shows the rest."""
    return text if len(text) <= letters else text[: max(1, letters - 3)].rstrip() + "..."


class EDTALK_OT_show_message(bpy.types.Operator):
    """Show all of it, and the button that helps"""

    bl_idname = "edtalk.show_message"
    bl_label = "Message"
    bl_options = {"INTERNAL"}

    @classmethod
    def description(cls, context: bpy.types.Context, _properties: bpy.types.OperatorProperties) -> str:
        """The whole sentence, so that the pointer alone shows it."""
        found = outcome(context)
        return jobs.sentence(found) if found is not None else cls.__doc__

    def execute(self, context: bpy.types.Context) -> set[str]:
        """A pop-up in a window, a report elsewhere."""
        found = outcome(context)
        if found is None:
            return {"CANCELLED"}
        if bpy.app.background:
            self.report({"INFO"}, jobs.sentence(found))
            return {"FINISHED"}
        context.window_manager.popup_menu(lambda popup, _: body(popup.layout, found), title=self.bl_label)
        return {"FINISHED"}


def body(layout: bpy.types.UILayout, found: jobs.Outcome) -> None:
    """What the pop-up shows."""
    for part in (found.text, found.hint):
        for line in textwrap.wrap(part, 80):
            layout.label(text=line)
    settings = settings_of(bpy.context)
    seen = found_faces.sighting_of(settings)
    if seen is not None and len(seen.faces) > 1 and "faces were found" in found.text:
        row = layout.row(align=True)
        row.label(text="Face")
        for number in range(1, min(len(seen.faces), 12) + 1):
            row.operator("edtalk.pick_face", text=str(number)).number = number
    if found.level == "ERROR" and any(word in found.text for word in ABOUT_PYTHON):
        layout.separator()
        layout.operator("edtalk.set_up_server", icon="IMPORT")
        layout.operator("edtalk.open_preferences", icon="PREFERENCES")
        layout.operator("edtalk.open_log")


class EDTALK_OT_dismiss_message(bpy.types.Operator):
    """Take the message away"""

    bl_idname = "edtalk.dismiss_message"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """It does not come back."""
        dismiss()
        return {"FINISHED"}


@persistent
def _over(*_: object) -> None:
    dismiss()


def register() -> None:
    """Begin to watch."""
    for name in HANDLERS:
        getattr(bpy.app.handlers, name).append(_over)


def unregister() -> None:
    """The reverse of `register`."""
    for name in HANDLERS:
        getattr(bpy.app.handlers, name).remove(_over)


CLASSES = (EDTALK_OT_show_message, EDTALK_OT_dismiss_message)
