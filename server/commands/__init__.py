# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the command line, one file each, and what they have in common."""
