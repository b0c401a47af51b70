# SPDX-License-Identifier: GPL-3.0-or-later
"""The two functions of the product: `analyze` makes Motion of a voice or a clip, `decode` frames of Motion.

    portrait = prepare_portrait(engine, image.load("anna.png"))
    take = analyze(engine, portrait, audio="hello.wav", idle_amplitude=0.5).motion
    for number, picture in decode(engine, portrait, take, size=512):
        image.write(f"{number:04}.png", picture)

What goes into a step of motion, at 25 steps a second:

    mouth        from the voice; without one, from the driving clip; in place of the portrait's own, which
                 comes back where nothing is said
    pose         the portrait's own, plus the clip's change since its first frame, or plus idle motion, which
                 goes with the voice where the checkpoint can hear how it is said
    expression   the portrait's own, the emotion asked for, or what voice and transcript mean; plus the clip's
                 change, or plus blinks

A track that ends before the take does is held for a moment and then returns softly to the portrait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core import files
from core.engine import articulation
from core.engine.clips.reading import Progress
from core.engine.driving import watch
from core.engine.finish import PICTURE, Finish
from core.engine.layers.mouth_draw import MouthLook
from core.engine.portrait import Composite, Portrait, prepare_portrait
from core.engine.spoken import spoken_mouth
from core.engine.strength import strengthened
from core.motion import idle, visemes
from core.motion.motion import Motion, Weights, soft
from core.pictures.picture import Picture
from core.sound import alignment, phones, transcript
from core.sound.alignment import Phone
from core.sound.mel import SAMPLES_PER_STEP
from core.sound.prosody import prosody
from core.wire.channels import BANK_SLICES, PARTS, STEPS_PER_SECOND
from core.wire.errors import BadMotion, CheckpointError, InputError, UnreadableAudio, UnreadableVideo

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
LEAST_DELAY = 2  # steps; codecs begin some milliseconds early
MOST_DELAY = 3600 * STEPS_PER_SECOND


@dataclass(frozen=True)
class Analysis:
    """What `analyze` found: the motion, sentences that the animator should read, and what is said when."""

    motion: Motion
    warnings: tuple[str, ...] = ()
    phones: tuple[Phone, ...] = ()


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
    amount: float = articulation.NORMAL,
    strength: Sequence[float] = (1.0,) * len(PARTS),
    said: Sequence[Phone] | None = None,
) -> Analysis:
    """Motion from a voice, a driving clip or picture, or both.

    idle_amplitude  0..1, natural head motion and blinks, where no clip gives them
    emotion         see `core.motion.idle.emotion_track`; "auto" finds it in the voice and in the transcript
    stillness       0..1, how calm a head that moves to the voice is between its accents
    text            the transcript, as words or as subtitles, or the name of a file that holds it: the mouth
                    follows its phones, and "auto" its words
    said            what is said when, as an analysis before found it, or as it was moved by hand since;
                    nothing is aligned then
    amount          of articulation: 1 a clear talker, .5 mumbling, 1.5 over-articulated
    strength        of mouth, pose, expression and blinks: how far each leaves the portrait's own, 0 to 2

    The take lasts as long as the longer of voice and clip. Raises InputError without either,
    UnreadableAudio, UnreadableVideo, UnreadableImage, NoFace (in the clip), CheckpointError when the
    checkpoint cannot listen or feel.
    """
    if not audio and not driving:
        raise InputError("There is nothing to animate from", hint="Choose a voice, a driving clip, or both")
    tell = progress or (lambda stage, done, total: None)
    warnings = list(portrait.doubts)
    words = transcript.words_of(transcript.read(text)) if text else []
    heard: Weights | None = None
    samples: NDArray[np.float32] | None = None
    if audio:
        samples = _heard(engine, Path(audio), warnings)
        is_clip = driving and files.same_file(audio, driving)
        late = _lateness(Path(driving), warnings) if is_clip else 0
        if said is None:
            told = (
                words if alignment.available() or emotion != AUTO else []
            )  # they may be for the emotion alone
            said = _shifted(_aligned(samples, told, engine, tell, warnings), late)
        heard = _listen(engine, portrait, samples, amount, _shifted(said, -late), tell)
        if late:
            heard, samples = _as_late_as_in_the_clip(late, heard, samples)
    seen = watch(engine, Path(driving), portrait, tell, warnings) if driving else None

    count = max(len(track) for track in (heard, seen) if track is not None)
    weights = np.repeat(portrait.weights[None], count, axis=0)
    own = portrait.weights
    mouth, expression = BANK_SLICES["mouth"], BANK_SLICES["expression"]
    if emotion == AUTO:
        weights[:, expression] = _felt(engine, samples, words, own[expression], count)
    else:
        weights[:, expression] = idle.emotion_track(emotion, engine.emotions, own[expression], count)
    if heard is not None and samples is not None:
        weights[:, mouth] += _returning(spoken_mouth(heard, own[mouth], samples) - own[mouth], count)
    if seen is not None:
        added = _returning(seen - own, count)
        added[:, mouth] *= heard is None
        weights += added
    else:
        weights += _idle(engine, samples, own, count, idle_amplitude, seed, stillness)
        warnings += engine.warnings if idle_amplitude > 0 else ()
    weights = strengthened(weights, own, engine.channels, strength)
    motion = Motion(weights, STEPS_PER_SECOND, engine.checkpoint_id)
    return Analysis(motion, tuple(warnings), tuple(said or ()))


def check_inputs(audio: Path | str, driving: Path | str) -> None:
    """Whether the files can be opened at all, before a folder is made for what comes of them. Raises
    UnreadableAudio, UnreadableVideo.
    """
    kinds = ((audio, "sound file", UnreadableAudio), (driving, "clip", UnreadableVideo))
    for path, what, error in kinds:
        try:
            if path:
                files.opened(path).close()
        except FileNotFoundError:
            where = f"{Path(path).name} in {Path(path).parent}"
            raise error(f"There is no {what} {where}", hint="Choose the file again") from None
        except OSError as refused:
            raise error(
                f"{path} cannot be opened: {files.reason(refused)}", hint="Choose another file"
            ) from None


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
    detail_transfer  at the portrait's own sharpness, see `core.engine.anchor`; else as soft as the network's
    size depth            bits per channel, 8 or 16

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
    weights = motion.weights[rows]
    looks: list[MouthLook | None] = [None] * len(rows)
    if motion.looks is not None:
        looks = [MouthLook.of(row) for row in motion.looks[rows].tolist()]
    decoded = engine.decode(finish.portrait.source, finish.sent(weights), batch)
    return (
        (number, partial(finish, frame, row, look))
        for number, frame, row, look in zip(labels, decoded, weights, looks)
    )


# --- analyzing -----------------------------------------------------------------------


def _heard(engine: Engine, path: Path, warnings: list[str]) -> NDArray[np.float32]:
    """Samples [N] of a voice."""
    from core.sound.audio import load_audio, step_count
    from core.sound.voice_activity import spoken

    if engine.audio_to_mouth is None:
        raise CheckpointError(
            f"The checkpoint {engine.checkpoint_id} cannot listen: it holds no audio network",
            hint="Choose another checkpoint, or drive the mouth by a clip",
        )
    samples = load_audio(path)
    if max(float(samples.max()), -float(samples.min())) < SILENT:
        warnings.append(f"{path.name} is silent, so the mouth will hardly move")
    elif not spoken(samples, step_count(samples, engine.audio_to_mouth.config.kind)).any():
        warnings.append(f"No voice was heard in {path.name}, so the mouth will hardly move")
    return samples


def _aligned(
    samples: NDArray[np.float32],
    words: list[transcript.Word],
    engine: Engine,
    tell: Progress,
    warnings: list[str],
) -> list[Phone]:
    """What is said when; a transcript that cannot be used becomes a warning."""
    if not words or articulation.readout_of(engine.audio_id) is None:
        return []
    try:
        return alignment.aligned(samples, words, partial(tell, "align"))
    except alignment.NotAligned as why:
        warnings.append(f"The mouth follows the sound alone, not the transcript: {why}")
        return []


def _listen(
    engine: Engine,
    portrait: Portrait,
    samples: NDArray[np.float32],
    amount: float,
    said: Sequence[Phone],
    tell: Progress,
) -> Weights:
    """Mouth weights [T, 20] of a voice, and of what it says where that is known."""
    from core.models.audio_to_mouth import mouth_from_audio

    net, readout = engine.audio_to_mouth, articulation.readout_of(engine.audio_id)
    assert net is not None  # `_heard` has seen to it
    mouth = mouth_from_audio(net, samples, tell=partial(tell, "listen"))
    drawing = articulation.own_drawing(engine, portrait) if readout else None
    lips = visemes.spoken(phones.timed(said), len(mouth)) if said else None
    return articulation.articulated(net, mouth, samples, readout, drawing, amount, lips)


def _lateness(path: Path, warnings: list[str]) -> int:
    """Steps by which a clip's own sound lies later than its pictures; 0 for less than is seen.

    Sound files know no beginning but their own, so readers of sound (Blender's among them) drop it.
    """
    from core.pictures import video

    delay = video.sound_delay(path)
    late = min(round(delay * STEPS_PER_SECOND), MOST_DELAY)
    if abs(late) < LEAST_DELAY:
        return 0
    side = "after" if delay > 0 else "before"
    warnings.append(
        f"The sound of {path.name} begins {abs(delay):.2f} s {side} its pictures, and the mouth goes with "
        "them: place the sound there, too"
    )
    return late


def _as_late_as_in_the_clip(
    late: int, heard: Weights, samples: NDArray[np.float32]
) -> tuple[Weights, NDArray[np.float32]]:
    """Mouth weights and samples of a clip's own sound, moved to where it lies beside the pictures."""
    if late < 0:  # it is heard before the first picture, where the take has not begun
        late = max(late, 1 - len(heard))
        return heard[-late:], samples[-late * SAMPLES_PER_STEP :]
    still = np.zeros(late * SAMPLES_PER_STEP, np.float32)
    return np.concatenate([np.repeat(heard[:1], late, axis=0), heard]), np.concatenate([still, samples])


def _shifted(said: Sequence[Phone], steps: int) -> list[Phone]:
    """Phones so many steps later, without those that are over before the first one."""
    by = steps / STEPS_PER_SECOND
    moved = [replace(phone, start=phone.start + by, end=phone.end + by) for phone in said]
    return [phone for phone in moved if phone.end > 0]


def _idle(
    engine: Engine,
    samples: NDArray[np.float32] | None,
    own: Weights,
    count: int,
    amplitude: float,
    seed: int,
    stillness: float,
) -> Weights:
    """Head motion, blinks and glances to add; drawn to the voice as well where the checkpoint can."""
    heard, drawn = None, None
    if samples is not None and amplitude > 0:
        heard = prosody(samples, count)
        if engine.audio_to_pose is not None:
            from core.models.audio_to_pose import head_motion

            drawn = head_motion(engine.audio_to_pose, samples, count, seed, stillness).pose
    brow_up = next((handle.direction for handle in engine.handles if handle.name == "brow_up"), ())
    return idle.natural_motion(engine.channels, count, amplitude, seed, heard, own, drawn, stillness, brow_up)


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
