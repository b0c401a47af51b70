# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept warm between jobs: loaded models and portraits that were made ready for them.

A file that was changed on disk counts as another one, so an edited portrait or a new checkpoint is noticed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from core.files import is_file
from core.wire.errors import MissingCheckpoint, ServerError

from .kept import Kept
from .report import Report

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from core.engine.portrait import Portrait
    from core.wire.marks import Points

ENGINES = 2
"""Models kept loaded: the shipped one and one to compare it with."""

PORTRAITS = 4
"""Prepared portraits kept, each some tens of megabytes."""

GET_CHECKPOINT = {
    True: "EDTalk was installed without its model: install it again, or choose a checkpoint",
    False: "Choose the file again, or leave the field empty for the one shipped with EDTalk",
}
"""What to do about a missing checkpoint, by whether it was the shipped one."""


class Warm:
    """Models and portraits on one device, chosen by name ("auto", "cuda", "mps", "cpu")."""

    def __init__(self, device: str = "auto") -> None:
        self._wanted = device
        self._engines: Kept[Engine] = Kept(ENGINES)
        self._portraits: Kept[Portrait] = Kept(PORTRAITS)
        self._marked: Kept[Portrait] = Kept(PORTRAITS)
        self._stamps: WeakKeyDictionary[Engine, tuple[str, int, int]] = WeakKeyDictionary()

    def device(self) -> str:
        """The device in PyTorch's words. Raises ServerError when the wished one is not here."""
        import torch

        from core.engine.engine import choose_device

        here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not here.get(self._wanted, True):
            raise ServerError(
                f"This computer has no {self._wanted} device that PyTorch can use", hint="Choose auto or cpu"
            )
        return str(choose_device(self._wanted))

    def engine(self, checkpoint: str, report: Report) -> Engine:
        """The model in this file, "" for the shipped one. Raises MissingCheckpoint, BadCheckpoint."""
        from core.checkpoints.checkpoint import default_checkpoint
        from core.engine.engine import Engine

        path = Path(checkpoint) if checkpoint else default_checkpoint()
        if not is_file(path):
            raise MissingCheckpoint(f"There is no checkpoint {path}", hint=GET_CHECKPOINT[not checkpoint])

        def load() -> Engine:
            report.progress("Loading the model", 0, 1)
            engine = Engine.from_checkpoint(path, self.device())
            report.progress("Loading the model", 1, 1)
            return engine

        stamp = _stamp(path)
        engine = self._engines.get(stamp, load)
        self._stamps[engine] = stamp
        return engine

    def portrait(
        self,
        engine: Engine,
        path: Path,
        crop: tuple[float, float, float] | None,
        face: int | None,
        report: Report,
        marks: Points | None = None,
    ) -> Portrait:
        """The picture at `path`, cropped and encoded, with marks of its face that a person has placed. Raises
        UnreadableImage, NoFace, SeveralFaces, InputError.
        """
        from core.engine.portrait import marked, prepare_portrait
        from core.pictures import image
        from core.pictures.picture import Crop

        def prepare() -> Portrait:
            report.progress("Looking at the portrait", 0, 1)
            where = Crop.of(crop) if crop else None
            portrait = prepare_portrait(engine, image.load(path), where, face, path.name)
            report.progress("Looking at the portrait", 1, 1)
            return portrait

        if not is_file(path):
            return prepare()  # which says in words what is wrong
        key = (*_stamp(path), crop, face, self._stamps[engine])
        portrait = self._portraits.get(key, prepare)
        if marks is None:
            return portrait
        return self._marked.get((*key, *marks.items()), lambda: marked(engine, portrait, marks))

    def rest(self) -> None:
        """Let go of everything; what is asked for next is made anew."""
        self._marked.clear()
        self._portraits.clear()
        self._engines.clear()
        torch = sys.modules.get("torch")
        if torch and torch.cuda.is_available():
            torch.cuda.empty_cache()


def _stamp(path: Path) -> tuple[str, int, int]:
    """Tells a file from what it was before it was changed."""
    about = path.stat()
    return str(path), about.st_mtime_ns, about.st_size
