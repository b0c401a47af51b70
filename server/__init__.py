# SPDX-License-Identifier: GPL-3.0-or-later
"""One process that keeps a model warm and answers messages (`python -m server`), and the command line that
shares its runtime.
"""

import os

__version__ = "0.1.0"

# Threads that wait for each other must sleep, not spin: beside a Blender that renders, spinning costs forty
# times the speed (measured: 0.3 instead of 12 frames a second). OpenMP reads this once, as torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A limit on threads, as studios set it for shared machines, must be known to torch as well: told to use more
# threads than OpenMP gives it, torch leaves parts of its work undone, and the picture is no picture.
_limit = os.environ.get("OMP_THREAD_LIMIT", "")
if _limit.isdecimal() and int(_limit) > 0:
    _wanted = os.environ.get("OMP_NUM_THREADS", "")
    _threads = int(_wanted) if _wanted.isdecimal() and int(_wanted) > 0 else int(_limit)
    os.environ["OMP_NUM_THREADS"] = str(min(_threads, int(_limit), os.cpu_count() or 1))
