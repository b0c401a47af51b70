# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw a motion that is already there: one you changed, or one from elsewhere.

    edtalk decode --source face.png --motion take01/motion.npz --out take02
    edtalk decode --source face.png --motion take01/weights.csv --fps 24 --format exr --out take03
    edtalk decode --source face.png --motion take01/motion.npz --frames 1-100,120 --out take02
    edtalk decode --source face.png --motion take01/motion.npz --part 3/8 --out take02
    edtalk decode --source face.png --motion take01/motion.npz --handle yaw=5 --handle smile=0.5 --out take02

Frames that were made from another motion file stay as they are, unless --overwrite says that they may go.
With --frames or --part, several computers share the work in one folder: a frame does not depend on which
others are drawn beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.wire import ranges
from core.wire.errors import InputError
from core.wire.messages import FORMATS, Decode, Decoded

from .. import origins
from .handles import add_handles, held
from .terminal import Bars, add_output, add_source, checked, whole

if TYPE_CHECKING:
    from core.motion.motion import Motion

    from ..runtime import Runtime


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edtalk decode`."""
    add_source(parser)
    parser.add_argument("--motion", required=True, metavar="FILE", help="motion.npz or weights.csv")
    add_handles(parser)
    add_output(parser, FORMATS)
    parser.add_argument(
        "--frames", type=checked(str, ranges.parse), metavar="1-100,120", help="only these, by their numbers"
    )
    parser.add_argument(
        "--part",
        type=checked(str, ranges.parse_part),
        metavar="N/OF",
        help="only a share: 3/8, the third eighth",
    )


def run(options: argparse.Namespace) -> int:
    """Decode a motion file into a folder of frames."""
    from core.motion.motion import Motion

    from ..runtime import Runtime

    path = Path(whole(options.motion))
    motion = Motion.load_csv(path) if path.suffix.lower() == ".csv" else Motion.load(path)
    runtime = Runtime(options.device)
    with Bars(options.quiet) as report:
        motion = held(options.handle, whole(options.checkpoint), runtime, report)(motion)
        part, known = options.part, origins.inherited(path)
        decoded = draw(options, motion, path, options.crop, runtime, report, options.frames, part, known)
    origins.note(options)
    print(f"{whole(options.out)}: {decoded.written} frames ({decoded.fps:.1f} a second)")
    return 0


def draw(
    options: argparse.Namespace,
    motion: Motion,
    take: Path,
    crop: tuple[float, float, float] | None,
    runtime: Runtime,
    report: Bars,
    frames: tuple[int, ...] | None = None,
    part: tuple[int, int] | None = None,
    known: Mapping[str, str] | None = None,
) -> Decoded:
    """Decode a motion as the options say. `take` is the file it came from: frames of another one are kept.
    `known` goes into the record of origin, see `rules.ORIGIN`.
    """
    with tempfile.TemporaryDirectory(prefix="edtalk-") as scratch:
        path = Path(scratch) / "motion.npz"
        chosen(numbered(motion, options.fps, options.start), frames, part).save(path)
        decoded = runtime.answer(
            Decode(
                portrait=whole(options.source),
                motion=str(path),
                out=whole(options.out),
                name=options.name,
                checkpoint=whole(options.checkpoint),
                crop=crop,
                face=options.face,
                size=options.size,
                composite=options.composite,
                detail=options.detail,
                format=options.format,
                passes=options.passes,
                mark=not options.no_origin,
                origin={**(known or {}), **origins.consent(options)},
                take=f"{take.name} {hashlib.blake2b(str(take).encode(errors='replace')).hexdigest()[:16]}",
                overwrite=options.overwrite,
            ),
            report,
        )
    assert isinstance(decoded, Decoded)
    return decoded


def chosen(motion: Motion, frames: tuple[int, ...] | None, part: tuple[int, int] | None) -> Motion:
    """The rows whose numbers are among `frames`, of those the share `part`. Raises InputError for none."""
    import numpy as np

    numbers = [number for number in motion.frames.tolist() if frames is None or number in frames]
    if part is not None:
        numbers = list(ranges.share(numbers, *part))
    if not numbers:
        first, last = int(motion.frames.min()), int(motion.frames.max())
        raise InputError(
            "None of the motion's frames was asked for", hint=f"It has {first} to {last}, before it is shared"
        )
    return motion.rows(np.isin(motion.frames, numbers))


def numbered(motion: Motion, fps: float | None, start: int | None) -> Motion:
    """The motion at `fps` rows a second (None: its own), with its first frame called `start`.

    Without `start`, a take that counts its steps from 0 begins at frame 1, as scenes do, and any other motion
    keeps its numbers.
    """
    if fps is not None and fps != motion.rate:
        motion = motion.resample(fps)
    first = int(motion.frames[0])
    if start is None:
        start = 1 if first == 0 else first
    return replace(motion, numbers=motion.frames + (start - first))
