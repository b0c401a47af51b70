# SPDX-License-Identifier: GPL-3.0-or-later
"""server/errors.py: what the system says, in one sentence."""

from __future__ import annotations

import pytest

from core.wire.errors import ServerError
from server.errors import explained, unexpected


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (MemoryError(), "computer"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "computer"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "graphics card"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), "graphics card"),
    ],
)
def test_full_memory_says_whose_and_what_to_do(error: Exception, what: str) -> None:
    with pytest.raises(ServerError, match=f"The {what} ran out of memory") as caught, explained():
        raise error
    assert caught.value.hint


def test_a_missing_library_is_named_and_a_missing_module_of_ours_is_our_mistake() -> None:
    with pytest.raises(ServerError, match="lacks the package librosa"), explained():
        raise ModuleNotFoundError("No module named 'librosa.core'", name="librosa.core")
    with pytest.raises(ModuleNotFoundError), explained():
        raise ModuleNotFoundError("No module named 'core.gone'", name="core.gone")


def test_other_errors_pass_through() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explained():
        raise RuntimeError("shapes do not match")


def test_the_unexpected_is_one_line_of_bounded_length() -> None:
    error = unexpected(ValueError("first\nsecond " + "x" * 1000), "server.log")
    assert "\n" not in error.message and len(error.message) < 400
    assert "ValueError: first second" in error.message and "server.log" in error.hint
