# SPDX-License-Identifier: GPL-3.0-or-later
"""Deep pictures, read and written by OpenImageIO: 16-bit PNG and TIFF, EXR, DPX, Cineon, HDR, JPEG XL, PSD.

OpenImageIO is not asked what a file is: it gets the bytes under a name of ours, whose suffix names the
decoder, and is told to try no other. A size is judged by the header, before pixels are allocated.

What comes out is a `Picture` of 16 bits (8 where the file has no more): sRGB, straight alpha, square pixels.
Files of light (EXR, HDR, floating-point TIFF) and of film densities (Cineon, some DPX) go through linear
light; what is brighter than white is cut off there, as a screen does.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import files
from core.pictures.files import jxl_size
from core.pictures.files.deep_colours import picture_of, windowed
from core.pictures.files.kinds import Kind
from core.pictures.picture import SMALLEST_CROP, Picture
from core.wire.errors import UnreadableImage

LONGEST_SIDE, MOST_PIXELS = 16384, 178_000_000
MOST_VALUE_BYTES = 3 << 29
"""Of a picture's samples as they are read: 178 million pixels of 16-bit RGBA, 100 million of float RGBA."""
MOST_PARTS, MOST_CHANNELS = 64, 1024
BIGGEST_HALF = 65504.0
ASPECTS = (0.25, 4.0)
ODD_PIXELS = 0.01
"""How far pixels may be from squares before the picture is stretched."""


@cache
def _library() -> Any:
    import OpenImageIO as oiio

    oiio.attribute("try_all_readers", 0)  # a file is what its first bytes say, and nothing else
    oiio.attribute("threads", 1)  # frames are written beside each other already
    oiio.attribute("limits:imagesize_MB", 4096)
    oiio.attribute("limits:channels", MOST_CHANNELS)
    return oiio


@dataclass(frozen=True)
class Shape:
    """How a deep picture lies in its file: EXIF orientation (1 to 8), width of a pixel over its height, and
    whether its stored pixels are another rectangle than the one that is meant to be seen (EXR)."""

    orientation: int = 1
    aspect: float = 1.0
    windowed: bool = False

    @property
    def is_plain(self) -> bool:
        return self.orientation == 1 and self.aspect == 1.0 and not self.windowed


def read(data: bytes, kind: Kind, name: str, page: int = 0, inverted: bool = False) -> tuple[Picture, Shape]:
    """The picture in a file's bytes, not turned and not stretched yet, and how it lies there.

    name      the file's, for sentences
    page      which of several pictures in the file (TIFF)
    inverted  whether 0 is white in it (TIFF), which the library leaves to us

    Raises UnreadableImage.
    """
    with _open(data, kind, name) as source:
        about, part, columns, alpha = _chosen(source, name, page)
        values = _values(source, about, part, [*columns, *([] if alpha is None else [alpha])], name)
    if inverted and values.dtype == np.uint16:
        np.subtract(65535, values[..., 0], out=values[..., 0])
    picture, lies = picture_of(values, len(columns), about, kind), _shape(about, kind)
    if lies.windowed:
        picture = windowed(picture, about)
    return (picture.to_depth(8) if str(about.format) == "uint8" else picture), lies


def shape(data: bytes, kind: Kind, name: str, page: int = 0) -> Shape:
    """How the picture lies in its file; nothing of it is decoded. Raises UnreadableImage."""
    with _open(data, kind, name) as source:
        return _shape(_chosen(source, name, page)[0], kind)


def light(data: bytes, kind: Kind, name: str) -> NDArray[np.float32]:
    """The colours of a scene-linear file as they are stored, alpha multiplied in: [H, W, 3], unbounded.
    Raises UnreadableImage.
    """
    with _open(data, kind, name) as source:
        about, part, columns, _ = _chosen(source, name, 0)
        values = _values(source, about, part, columns, name).astype(np.float32)
    return values if len(columns) == 3 else np.repeat(values, 3, axis=-1)


