# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server writes into its files about their origin: see `core.wire.origin`.

The record of a frame depends on that frame alone, not on which others are drawn beside it, so that all
workers of a farm write the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.files import opened
from core.wire import origin, rules
from core.wire.messages import Decode, Film

from . import __version__
from .take import Identity, digest, noted_origin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Record = dict[str, str]


def of_decode(message: Decode, identity: Identity) -> Record | None:
    """What all frames of a decode say alike; None when nothing is to be written."""
    if not message.mark:
        return None
    known = {"checkpoint": identity.model, "portrait": identity.portrait}
    return origin.record(__version__, {**known, **(message.origin or {})})


def of_frame(common: Mapping[str, str] | None, weights: NDArray[np.float32] | None) -> Record | None:
    """The record of one frame: `common` and the digest of its 36 weights, little-endian float32; the portrait
    at rest was drawn from none.
    """
    if common is None or weights is None:
        return None if common is None else dict(common)
    return {**common, "weights": origin.digest(weights.astype("<f4").tobytes())}


def of_film(message: Film, files: Iterable[Path]) -> Record | None:
    """The record of a film; None when nothing is to be written."""
    known = {"sound": of_input(message.sound), **(message.origin or {})}
    return of_frames(files, known) if message.mark else None


def of_frames(files: Iterable[Path], known: Mapping[str, str]) -> Record:
    """The record of what is made of these frames: in what they agree, and what is known besides. Where a
    frame has no record, only what is known counts.
    """
    records = []
    for file in files:
        found = of_file(file)
        if found is None:
            return origin.record(__version__, known)
        records.append(found)
    consent = {name: text for name in origin.CONSENT if (text := known.get(name))}  # may be newer than they
    return origin.record(__version__, {**known, **origin.merged(records), **consent})


def of_file(path: Path) -> Record | None:
    """The record in a picture or film, None without one or when it cannot be read."""
    try:
        with opened(path) as file:
            return origin.of_stream(file)
    except OSError:
        return None


def of_input(path: str) -> str:
    """Digest of a file that something is made from; "" where there is none."""
    try:
        return digest(Path(path)) if path else ""
    except OSError:
        return ""


# --- command line ---------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the commands that write pictures or films."""
    parser.add_argument(
        "--no-origin",
        action="store_true",
        help="do not write into the files that they are synthetic, and what they were made of",
    )
    for name, what in (("shown", "who is shown"), ("permission", "on what permission they are shown")):
        parser.add_argument(
            f"--{name}", type=_said, default="", metavar="TEXT", help=f"{what}; for the files"
        )


def _said(text: str) -> str:
    try:
        return rules.said(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def consent(options: argparse.Namespace) -> Record:
    """What the flags say of who is shown."""
    return {name: text for name in origin.CONSENT if (text := getattr(options, name))}


def inherited(motion: Path) -> Record:
    """What the take says of itself in whose folder a motion lies: seed, sound, who is shown."""
    return noted_origin(motion.parent)


def note(options: argparse.Namespace) -> None:
    """Say on the terminal that files do not say what they are: that is never silent."""
    if options.no_origin:
        print("Note: The files do not say that they are synthetic (--no-origin)")
