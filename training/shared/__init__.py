# SPDX-License-Identifier: GPL-3.0-or-later
"""What several training stages share: the loop, batches and voices."""
