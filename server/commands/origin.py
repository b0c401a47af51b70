# SPDX-License-Identifier: GPL-3.0-or-later
"""What files say of where they come from: PNG, EXR, TIFF, MP4, MOV, MKV, any file with an XMP packet, and
edtalk-take.json. The exit status is 1 when a file says nothing.

edtalk origin take01/take.0101.png anna.mp4
edtalk origin --json take01/edtalk-take.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from core.files import opened, reason
from core.wire import origin
from core.wire.errors import InputError

from ..take import noted_origins
from .terminal import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edtalk origin`."""
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument(
        "--json", action="store_true", help="one object a line; its origin is null for a file without one"
    )


def run(options: argparse.Namespace) -> int:
    """Print each file's record."""
    lacking = 0
    for name in options.files:
        path = Path(whole(name))
        for title, found in _records(path).items():
            lacking += found is None
            if options.json:
                print(json.dumps({"file": title, "origin": found}))
            elif found is None:
                print(f"{title}: says nothing of its origin")
            else:
                print("\n  ".join([f"{title}:", *(f"{origin.TITLES[key]}: {found[key]}" for key in found)]))
    return 1 if lacking else 0


def _records(path: Path) -> dict[str, dict[str, str] | None]:
    """Name -> record: of a picture or film its own, of a take's note one for each kind of files."""
    try:
        with opened(path) as file:
            if path.suffix.lower() != ".json":
                return {path.name: origin.of_stream(file)}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}", hint="Choose another file") from error
    noted = noted_origins(path)
    return {f"{path.name} {pattern}": found for pattern, found in noted.items()} or {path.name: None}
