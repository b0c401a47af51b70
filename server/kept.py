# SPDX-License-Identifier: GPL-3.0-or-later
"""The few things last used, kept because making them is slow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """At most `most` values by key; the one not used for longest goes first.

    Usage:
        engines = Kept[Engine](2)
        engine = engines.get(key, lambda: load(path))
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value kept under `key`, made now when there is none."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        while len(self._values) >= self._most:  # room first: two of these may be more than the device holds
            self._values.popitem(last=False)
        value = self._values[key] = make()
        return value

    def clear(self) -> None:
        """Let go of everything."""
        self._values.clear()

    def __len__(self) -> int:
        return len(self._values)
