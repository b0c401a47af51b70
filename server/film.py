# SPDX-License-Identifier: GPL-3.0-or-later
"""A film of frames that are on disk: finds them, reads them one after the other, and says how far it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.wire import messages, ranges
from core.wire.errors import InputError, OutputExists, UnreadableVideo

from . import origins
from .report import Report

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIX = {"png": ".png", "png16": ".png", "exr": ".exr"}


def make(message: messages.Film, report: Report) -> messages.Filmed:
    """Write the film that the message asks for, whole or not at all.

    Raises:
        InputError: frames are missing or of two sizes.
        OutputExists: there is a film already and `overwrite` is false.
        UnreadableImage, UnreadableAudio, OutputBlocked: see `core.pictures.film.write`.
    """
    from core.pictures import film

    out = Path(message.out)
    if out.exists() and not message.overwrite:
        raise OutputExists(f"{out} is already there", hint="Choose another name or allow overwriting")
    try:
        numbers = ranges.parse(message.frames)
    except ValueError as error:
        raise InputError(f"The frames of the film {error}") from error
    files = found(Path(message.frames_in), message.name, SUFFIX[message.format], numbers)

    def pictures() -> Iterator[NDArray[Any]]:
        for done, file in enumerate(files):
            report.progress("Writing the film", done, len(files))
            report.breathe()
            yield picture(file)

    origin = origins.of_film(message, files)
    sound = message.sound if message.sound and not is_mute(message.sound) else None
    count = film.write(out, pictures(), message.rate, message.form, sound, message.since, origin)
    return messages.Filmed(out=str(out), frames=count, seconds=count / message.rate, silent=sound is None)


def is_mute(path: str) -> bool:
    """Whether this is a clip without sound. What is no clip is left to the film to judge."""
    from core.pictures import video

    try:
        return not video.info(path).has_sound
    except UnreadableVideo:
        return False


def found(folder: Path, name: str, suffix: str, frames: tuple[int, ...] | None) -> list[Path]:
    """The files of these frames, in order; all that are there for None. Raises InputError when one lacks."""
    pattern = re.compile(re.escape(name) + r"(-?\d+)" + re.escape(suffix))
    try:
        matches = [match for entry in os.scandir(folder) if (match := pattern.fullmatch(entry.name))]
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}") from error
    there = {int(match[1]): folder / match[0] for match in matches}
    numbers = sorted(there) if frames is None else frames
    missing = [number for number in numbers if number not in there]
    if missing or not numbers:
        what = f"frames {ranges.say(missing)}" if missing else f"no frames called {name}####{suffix}"
        verb = "lacks" if missing else "has"
        raise InputError(f"{folder} {verb} {what[:200]}", hint="Render them first")
    return [there[number] for number in numbers]


def picture(file: Path) -> NDArray[Any]:
    """A frame as 8-bit sRGB [H, W, 3], or [H, W, 4] with straight alpha where the file has an alpha.

    EXR frames are scene-linear and are given the sRGB curve, over black.
    """
    import numpy as np

    from core.pictures import image

    if file.suffix == ".exr":
        return image.over_black(file)
    read = image.load(file).to_depth(8)
    return read.rgb if read.alpha is None else np.dstack([read.rgb, read.alpha])
