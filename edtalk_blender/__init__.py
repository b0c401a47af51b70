# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side: settings, buttons, panels, f-curves, picture sequences, and the client of the server.

bpy, numpy and the standard library only; torch lives in the server's process. What needs no Blender
(`timing`, `takes`, `client`, `environment`) can be imported without it, so nothing is imported here
before `register`.
"""

from __future__ import annotations


def register() -> None:
    """Register classes, then what hangs on them."""
    import bpy

    from . import cache_bar, command, operators, panels, preferences, properties, service, status

    for cls in (*preferences.CLASSES, *properties.CLASSES, *operators.CLASSES, *panels.CLASSES):
        bpy.utils.register_class(cls)
    for module in (properties, service, status, cache_bar, command):
        module.register()


def unregister() -> None:
    """The reverse of `register`, in reverse order."""
    import bpy

    from . import cache_bar, command, jobs, operators, panels, preferences, properties, service, status

    for module in (command, cache_bar, status, jobs, service, properties):
        module.unregister()
    classes = (*preferences.CLASSES, *properties.CLASSES, *operators.CLASSES, *panels.CLASSES)
    for cls in reversed(classes):
        bpy.utils.unregister_class(cls)
