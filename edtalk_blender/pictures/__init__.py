# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's folder of pictures, and everything in Blender that shows it."""

MODULES = (
    "destinations",
    "workspace",
)
