# SPDX-License-Identifier: GPL-3.0-or-later
"""A measure of a whole sound that several parts of an analysis ask for is computed once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

A = TypeVar("A", bound=NDArray[Any])


def once(measure: Callable[..., A]) -> Callable[..., A]:
    """A decorator: the last result for an array of samples is kept while that very array lives and has not
    become another sound. What is given back is a copy.

    Trap: an array that is written to between two calls is told by its sum alone.
    """
    kept: list[tuple[weakref.ref[Any], tuple[Any, ...], float, A]] = []

    @wraps(measure)
    def answer(samples: NDArray[Any], *rest: Any, **named: Any) -> A:
        asking = (*rest, *sorted(named.items()))
        total = float(np.sum(samples))
        if kept:
            of, asked, before, found = kept[0]
            if of() is samples and asked == asking and before == total:
                return found.copy()
        found = measure(samples, *rest, **named)
        kept[:] = [(weakref.ref(samples), asking, total, found)]
        return found.copy()

    return answer
