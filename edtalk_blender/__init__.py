# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side: settings, buttons, panels, f-curves, picture sequences, and the client of the server.

bpy, numpy and the standard library only; torch lives in the server's process. What needs no Blender
(`timing`, `takes`, `client`, `environment`) can be imported without it, so nothing is imported here
before `register`.
"""

from __future__ import annotations


def _classes() -> list[type]:
    """Every class that Blender has to know, in the order it has to learn them."""
    from . import (
        crop_editor,
        curve_menu,
        layers,
        live_switch,
        operators,
        panels,
        preferences,
        properties,
        sighting,
        take_list,
    )

    modules = (
        preferences,
        properties,
        sighting,
        take_list,
        curve_menu,
        operators,
        crop_editor,
        live_switch,
        layers,
        panels,
    )
    return [cls for module in modules for cls in module.CLASSES]


def register() -> None:
    """Register classes, then what hangs on them."""
    import bpy

    from . import (
        cache_bar,
        command,
        curve_menu,
        file_moves,
        live_switch,
        properties,
        service,
        several,
        shape_operators,
        sighting,
        status,
        take_list,
        workspace,
    )

    for cls in _classes():
        bpy.utils.register_class(cls)
    parts = (
        properties,
        sighting,
        shape_operators,
        several,
        take_list,
        curve_menu,
        service,
        status,
        live_switch,
        cache_bar,
        command,
        file_moves,
        workspace,
    )
    for module in parts:
        module.register()


def unregister() -> None:
    """The reverse of `register`, in reverse order."""
    import bpy

    from . import (
        cache_bar,
        command,
        curve_menu,
        file_moves,
        jobs,
        live_switch,
        properties,
        python_search,
        service,
        several,
        shape_operators,
        sighting,
        status,
        take_list,
        workspace,
    )

    parts = (
        workspace,
        file_moves,
        command,
        cache_bar,
        live_switch,
        status,
        jobs,
        python_search,
        service,
        curve_menu,
        take_list,
        several,
        shape_operators,
        sighting,
        properties,
    )
    for module in parts:
        module.unregister()
    for cls in reversed(_classes()):
        bpy.utils.unregister_class(cls)
