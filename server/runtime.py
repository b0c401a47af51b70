# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaded models and prepared portraits, and what is done with them; Blender's server and the command line
share it.

    runtime = Runtime()
    analyzed = runtime.answer(messages.Analyze(...), report)
    decoded = runtime.answer(messages.Decode(...), report)

One thread calls it. It knows nothing of the wire: a message goes in, a message or an error comes out, and on its way the job
tells `report` how far it is and lets it breathe between batches. Torch and the other heavy libraries are loaded on first use.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.wire import messages
from core.wire.errors import EDTalkError, OutputBlocked, OutputExists, ServerError

from . import __version__, shelf
from .kept import Kept
from .machine import free_memory_mb
from .report import Report

if TYPE_CHECKING:
    from core.engine import Engine

ENGINES = 2
"""Models kept loaded: the shipped one and one to compare it with."""

PORTRAITS = 4
"""Prepared portraits kept, each some tens of megabytes."""


class Runtime:
    """Answers one message after the other."""

    def __init__(self, device: str = "auto") -> None:
        self._wanted_device = device
        self._engines = Kept["Engine"](ENGINES)

    def answer(self, message: messages.Message, report: Report) -> messages.Message:
        """Do what the message asks for. Raises EDTalkError for all that a person can cause."""
        work: dict[type[messages.Message], Callable[[Any, Report], messages.Message]] = {
            messages.Initialize: lambda message, report: self.hello(),
            messages.Describe: self._describe,
            messages.Inspect: self._inspect,
            messages.Analyze: self._analyze,
            messages.Decode: self._decode,
            messages.Preview: self._preview,
        }
        try:
            return work[type(message)](message, report)
        except MemoryError as error:
            raise _out_of_memory("The computer") from error
        except RuntimeError as error:
            if type(error).__name__ != "OutOfMemoryError":  # torch's own, without loading torch to name it
                raise
            self.rest()
            raise _out_of_memory("The graphics card") from error

    def rest(self) -> None:
        """Let go of all models and portraits; the next message loads what it needs."""
        self._engines.clear()
        torch = sys.modules.get("torch")
        if torch and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def hello(self) -> messages.Initialized:
        """What this is and what it runs on; loads torch, but no model."""
        import torch

        from core.engine import choose_device

        device = str(choose_device(self._wanted_device))
        checkpoints, warnings = shelf.found()
        return messages.Initialized(
            protocol=messages.PROTOCOL,
            server=__version__,
            python=platform.python_version(),
            torch=torch.__version__,
            device=device,
            memory_mb=free_memory_mb(device),
            pid=os.getpid(),
            checkpoints=tuple(checkpoints),
            warnings=tuple(warnings),
        )

    def _describe(self, message: messages.Describe, report: Report) -> messages.Described:
        from core import checkpoint

        path = Path(message.checkpoint) if message.checkpoint else checkpoint.default_checkpoint()
        engine = self._engine(message.checkpoint, report)
        return messages.Described(
            id=engine.checkpoint_id,
            size=engine.size,
            channels=tuple(channel.to_dict() for channel in engine.channels),
            emotions={name: tuple(weights) for name, weights in engine.emotions.items()},
        )

    def _inspect(self, message: messages.Inspect, report: Report) -> messages.Inspected:
        from core import face, image

        picture = image.load(message.portrait)
        faces = face.find_faces(picture.rgb)
        crop = face.crop_from_face(faces[0], picture.rgb.shape) if len(faces) == 1 else None
        return messages.Inspected(
            width=picture.width,
            height=picture.height,
            faces=tuple((float(f.x), float(f.y), float(f.width), float(f.height)) for f in faces),
            crop=(crop.x, crop.y, crop.side) if crop else None,
        )
