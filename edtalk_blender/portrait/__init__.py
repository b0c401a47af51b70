# SPDX-License-Identifier: GPL-3.0-or-later
"""The portrait: the faces found in it, the crop, and the transcript of what it says."""

MODULES = (
    "found_faces",
    "crop_gizmo",
    "mark_gizmo",
    "mark_buttons",
)
