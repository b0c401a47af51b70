# SPDX-License-Identifier: GPL-3.0-or-later
"""From a portrait and weights to frames: the engine and the pipeline around it."""
