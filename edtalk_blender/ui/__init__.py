# SPDX-License-Identifier: GPL-3.0-or-later
"""Panel, lists, menus, buttons and the preferences page: one file a section."""

MODULES = (
    "panel",
    "generate_buttons",
    "movie_buttons",
    "origin_buttons",
    "job_operator",
    "preferences_page",
    "first_steps",
    "drop",
    "server_buttons",
    "slider_buttons",
    "take_list",
    "take_buttons",
    "show_buttons",
    "retime_buttons",
    "capture_buttons",
    "crop_buttons",
    "shape_buttons",
    "face_buttons",
    "expressions",
    "desk.film_buttons",
    "desk.message_line",
    "desk.pick_buttons",
    "desk.pose_buttons",
)
