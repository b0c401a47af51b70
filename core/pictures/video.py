# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: read frame after frame with their time stamps, and write a preview with sound.

Time stamps, not frame counts, say when a picture is shown: phones record at a varying rate, and what is 30
in one clip is 29.97 in the next. Reading is a stream, so a long clip needs no more memory than a short
one. FFmpeg does the work, through PyAV. Pixels are square and upright (rotation and mirroring in the file are
undone) RGB, all frames of one size.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import opened, reason, written_whole
from core.pictures.files import marking
from core.wire.errors import EDTalkError, OutputBlocked, UnreadableAudio, UnreadableVideo

CONVERT = "Convert it to MP4 (H.264)"
LONGEST_SIDE = 8192
WIDEST_PIXEL = 4  # times its height, or the reverse; a file that says more is not believed
CODECS = ("libx264", "h264_videotoolbox", "h264_mf", "libopenh264", "mpeg4")  # the first that this FFmpeg has
SOUND_RATE = 48000


@dataclass(frozen=True)
class TimedFrame:
    """One picture of a clip: `rgb` uint8 [H, W, 3], shown from `seconds` after the first."""

    rgb: NDArray[np.uint8]
    seconds: float


@dataclass(frozen=True)
class ClipInfo:
    """What a clip says about itself; `seconds` is 0 where it does not say."""

    width: int
    height: int
    seconds: float
    rate: float
    has_sound: bool


def info(path: Path | str) -> ClipInfo:
    """Size, duration and nominal rate from the header, before rotation. Raises UnreadableVideo."""
    path = Path(path)
    with _opened(path) as container:
        stream = _picture_stream(container, path)
        return ClipInfo(
            stream.codec_context.width,
            stream.codec_context.height,
            _announced_seconds(container, stream),
            float(stream.average_rate or 0),
            bool(container.streams.audio),
        )


def sound_delay(path: Path | str) -> float:
    """Seconds by which the sound of a clip begins after its pictures; negative when it begins before them, 0
    where there is no sound or nothing is said. Raises UnreadableVideo.
    """
    path = Path(path)
    with _opened(path) as container:
        stream = _picture_stream(container, path)
        if not container.streams.audio:
            return 0.0
        begins = [_begins(each) for each in (stream, container.streams.audio[0])]
        return 0.0 if None in begins else float(begins[1] - begins[0])  # type: ignore[operator]


def read(path: Path | str, densest: float = 0.0) -> Iterator[TimedFrame]:
    """The frames of a clip in order. One nearer than `densest` seconds to the last given is passed over.

    A damaged frame is left out; readers interpolate over it. Raises UnreadableVideo for what is no clip,
    holds no picture, or breaks off long before the end that it announces.
    """
    path = Path(path)
    with _opened(path) as container:
        stream = _picture_stream(container, path)
        stream.thread_type = "AUTO"
        shape = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
        turned: tuple[int, int] | None = None
        first = last = None
        seconds = -1.0
        for frame in _decoded(container, stream):
            stamp = frame.time if frame.time is not None else _guess(last, stream)
            first = stamp if first is None else first
            if last is not None and stamp <= last:
                continue  # a stamp that runs backwards cannot be placed
            last = stamp
            if seconds >= 0 and stamp - first - seconds < densest - 1e-6:
                continue
            seconds = stamp - first
            rgb = _upright(frame, shape)
            rgb = rgb if turned is None else _resized(rgb, turned)  # of the size of the first
            turned = (rgb.shape[0], rgb.shape[1])
            yield TimedFrame(rgb, seconds)
        if first is None or last is None:
            raise UnreadableVideo(f"{path.name} holds no picture that can be decoded", hint=CONVERT)
        announced = _announced_seconds(container, stream)
        if announced and last - first < 0.8 * announced - 1.0:
            what = f"breaks off after {last - first:.1f} of {announced:.1f} seconds"
            raise UnreadableVideo(f"{path.name} {what}", hint="Copy or export it again")


