# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound: reading it, and the features that are computed from it."""
