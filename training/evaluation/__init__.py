# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures of a model on heads it has never seen, and the model card they fill."""
