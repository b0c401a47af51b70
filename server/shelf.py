# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkpoints that lie on this computer: the one shipped with EDTalk, and what lies in the user's
folders.

`EDTALK_CHECKPOINTS` names folders, separated as in PATH; without it there is one, `~/.cache/edtalk` or what
the system has in its place. Only headers are read, so looking is quick.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.wire import rules
from core.wire.errors import CheckpointError

MOST = 200
"""Checkpoints that are looked at; the list must fit into one message."""

log = logging.getLogger("edtalk")


def folders() -> list[Path]:
    """Where users keep checkpoints."""
    named = os.environ.get("EDTALK_CHECKPOINTS", "")
    if named:
        return [Path(part) for part in named.split(os.pathsep) if part]
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [base / "edtalk"]


def found(folder: str = "") -> tuple[list[dict[str, Any]], list[str]]:
    """The checkpoints as `Initialized` lists them, and a sentence for each that cannot be used. `folder` is
    one more place to look.
    """
    from core.checkpoints import checkpoint

    shipped = checkpoint.default_checkpoint()
    records: list[dict[str, Any]] = []
    warnings: list[str] = []
    candidates = list(itertools.islice(_candidates(folder), MOST + 1))
    if len(candidates) > MOST:
        warnings.append(f"There are more than {MOST} checkpoints; the first {MOST} are listed")
    for path in [shipped, *candidates[:MOST]]:
        try:
            header = checkpoint.read_header(path)
        except CheckpointError as error:
            warnings.append(error.message[: rules.MAX_TEXT])
            continue
        except Exception as error:  # whatever lies in the folder, the server starts
            log.exception("%s cannot be read", path)
            warnings.append(f"{path.name} cannot be read as a checkpoint ({type(error).__name__})")
            continue
        records.append(
            {
                "id": header.meta.id,
                "path": str(path.absolute()),
                "licence": header.meta.licence,
                "size": header.config.size,
                "embedded": path == shipped,
            }
        )
    return records, warnings


def _candidates(more: str) -> Iterator[Path]:
    for folder in dict.fromkeys([*([Path(more)] if more else []), *folders()]):
        try:
            yield from sorted(path for path in folder.iterdir() if path.suffix == ".safetensors")
        except OSError:
            continue  # not there, or not for us
