# SPDX-License-Identifier: GPL-3.0-or-later
"""What each message asks for, done. Blender's server and the command line share it.

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
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.wire import messages
from core.wire.errors import OutputExists

from . import __version__, origins, shelf
from .errors import GET_READER, blocked, check_paths, explained, inputs_of, outputs_of
from .frames import FrameWriter
from .machine import free_memory_mb
from .report import Report
from .take import Identity, Naming, digest, spare
from .warm import Warm

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from core.engine.portrait import Portrait
    from core.pictures.picture import Picture

STAGES = {
    "listen": "Listening",
    "watch": "Watching the clip",
    "measure": "Measuring the face",
    "align": "Aligning",
}
"""What core calls a stage -> what the animator reads."""


class Runtime:
    """Answers one message after the other."""

    def __init__(self, device: str = "auto", checkpoints: str = "") -> None:
        self._warm = Warm(device)
        self._folder = checkpoints  # one more place to look for them
        self._work: dict[type[messages.Message], Callable[[Any, Report], messages.Message]] = {
            messages.Initialize: lambda message, report: self.hello(),
            messages.Describe: self._describe,
            messages.Inspect: self._inspect,
            messages.Analyze: self._analyze,
            messages.Decode: self._decode,
            messages.Preview: self._preview,
            messages.Measure: self._measure,
            messages.Hear: self._hear,
            messages.Film: self._film,
        }

    def answer(self, message: messages.Message, report: Report) -> messages.Message:
        """Do what the message asks for. Raises EDTalkError for all that a person can cause."""
        check_paths(message)
        spare(outputs_of(message), inputs_of(message))
        with explained():
            return self._work[type(message)](message, report)

    def rest(self) -> None:
        """Let go of all models and portraits; the next message loads what it needs."""
        self._warm.rest()

    def hello(self) -> messages.Initialized:
        """What this is and what it runs on; loads torch, but no model."""
        import torch

        from core.pictures import face_models

        device = self._warm.device()
        checkpoints, warnings = shelf.found(self._folder)
        if why_not := face_models.why_not():
            warnings.append(f"Faces are found in the older, less certain way: {why_not}. {GET_READER}")
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
        engine = self._warm.engine(message.checkpoint, report)
        return messages.Described(
            id=engine.checkpoint_id,
            size=engine.size,
            channels=tuple(channel.to_dict() for channel in engine.channels),
            emotions={name: tuple(weights) for name, weights in engine.emotions.items()},
            handles=tuple(handle.to_dict() for handle in engine.handles),
        )

    def _inspect(self, message: messages.Inspect, report: Report) -> messages.Inspected:
        from core.engine.layers.mark_reader import marks_of
        from core.pictures import face, face_doubts, image
        from core.pictures.picture import Crop

        picture = image.load(message.portrait)
        turned = image.is_turned(message.portrait)
        if turned and message.upright:
            image.write(message.upright, picture)
        faces = face.find_faces(picture.rgb)
        found = [face.crop_from_face(one, picture.rgb.shape) for one in faces]
        crops = tuple((float(crop.x), float(crop.y), float(crop.side)) for crop in found)
        asked = [Crop.of(message.crop)] if message.crop is not None else []
        read = [(crop, marks_of(picture.rgb, crop)) for crop in [*found, *asked]] if message.read else []
        return messages.Inspected(
            width=picture.width,
            height=picture.height,
            faces=tuple((float(f.x), float(f.y), float(f.width), float(f.height)) for f in faces),
            crop=crops[0] if len(crops) == 1 else None,
            crops=crops,
            turned=turned,
            marks=tuple(None if marks is None else marks.points(crop) for crop, marks in read),
            warnings=face_doubts.doubts(
                picture.rgb.shape,
                faces,
                [marks for _, marks in read[: len(faces)]],
                Path(message.portrait).name,
            ),
        )

    def _analyze(self, message: messages.Analyze, report: Report) -> messages.Analyzed:
        from core.engine import pipeline
        from core.sound.alignment import Phone

        out = Path(message.out)
        if out.exists() and not message.overwrite:
            raise OutputExists(f"{out} is already there", hint="Choose another name or allow overwriting")
        engine, portrait = self._prepared(message, report)
        pipeline.check_inputs(message.audio, message.driving)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise blocked(out.parent, error) from error

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
            stillness=message.stillness,
            text=message.text,
            amount=message.articulation,
            strength=message.strength,
            said=None if message.phones is None else [Phone(**row) for row in message.phones],
        )
        analysis.motion.save(out)
        return messages.Analyzed(
            motion=str(out),
            steps=len(analysis.motion),
            seconds=analysis.motion.seconds,
            model=engine.checkpoint_id,
            crop=_numbers(portrait),
            source_weights=tuple(portrait.weights.tolist()),
            sound=origins.of_input(message.audio),
            clip=origins.of_input(message.driving),
            phones=tuple(asdict(phone) for phone in analysis.phones),
            warnings=analysis.warnings,
        )

    def _decode(self, message: messages.Decode, report: Report) -> messages.Decoded:
        from core.engine import pipeline
        from core.motion.motion import Motion
        from core.pictures import image

        from .passes import Gallery

        motion = Motion.load(message.motion)
        engine, portrait = self._prepared(message, report)
        composite: Any = message.composite  # one of the two and one of the three, by the message's own rules
        form: Any = message.format
        began = time.monotonic()
        finish = pipeline.Finish(
            portrait, message.size, composite, message.detail, image.DEPTHS[form], message.passes
        )
        decoded = pipeline.layered(engine, motion, finish)
        naming = Naming(Path(message.out), message.name, message.digits, image.SUFFIXES[form])
        holds = [message.hold] if message.hold is not None and message.hold not in motion.frames else []
        numbers = [*holds, *motion.frames.tolist()]
        identity = _identity(message, portrait, engine)
        gallery = Gallery(naming, form, finish, origins.of_decode(message, identity))
        gallery.claim(identity, numbers, message.overwrite, inputs_of(message), report.breathe)

        drawn_from = dict(zip(motion.frames.tolist(), motion.weights, strict=True))

        def write(number: int, made: Callable[[], dict[str, Picture]]) -> None:
            gallery.hang(number, made(), drawn_from.get(number))

        def written(number: int) -> None:
            report.frame(number, naming.path(number))

        with FrameWriter(write, written) as writer:
            for number in holds:
                writer.submit(number, finish.at_rest)
            for done, (number, made) in enumerate(decoded):
                writer.submit(number, made)
                report.progress("Decoding", done + 1, len(motion))
                report.breathe()
        seconds = max(time.monotonic() - began, 1e-6)
        return messages.Decoded(written=len(motion), seconds=seconds, fps=len(motion) / seconds)

    def _preview(self, message: messages.Preview, report: Report) -> messages.Previewed:
        import numpy as np

        from core.engine import pipeline
        from core.files import written_whole
        from core.motion.motion import Motion

        began = time.monotonic()
        engine, portrait = self._prepared(message, report)
        looks = None if message.mouth is None else np.array([message.mouth], np.float32)
        motion = Motion(np.array([message.weights], np.float32), model=engine.checkpoint_id, looks=looks)
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

    def _measure(self, message: messages.Measure, report: Report) -> messages.Measured:
        from core.engine.sensitivity import sensitivity

        def tell(stage: str, done: int, total: int) -> None:
            report.breathe()
            report.progress(STAGES.get(stage, stage), done, total)

        engine, portrait = self._prepared(message, report)
        shares = sensitivity(engine, portrait.source, tell)
        return messages.Measured(
            model=engine.checkpoint_id,
            shares=tuple(shares.tolist()),
            source_weights=tuple(portrait.weights.tolist()),
        )

    def _hear(self, message: messages.Hear, report: Report) -> messages.Heard:
        import numpy as np

        from core.files import written_whole
        from core.sound import loudness
        from core.sound.audio import load_audio

        report.progress("Listening", 0, 1)
        found = loudness.levels(load_audio(message.audio))
        with written_whole(message.out) as temporary, temporary.open("wb") as stream:
            np.save(stream, found)
        return messages.Heard(out=message.out, rate=loudness.RATE, seconds=len(found) / loudness.RATE)

    def _film(self, message: messages.Film, report: Report) -> messages.Filmed:
        from . import film

        return film.make(message, report)

    def _prepared(
        self,
        message: messages.Analyze | messages.Decode | messages.Preview | messages.Measure,
        report: Report,
    ) -> tuple[Engine, Portrait]:
        engine = self._warm.engine(message.checkpoint, report)
        path, marks = Path(message.portrait), getattr(message, "marks", None)
        return engine, self._warm.portrait(engine, path, message.crop, message.face, report, marks)


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
