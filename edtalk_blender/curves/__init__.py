# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools over f-curves, the measurements they need, and capture from clips and photos."""

MODULES = (
    "tool_base",
    "tools",
    "close_mouth",
    "menu",
)
