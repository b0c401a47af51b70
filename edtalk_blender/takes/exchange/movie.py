# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as a film: renders what is out of date, then lets the server write frames and sound into one file.

The pixels are those of the frames on disk: no view transform is applied. The sound is cut so that it stays in
step with the frames; where the take's sound strip was moved in the Sequencer, that place counts.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import bpy

from ....core.wire import messages, ranges
from ...face import rig, take_action
from ...pictures import image_sequence, passes, take_folder
from ...server_process.jobs import Job, Outcome
from ...server_process.supervisor import ask, ready_server
from ...settings import timing
from ...settings.paths import absolute
from .. import generation, origin, request
from . import sound

SUFFIXES = {"mp4": ".mp4", "prores": ".mov", "ffv1": ".mkv"}


@dataclass(frozen=True)
class Movie:
    """What is to be written: names and numbers only, so that an undo meanwhile changes nothing."""

    out: Path
    form: str
    cut_out: bool  # the pass Face with its alpha, not the picture


def export(order: request.Order, movie: Movie):
    """Job: bring the take's frames up to date and write the film."""
    return lambda job: _export(job, order, movie)


def _export(job: Job, order: request.Order, movie: Movie) -> Generator[None, None, Outcome]:
    rendered = yield from generation.render_changed(order)(job)
    job.show("Writing the film")
    server = yield from ready_server(job)
    filmed = yield from ask(job, server, film_of(order, movie))
    silent = "The take has no sound, so the film has none" if filmed.silent else ""
    face = rig.find_object(order.rig)
    unsaid = origin.for_export(face) if face is not None else ""
    hint = ". ".join(part for part in (rendered.hint, silent, unsaid) if part)
    level = "WARNING" if rendered.hint or silent else "INFO"
    return Outcome(level, f"{movie.out.name}: {filmed.frames} frames, {filmed.seconds:.1f} s", hint)


def film_of(order: request.Order, movie: Movie) -> messages.Film:
    """The message for the take as it is now. Raises InputError when the rig is gone."""
    face, scene = generation.face_or_error(order), rig.find_scene(order.scene)
    take, settings = face.edtalk.take, face.edtalk
    folder = image_sequence.folder_of(take.image) if take.image is not None else order.folder
    numbers = range(take.first + take.shift, max(take.first, take.last) + take.shift + 1)
    stem = passes.stem_of("face") if movie.cut_out else take_folder.STEM
    rate = timing.rate_in(scene)
    action = take_action.take_of(face)
    begin = take_action.begin_of(action, face) if action is not None else float(take.first)
    before = take.first - sound.sound_start(face, begin)
    return messages.Film(
        frames_in=str(folder),
        name=stem,
        format=settings.format,
        frames=ranges.say(numbers),
        rate=rate,
        form=movie.form,
        sound=sound.sound_of(face) or absolute(settings.driving),
        since=before / rate,
        **origin.asked(face),
        out=str(movie.out),
        overwrite=True,  # the file browser has asked
    )


def offered(face: bpy.types.Object, form: str) -> Path:
    """A path for the film that no file has: `anna_001.mp4` beside the .blend, or in the home folder."""
    folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
    stem = bpy.path.clean_name(face.edtalk.take.name or face.name)
    names = (stem, *(f"{stem}_{number}" for number in range(2, 10_000)))
    paths = (folder / f"{name}{SUFFIXES[form]}" for name in names)
    return next(path for path in paths if not path.exists())
