# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames in words: read as Blender and farms write them, and shared among workers without gap or overlap."""

from __future__ import annotations

import pytest

from core.wire import ranges


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("90", (90,)),
        ("1-4", (1, 2, 3, 4)),
        ("1-3,7", (1, 2, 3, 7)),
        ("7, 1..3", (1, 2, 3, 7)),
        ("2-4,3-5", (2, 3, 4, 5)),
        ("-3--1", (-3, -2, -1)),
        ("-1..1", (-1, 0, 1)),
        ("-2", (-2,)),
    ],
)
def test_frames_are_read(text: str, frames: tuple[int, ...]) -> None:
    assert ranges.parse(text) == frames
    assert ranges.parse(ranges.say(frames)) == frames


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "1,,2", "5-1", "1-2-3", "99999999", "1048575", "1.5", "1-3x2"]
)
def test_what_names_no_frames_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wants"):
        ranges.parse(text)


def test_frames_are_said_in_ranges() -> None:
    assert ranges.say([3, 1, 2, 7, 8, 10]) == "1-3,7-8,10"
    assert ranges.say([]) == ""


@pytest.mark.parametrize("count", [0, 1, 7, 100])
@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_parts_are_neighbours_and_make_the_whole(count: int, parts: int) -> None:
    frames = list(range(101, 101 + count))
    shares = [ranges.share(frames, part, parts) for part in range(1, parts + 1)]
    assert [frame for share in shares for frame in share] == frames
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "1/0", "-1/2", "a/b"])
def test_a_part_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="3/8"):
        ranges.parse_part(text)


def test_a_part_is_read() -> None:
    assert ranges.parse_part("3/8") == (3, 8)
