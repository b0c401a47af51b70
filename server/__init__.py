# SPDX-License-Identifier: GPL-3.0-or-later
"""One process that keeps a model warm and answers messages (`python -m server`), and the command line that
shares its runtime.
"""

__version__ = "0.1.0"
