# SPDX-License-Identifier: GPL-3.0-or-later
"""How good the product is on photographs, voices and clips of people, held against the people themselves."""
