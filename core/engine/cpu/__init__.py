# SPDX-License-Identifier: GPL-3.0-or-later
"""The decoder as a processor runs it fastest: kernels, and one thread a frame."""
