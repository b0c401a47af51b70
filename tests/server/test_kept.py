# SPDX-License-Identifier: GPL-3.0-or-later
"""server/kept.py: what was used last is kept."""

from __future__ import annotations

from server.kept import Kept


def test_a_value_is_made_once_and_the_one_unused_for_longest_goes_first() -> None:
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    kept = Kept[str](2)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert kept.get(name, lambda name=name: make(name)) == name
    assert made == ["a", "b", "c", "b"]
    assert len(kept) == 2


def test_letting_go_makes_everything_anew() -> None:
    kept = Kept[object](2)
    first = kept.get(1, object)
    kept.clear()
    assert kept.get(1, object) is not first
