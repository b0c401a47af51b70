# SPDX-License-Identifier: GPL-3.0-or-later
"""One training stage a file. Nothing here is needed to animate a face."""