def write_exr(path: Path, image: NDArray[Any], strings: Mapping[str, str] | None = None) -> None:
    """Scene-linear [H, W, 3] RGB or [H, W, 4] RGBA (associated alpha) as half floats, ZIP compressed.

    strings  attributes for the header, by name. The same picture and attributes give the same bytes on any
             day.

    Raises OSError.
    """
    oiio = _library()
    height, width, count = image.shape
    if count not in (3, 4):
        raise ValueError(f"an EXR picture has 3 or 4 channels, not {count}")
    about = oiio.ImageSpec(width, height, count, "half")
    about.attribute("compression", "zip:4")  # a higher level takes longer and saves nothing
    about.attribute("DateTime", "")  # else it is the moment of writing, and no two files are alike
    for key, text in (strings or {}).items():
        about.attribute(key, text)
    out = oiio.ImageOutput.create("openexr")
    halves = np.ascontiguousarray(np.clip(image, -BIGGEST_HALF, BIGGEST_HALF), np.float16)
    done = bool(out.open(str(path), about)) and bool(out.write_image(halves))
    why = out.geterror()
    if not (out.close() and done):
        raise OSError(" ".join((why or out.geterror() or "the file could not be written").split())[:200])


# --- the file -------------------------------------------------------------------------------------


@contextmanager
def _open(data: bytes, kind: Kind, name: str) -> Iterator[Any]:
    """OpenImageIO's input for a file's bytes, read by the one decoder of the kind."""
    oiio = _library()
    if oiio.ImageInput.create(kind.deep) is None:
        oiio.geterror()  # else the library prints it on the way out
        raise UnreadableImage(
            f"{name} is a {kind.name} file, which the OpenImageIO installed here does not read",
            hint="Press Set Up Server again, or convert it to PNG or EXR",
        )
    if kind.deep == "jpegxl":
        size = jxl_size.size_of(data)
        if size is None:
            raise _damaged(name, "")
        _check_sides(name, *size, channels=4, bytes_each=4)
    wish = oiio.ImageSpec()
    wish.attribute("oiio:UnassociatedAlpha", 1)  # alpha as it is in the file
    try:
        with tempfile.TemporaryDirectory(prefix="edtalk-picture-") as folder:
            path = Path(folder) / f"picture{kind.suffix}"
            path.write_bytes(data)
            source = oiio.ImageInput.open(str(path), wish)
            if source is None:
                raise _damaged(name, oiio.geterror())
            try:
                if source.format_name() != kind.deep:
                    raise _damaged(name, "")
                yield source
            finally:
                source.close()
    except OSError as error:  # of our own file: the library raises none
        raise UnreadableImage(
            f"{name} cannot be read: a temporary file of it was refused ({files.reason(error)})",
            hint="Make room in the folder for temporary files",
        ) from error


def _chosen(source: Any, name: str, page: int) -> tuple[Any, int, list[int], int | None]:
    """The part of the file that holds the picture: its description, its number, and its channels of colour
    and of alpha. Renderers write parts without colours (depth, normals), before the picture too."""
    first: list[str] = []
    for part in range(page, page + MOST_PARTS):
        if not source.seek_subimage(part, 0):
            break
        about = source.spec()
        if about.deep:
            raise UnreadableImage(f"{name} holds many samples a pixel (deep)", hint="Flatten it first")
        found = _columns(list(about.channelnames), about.alpha_channel)
        if found is not None:
            _check_size(name, about, len(found[0]) + (found[1] is not None))
            return about, part, *found
        first = first or list(about.channelnames)
        if source.format_name() != "openexr":
            break
    if not first:
        raise _damaged(name, source.geterror())
    channels = ", ".join(first[:6])[:100]
    raise UnreadableImage(
        f"{name} has the channels {channels}, and no colours among them", hint="Export it as RGB"
    )


def _columns(names: list[str], alpha: int) -> tuple[list[int], int | None] | None:
    """Where red, green and blue (or grey alone) are among the channels, and alpha. Files of renderers have
    many layers: the one without a name comes first, then the picture itself, then whatever is whole."""
    layers: dict[str, dict[str, int]] = {}
    for index, channel in enumerate(names):
        layer, _, part = channel.rpartition(".")
        layers.setdefault(layer, {})[part.upper()] = index
    for layer in sorted(layers, key=lambda layer: (layer != "", "combined" not in layer.lower(), layer)):
        place = layers[layer]
        for wanted in (("R", "G", "B"), ("RED", "GREEN", "BLUE"), ("Y",), ("I",), ("GRAY",)):
            if all(channel in place for channel in wanted):
                found = place.get("A", place.get("ALPHA", alpha if alpha >= 0 and layer == "" else None))
                return [place[channel] for channel in wanted], found
    if len(names) in (1, 2) and names[0].upper() not in ("Z", "DEPTH", "U", "V"):
        return [0], 1 if len(names) == 2 else None
    return None


