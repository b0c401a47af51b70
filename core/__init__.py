# SPDX-License-Identifier: GPL-3.0-or-later
"""What knows faces and speech. Importing this package loads nothing: import the module you mean."""
