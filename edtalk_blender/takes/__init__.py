# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes from request to result: generate, apply, list, switch, delete, retime, exchange."""

MODULES = (
    "moved_files",
    "owners",
    "take_rows",
    "edit_on_top",
    "status",
    "undo_steps",
    "exchange.weights",
)
