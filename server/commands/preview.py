# SPDX-License-Identifier: GPL-3.0-or-later
"""A film of frames that are on disk, with the sound: to look at a take that a farm has rendered.

edtalk preview --frames-in take01 --fps 24 --sound voice.wav --out take01/preview.mp4
edtalk preview --frames-in take01 --frames 101-150 --fps 24 --out part.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.wire import ranges, rules
from core.wire.errors import InputError, OutputExists

from .. import origins
from ..film import found
from ..take import spare
from .animate import small
from .terminal import Bars, checked, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".png", ".exr")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edtalk preview`."""
    parser.add_argument("--frames-in", required=True, metavar="FOLDER", help="where the frames are")
    parser.add_argument(
        "--name", default="take.", help="what their file names begin with (default: %(default)s)"
    )
    parser.add_argument("--suffix", choices=SUFFIXES, default=SUFFIXES[0], help="default: %(default)s")
    parser.add_argument(
        "--frames", type=checked(str, ranges.parse), metavar="1-100,120", help="default: all that are there"
    )
    parser.add_argument("--fps", type=checked(float, rules.number(1, 1000)), required=True)
    parser.add_argument("--sound", default="", metavar="SOUND", help="a sound, or a clip with sound")
    parser.add_argument(
        "--from",
        dest="since",
        type=checked(float, rules.number(0, 1e6)),
        default=0.0,
        metavar="SECONDS",
        help="where in the sound the first frame is (default: its beginning)",
    )
    origins.add_arguments(parser)
    parser.add_argument("--out", required=True, metavar="FILE", help="the .mp4 to write")
    parser.add_argument("--overwrite", action="store_true", help="a film that is there may go")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(options: argparse.Namespace) -> int:
    """Read the frames one after the other and write the film."""
    from core.pictures import video

    out, folder = Path(whole(options.out)), Path(whole(options.frames_in))
    if out.suffix.lower() != ".mp4":
        raise InputError(f"{out.name} does not end in .mp4")
    if out.exists() and not options.overwrite:
        raise OutputExists(f"{out} is already there", hint="Choose another name, or add --overwrite")
    files = found(folder, options.name, options.suffix, options.frames)
    spare([out], [whole(options.sound), *files])
    with Bars(options.quiet) as report:

        def pictures() -> Iterator[NDArray[Any]]:
            for done, file in enumerate(files):
                report.progress("Preview", done + 1, len(files))
                yield small(file)

        sound = whole(options.sound) or None
        heard = {"sound": origins.of_input(sound or "")}
        origin = (
            None if options.no_origin else origins.of_frames(files, {**heard, **origins.consent(options)})
        )
        video.write_preview(out, pictures(), options.fps, sound, options.since, origin)
    origins.note(options)
    print(f"{out}: {len(files)} frames")
    return 0
