# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side: settings, buttons, panels, f-curves, picture sequences, and the client of the server.

bpy, numpy and the standard library only; torch lives in the server's process. Some modules need no Blender
and are tested without it, so nothing is imported here before `register`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

MODULES = (
    "properties",
    "service",
    "jobs",
    "python_search",
    "destinations",
    "workspace",
    "sighting",
    "crop_gizmo",
    "file_moves",
    "take_rows",
    "layers",
    "status",
    "exchange",
    "live_switch",
    "cache_bar",
    "curve_scope",
    "curve_tools",
    "close_mouth",
    "curve_menu",
    "command",
    "panels",
    "operators",
    "job_operator",
    "preferences",
    "first_steps",
    "drop",
    "server_operators",
    "slider_operators",
    "take_list",
    "take_buttons",
    "take_operators",
    "retime_operators",
    "capture",
    "crop_editor",
    "shape_operators",
    "several",
    "expressions",
)
"""Modules with classes or a `register` of their own, lower ones first."""


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f".{name}", __name__) for name in MODULES]


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
