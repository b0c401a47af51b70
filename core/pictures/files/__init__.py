# SPDX-License-Identifier: GPL-3.0-or-later
"""What kinds of picture files there are, how each is decoded, and what is written into them."""
