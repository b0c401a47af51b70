# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of real portraits, made as the product makes them, and what is measured of each.

rest      a silent sound: the frame should be the portrait
talk      a real voice on a portrait; the lips are held against the speaker's own
drive     a clip lends its motion, lips included
emotion, handles  single frames, against the same portrait at rest
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.engine import pipeline
from core.engine.engine import Engine
from core.engine.portrait import Portrait
from core.motion.motion import Motion
from core.pictures import image, matte, picture, video
from core.sound.audio import load_audio
from core.sound.mel import RATE
from core.wire.channels import STEPS_PER_SECOND
from core.wire.mixing import mix
from training.evaluation.real import tracks
from training.evaluation.real.likeness import Likeness
from training.evaluation.real.points import Head, head_of, read_film
from training.evaluation.real.tracks import Tracks

SIZE = 512
IDLE = 0.5
"""The product's default."""
TURNS = {"yaw": 15.0, "pitch": 10.0, "roll": 15.0}
"""Degrees that are asked for, to either side."""
MOVES = {
    "jaw_open": 1.0,
    "smile": 1.0,
    "frown": 1.0,
    "press": 1.0,
    "gaze_x": 15.0,
    "gaze_y": 8.0,
    "blink": 1.0,
}
STILL = 1.0
"""Degrees of standard deviation below which a clip's axis is too still for an r."""

Numbers = dict[str, float]
Frames = list[NDArray[np.uint8]]


class Face:
    """A portrait made ready, and what its frames are held against."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine, self.name = engine, path.stem
        given = image.load(path).to_depth(8)
        self.portrait: Portrait = pipeline.prepare_portrait(engine, given, number=None, name=path.name)
        cut = picture.crop(given, self.portrait.crop, SIZE)
        self.likeness = Likeness(cut.rgb, self.portrait.figure(SIZE).inner[..., 0])

    def frames(self, motion: Motion) -> Frames:
        """[S, S, 3] each, as a take of 512 pixels has them."""
        made = pipeline.decode(self.engine, self.portrait, motion, size=SIZE)
        return [np.asarray(one.rgb, np.uint8) for _, one in made]

    def held(self, rows: Sequence[Any]) -> Frames:
        """One frame for each row of weights."""
        return self.frames(Motion(np.asarray(rows, np.float32), model=self.engine.checkpoint_id))


@dataclass(frozen=True, eq=False)
class Clip:
    """A real speaker: the first seconds of a clip, as frames and sound, and what the measures say of the real
    thing."""

    path: Path
    sound: Path
    steps: int
    tracks: Tracks
    itself: Numbers

    @classmethod
    def load(cls, path: Path, folder: Path, seconds: float) -> Clip:
        """Reads a clip; its sound goes into `folder` as a WAV file."""
        import soundfile

        count = round(seconds * STEPS_PER_SECOND)
        timed = islice(video.read(path, 0.6 / STEPS_PER_SECOND), count)
        frames = [frame.rgb for frame in timed]
        sound = folder / f"{path.stem}.wav"
        samples = load_audio(path)[: round(len(frames) / STEPS_PER_SECOND * RATE)]
        soundfile.write(sound, samples, RATE, subtype="PCM_16")
        points = read_film(frames)
        seen = tracks.tracks_of(head_of(points))
        return cls(path, sound, len(frames), seen, _itself(frames, points, seen))


def _itself(frames: Frames, points: NDArray[np.float64], seen: Tracks) -> Numbers:
    """A real clip held against its own calmest frame: what a perfect film of the same person would score."""
    calm = seen.aperture + 10.0 * (seen.eye < 0.85 * tracks.open_eye(seen.eye))
    best = int(np.nanargmin(calm))
    middle = np.nanmean(points[:, [10, 152, 234, 454], :2], axis=(0, 1))
    side = 2.0 * float(np.nanmean(np.linalg.norm(points[:, 234, :2] - points[:, 454, :2], axis=1)))
    x, y, width = (round(float(value)) for value in (*(middle - side / 2), side))
    where = picture.Crop(x, y, width)
    cut = [picture.crop(picture.Picture(frame), where, SIZE).rgb for frame in frames]
    moved = points.copy()
    moved[:, :, :2] -= (where.x, where.y)
    figure = picture.resampled(matte.figure(picture.Picture(frames[best]), where), where, SIZE) / 65535
    likeness = Likeness(np.asarray(cut[best], np.uint8), figure.reshape(SIZE, SIZE))
    return likeness.over_clip(cut, moved * (SIZE / where.side)) if likeness.found else {}


def rest(face: Face) -> Numbers:
    """The portrait's own weights."""
    (frame,) = face.held([face.portrait.weights])
    return face.likeness.of_still(frame)


