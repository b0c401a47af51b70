# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic talking heads: random people drawn from CC0 assets, with every motion factor known exactly.

`factors` says what each of the 36 channels means and is all that inference needs of this package. The rest
(`identity`, `pose`, `renderer`, `dataset` ...) makes the pictures the embedded checkpoint is trained on.
"""
