# SPDX-License-Identifier: GPL-3.0-or-later
"""The live preview, and the bar that shows which frames are up to date."""

MODULES = (
    "live_switch",
    "cache_bar",
    "big_picture",
)
