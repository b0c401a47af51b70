# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of those who make models: evaluate, calibrate, bench, heads."""
