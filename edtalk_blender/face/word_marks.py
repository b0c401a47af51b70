# SPDX-License-Identifier: GPL-3.0-or-later
"""The words and phones of a take as marks that can be moved: pose markers of the take's action.

A mark begins a phone, the first of a word with the word before it ("mother m"), or a pause ("-"), which lasts
until the next mark. Pose markers belong to the action, so they are saved, copied and switched with the take,
and Blender's own tools move, rename and delete them, with the add-on and without.

Markers stand on whole frames and phones do not: the action keeps the exact seconds of each, which count for
as long as its marker is neither moved nor renamed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from math import floor
from typing import Any

import bpy

from ...core.wire import moments
from ...core.wire.channels import STEPS_PER_SECOND
from . import take_action

MARKS = "edtalk_marks"
"""Custom property of a take's action: what its mouth was made with, JSON rows of name, seconds and frame."""
RATE = "edtalk_rate"
"""Custom property of an action: frames a second its keys are laid out for."""
PAUSE = "-"
LEAST_PAUSE = 0.03
"""Seconds between two phones from which there is a pause."""
LONGEST_NAME = 60

Row = tuple[str, float, int]
"""Name of a mark, its second of the take, and the frame of the action that its marker was set at."""


def land(action: bpy.types.Action, phones: Iterable[Mapping[str, Any]]) -> None:
    """Give an action the marks of these phones (`messages.Analyzed.phones`), instead of those it has."""
    rows: list[tuple[str, float]] = []
    end = 0.0
    for phone in phones:
        if rows and phone["start"] - end > LEAST_PAUSE:
            rows.append((PAUSE, end))
        name = f"{phone['word'][:LONGEST_NAME]} {phone['name']}" if phone["word"] else phone["name"]
        rows.append((name, phone["start"]))
        end = phone["end"]
    if rows:
        rows.append((PAUSE, end))
    for marker in list(action.pose_markers):
        if marker.name in _names(action):
            action.pose_markers.remove(marker)
    begin, rate = timing(action)
    known = [(name, at, round(moments.frame_at(at, rate, begin))) for name, at in rows]
    for name, _, frame in known:
        action.pose_markers.new(name).frame = frame
    keep(action, known)


def keep(action: bpy.types.Action, rows: list[Row]) -> None:
    """The mouth was made with these marks."""
    if rows:
        action[MARKS] = json.dumps(rows)
    elif MARKS in action:
        del action[MARKS]


def kept(action: bpy.types.Action) -> list[Row]:
    """The marks that the mouth was made with; none where nothing sensible is kept."""
    try:
        return [(str(name), float(at), int(frame)) for name, at, frame in json.loads(action.get(MARKS, "[]"))]
    except (TypeError, ValueError):
        return []


def now(action: bpy.types.Action) -> list[Row]:
    """The marks as they stand, in the order of time."""
    begin, rate = timing(action)
    exact: dict[tuple[str, int], list[float]] = {}
    for name, at, frame in kept(action):
        exact.setdefault((name, frame), []).append(at)
    rows = []
    for marker in action.pose_markers:
        same = exact.get((marker.name, marker.frame))
        at = same.pop(0) if same else moments.seconds_at(marker.frame, rate, begin)
        rows.append((marker.name, float(at), marker.frame))
    return sorted(rows, key=lambda row: row[1])


def are_moved(action: bpy.types.Action) -> bool:
    """Do the marks of a take differ from those that its mouth was made with?"""
    return MARKS in action and sorted(now(action)) != sorted(kept(action))


def phones_of(rows: list[Row]) -> tuple[dict[str, Any], ...]:
    """What marks say, as `messages.Analyze.phones` has it."""
    found = []
    for (name, start, _), (_, end, _) in itertools.pairwise(rows):
        word, _, phone = name.rpartition(" ")
        if phone not in ("", PAUSE):
            found.append({"name": phone, "start": start, "end": end, "word": word})
    return tuple(found)


def span(action: bpy.types.Action) -> tuple[int, int] | None:
    """First and last frame of the action that a mark which was moved may change; None while none was."""
    before, after = set(kept(action)), set(now(action))
    if MARKS not in action or before == after:
        return None
    frames = [frame for _, _, frame in before ^ after]
    reach = round(timing(action)[1] / 2)
    return min(frames) - reach, max(frames) + reach


def stretch(action: bpy.types.Action, pivot: float, factor: float) -> None:
    """The keys of the action were moved so: each frame to pivot + (frame - pivot) * factor."""
    if MARKS not in action:
        return

    def moved(frame: int) -> int:
        return floor(pivot + (frame - pivot) * factor + 0.5)

    for marker in action.pose_markers:
        marker.frame = moved(marker.frame)
    keep(action, [(name, at, moved(frame)) for name, at, frame in kept(action)])


def _names(action: bpy.types.Action) -> set[str]:
    return {name for name, _, _ in kept(action)}


def timing(action: bpy.types.Action) -> tuple[float, float]:
    """Frame that the take begins with, and frames a second."""
    return float(action.get(take_action.BEGIN, 1.0)), float(action.get(RATE, 0.0)) or float(STEPS_PER_SECOND)
