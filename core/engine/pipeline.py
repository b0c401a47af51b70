# SPDX-License-Identifier: GPL-3.0-or-later
"""The two functions of the product: `analyze` makes Motion of a voice or a clip, `decode` frames of Motion.

    portrait = prepare_portrait(engine, image.load("anna.png"))
    take = analyze(engine, portrait, audio="hello.wav", idle_amplitude=0.5).motion
    for number, picture in decode(engine, portrait, take, size=512):
        image.write(f"{number:04}.png", picture)

What goes into a step of motion, at 25 steps a second:

    mouth        from the voice; without one, from the driving clip; in place of the portrait's own
    pose         the portrait's own, plus the clip's change since its first frame, or plus idle motion, which
                 goes with the voice where the checkpoint can hear how it is said
    expression   the portrait's own, the emotion asked for, or what voice and transcript mean; plus the clip's
                 change, or plus blinks

A track that ends before the take does is held for a moment and then returns softly to the portrait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.engine.driving import Progress, watch
from core.engine.finish import PICTURE, Finish
from core.engine.portrait import Composite, Portrait, prepare_portrait
from core.motion import idle
from core.motion.motion import Motion, Weights, soft
from core.pictures.picture import Picture
from core.sound import transcript
from core.wire.channels import BANK_SLICES, STEPS_PER_SECOND
from core.wire.errors import BadMotion, CheckpointError, InputError

if TYPE_CHECKING:
    from core.engine.engine import Engine

__all__ = [
    "Analysis",
    "Composite",
    "Finish",
    "Portrait",
    "Progress",
    "analyze",
    "decode",
    "layered",
    "prepare_portrait",
    "unfinished",
]

HOLD, RETURN = 0.3, 1.0  # seconds that a finished track is held, and takes to return to the portrait
SILENT = 1e-3  # peak amplitude
AUTO = "auto"  # the emotion that is found in voice and words
STILLNESS = 0.3


@dataclass(frozen=True)
class Analysis:
    """What `analyze` found: the motion, and sentences that the animator should read."""

    motion: Motion
    warnings: tuple[str, ...] = ()


def analyze(
    engine: Engine,
    portrait: Portrait,
    audio: Path | str = "",
    driving: Path | str = "",
    idle_amplitude: float = 0.0,
    seed: int = 0,
    emotion: str = "",
    progress: Progress | None = None,
    stillness: float = STILLNESS,
    text: str = "",
) -> Analysis:
    """Motion from a voice, a driving clip or picture, or both.

    idle_amplitude  0..1, natural head motion and blinks, where no clip gives them
    emotion         see `core.motion.idle.emotion_track`; "auto" finds it in the voice and in the transcript
    stillness       0..1, how calm a head that moves to the voice is between its accents
    text            the transcript, as words or as subtitles, or the name of a file that holds it; given
                    without an emotion, it means "auto"

    The take lasts as long as the longer of voice and clip. Raises InputError without either,
    UnreadableAudio, UnreadableVideo, UnreadableImage, NoFace (in the clip), CheckpointError when the
    checkpoint cannot listen or feel.
    """
    if not audio and not driving:
        raise InputError("There is nothing to animate from", hint="Choose a voice, a driving clip, or both")
    tell = progress or (lambda stage, done, total: None)
    warnings = list(portrait.doubts)
    if not emotion and text:
        emotion = AUTO
    words = transcript.words_of(transcript.read(text)) if emotion == AUTO else []
    heard, samples = _listen(engine, Path(audio), tell, warnings) if audio else (None, None)
    seen = watch(engine, Path(driving), portrait.weights, tell) if driving else None

    count = max(len(track) for track in (heard, seen) if track is not None)
    weights = np.repeat(portrait.weights[None], count, axis=0)
    own = portrait.weights
    mouth, expression = BANK_SLICES["mouth"], BANK_SLICES["expression"]
    if emotion == AUTO:
        weights[:, expression] = _felt(engine, samples, words, own[expression], count)
    else:
        weights[:, expression] = idle.emotion_track(emotion, engine.emotions, own[expression], count)
    if heard is not None:
        weights[:, mouth] += _returning(heard - own[mouth], count)
    if seen is not None:
        added = _returning(seen - own, count)
        added[:, mouth] *= heard is None
        weights += added
    else:
        weights += _idle(engine, samples, own, count, idle_amplitude, seed, stillness)
        warnings += engine.warnings if idle_amplitude > 0 else ()
    return Analysis(Motion(weights, STEPS_PER_SECOND, engine.checkpoint_id), tuple(warnings))


def decode(
    engine: Engine,
    portrait: Portrait,
    motion: Motion,
    numbers: Sequence[int] | None = None,
    size: int = 512,
    composite: Composite = "crop",
    detail_transfer: bool = True,
    depth: int = 8,
    batch: int | None = None,
) -> Iterator[tuple[int, Picture]]:
    """Frames of motion, one after the other as they are finished: (frame number, picture).

    The arguments are those of `unfinished`.
    """
    frames = unfinished(engine, portrait, motion, numbers, size, composite, detail_transfer, depth, batch)
    return ((number, finish()) for number, finish in frames)


def unfinished(
    engine: Engine,
    portrait: Portrait,
    motion: Motion,
    numbers: Sequence[int] | None = None,
    size: int = 512,
    composite: Composite = "crop",
    detail_transfer: bool = True,
    depth: int = 8,
    batch: int | None = None,
) -> Iterator[tuple[int, Callable[[], Picture]]]:
    """Frames as the network leaves them: (frame number, what makes it a picture, on any thread, once).

    numbers          which frames; None is all of them. A frame is the same whichever others are asked for
    size             side of the picture for "crop"; "paste" is the whole portrait at its own size
    detail_transfer  carry the portrait's own detail over, see `core.engine.detail`
    depth            bits per channel, 8 or 16

    Raises BadMotion at once for weights of another checkpoint or numbers that are not there.
    """
    finish = Finish(portrait, size, composite, detail_transfer, depth)
    frames = layered(engine, motion, finish, numbers, batch)
    return ((number, partial(_only_picture, made)) for number, made in frames)


def layered(
    engine: Engine,
    motion: Motion,
    finish: Finish,
    numbers: Sequence[int] | None = None,
    batch: int | None = None,
) -> Iterator[tuple[int, Callable[[], dict[str, Picture]]]]:
    """As `unfinished`, but each frame becomes all the pictures that `finish` makes of it, by name."""
    if motion.model and engine.checkpoint_id and motion.model != engine.checkpoint_id:
        raise BadMotion(
            f"The motion was made for the checkpoint {motion.model}, not for {engine.checkpoint_id}",
            hint="Choose that checkpoint, or analyze again",
        )
    rows = np.arange(len(motion)) if numbers is None else _rows(motion, numbers)
    labels = motion.frames[rows].tolist()
    decoded = engine.decode(finish.portrait.source, motion.weights[rows], batch)
    return ((number, partial(finish, frame)) for number, frame in zip(labels, decoded))


# --- analyzing -----------------------------------------------------------------------


def _listen(
    engine: Engine, path: Path, tell: Progress, warnings: list[str]
) -> tuple[Weights, NDArray[np.float32]]:
    """Mouth weights [T, 20] and samples [N] of a voice."""
    from core.models.audio_to_mouth import mouth_from_audio
    from core.sound.audio import load_audio

    if engine.audio_to_mouth is None:
        raise CheckpointError(
            f"The checkpoint {engine.checkpoint_id} cannot listen: it holds no audio network",
            hint="Choose another checkpoint, or drive the mouth by a clip",
        )
    samples = load_audio(path)
    if max(float(samples.max()), -float(samples.min())) < SILENT:
        warnings.append(f"{path.name} is silent, so the mouth will hardly move")
    mouth = mouth_from_audio(engine.audio_to_mouth, samples, tell=partial(tell, "listen"))
    return mouth, samples


def _idle(
    engine: Engine,
    samples: NDArray[np.float32] | None,
    own: Weights,
    count: int,
    amplitude: float,
    seed: int,
    stillness: float,
) -> Weights:
    """Head motion and blinks to add: drawn to the voice where the checkpoint can, by the simple rule
    otherwise."""
    if engine.audio_to_pose is None or samples is None or amplitude <= 0:
        energy = None if samples is None else idle.loudness(samples, count)
        return idle.natural_motion(engine.channels, count, amplitude, seed, energy, own)
    from core.models.audio_to_pose import head_motion

    drawn = head_motion(engine.audio_to_pose, samples, count, seed, stillness)
    return idle.spoken_motion(engine.channels, drawn.pose, drawn.blinks, amplitude, seed, own)


def _felt(
    engine: Engine,
    samples: NDArray[np.float32] | None,
    words: list[transcript.Word],
    own: Weights,
    count: int,
) -> Weights:
    """Expression weights [count, 10] of what voice and words mean."""
    from core.models.speech_to_expression import feeling_track
    from core.sound.lexicon import FELT

    if engine.speech_to_expression is None or not engine.emotions:
        raise CheckpointError(
            f"The checkpoint {engine.checkpoint_id} cannot tell feelings from speech or text",
            hint="Choose an emotion by name, or another checkpoint",
        )
    if samples is None and not words:
        raise InputError(
            "There is neither a voice nor a transcript to find the emotion in",
            hint="Give one of them, or choose an emotion by name",
        )
    shares = feeling_track(engine.speech_to_expression, samples, words, count)
    return idle.felt_track(shares, FELT, engine.emotions, own)


def _returning(added: Weights, count: int) -> Weights:
    """[T, C] additions brought to `count` steps: the last is held for a moment, then fades softly."""
    if len(added) >= count:
        return added[:count].copy()
    after = (np.arange(count - len(added)) + 1) / STEPS_PER_SECOND
    fade = 1 - soft((after - HOLD) / RETURN)
    faded = added[-1:] * fade[:, None].astype(np.float32)
    return np.concatenate([added, faded])


# --- decoding ----------------------------------------------------------------------------


def _only_picture(made: Callable[[], dict[str, Picture]]) -> Picture:
    return made()[PICTURE]


def _rows(motion: Motion, numbers: Sequence[int]) -> NDArray[np.int64]:
    place = {number: row for row, number in enumerate(motion.frames.tolist())}
    missing = [number for number in numbers if number not in place]
    if missing:
        raise BadMotion(
            f"The motion has no frame {missing[0]}" + f" and {len(missing) - 1} others" * (len(missing) > 1)
        )
    return np.array([place[number] for number in numbers], np.int64)
