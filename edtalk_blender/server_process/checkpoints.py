# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkpoints on this computer, as they describe themselves: the one that comes with EDTalk, and those in
the folder of the preferences. No bpy, no server.

Only headers are read (the first kilobytes of a safetensors file, plain JSON), and only again when a file
has changed, so this may be asked for on every drawing of a panel.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..settings import files
from .environment import ROOT

SHIPPED = ROOT / "core" / "checkpoints" / "edtalk-heads.safetensors"
MOST = 16 << 20
"""Bytes a header may have; more is no header."""


@dataclass(frozen=True)
class Found:
    """One file; `trouble` says why it cannot be used, "" when it can."""

    path: str
    id: str = ""
    licence: str = ""
    side: int = 0  # pixels of the square it draws
    megabytes: float = 0.0
    trouble: str = ""

    @property
    def shipped(self) -> bool:
        """Does it come with EDTalk?"""
        return Path(self.path) == SHIPPED

    @property
    def label(self) -> str:
        """Name for lists: what it calls itself, without the digest."""
        return self.id.rpartition("-")[0] or self.id or Path(self.path).name

    @property
    def about(self) -> str:
        """Everything else in a few words."""
        words = [f"{self.side} px", f"{self.megabytes:.0f} MB", self.licence or "no licence stated"]
        return self.trouble or ", ".join([*words, "comes with EDTalk"] if self.shipped else words)


def look(path: Path) -> Found:
    """What a file says about itself."""
    try:
        stat = path.stat()
    except (OSError, ValueError) as error:
        return Found(str(path), trouble=f"cannot be read: {getattr(error, 'strerror', '') or error}")
    return _read(str(path), stat.st_mtime_ns, stat.st_size)


def in_folder(folder: Path | None) -> list[Found]:
    """The shipped one first, then what lies in `folder`, by name."""
    try:
        here = sorted(Path(entry.path) for entry in os.scandir(folder)) if folder is not None else []
    except OSError:
        here = []  # not there, or not for us; the preferences say so
    return [look(path) for path in [SHIPPED, *here] if path == SHIPPED or path.suffix == ".safetensors"]


def with_id(wanted: str, folder: Path | None) -> Found | None:
    """The checkpoint of this id, None when it is not on this computer."""
    return next((found for found in in_folder(folder) if found.id == wanted and not found.trouble), None)


@lru_cache(maxsize=256)
def _read(path: str, _mtime: int, size: int) -> Found:
    try:
        with files.open_regular(path) as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(MOST, size):
                raise ValueError("no header")
            about = json.loads(json.loads(file.read(length))["__metadata__"]["edtalk"])
        return Found(
            path, str(about["id"]), str(about["licence"]), int(about["config"]["size"]), size / (1 << 20)
        )
    except OSError as error:
        return Found(path, trouble=f"cannot be read: {error.strerror or error}")
    except (ValueError, KeyError, TypeError, RecursionError):
        return Found(path, trouble="is no checkpoint of EDTalk")
