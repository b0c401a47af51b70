# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights over time: the motion file, idle motion and emotions."""
