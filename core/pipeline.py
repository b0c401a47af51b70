# SPDX-License-Identifier: GPL-3.0-or-later
"""The two functions of the product: `analyze` makes Motion of a voice or a clip, `decode` makes frames of
Motion.

    portrait = prepare_portrait(engine, image.load("anna.png"))
    take = analyze(engine, portrait, audio="hello.wav", idle=0.5).motion
    for number, picture in decode(engine, portrait, take, size=512):
        image.write(f"{number:04}.png", picture)

What goes into a step of motion (all of it at 25 steps a second):

    mouth        from the voice; without one, from the driving clip; absolute, in place of the portrait's
    own pose         the portrait's own, plus the clip's change since its first frame, or plus idle motion
    expression   the portrait's own, or the emotion asked for, plus the clip's change, or plus blinks

Pose and expression are carried over as changes because absolute ones carry the driving person's build
along (spec 1.4, 6.3). A track that ends before the take does is held for a moment and then returns softly
to the portrait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from core import detail, face, idle, image
from core.image import Crop, Picture
from core.motion import Motion, Weights, interpolate, smoothed
from core.wire.channels import BANK_SLICES, CHANNELS, STEPS_PER_SECOND
from core.wire.errors import BadMotion, CheckpointError, InputError, NoFace

if TYPE_CHECKING:
    import torch

    from core.engine import Engine, Frame, Source

Composite = Literal["crop", "paste"]
Progress = Callable[[str, int, int], None]
"""Called between batches with stage, done and total; what it raises (Cancelled) ends the work."""

WATCH_BATCH = 16  # driving frames read at once
SEARCH_SECONDS, SEARCH_EVERY = (
    2.0,
    0.2,
)  # a driving clip must show a face by then; frames tried are this far apart
DENSEST = 0.6 / STEPS_PER_SECOND  # driving frames nearer than this say nothing new
STEADY = 1.0  # steps: the navigator's frame-to-frame noise is smoothed by this much in pose and expression
HOLD, RETURN = 0.3, 1.0  # seconds that a finished track is held, and takes to return to the portrait
STILL_SECONDS = 2.0  # what a still driving picture lasts, and how long it takes to get there
SILENT = 1e-3  # peak amplitude
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True, eq=False)
class Portrait:
    """A portrait made ready for one engine, once; kept by the caller for every take and preview of it."""

    picture: Picture
    crop: Crop
    source: Source
    """What the network needs of it."""
    _sharp: dict[int, torch.Tensor] = field(default_factory=dict, repr=False)

    @property
    def weights(self) -> Weights:
        """[36] the portrait's own weights: these give back the portrait itself."""
        return self.source.weights

    def untouched(self, size: int, composite: Composite = "crop", depth: int = 8) -> Picture:
        """The portrait as a frame that nothing has been done to, in the same framing as decoded ones."""
        whole = self.picture.to_depth(depth)
        return whole if composite == "paste" else image.crop(whole, self.crop, size)

    def at(self, size: int) -> torch.Tensor:
        """[1, 3 or 4, size, size] the crop at output size in [-1, 1], with alpha in [0, 1], on the
        engine's device."""
        import torch

        if size not in self._sharp:
            if len(self._sharp) >= 2:  # the size being rendered, and the preview's
                self._sharp.pop(next(iter(self._sharp)))
            cut = image.crop(self.picture, self.crop, size)
            planes = image.to_model(cut.rgb)
            if cut.alpha is not None:
                alpha = cut.alpha.astype(np.float32) / np.iinfo(cut.alpha.dtype).max
                planes = np.concatenate([planes, alpha[None]])
            self._sharp[size] = torch.from_numpy(planes)[None].to(self.source.portrait.device)
        return self._sharp[size]


@dataclass(frozen=True)
class Analysis:
    """What `analyze` found: the motion, and sentences that the animator should read."""

    motion: Motion
    warnings: tuple[str, ...] = ()


def prepare_portrait(
    engine: Engine,
    picture: Picture,
    crop: Crop | None = None,
    number: int | None = None,
    name: str = "the picture",
) -> Portrait:
    """Frame the face (or take `crop` as it is; or face `number` of several, from the left), and encode it.

    Raises NoFace, SeveralFaces, and InputError for a crop that misses the picture.
    """
    if crop is None:
        crop = face.crop_from_face(face.find_face(picture.rgb, number, name), picture.rgb.shape)
    small = _framed(engine, picture, crop)
    return Portrait(picture, crop, engine.prepare(small))


