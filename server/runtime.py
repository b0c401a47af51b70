# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaded models and prepared portraits, and what is done with them; Blender's server and the command line
share it.

    runtime = Runtime()
    analyzed = runtime.answer(messages.Analyze(...), report)
    decoded = runtime.answer(messages.Decode(...), report)

One thread calls it. It knows nothing of the wire: a message goes in, a message or an error comes out, and on
its way the job tells `report` how far it is and lets it breathe between batches. Torch and the other heavy
libraries are loaded on first use.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.wire import messages, rules
from core.wire.errors import InputError, MissingCheckpoint, OutputBlocked, OutputExists, ServerError

from . import __version__, shelf
from .frames import FrameWriter
from .kept import Kept
from .machine import free_memory_mb
from .report import Report
from .take import Identity, Naming, claim, digest

if TYPE_CHECKING:
    from core.engine import Engine
    from core.image import Picture
    from core.pipeline import Portrait

ENGINES = 2
"""Models kept loaded: the shipped one and one to compare it with."""

PORTRAITS = 4
"""Prepared portraits kept, each some tens of megabytes."""

STAGES = {
    "load": "Loading the model",
    "look": "Looking at the portrait",
    "listen": "Listening",
    "watch": "Watching the clip",
    "decode": "Decoding",
}
"""What the animator reads while a job is at it."""


class Runtime:
    """Answers one message after the other."""

    def __init__(self, device: str = "auto") -> None:
        self._wanted_device = device
        self._engines: Kept[Engine] = Kept(ENGINES)
        self._portraits: Kept[Portrait] = Kept(PORTRAITS)

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
        _check_paths(message)
        try:
            return work[type(message)](message, report)
        except ModuleNotFoundError as error:
            raise _lacking(error) from error
        except MemoryError as error:
            self.rest()
            raise _out_of_memory("The computer") from error
        except RuntimeError as error:
            if type(error).__name__ != "OutOfMemoryError":  # torch's own, without loading torch to name it
                raise
            self.rest()
            raise _out_of_memory("The graphics card") from error

    def rest(self) -> None:
        """Let go of all models and portraits; the next message loads what it needs."""
        self._portraits.clear()
        self._engines.clear()
        torch = sys.modules.get("torch")
        if torch and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def hello(self) -> messages.Initialized:
        """What this is and what it runs on; loads torch, but no model."""
        import torch

        device = self._device()
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

    def _analyze(self, message: messages.Analyze, report: Report) -> messages.Analyzed:
        from core import pipeline

        out = Path(message.out)
        if out.exists() and not message.overwrite:
            raise OutputExists(f"{out} is already there", hint="Choose another name or allow overwriting")
        _make_folder(out.parent)
        engine = self._engine(message.checkpoint, report)
        portrait = self._portrait(message, engine, report)

        def tell(stage: str, done: int, total: int) -> None:
            report.breathe()
            report.progress(STAGES.get(stage, stage), done, total)

        analysis = pipeline.analyze(
            engine,
            portrait,
            audio=message.audio,
            driving=message.driving,
            idle_amplitude=message.idle,
            seed=message.seed,
            emotion=message.emotion,
            progress=tell,
        )
        analysis.motion.save(out)
        return messages.Analyzed(
            motion=str(out),
            steps=len(analysis.motion),
            seconds=analysis.motion.seconds,
            model=engine.checkpoint_id,
            crop=_numbers(portrait),
            source_weights=tuple(portrait.weights.tolist()),
            warnings=analysis.warnings,
        )

    def _decode(self, message: messages.Decode, report: Report) -> messages.Decoded:
        from core import image, pipeline
        from core.motion import Motion

        motion = Motion.load(message.motion)
        engine = self._engine(message.checkpoint, report)
        portrait = self._portrait(message, engine, report)
        depth, form = image.DEPTHS[message.format], message.format
        began = time.monotonic()
        decoded = pipeline.decode(
            engine,
            portrait,
            motion,
            size=message.size,
            composite=message.composite,  # type: ignore[arg-type]  # one of the two, by the message's own rule
            detail_transfer=message.detail,
            depth=depth,
        )
        naming = Naming(Path(message.out), message.name, message.digits, image.SUFFIXES[form])
        hold = message.hold if message.hold not in motion.frames else None
        numbers = [*([hold] if hold is not None else []), *motion.frames.tolist()]
        claim(naming, _identity(message, portrait, engine), numbers, message.overwrite)

        def write(number: int, picture: Picture) -> None:
            image.write(naming.path(number), picture, form)  # type: ignore[arg-type]  # see above

        def written(number: int) -> None:
            report.frame(number, naming.path(number))

        with FrameWriter(write, written) as writer:
            if hold is not None:
                writer.submit(hold, portrait.untouched(message.size, message.composite, depth))  # type: ignore[arg-type]
            for done, (number, picture) in enumerate(decoded):
                writer.submit(number, picture)
                report.progress(STAGES["decode"], done + 1, len(motion))
                report.breathe()
        seconds = max(time.monotonic() - began, 1e-6)
        return messages.Decoded(written=len(motion), seconds=seconds, fps=len(motion) / seconds)

    def _preview(self, message: messages.Preview, report: Report) -> messages.Previewed:
        import numpy as np

        from core import pipeline
        from core.files import written_whole
        from core.motion import Motion

        began = time.monotonic()
        engine = self._engine(message.checkpoint, report)
        portrait = self._portrait(message, engine, report)
        motion = Motion(np.array([message.weights], np.float32), model=engine.checkpoint_id)
        frames = pipeline.decode(
            engine, portrait, motion, size=message.size, detail_transfer=message.detail, batch=1
        )
        (_, picture) = next(frames)
        alpha = np.full(picture.rgb.shape[:2], 255, np.uint8) if picture.alpha is None else picture.alpha
        with written_whole(message.out) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.dstack([picture.rgb, alpha]))
        return messages.Previewed(
            out=message.out,
            width=picture.width,
            height=picture.height,
            ms=1000 * (time.monotonic() - began),
        )

    def _device(self) -> str:
        import torch

        from core.engine import choose_device

        wanted = self._wanted_device
        here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not here.get(wanted, True):
            raise ServerError(
                f"This computer has no {wanted} device that PyTorch can use", hint="Choose auto or cpu"
            )
        return str(choose_device(wanted))

    def _engine(self, checkpoint: str, report: Report) -> Engine:
        from core.checkpoint import default_checkpoint
        from core.engine import Engine

        path = Path(checkpoint) if checkpoint else default_checkpoint()
        if not path.is_file():
            raise MissingCheckpoint(f"There is no checkpoint {path}", hint=_GET_CHECKPOINT[not checkpoint])

        def load() -> Engine:
            report.progress(STAGES["load"], 0, 1)
            engine = Engine.from_checkpoint(path, self._device())
            report.progress(STAGES["load"], 1, 1)
            return engine

        return self._engines.get(_stamp(path), load)

    def _portrait(
        self, message: messages.Analyze | messages.Decode | messages.Preview, engine: Engine, report: Report
    ) -> Portrait:
        from core import image, pipeline

        path = Path(message.portrait)

        def prepare() -> Portrait:
            report.progress(STAGES["look"], 0, 1)
            crop = image.Crop.of(message.crop) if message.crop else None
            picture = image.load(path)
            portrait = pipeline.prepare_portrait(engine, picture, crop, message.face, path.name)
            report.progress(STAGES["look"], 1, 1)
            return portrait

        if not path.is_file():
            return prepare()  # which says in words what is wrong
        key = (*_stamp(path), message.crop, message.face, engine.checkpoint_id)
        return self._portraits.get(key, prepare)


