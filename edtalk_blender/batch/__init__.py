# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command edtalk`: arguments, manifest, and the shots of a run."""

MODULES = ("command",)