def _values(source: Any, about: Any, part: int, channels: list[int], name: str) -> NDArray[Any]:
    """The samples of these channels [H, W, channels], uint16 or float32."""
    kind = "float" if _is_float(about) else "uint16"
    first, last = min(channels), max(channels) + 1
    spans = [(first, last)] if last - first <= 4 else [(channel, channel + 1) for channel in channels]
    parts = []
    for begin, end in spans:
        values = source.read_image(part, 0, begin, end, kind)
        if values is None:
            raise _damaged(name, source.geterror())
        parts.append(values.reshape(*_stored(about, source.format_name()), end - begin))
    if len(parts) > 1:
        return np.concatenate(parts, axis=-1)
    order = [channel - first for channel in channels]
    values = parts[0]
    return values if order == list(range(values.shape[-1])) else np.asarray(values[..., order])


def _stored(about: Any, decoder: str) -> tuple[int, int]:
    """Lines, and pixels a line. Of a DPX that lies on its side, the library tells the sides as they are once
    it stands, and gives the pixels as they lie."""
    sides = (int(about.height), int(about.width))
    lies = decoder == "dpx" and about.get_int_attribute("Orientation", 1) >= 5
    return sides[::-1] if lies else sides


def _shape(about: Any, kind: Kind) -> Shape:
    aspect = about.get_float_attribute("PixelAspectRatio", 1.0) if kind.deep in ("openexr", "dpx") else 1.0
    if not ASPECTS[0] <= aspect <= ASPECTS[1] or abs(aspect - 1) < ODD_PIXELS:
        aspect = 1.0
    stored = (about.x, about.y, about.width, about.height)
    is_windowed = kind.deep == "openexr" and stored != _seen(about)
    return Shape(about.get_int_attribute("Orientation", 1), aspect, is_windowed)


def _seen(about: Any) -> tuple[int, int, int, int]:
    return about.full_x, about.full_y, about.full_width, about.full_height


def _is_float(about: Any) -> bool:
    return str(about.format) in ("half", "float", "double")


def _check_size(name: str, about: Any, channels: int) -> None:
    if str(about.format) in ("uint32", "int32", "uint64", "int64"):
        raise UnreadableImage(f"{name} holds 32-bit values", hint="Save it with 8 or 16 bits")
    if about.depth > 1:
        raise UnreadableImage(f"{name} is a volume of {about.depth} layers", hint="Export one picture")
    for width, height in ((about.width, about.height), _seen(about)[2:]):
        _check_sides(name, width, height, channels, bytes_each=4 if _is_float(about) else 2)


def _check_sides(name: str, width: int, height: int, channels: int, bytes_each: int) -> None:
    limit = min(MOST_PIXELS, MOST_VALUE_BYTES // (channels * bytes_each))
    if max(width, height) > LONGEST_SIDE or width * height > limit:
        most = f"at most {LONGEST_SIDE} a side and {limit // 1_000_000} million in all can be read"
        what = f"{name} is {width} x {height} pixels of more than 8 bits; {most}"
        raise UnreadableImage(what, hint="Scale the picture down first, or save it with 8 bits")
    if min(width, height) < SMALLEST_CROP:
        raise UnreadableImage(f"{name} is only {width} x {height} pixels", hint="Use a larger picture")


def _damaged(name: str, why: str) -> UnreadableImage:
    why = re.sub(r"\S*edtalk-picture-\S*", name, " ".join(why.split()))  # the name that the library saw
    why = "".join(sign for sign in why if sign.isprintable())
    said = f": {why[:200]}" if why else ""
    return UnreadableImage(f"{name} is damaged or incomplete{said}", hint="Export it again")
