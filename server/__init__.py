# SPDX-License-Identifier: GPL-3.0-or-later
"""One process that keeps a model warm and answers messages (`python -m server`), and the command line that
shares its runtime.
"""

import os

__version__ = "0.1.0"

# Threads that wait for each other must sleep, not spin: beside a Blender that renders, spinning costs forty
# times the speed (measured: 0.3 instead of 12 frames a second). OpenMP reads this once, as torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
