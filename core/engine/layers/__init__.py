# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn over the decoded frame from the portrait's own pixels: mouth, lips, lids and irises."""