def talk(face: Face, clip: Clip) -> Numbers:
    """The clip's voice on the portrait, with the usual idle motion."""
    motion = pipeline.analyze(face.engine, face.portrait, audio=clip.sound, idle_amplitude=IDLE).motion
    frames = face.frames(motion)
    points = read_film(frames)
    made, true = tracks.tracks_of(head_of(points)), clip.tracks
    pose = np.nanstd(made.pose, axis=0)
    return {
        "r_aperture": tracks.correlation(made.aperture, true.aperture),
        "r_width": tracks.correlation(made.width, true.width),
        "spread": float(np.nanstd(made.aperture) / np.nanstd(true.aperture)),
        "lag": tracks.lag(made.aperture, true.aperture),
        "jitter": made.jitter,
        **{f"sd_{turn}": float(value) for turn, value in zip(TURNS, pose)},
        "blinks_a_minute": 60 * len(tracks.blinks(made.eye, face.likeness.open)) / motion.seconds,
        **tracks.closures(made.aperture, true.aperture),
        **face.likeness.over_clip(frames, points),
    }


def drive(face: Face, clip: Clip) -> Numbers:
    """The clip's motion on the portrait, without sound."""
    motion = pipeline.analyze(face.engine, face.portrait, driving=clip.path).motion
    short = replace(motion, weights=motion.weights[: clip.steps])
    points = read_film(face.frames(short))
    made, true = tracks.tracks_of(head_of(points)), clip.tracks
    out: Numbers = {}
    for axis, turn in enumerate(TURNS):
        here, there = made.pose[:, axis], true.pose[:, axis]
        moves = float(np.nanstd(there)) >= STILL
        out[f"r_{turn}"] = tracks.correlation(here, there) if moves else float("nan")
        out[f"gain_{turn}"] = tracks.gain(here, there) if moves else float("nan")
        out[f"error_{turn}"] = tracks.error(here, there)
    return {
        **out,
        "r_lips": tracks.correlation(made.aperture, true.aperture),
        "spread_lips": float(np.nanstd(made.aperture) / np.nanstd(true.aperture)),
        **tracks.blinks_followed(made.eye, true.eye, face.likeness.open),
    }


def emotion(face: Face) -> dict[str, Numbers]:
    """Each emotion at 1."""
    return _posed(face, {name: {name: 1.0} for name in face.engine.emotions})


def handles(face: Face) -> dict[str, Numbers]:
    """Each handle at what speech or a broad expression asks of it, turns to either side."""
    known = {handle.name for handle in face.engine.handles}
    asked = {f"{turn}{sign:+.0f}": {turn: sign * TURNS[turn]} for turn in TURNS for sign in (1, -1)}
    asked |= {name: {name: value} for name, value in MOVES.items()}
    return _posed(face, {label: one for label, one in asked.items() if set(one) <= known})


def _posed(face: Face, asked: Mapping[str, Mapping[str, float]]) -> dict[str, Numbers]:
    engine, own = face.engine, face.portrait.weights.tolist()
    rows = [mix(own, values, values, engine.emotions, engine.handles) for values in asked.values()]
    points = np.concatenate([read_film([frame]) for frame in face.held([own, *rows])])
    if np.isnan(points[0, 0, 0]):
        return {}
    at_rest: Head = head_of(points[:1])
    there = head_of(points[1:], at_rest.shape)
    before = tracks.places(at_rest.fixed[0])
    out: dict[str, Numbers] = {}
    for label, fixed, pose in zip(asked, there.fixed, there.pose - at_rest.pose[0]):
        after = tracks.places(fixed)
        out[label] = {name: after[name] - before[name] for name in after}
        out[label] |= dict(zip(TURNS, pose.tolist())) | {"open": 100 * after["eye"] / before["eye"]}
    return out