_GET_CHECKPOINT = {
    True: "EDTalk was installed without its model: install it again, or choose a checkpoint",
    False: "Choose the file again, or leave the field empty for the one shipped with EDTalk",
}


def _check_paths(message: messages.Message) -> None:
    """The wire allows paths of any system; from here on they must be of this one."""
    for field in fields(message):
        value = getattr(message, field.name)
        if (
            field.metadata["rule"] in (rules.path, rules.path_or_empty)
            and value
            and not Path(value).is_absolute()
        ):
            raise InputError(
                f"{value} is a path of another system than the server's", hint="Choose the file again"
            )


def _stamp(path: Path) -> tuple[str, int, int]:
    """Tells a file from what it was before it was changed."""
    about = path.stat()
    return str(path), about.st_mtime_ns, about.st_size


def _numbers(portrait: Portrait) -> tuple[float, float, float]:
    crop = portrait.crop
    return float(crop.x), float(crop.y), float(crop.side)


def _identity(message: messages.Decode, portrait: Portrait, engine: Engine) -> Identity:
    return Identity(
        take=message.take,
        portrait=digest(Path(message.portrait)),
        model=engine.checkpoint_id,
        crop=_numbers(portrait),
        size=message.size,
        composite=message.composite,
        detail=message.detail,
        format=message.format,
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputBlocked(
            f"The folder {folder} cannot be used: {(error.strerror or str(error)).lower()}",
            hint="Choose another output folder",
        ) from error


def _lacking(error: ModuleNotFoundError) -> Exception:
    """A library that was not installed is the user's to install; a module of ours is not."""
    name = (error.name or "").partition(".")[0]
    if name in ("", "core", "server"):
        return error
    requirements = Path(__file__).with_name("requirements.txt")
    return ServerError(
        f"The server's Python lacks the package {name}",
        hint=f'Run "{sys.executable}" -m pip install -r "{requirements}"',
    )


def _out_of_memory(what: str) -> ServerError:
    return ServerError(
        f"{what} ran out of memory",
        hint="Close other programs, choose a smaller size, or choose the processor as device",
    )
