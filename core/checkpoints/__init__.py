# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and writing checkpoints, the published ones and ours; ours lies here."""