def analyze(
    engine: Engine,
    portrait: Portrait,
    audio: Path | str = "",
    driving: Path | str = "",
    idle_amplitude: float = 0.0,
    seed: int = 0,
    emotion: str = "",
    progress: Progress | None = None,
) -> Analysis:
    """Motion from a voice, a driving clip or picture, or both.

    idle_amplitude  0..1, natural head motion and blinks, where no clip gives them
    emotion         see `core.idle.emotion_track`
    The take lasts as long as the longer of voice and clip. Raises InputError without either,
    UnreadableAudio, UnreadableVideo, UnreadableImage, NoFace (in the clip), CheckpointError when the
    checkpoint cannot listen.
    """
    if not audio and not driving:
        raise InputError("There is nothing to animate from", hint="Choose a voice, a driving clip, or both")
    tell = progress or (lambda stage, done, total: None)
    warnings: list[str] = []
    heard, energy = _listen(engine, Path(audio), tell, warnings) if audio else (None, None)
    seen = _watch(engine, Path(driving), portrait.weights, tell) if driving else None

    count = max(len(track) for track in (heard, seen) if track is not None)
    weights = np.repeat(portrait.weights[None], count, axis=0)
    own = portrait.weights
    mouth, expression = BANK_SLICES["mouth"], BANK_SLICES["expression"]
    weights[:, expression] = idle.emotion_track(emotion, engine.emotions, own[expression], count)
    if heard is not None:
        weights[:, mouth] += _returning(heard - own[mouth], count)
    if seen is not None:
        added = _returning(seen - own, count)
        added[:, mouth] *= heard is None
        weights += added
    else:
        weights += idle.natural_motion(engine.channels, count, idle_amplitude, seed, energy, own)
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

    numbers          which frames; None is all of them. A frame is the same whichever others are asked for
    size             side of the picture for "crop"; "paste" is the whole portrait at its own size
    detail_transfer  carry the portrait's own detail over, see `core.detail`
    depth            bits per channel, 8 or 16
    Raises BadMotion at once for weights of another checkpoint or numbers that are not there.
    """
    if motion.model and engine.checkpoint_id and motion.model != engine.checkpoint_id:
        raise BadMotion(
            f"The motion was made for the checkpoint {motion.model}, not for {engine.checkpoint_id}",
            hint="Choose that checkpoint, or analyze again",
        )
    rows = np.arange(len(motion)) if numbers is None else _rows(motion, numbers)
    paste = composite == "paste"
    side = portrait.crop.side if paste else size
    whole = portrait.picture.to_depth(depth)
    labels = motion.frames[rows].tolist()

    def frames() -> Iterator[tuple[int, Picture]]:
        decoded = engine.decode(portrait.source, motion.weights[rows], batch)
        for number, frame in zip(labels, decoded):
            picture = _finished(frame, portrait, side, detail_transfer, paste, depth)
            yield number, face.paste_back(whole, picture, portrait.crop) if paste else picture

    return frames()


# --- listening and watching -----------------------------------------------------------------------


def _listen(
    engine: Engine, path: Path, tell: Progress, warnings: list[str]
) -> tuple[Weights, NDArray[np.float32]]:
    """Mouth weights [T, 20] and loudness [T] of a voice."""
    from core.audio import load_audio, mouth_from_audio

    if engine.audio_to_mouth is None:
        raise CheckpointError(
            f"The checkpoint {engine.checkpoint_id} cannot listen: it holds no audio network",
            hint="Choose another checkpoint, or drive the mouth by a clip",
        )
    tell("listen", 0, 1)
    samples = load_audio(path)
    if float(np.abs(samples).max()) < SILENT:
        warnings.append(f"{path.name} is silent, so the mouth will hardly move")
    mouth = mouth_from_audio(engine.audio_to_mouth, samples)
    tell("listen", 1, 1)
    return mouth, idle.loudness(samples, len(mouth))


def _watch(engine: Engine, path: Path, own: Weights, tell: Progress) -> Weights:
    """[T, 36] that a driving clip or picture asks for: mouth as seen, the rest as the portrait's own plus
    changes."""
    if path.suffix.lower() in PICTURES:
        return _watch_picture(engine, path, own)
    times, seen = _watch_clip(engine, path, tell)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / STEPS_PER_SECOND
    count = max(1, round((times[-1] + step) * STEPS_PER_SECOND))
    track = interpolate(times, seen, np.arange(count) / STEPS_PER_SECOND)
    rest = slice(BANK_SLICES["pose"].start, len(CHANNELS))  # pose and expression
    track[:, rest] = smoothed(track[:, rest], STEADY)
    track[:, rest] += own[rest] - track[0, rest]
    return track


def _watch_picture(engine: Engine, path: Path, own: Weights) -> Weights:
    """A still picture has no changes: it is where mouth, pose and expression go to, softly."""
    picture = image.load(path)
    where = face.crop_from_face(face.find_face(picture.rgb, name=path.name), picture.rgb.shape)
    seen = engine.weights_of(_framed(engine, picture, where)[None])[0]
    share = _soft(np.arange(round(STILL_SECONDS * STEPS_PER_SECOND)) / (STILL_SECONDS * STEPS_PER_SECOND - 1))
    return np.asarray(own + share[:, None] * (seen - own), np.float32)


def _watch_clip(engine: Engine, path: Path, tell: Progress) -> tuple[NDArray[np.float64], Weights]:
    """Times [N] and weights [N, 36] of a clip's frames, all cropped alike, so that the head's own motion
    stays in."""
    from core import video

    total = max(1, round(video.info(path).seconds * STEPS_PER_SECOND))
    where = _where_in_clip(path)
    times: list[float] = []
    seen: list[Weights] = []
    waiting: list[NDArray[np.uint8]] = []
    for frame in video.read(path, DENSEST):
        if len(waiting) == WATCH_BATCH:
            seen.append(engine.weights_of(np.stack(waiting)))
            waiting.clear()
            tell("watch", min(total, round(frame.seconds * STEPS_PER_SECOND)), total)
        times.append(frame.seconds)
        waiting.append(_framed(engine, Picture(frame.rgb), where))
    seen.append(engine.weights_of(np.stack(waiting)))
    tell("watch", total, total)
    return np.array(times), np.concatenate(seen)


def _where_in_clip(path: Path) -> Crop:
    """The crop around the largest face of the first frames; a few are tried, since eyes may be shut in the
    first."""
    from core import video

    for frame in video.read(path, SEARCH_EVERY):
        faces = face.find_faces(frame.rgb)
        if faces:
            largest = max(faces, key=lambda found: found.width)
            return face.crop_from_face(largest, frame.rgb.shape)
        if frame.seconds > SEARCH_SECONDS:
            break
    raise NoFace(
        f"No face was found in the first {SEARCH_SECONDS:.0f} seconds of {path.name}",
        hint="Use a clip that begins with the face from the front",
    )


def _framed(engine: Engine, picture: Picture, where: Crop) -> NDArray[np.uint8]:
    """uint8 [S, S, 3] at the network's size, resampled as its checkpoint was trained."""
    if engine.config.arithmetic == "published":
        cut = image.crop(picture, where, where.side).to_depth(8)
        return image.from_model(image.published_picture(cut.rgb, engine.size))
    return image.crop(picture, where, engine.size).to_depth(8).rgb


