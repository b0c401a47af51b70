# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes and measures models. The extension's zip leaves this folder out."""
