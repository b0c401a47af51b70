# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong while drawing heads."""

from __future__ import annotations

from core.wire.errors import EDTalkError


class NoGraphics(EDTalkError):
    """Heads cannot be drawn on this machine: OpenGL 3.3 or its Python package is missing."""

    kind = "no_graphics"
