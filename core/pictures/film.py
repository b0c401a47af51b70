# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames and a sound as one film: the pixels as they are on disk, and colour tags that say what they are.

    write(path, frames, rate, form="mp4", sound="voice.wav", since=0.5)

| form   | container, codecs                      | for |
|--------|----------------------------------------|-----|
| mp4    | MP4, H.264 8-bit 4:2:0, AAC, faststart | sending and uploading; no alpha |
| prores | MOV, ProRes 4444, PCM                  | editing and compositing; alpha |
| ffv1   | MKV, FFV1 8-bit RGB, FLAC              | lossless; alpha |

Pixels are sRGB, which has BT.709's primaries. Players read the YUV of H.264 and ProRes by BT.709's matrix in
limited range, so it is made by that matrix (FFmpeg's default is BT.601) and the stream says so.

Source of the tags: ITU-T H.273, tables 2 to 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import written_whole
from core.wire.errors import EDTalkError, InputError, OutputBlocked

from .files import marking
from .video import CODECS, SoundTrack, is_ffmpeg

BT709, LIMITED = 1, 1  # H.273: matrix, primaries; FFmpeg: AVCOL_RANGE_MPEG
SRGB_CURVE = 13  # H.273: transfer characteristics of IEC 61966-2-1
FULL, RGB_MATRIX = 2, 0


@dataclass(frozen=True)
class Form:
    """How one kind of film is written."""

    suffix: str
    container: str
    codecs: tuple[str, ...]  # the first that this FFmpeg has
    pixels: str
    pixels_alpha: str  # "" where the form has no alpha
    sound: str
    options: dict[str, str]
    yuv: bool


FORMS = {
    "mp4": Form(".mp4", "mp4", CODECS, "yuv420p", "", "aac", {"movflags": "+faststart"}, True),
    "prores": Form(".mov", "mov", ("prores_ks",), "yuv444p10le", "yuva444p10le", "pcm_s16le", {}, True),
    "ffv1": Form(".mkv", "matroska", ("ffv1",), "bgr0", "bgra", "flac", {}, False),
}
CODEC_OPTIONS = {
    "libx264": {"crf": "16", "preset": "medium"},
    "prores_ks": {"profile": "4", "vendor": "apl0"},  # 4: 4444
    "ffv1": {"level": "3", "slicecrc": "1"},
}


def write(
    path: Path | str,
    frames: Iterable[NDArray[np.uint8]],
    rate: float,
    form: str = "mp4",
    sound: Path | str | None = None,
    since: float = 0.0,
    origin: Mapping[str, str] | None = None,
) -> int:
    """Write a film whole or not at all -> number of frames.

    Args:
        frames: uint8 [H, W, 3] RGB or [H, W, 4] with straight alpha, all of one size. An odd side is made
            even by repeating its last row or column, where the form wants it (mp4).
        rate: frames a second; 23.976 is written as 24000/1001.
        form: a key of `FORMS`.
        sound: a sound file, or a clip with sound; cut to the length of the pictures.
        since: seconds of the sound that lie before the first picture; negative where it begins later.
        origin: the record that the film carries, see `core.wire.origin`.

    Raises:
        InputError: no frames, or frames of two sizes.
        OutputBlocked: the folder or the disk refuses it.
        UnreadableAudio: the sound holds nothing that can be played.
    """
    try:
        with written_whole(path) as temporary:
            kind = FORMS[form]
            tags = marking.for_film(origin, kind.container) if origin is not None else {}
            count = _encode(temporary, frames, rate, kind, sound, since, tags)
            if not count:
                raise InputError("There are no frames to make a film of", hint="Render the take first")
            if origin is not None:
                marking.end_film(temporary, origin, kind.container)
    except EDTalkError:
        raise
    except Exception as error:
        if not is_ffmpeg(error):
            raise
        raise OutputBlocked(
            f"{Path(path).name} could not be written: {error}", hint="Choose another folder"
        ) from error
    return count


def fraction(rate: float) -> Fraction:
    """Frames a second as a film states them: 23.976 is 24000/1001, 12.5 is 25/2."""
    ntsc = Fraction(round(rate * 1.001) * 1000, 1001)
    return ntsc if abs(float(ntsc) - rate) < 0.0006 and rate % 1 else Fraction(rate).limit_denominator(1001)


def _encode(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    rate: float,
    form: Form,
    sound: Path | str | None,
    since: float,
    tags: Mapping[str, str],
) -> int:
    import av

    count, shape, stream = 0, tuple[int, ...](), None
    per_second = fraction(rate)
    with av.open(str(path), "w", format=form.container, options=form.options) as container:
        container.metadata.update(tags)
        track = None
        for picture in frames:
            if stream is None:
                shape = picture.shape
                alpha = shape[2] == 4 and bool(form.pixels_alpha)
                stream = _new_stream(container, per_second, form, alpha)
                even = 2 if form.pixels == "yuv420p" else 1
                stream.width, stream.height = (-(-side // even) * even for side in (shape[1], shape[0]))
                if sound is not None:
                    track = SoundTrack(container, Path(sound), since, form.sound)
            elif picture.shape != shape:
                was, now = (f"{one[1]} x {one[0]}" for one in (shape, picture.shape))
                raise InputError(
                    f"Frame {count + 1} of the film is {now} pixels, those before it {was}",
                    hint="Render Changed makes all frames of one size",
                )
            frame = _frame(picture, stream, form)
            frame.pts, frame.time_base = count, 1 / per_second
            container.mux(stream.encode(frame))
            count += 1
            if track is not None:
                track.write_until(float(count / per_second))
        if stream is not None:
            container.mux(stream.encode(None))
        if track is not None:
            track.finish()
    return count


def _new_stream(container: Any, rate: Fraction, form: Form, alpha: bool) -> Any:
    import av

    for name in form.codecs:
        try:
            stream = container.add_stream(name, rate=rate)
        except (ValueError, av.error.FFmpegError):  # this build lacks it; PyAV says so in one of these ways
            continue
        stream.pix_fmt = form.pixels_alpha if alpha else form.pixels
        stream.options = CODEC_OPTIONS.get(name, {})
        if name not in CODEC_OPTIONS:
            stream.bit_rate = 12_000_000
        context = stream.codec_context
        context.color_primaries, context.color_trc = BT709, SRGB_CURVE
        context.colorspace, context.color_range = (BT709, LIMITED) if form.yuv else (RGB_MATRIX, FULL)
        return stream
    raise OutputBlocked(
        "This FFmpeg can write none of: " + ", ".join(form.codecs), hint="Install the wheel of PyAV from PyPI"
    )


def _frame(picture: NDArray[np.uint8], stream: Any, form: Form) -> Any:
    """A picture as the codec wants it."""
    import av
    from av.video.reformatter import ColorRange, Colorspace

    down, right = stream.height - picture.shape[0], stream.width - picture.shape[1]
    whole = np.pad(picture, ((0, down), (0, right), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(
        np.ascontiguousarray(whole), format="rgba" if whole.shape[2] == 4 else "rgb24"
    )
    if form.yuv:
        frame = frame.reformat(
            format=stream.pix_fmt,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        frame.colorspace, frame.color_range = BT709, LIMITED
    return frame
