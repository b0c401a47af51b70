# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side: settings, buttons, panels, f-curves, picture sequences, and the client of the server.

bpy, numpy and the standard library only; torch lives in the server's process. Some modules need no Blender
and are tested without it, so nothing is imported here before `register`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

ROOMS = (
    "settings",
    "server_process",
    "face",
    "pictures",
    "portrait",
    "takes",
    "preview",
    "curves",
    "character",
    "batch",
    "ui",
)
"""The packages of the extension, lower ones first. `MODULES` of each names its modules that have classes or
a `register` of their own."""


def _modules() -> list[ModuleType]:
    rooms = [importlib.import_module(f".{room}", __name__) for room in ROOMS]
    return [importlib.import_module(f".{name}", room.__name__) for room in rooms for name in room.MODULES]


def _classes() -> list[type]:
    """Every class that Blender has to know, in the order it has to learn them."""
    return [cls for module in _modules() for cls in getattr(module, "CLASSES", ())]


def register() -> None:
    """Register all classes, then what hangs on them: properties, handlers, menu entries."""
    import bpy

    for cls in _classes():
        bpy.utils.register_class(cls)
    for module in _modules():
        if hasattr(module, "register"):
            module.register()


def unregister() -> None:
    """Take everything back in reverse order."""
    import bpy

    for module in reversed(_modules()):
        if hasattr(module, "unregister"):
            module.unregister()
    for cls in reversed(_classes()):
        bpy.utils.unregister_class(cls)