def write_preview(
    path: Path | str,
    frames: Iterable[NDArray[np.uint8]],
    rate: float,
    sound: Path | str | None = None,
    since: float = 0.0,
    origin: Mapping[str, str] | None = None,
) -> int:
    """An H.264 mp4 that plays anywhere, with the sound of `sound` cut to the pictures' length -> number of
    frames.

    frames: uint8 [H, W, 3], all of one size; rate: frames a second; since: seconds of the sound that lie
    before the first picture, negative for seconds of silence before it; origin: the record that the file
    carries, see `core.wire.origin`. Raises OutputBlocked, and what reading the sound raises.
    """
    count = 0
    with written_whole(path) as temporary:
        try:
            tags = marking.for_film(origin, "mp4") if origin is not None else {}
            count = _encode(temporary, frames, rate, sound, since, tags)
            if origin is not None:
                marking.end_film(temporary, origin, "mp4")
        except EDTalkError:
            raise
        except Exception as error:
            if not is_ffmpeg(error):
                raise
            raise OutputBlocked(
                f"{Path(path).name} could not be written: {error}", hint="Choose another folder"
            ) from error
        if not count:
            raise ValueError("a preview needs at least one frame")
    return count


# --- reading --------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with ExitStack() as stack:
        yield _container(path, stack)


def _container(path: Path, stack: ExitStack) -> Any:
    import av

    try:
        file = stack.enter_context(opened(path))
    except FileNotFoundError:
        raise UnreadableVideo(f"There is no clip {path}", hint="Choose the file again") from None
    except OSError as error:
        raise UnreadableVideo(
            f"{path} cannot be opened: {reason(error)}", hint="Choose another file"
        ) from None
    if not os.fstat(file.fileno()).st_size:
        raise UnreadableVideo(f"{path.name} is empty", hint="Export it again")
    try:
        return stack.enter_context(av.open(file, metadata_errors="ignore"))
    except Exception as error:
        if not is_ffmpeg(error):
            raise
        raise UnreadableVideo(f"{path.name} is not a clip, or is damaged", hint=CONVERT) from None


def is_ffmpeg(error: Exception) -> bool:
    """Whether FFmpeg or the system refused, so that the file or the disk is to blame and not our code."""
    import av

    return isinstance(error, (av.error.FFmpegError, OSError))


def _picture_stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        kind = "is a sound file" if container.streams.audio else "holds no pictures"
        raise UnreadableVideo(f"{path.name} {kind}, not a clip", hint="Choose a clip or a picture of a face")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise UnreadableVideo(f"{path.name} has pictures that nothing here can decode", hint=CONVERT)
    width, height = stream.codec_context.width, stream.codec_context.height
    if max(width, height) > LONGEST_SIDE:
        raise UnreadableVideo(
            f"{path.name} is {width} x {height} pixels, too large to read", hint="Scale it down first"
        )
    return stream


def _begins(stream: Any) -> float | None:
    """Seconds at which the first packet of a stream is shown, by its own stamp: headers of some containers
    say 0 for all."""
    packets = stream.container.demux(stream)
    try:
        packet = next((each for each in packets if each.pts is not None), None)
        return None if packet is None else float(packet.pts * packet.time_base)
    except Exception as error:
        if not is_ffmpeg(error):
            raise
        return None
    finally:
        with suppress(Exception):
            stream.container.seek(0)


def _announced_seconds(container: Any, stream: Any) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration and not container.streams.audio else 0.0


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Every frame that decodes; broken packets are stepped over."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except Exception as error:
            if not is_ffmpeg(error):
                raise
            return  # the container itself ends in the middle; `read` compares with the announced end
        try:
            yield from packet.decode()
        except Exception as error:
            if not is_ffmpeg(error):
                raise


def _guess(last: float | None, stream: Any) -> float:
    return 0.0 if last is None else last + 1 / float(stream.average_rate or 25)


def _upright(frame: Any, shape: Fraction) -> NDArray[np.uint8]:
    """RGB with square pixels, turned and mirrored as the file asks."""
    width, height = frame.width, frame.height
    if 1 / WIDEST_PIXEL <= shape <= WIDEST_PIXEL:  # a pixel's width by its height
        width, height = round(width * max(shape, 1)), round(height / min(shape, 1))
    if max(width, height) > LONGEST_SIDE:
        raise UnreadableVideo(f"A frame is {width} x {height} pixels, too large to read", hint=CONVERT)
    rgb = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(_placed(_resized(rgb, (height, width)), frame))


