# SPDX-License-Identifier: GPL-3.0-or-later
"""What the renderer needs around moderngl: a context without a window, vertex layouts, uniforms by name."""

from __future__ import annotations

import sys
from typing import Any

import moderngl
import numpy as np

from training.heads.errors import NoGraphics

Layout = tuple[tuple[moderngl.Buffer, tuple[tuple[str, str], ...]], ...]
"""Buffers with their fields: (format such as "3f", attribute)."""


def open_context() -> moderngl.Context:
    """An OpenGL 3.3 context without a window: on Linux EGL, which needs no display; elsewhere the system's.

    Raises NoGraphics.
    """
    try:
        if sys.platform.startswith("linux"):
            return moderngl.create_context(
                standalone=True, require=330, backend="egl", libgl="libGL.so.1", libegl="libEGL.so.1"
            )
        return moderngl.create_context(standalone=True, require=330)
    except Exception as error:  # the backends raise whatever they like
        raise NoGraphics(
            f"OpenGL 3.3 could not be started: {error}", hint="On Debian: apt install libegl1 libgl1-mesa-dri"
        ) from error


def used_fields(program: moderngl.Program, layout: Layout) -> list[tuple[Any, ...]]:
    """A layout for `Context.vertex_array`: attributes that the program does not read become padding."""
    result: list[tuple[Any, ...]] = []
    for buffer, fields in layout:
        formats = [size if name in program else f"{int(size[0]) * 4}x" for size, name in fields]
        names = [name for _, name in fields if name in program]
        if names:
            result.append((buffer, " ".join(formats), *names))
    return result


def set_uniforms(program: moderngl.Program, **values: Any) -> None:
    """Sets those uniforms that the program has; matrices [4, 4] are given row by row."""
    for name, value in values.items():
        if name not in program:
            continue
        if isinstance(value, np.ndarray) and value.shape == (4, 4):
            program[name].write(value.T.astype(np.float32).tobytes())
        else:
            program[name].value = tuple(map(float, value)) if np.ndim(value) else value


def clamped(texture: moderngl.Texture) -> moderngl.Texture:
    """The texture, not repeating beyond its border."""
    texture.repeat_x = texture.repeat_y = False
    return texture
