# SPDX-License-Identifier: GPL-3.0-or-later
"""What the system and the libraries say, put into one sentence for the animator."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from core.wire import rules
from core.wire.errors import InputError, Internal, OutputBlocked, ServerError
from core.wire.messages import Message

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
READER = Path(__file__).with_name("reader.txt")
GET_READER = f'Press Set Up Server again, or run "{sys.executable}" -m pip install --no-deps -r "{READER}"'
"""How to have real faces read."""
OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cannot allocate memory",
    "failed to map segment",
)
"""How PyTorch says it on CUDA and MPS, and on processors; and the system, of a library that finds no room."""


@contextmanager
def explained() -> Iterator[None]:
    """Missing libraries and full memory, raised in the block, come out as a ServerError with a hint."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name in ("", "core", "server"):
            raise  # ours is missing: a mistake of ours
        raise ServerError(
            f"The server's Python lacks the package {name}",
            hint=f'Run "{sys.executable}" -m pip install -r "{REQUIREMENTS}"',
        ) from error
    except (MemoryError, RuntimeError, ImportError, OSError) as error:
        said = str(error).lower()
        if not isinstance(error, MemoryError) and not any(phrase in said for phrase in OUT_OF_MEMORY):
            raise
        card = "cuda" in said or "mps" in said
        raise ServerError(
            f"The {'graphics card' if card else 'computer'} ran out of memory",
            hint="Close other programs, choose a smaller size, or choose the processor as device",
        ) from error


def unexpected(error: BaseException, log_file: str = "") -> Internal:
    """The sentence for what nobody thought of; the traceback is in the log."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    text = text if len(text) <= 300 else text[:297] + "..."
    where = f"{log_file} has" if log_file else "The server's log has"
    return Internal(f"Something unexpected happened: {text}", hint=f"{where} the details")


def blocked(folder: Path, error: OSError) -> OutputBlocked:
    """The sentence for a folder that cannot be made or looked into."""
    why = (error.strerror or str(error)).lower()
    return OutputBlocked(f"The folder {folder} cannot be used: {why}", hint="Choose another output folder")


INPUTS = ("portrait", "audio", "driving", "motion", "checkpoint", "text")
OUTPUTS = ("out", "upright")


def inputs_of(message: Message) -> list[Path]:
    """The files that a message names as read, there or not."""
    return [Path(value) for name in INPUTS if (value := getattr(message, name, ""))]


def outputs_of(message: Message) -> list[Path]:
    """The files that a message names as written; of a decode, the folder."""
    return [Path(value) for name in OUTPUTS if (value := getattr(message, name, ""))]


def check_paths(message: Message) -> None:
    """The wire allows paths of any system; the server's own work needs its own. Raises InputError."""
    for field in fields(message):
        value = getattr(message, field.name)
        if field.metadata["rule"] in (rules.path, rules.path_or_empty) and value:
            if not Path(value).is_absolute():
                raise InputError(
                    f"{value} is a path of another system than the server's", hint="Choose the file again"
                )
