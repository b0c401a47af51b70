# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths that go with the .blend: a portrait beside the file is found on another machine, and after Save As
into another folder.

Blender does this by itself for its images and sounds, but not for paths in an add-on's settings. So a take
that was made writes its paths relative to the file, where the user's preferences want relative paths, and
saving the file elsewhere turns them towards the new place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import bpy
from bpy.app.handlers import persistent

from ..settings import files
from ..settings.paths import absolute, short_path

PATHS = ("portrait", "audio", "driving", "checkpoint")

_before: list[tuple[str, str, str, str]] = []  # kind of owner, its name, field, what it held before saving


def make_portable(settings: bpy.types.PropertyGroup) -> None:
    """Write the paths of settings relative to the .blend, if there is one and the user wants that. A
    checkpoint that does not lie beside the .blend belongs to the computer, not to the project.
    """
    if not bpy.data.filepath or not bpy.context.preferences.filepaths.use_relative_paths:
        return
    for field in PATHS:
        path = getattr(settings, field).strip()
        if path and not path.startswith("//") and files.is_regular(path):
            short = short_path(path)
            if field != "checkpoint" or ".." not in short:
                setattr(settings, field, short)


def _relative_settings() -> Iterator[tuple[str, bpy.types.ID, str]]:
    for kind in ("scenes", "objects"):
        for owner in getattr(bpy.data, kind):
            if owner.library is None:
                for field in (*PATHS, "transcript"):
                    if getattr(owner.edtalk, field).startswith("//"):
                        yield kind, owner, field


@persistent
def _before_saving(path: str, *_: object) -> None:
    _before.clear()
    old, new = bpy.data.filepath, path
    if not old or not new or os.path.dirname(old) == os.path.dirname(new):
        return
    for kind, owner, field in _relative_settings():
        value = getattr(owner.edtalk, field)
        _before.append((kind, owner.name, field, value))
        try:
            setattr(owner.edtalk, field, bpy.path.relpath(absolute(value), start=os.path.dirname(new)))
        except ValueError:
            setattr(owner.edtalk, field, absolute(value))  # Windows: the other drive


@persistent
def _after_saving(path: str, *_: object) -> None:
    if bpy.data.filepath != path:  # a copy was saved; the open file stays where it is
        for kind, name, field, value in _before:
            owner = getattr(bpy.data, kind).get(name)
            if owner is not None:
                setattr(owner.edtalk, field, value)
    _before.clear()


def register() -> None:
    """Begin to watch."""
    bpy.app.handlers.save_pre.append(_before_saving)
    bpy.app.handlers.save_post.append(_after_saving)
    bpy.app.handlers.save_post_fail.append(_after_saving)


def unregister() -> None:
    """The reverse of `register`."""
    bpy.app.handlers.save_post_fail.remove(_after_saving)
    bpy.app.handlers.save_post.remove(_after_saving)
    bpy.app.handlers.save_pre.remove(_before_saving)
