# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program a file is of, by its name's end and by what it holds."""

from __future__ import annotations

import json

from ..errors import BadMotion
from . import a2f, cues, livelink, sheets, text

WEIGHTS, LIVELINK, A2F_CSV, A2F_JSON, CUES = "weights", "livelink", "a2f_csv", "a2f_json", "cues"
CUE_SUFFIXES = (".tsv", ".textgrid", ".dat", ".pgo", ".pg2")
SUFFIXES = (".npz", ".csv", ".json", *CUE_SUFFIXES)


def kind_of(data: bytes, name: str) -> str:
    """One of the five above. What is a table or an object of nobody counts as a file of weights: its reader
    says what is wrong with it. Raises BadMotion for any other name, and for a table that is no text.
    """
    suffix = cues.suffix_of(name)
    if suffix not in SUFFIXES:
        raise BadMotion(f"{name} is no file of weights or mouth shapes: it must end in {', '.join(SUFFIXES)}")
    if suffix in CUE_SUFFIXES:
        return CUES
    if suffix == ".csv":
        return _table(data, name)
    return _object(data, name) if suffix == ".json" else WEIGHTS


def _table(data: bytes, name: str) -> str:
    header = next(iter(sheets.rows(data, name)), [])
    if a2f.looks_like(header):  # asked first: it may call its first column like Live Link Face does
        return A2F_CSV
    return LIVELINK if livelink.looks_like(header) else WEIGHTS


def _object(data: bytes, name: str) -> str:
    try:
        held = json.loads(text.text_of(data, name))
    except (ValueError, RecursionError):
        return WEIGHTS
    if a2f.is_json(held):
        return A2F_JSON
    return CUES if cues.is_rhubarb(held) else WEIGHTS