def _placed(rgb: NDArray[np.uint8], frame: Any) -> NDArray[np.uint8]:
    """By the display matrix, nine numbers in three rows; the first two of its first two rows say where right
    and down of the picture as it is stored point to."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return rgb
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        rgb = rgb.transpose(1, 0, 2)
        a, d = c, b
    rgb = rgb[:, ::-1] if a < 0 else rgb
    return rgb[::-1] if d < 0 else rgb


def _resized(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if rgb.shape[:2] == size:
        return rgb
    import cv2

    return np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


# --- writing --------------------------------------------------------------------------------------


def _encode(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    rate: float,
    sound: Path | str | None,
    since: float,
    tags: Mapping[str, str],
) -> int:
    import av

    count = 0
    fraction = Fraction(rate).limit_denominator(1001)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata.update(tags)
        stream = _new_stream(container, fraction)
        voice = SoundTrack(container, Path(sound), since) if sound is not None else None
        for rgb in frames:
            height, width = rgb.shape[:2]
            even = np.pad(
                rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"
            )  # 4:2:0 knows no odd sizes
            if not count:
                stream.width, stream.height = even.shape[1], even.shape[0]
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
            picture.pts, picture.time_base = count, 1 / fraction
            container.mux(stream.encode(picture))
            count += 1
            if voice is not None:
                voice.write_until(count / float(fraction))
        if count:
            container.mux(stream.encode(None))
        if voice is not None:
            voice.finish()
    return count


def _new_stream(container: Any, rate: Fraction) -> Any:
    import av

    for name in CODECS:
        try:
            stream = container.add_stream(name, rate=rate)
        except (ValueError, av.error.FFmpegError):  # this build lacks it; PyAV says so in one of these ways
            continue
        stream.pix_fmt = "yuv420p"
        if name == "libx264":
            stream.options = {"crf": "18", "preset": "veryfast"}
        else:
            stream.bit_rate = 8_000_000
        return stream
    raise OutputBlocked(
        "This FFmpeg can write none of: " + ", ".join(CODECS), hint="Install the wheel of PyAV from PyPI"
    )


class SoundTrack:
    """The sound track, written in step with the pictures so that neither waits in memory.

    `since` seconds of the sound lie before the first picture; where it is negative, silence comes first.
    """

    def __init__(self, container: Any, path: Path, since: float, codec: str = "aac") -> None:
        import av

        self._container = container
        self._stream = container.add_stream(codec, rate=SOUND_RATE, layout="stereo")
        self._pieces = self._converted(path)
        self._waiting = av.AudioFifo()
        self._done = 0
        self._before = max(0, round(since * SOUND_RATE))  # samples to pass over
        if since < 0:
            silence = np.zeros((2, round(-since * SOUND_RATE)), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo")
            frame.rate = SOUND_RATE
            self._waiting.write(frame)

    def _converted(self, path: Path) -> Iterator[Any]:
        import av

        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SOUND_RATE)
        try:
            with opened(path) as file, av.open(file, metadata_errors="ignore") as source:
                for frame in source.decode(audio=0):
                    frame.pts = None  # played from the start, one after the other
                    yield from resampler.resample(frame)
                yield from resampler.resample(None)
        except Exception as error:
            if not (is_ffmpeg(error) or isinstance(error, IndexError)):
                raise
            raise UnreadableAudio(
                f"{path.name} holds no sound that can be played", hint="Convert it to WAV"
            ) from None

    def write_until(self, seconds: float) -> None:
        while self._before and self._fill(1):
            passed = min(self._before, self._waiting.samples)
            self._waiting.read(passed)
            self._before -= passed
        wanted = round(seconds * SOUND_RATE) - self._done
        if wanted <= 0:
            return
        self._fill(wanted)
        frame = self._waiting.read(min(wanted, self._waiting.samples)) if self._waiting.samples else None
        if frame is not None:
            frame.pts, frame.time_base = self._done, Fraction(1, SOUND_RATE)
            self._done += frame.samples
            self._container.mux(self._stream.encode(frame))

    def _fill(self, samples: int) -> bool:
        """Let so many samples wait; False when there are no more."""
        while self._waiting.samples < samples:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            piece.pts = None
            self._waiting.write(piece)
        return True

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
