# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape keys of a 3D character that follow the face."""

MODULES = ()
