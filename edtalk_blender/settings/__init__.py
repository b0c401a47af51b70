# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person has set: property groups, preferences, paths and frame rates."""

MODULES = (
    "trust",
    "properties",
)
