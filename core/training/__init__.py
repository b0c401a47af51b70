# SPDX-License-Identifier: GPL-3.0-or-later
"""Training recipes, one file a stage, and the loop they share. Nothing here is needed to animate a face."""
