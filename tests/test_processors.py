# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures agree under each instruction set of this processor, so on processors without the stronger ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import instruction_sets

del sys.path[0]


@pytest.mark.slow
@pytest.mark.parametrize(("variable", "value"), instruction_sets.settings()[:-1])
def test_pictures_agree_under_a_weaker_instruction_set(variable: str, value: str) -> None:
    done = instruction_sets.run(variable, value, instruction_sets.SHORT)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


def test_the_plainest_instruction_set_is_always_tried() -> None:
    assert instruction_sets.settings()[0] == ("ATEN_CPU_CAPABILITY", "default")
