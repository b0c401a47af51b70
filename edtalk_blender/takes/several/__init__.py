# SPDX-License-Identifier: GPL-3.0-or-later
"""Several takes of one face: changed for one another, beside each other, blended, deleted."""

MODULES: tuple[str, ...] = ()
