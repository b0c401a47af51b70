# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a Python, starts the server, speaks with it, and runs the jobs that wait for it."""

MODULES = (
    "supervisor",
    "jobs",
    "python_search",
)
