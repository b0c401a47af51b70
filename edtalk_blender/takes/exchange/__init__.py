# SPDX-License-Identifier: GPL-3.0-or-later
"""What leaves a take and comes back: weights as files, the film, the take's sound."""

MODULES = ("weights",)