def _returning(added: Weights, count: int) -> Weights:
    """[T, C] additions brought to `count` steps: the last is held for a moment, then fades softly."""
    if len(added) >= count:
        return added[:count].copy()
    after = (np.arange(count - len(added)) + 1) / STEPS_PER_SECOND
    fade = 1 - _soft((after - HOLD) / RETURN)
    faded = added[-1:] * fade[:, None].astype(np.float32)
    return np.concatenate([added, faded])


def _soft(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 0 to 1 without a corner."""
    place = np.clip(place, 0, 1)
    return np.asarray(place * place * (3 - 2 * place))


# --- finishing a frame ----------------------------------------------------------------------------


def _rows(motion: Motion, numbers: Sequence[int]) -> NDArray[np.int64]:
    place = {number: row for row, number in enumerate(motion.frames.tolist())}
    missing = [number for number in numbers if number not in place]
    if missing:
        raise BadMotion(
            f"The motion has no frame {missing[0]}" + f" and {len(missing) - 1} others" * (len(missing) > 1)
        )
    return np.array([place[number] for number in numbers], np.int64)


def _finished(
    frame: Frame, portrait: Portrait, side: int, detail_transfer: bool, settle: bool, depth: int
) -> Picture:
    """The network's frame at output size, as levels, with the portrait's alpha moved along."""
    import torch

    with torch.inference_mode():
        sharp = portrait.at(side)
        flow, small = frame.flow[None].float(), frame.image[None].float()
        if detail_transfer:
            large = detail.transfer(small, flow, frame.mask[None].float(), sharp[:, :3])
        else:
            large = detail.down(small, side) if side <= small.shape[-1] else detail.up(small, side)
        large = torch.cat([large, detail.warp(sharp[:, 3:], flow)], dim=1)
        if settle:
            rim = torch.from_numpy(face.rim(portrait.crop, portrait.picture.rgb.shape)).to(large.device)
            large = detail.settle(large, flow, sharp, rim)
        planes = large[0].cpu().numpy()
    rgb = image.from_model(planes[:3], depth)
    return Picture(rgb, image.from_model(planes[3:] * 2 - 1, depth)[..., 0] if len(planes) > 3 else None)
