# SPDX-License-Identifier: GPL-3.0-or-later
"""The face rig: bones, sliders, f-curves, and reading the weights off them."""

MODULES = ()
