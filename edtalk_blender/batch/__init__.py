# SPDX-License-Identifier: GPL-3.0-or-later
"""Without the panel: `blender --command edtalk` with its manifest, and the class `Face` for scripts."""

MODULES = ("command",)
