# SPDX-License-Identifier: GPL-3.0-or-later
"""All of `edtalk evaluate --real`: a folder of portraits and clips in, numbers and a page out.

    folder/portraits/*.jpg ...   photographs, paintings: one face each
    folder/clips/*.mp4 ...       people who speak to the camera, 5 to 10 seconds are enough

Every portrait is measured at rest, with all emotions and handles. Voices and clips are expensive: they go to
the first `TALKERS` and `DRIVEN` portraits by name. No picture leaves the machine, and none is in the page.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from core.engine.engine import Engine
from core.pictures import face_models
from core.wire.errors import EDTalkError, InputError
from training.evaluation.public import CLIPS
from training.evaluation.real import groups, table
from training.evaluation.real.groups import Clip, Face, Numbers

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}
TALKERS, DRIVEN = 2, 1
SECONDS = 6.4
"""Of each clip."""

T = TypeVar("T")
Say = Callable[[str, int, int], None]

HEAD = """# On real faces and real voices

This page is written by `edtalk evaluate --real FOLDER --page {name}`; its numbers were measured, not typed.
The people's pictures and clips are not in this repository: run the command on your own, and compare.

{portraits} portraits, {clips} talking clips of {seconds:g} s, checkpoint `{checkpoint}`. *Now* and *before*
are means over all takes; *the people* are the speakers of the clips, measured by the same code. Faces are
read by the networks that the product itself uses, so an outside reader may differ by a few percent.
Distances are in % of the distance between the outer corners of the eyes. Brows, corners, eyes and mouth of
emotions: up and open are +.
"""


@dataclass
class Real:
    """What was found."""

    checkpoint: str
    takes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Group -> take -> numbers."""
    people: Numbers = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """Why a portrait or a clip could not be measured."""
    counts: tuple[int, int] = (0, 0)

    def tried(self, name: str, call: Callable[[], T]) -> T | None:
        """What the call returns; None, and a line in `refused`, for what the product refuses."""
        try:
            return call()
        except EDTalkError as error:
            self.refused.append(f"{name}: {error}")
            return None

    def take(self, group: str, name: str, call: Callable[[], dict[str, Any]]) -> None:
        """Keep what is measured of one take."""
        if made := self.tried(f"{group} {name}", call):
            self.takes.setdefault(group, {})[name] = made

    def numbers(self) -> dict[str, Any]:
        """Flat, for a file that `read_numbers` reads."""
        return table.numbers(self.takes)

    def tables(self, before: dict[str, Any]) -> str:
        """Markdown."""
        refused = [f"Not measured: {sentence}" for sentence in self.refused]
        return "\n\n".join([table.markdown(self.takes, self.people, before), *refused])

    def page(self, before: dict[str, Any], name: str = "docs/real-faces.md") -> str:
        """The tables with an introduction."""
        portraits, clips = self.counts
        head = HEAD.format(
            name=name, portraits=portraits, clips=clips, seconds=SECONDS, checkpoint=self.checkpoint
        )
        return f"{head}\n{self.tables(before)}\n"


def measure(checkpoint: Path, folder: Path, say: Say = lambda *_: None) -> Real:
    """Measure a checkpoint on people.

    Raises:
        InputError: there is nothing to measure, or faces cannot be read here.
    """
    portraits = _files(folder / "portraits", PICTURES)
    clips = _files(folder / "clips", CLIPS)
    if not portraits:
        raise InputError(
            f"There are no portraits in {folder / 'portraits'}", hint="Put one face in each picture there"
        )
    if why_not := face_models.why_not():
        raise InputError(f"Real faces cannot be measured: {why_not}", hint="Install what make env installs")
    engine = Engine.from_checkpoint(checkpoint)
    found = Real(engine.checkpoint_id, counts=(len(portraits), len(clips)))
    with tempfile.TemporaryDirectory(prefix="edtalk-real-") as scratch:
        voices = [
            clip
            for path in clips
            if (clip := found.tried(path.name, partial(Clip.load, path, Path(scratch), SECONDS)))
        ]
        found.people = table.people(voices)
        for number, path in enumerate(portraits):
            say("Portraits", number, len(portraits))
            face = found.tried(path.name, partial(Face, engine, path))
            if face is None:
                continue
            if not face.likeness.found:
                found.refused.append(f"{path.name}: no face is read in its crop")
                continue
            found.take("rest", face.name, partial(groups.rest, face))
            found.take("emotion", face.name, partial(groups.emotion, face))
            found.take("handles", face.name, partial(groups.handles, face))
            for clip in voices:
                name = f"{clip.path.stem}.{face.name}"
                if number < TALKERS:
                    found.take("talk", name, partial(groups.talk, face, clip))
                if number < DRIVEN:
                    found.take("drive", name, partial(groups.drive, face, clip))
    say("Portraits", len(portraits), len(portraits))
    return found


def read_numbers(path: Path) -> dict[str, Any]:
    """What `--json` wrote. Raises InputError."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Give a file that --json wrote") from None
    if not isinstance(said, dict):
        raise InputError(f"{path} holds no numbers", hint="Give a file that --json wrote")
    return said


def _files(folder: Path, kinds: set[str] | frozenset[str]) -> list[Path]:
    return (
        sorted(path for path in folder.glob("*") if path.suffix.lower() in kinds) if folder.is_dir() else []
    )
