# SPDX-License-Identifier: GPL-3.0-or-later
"""What a driving clip or picture asks of a portrait.

Where real faces can be read (`core.pictures.face_models`) and the checkpoint has handles, the face of the
clip is read as numbers (`core.engine.clips`), and the handles are set so that the portrait shows the same.
Else, and for a still picture, the network's encoder says what weights it sees: all frames of a clip are then
cropped alike, around its first face, so that the head's own motion stays in.

Pose and expression are carried over as changes since the clip's own rest, because absolute ones carry the
driving person's build along; the mouth is carried over as it is seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.engine import presence
from core.engine.clips import asked
from core.engine.clips.drawn import Drawn, drawn_by, mouth_at_rest
from core.engine.clips.face_numbers import LIDS
from core.engine.clips.reading import (
    BATCH,
    DENSEST,
    SEARCH_EVERY,
    SEARCH_SECONDS,
    Progress,
    read_clip,
)
from core.engine.clips.solve import amounts
from core.engine.portrait import Portrait, framed
from core.motion.motion import Weights, interpolate, smoothed, soft
from core.pictures import face, image
from core.pictures.files import kinds
from core.pictures.picture import Crop, Picture
from core.wire import moments
from core.wire.channels import BANK_SLICES, CHANNELS, STEPS_PER_SECOND
from core.wire.errors import NoFace

if TYPE_CHECKING:
    from core.engine.engine import Engine

STEADY = 1.0  # steps: the navigator's frame-to-frame noise is smoothed by this much in pose and expression
STILL_SECONDS = 2.0  # what a still picture lasts, and how long it takes to get there


def is_picture(path: Path | str) -> bool:
    """Whether a driving file is a still picture, by its name."""
    return Path(path).suffix.lower() in kinds.SUFFIXES - {".gif"}


def watch(engine: Engine, path: Path, portrait: Portrait, tell: Progress, warnings: list[str]) -> Weights:
    """[T, 36] that a driving clip or picture asks for: mouth as seen, the rest as the portrait's own plus
    changes since the clip's rest. Frames without the face hold what was before, and a warning names them.
    Frames of the clip and steps of motion meet at their middles, see `core.wire.moments`."""
    if is_picture(path):
        return _watch_picture(engine, path, portrait.weights)
    drawn = drawn_by(engine, portrait)
    if drawn is not None:
        return _watch_face(engine, path, portrait, drawn, tell, warnings)
    own = portrait.weights
    times, seen, visible = _watch_clip(engine, path, tell)
    if not visible.all():
        seen = presence.held(seen, visible)
        end = times[-1] + _step(times)
        warnings.append(presence.sentence(path.name, presence.spans(times, visible, end)))
    track = _in_steps(path, times, seen)
    rest = slice(BANK_SLICES["pose"].start, len(CHANNELS))  # pose and expression
    track[:, rest] = smoothed(track[:, rest], STEADY)
    track[:, rest] += own[rest] - track[0, rest]
    return track


def _watch_face(
    engine: Engine, path: Path, portrait: Portrait, drawn: Drawn, tell: Progress, warnings: list[str]
) -> Weights:
    """The same, by the face reader."""
    read = read_clip(path, tell)
    step = _step(read.times)
    wanted, frontal = asked.asked(read, 1 / step)
    for column in LIDS:
        wanted[:, column] *= drawn.shut[column]
    found = amounts(drawn, wanted, {one.name: (one.soft_min, one.soft_max) for one in engine.handles})
    seen = np.repeat(mouth_at_rest(portrait)[None], len(wanted), axis=0)
    for handle in engine.handles:
        if handle.name in found:
            seen += found[handle.name][:, None].astype(np.float32) * np.array(handle.direction, np.float32)
    warnings += asked.sentences(path.name, read, frontal, read.times[-1] + step)
    return _in_steps(path, read.times, seen)


def _step(times: NDArray[np.float64]) -> float:
    """Seconds from one frame to the next."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 1 / STEPS_PER_SECOND


def _in_steps(path: Path, times: NDArray[np.float64], seen: Weights) -> Weights:
    """Weights [N, 36] of frames at `times` -> [T, 36] of steps of motion."""
    from core.pictures import video

    step, rate = _step(times), video.info(path).rate
    shown = min(step, 1 / rate) if rate > 0 else step  # frames nearer than DENSEST were left out
    count = max(1, round((times[-1] + step) * STEPS_PER_SECOND))
    middles = (np.arange(count) + moments.MIDDLE) / STEPS_PER_SECOND
    return interpolate(times + moments.MIDDLE * shown, seen, middles)


def _watch_picture(engine: Engine, path: Path, own: Weights) -> Weights:
    """A still picture has no changes: it is where mouth, pose and expression go to, softly."""
    picture = image.load(path)
    where = face.crop_from_face(face.find_face(picture.rgb, name=path.name), picture.rgb.shape)
    seen = engine.weights_of(framed(engine, picture, where)[None])[0]
    share = soft(np.arange(round(STILL_SECONDS * STEPS_PER_SECOND)) / (STILL_SECONDS * STEPS_PER_SECOND - 1))
    return np.asarray(own + share[:, None] * (seen - own), np.float32)


def _watch_clip(
    engine: Engine, path: Path, tell: Progress
) -> tuple[NDArray[np.float64], Weights, NDArray[np.bool_]]:
    """Times [N] and weights [N, 36] of a clip's frames, all cropped alike, so that the head's own motion
    stays in; and whether each shows the face [N]."""
    from core.pictures import video

    total = max(1, round(video.info(path).seconds * STEPS_PER_SECOND))
    where = _where_in_clip(path)
    looking = presence.Presence(where)
    times: list[float] = []
    seen: list[Weights] = []
    waiting: list[NDArray[np.uint8]] = []
    for frame in video.read(path, DENSEST):
        if len(waiting) == BATCH:
            seen.append(engine.weights_of(np.stack(waiting)))
            waiting.clear()
            tell("watch", min(total, round(frame.seconds * STEPS_PER_SECOND)), total)
        times.append(frame.seconds)
        looking.look(frame.rgb, frame.seconds)
        waiting.append(framed(engine, Picture(frame.rgb), where))
    seen.append(engine.weights_of(np.stack(waiting)))
    tell("watch", total, total)
    shown = looking.shown
    if not shown.any():  # the frame that the crop is from was among them, by another reading
        shown[:] = True
    return np.array(times), np.concatenate(seen), shown


def _where_in_clip(path: Path) -> Crop:
    """The crop around the largest face of the first frames; a few are tried, since eyes may be shut in the
    first."""
    from core.pictures import video

    dark = 0.0
    for frame in video.read(path, SEARCH_EVERY):
        if frame.rgb[::8, ::8].std() < presence.FLAT:
            dark = frame.seconds  # a fade, or black before the clip
            continue
        faces = face.find_faces(frame.rgb)
        if faces:
            largest = max(faces, key=lambda found: found.width)
            return face.crop_from_face(largest, frame.rgb.shape)
        if frame.seconds - dark > SEARCH_SECONDS:
            break
    raise NoFace(
        f"No face was found in the first {SEARCH_SECONDS:.0f} seconds of {path.name}",
        hint="Use a clip that begins with the face from the front",
    )
