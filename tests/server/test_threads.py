# SPDX-License-Identifier: GPL-3.0-or-later
"""How many threads the server's process uses where somebody has limited them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("limit", "wanted", "most"), [("1", "", 1), ("2", "1", 1), ("1", "8", 1), ("2", "", 2), ("", "1", 1)]
)
def test_torch_uses_no_more_threads_than_openmp_gives(limit: str, wanted: str, most: int) -> None:
    pytest.importorskip("torch")
    set_here = {"OMP_THREAD_LIMIT": limit, "OMP_NUM_THREADS": wanted}
    environment = {name: value for name, value in os.environ.items() if name not in set_here}
    environment |= {name: value for name, value in set_here.items() if value}
    code = "import server, torch; print(torch.get_num_threads())"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert 1 <= int(said.stdout) <= most
