# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture and video files, the face in a picture, the matte around it."""
