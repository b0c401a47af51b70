# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's Python and the server's Python share: channels, errors, messages, framing. Standard library
only.
"""
