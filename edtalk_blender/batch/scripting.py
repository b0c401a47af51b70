# SPDX-License-Identifier: GPL-3.0-or-later
"""`Face`, for Python scripts and Blender's console: docs/scripting.md.

    from bl_ext.user_default.edtalk import Face

Like an operator that a script calls, `generate` and `render_changed` return when the work is done. What
cannot be done is raised as an EDTalkError; its hint stands below the error in the console.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from ...core.wire.errors import EDTalkError, InputError
from ..face import rig
from ..face.face_rig import FaceRig
from ..server_process import jobs
from ..takes import generation, ready, request, take_rows
from ..takes.several import switch
from . import options, run
from .manifest import Shot


@contextmanager
def _hint_shown() -> Iterator[None]:
    """Python prints notes below an error; its own text is the message alone."""
    try:
        yield
    except EDTalkError as error:
        if error.hint and error.hint not in getattr(error, "__notes__", ()):
            error.add_note(error.hint)
        raise


class Face(FaceRig):
    """A face rig with its takes.

        face = Face()                   # the active one, or the only one of the scene
        face = Face("Anna")             # by name
        face = Face.make("anna.png", "line.wav")

    See `FaceRig` for `weights`, `emotions`, `handles`, `frames` and `settings`.
    """

    def __init__(self, face: str | bpy.types.Object | None = None) -> None:
        with _hint_shown():
            super().__init__(face)

    @classmethod
    def all(cls) -> list[Face]:
        """The faces of the current scene."""
        return [cls(one) for one in rig.faces_in(bpy.context.scene)]

    @classmethod
    def make(cls, portrait: str | Path, audio: str | Path = "", **settings: Any) -> Face:
        """A new face with its first take; see `generate` for the settings. Give `driving` or `audio`."""
        given = {"portrait": str(portrait), "audio": str(audio), **settings}
        with _hint_shown():
            _when_free()
            result = run.generate(Shot(new_face=True, settings=_checked(given)), _tell)
            return cls(result.takes[0]["face"])

    @property
    def takes(self) -> list[str]:
        """Names of the takes, in the order of the list in the panel."""
        return [row.key for row in take_rows.rows_of(self.object)]

    @property
    def take(self) -> str:
        """Name of the take that the face shows; assign another of `takes` to change over to it."""
        return self.settings.take.name

    @take.setter
    def take(self, name: str) -> None:
        with _hint_shown():
            _when_free()
            row = take_rows.row_named(self.object, name)
            if row is None:
                raise InputError(f"{self.name} has no take called {name}", _it_has(self.takes))
            if reason := rig.why_not_ours(self.object):
                raise InputError(reason)
            switch.switch(self.object, row)

    @property
    def folder(self) -> Path | None:
        """Folder of the take's pictures and motion.npz; None before the first take."""
        return request.folder_of(self.object) if self.take else None

    def generate(self, **settings: Any) -> str:
        """A new take from the face's settings, as the button Generate; returns the sentence that it reports.

        Args:
            settings: changes to the settings first, by their names on the command line (docs/farm.md):
                `audio="line.wav"`, `emotion="happy"`, `size=256` ... Relative paths count from the current
                folder, "//" is the folder of the .blend.

        Raises EDTalkError: settings that are not valid, a missing file, a server that cannot be started,
        Cancelled for Ctrl+C. Frames that were made are kept.
        """
        with _hint_shown(), self._active():
            _when_free()
            return _said(run.generate(Shot(rig=self.name, settings=_checked(settings)), _tell))

    def render_changed(self) -> str:
        """Make the frames anew that differ from the curves, as the button Render Changed; returns the
        sentence that it reports. Raises EDTalkError.
        """
        with _hint_shown(), self._active():
            if reason := ready.why_not_render(bpy.context):
                raise InputError(reason)
            order = request.order_for_changes(bpy.context, self.object)
            outcome = run.run(jobs.Job("Render Changed", generation.render_changed(order)), _tell)
            return jobs.sentence(outcome)

    def _active(self):
        """A context in which this face is the active object, whatever is selected."""
        found = self.object
        return bpy.context.temp_override(active_object=found, object=found)


def _when_free() -> None:
    """Raises InputError while another job runs."""
    if reason := jobs.busy():
        raise InputError(reason)


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by name with tidy values. Raises InputError before anything is changed."""
    known, tidy = options.table(), {}
    for name, value in settings.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise InputError(
                f"There is no setting {name}", f"Did you mean {near[0]}?" if near else _it_has(known)
            )
        try:
            tidy[name] = options.check(
                known[name], str(value) if isinstance(value, Path) else value, Path.cwd()
            )
        except ValueError as error:
            raise InputError(f"{name} {error}") from error
    return tidy


def _it_has(names) -> str:
    return f"There are {', '.join(names)}" if names else "There are none yet"


def _tell(_job: jobs.Job) -> None:
    """A script waits for the end; nothing is shown on the way."""


def _said(result: run.Result) -> str:
    return f"{result.said}. {result.hint}" if result.hint else result.said
