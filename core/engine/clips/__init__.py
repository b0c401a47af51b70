# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips that drive a portrait: what their face does, and the weights that make the portrait do the same."""
