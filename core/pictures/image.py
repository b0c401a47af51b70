# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture files: read the usual ones, write PNG and EXR.

A file's first bytes choose one decoder out of `core.pictures.files.kinds`, and no library guesses: Pillow
knows formats that are programs (PostScript), which it hands to another program to run. Whatever comes in is
turned into a `Picture`: upright, sRGB, 8 or 16 bits, straight alpha kept aside. What cannot be read is
refused in one sentence. The names of `core.pictures.picture` are here as well, for those who do both.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core import files
from core.pictures.files import deep, deep_colours, marking, profiles, shallow
from core.pictures.files.fill import filled
from core.pictures.files.kinds import HEAD, TARGA, TARGA_END, Kind, begins_raw, kind_of, what_is_it
from core.pictures.files.shallow import READABLE
from core.pictures.files.tiff_pages import COLOUR, RAW_SUFFIXES, Pages, pages_of
from core.pictures.picture import (
    SMALLEST_CROP,
    Crop,
    Levels,
    Picture,
    crop,
    from_model,
    published_frame,
    published_picture,
    to_model,
)
from core.wire.errors import UnreadableImage

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "DEPTHS",
    "SUFFIXES",
    "Crop",
    "Format",
    "Levels",
    "Picture",
    "crop",
    "filled",
    "from_model",
    "is_turned",
    "linear",
    "load",
    "over_black",
    "published_frame",
    "published_picture",
    "to_model",
    "write",
]

Format = Literal["png", "png16", "exr"]

LONGEST_SIDE = 16384
MOST_PIXELS = 178_000_000  # just under Pillow's own guard against decompression bombs
MOST_BYTES = 1 << 30
DEPTHS: dict[str, int] = {"png": 8, "png16": 16, "exr": 16}
"""Bits per channel that a picture should have before it is written in a format."""
SUFFIXES: dict[str, str] = {"png": ".png", "png16": ".png", "exr": ".exr"}


def load(path: Path | str) -> Picture:
    """Read a picture file: upright, square pixels, 8 or 16 bits, straight alpha kept aside, embedded profiles
    turned into sRGB, scene-linear and logarithmic files too.

    Grey, palette, CMYK and transparent pictures are all turned into RGB; of an animation, the first
    picture is taken, of a file with several sizes the full one. Colour under transparent pixels is replaced
    by its surroundings, so that no stray colour creeps in at the edges. Raises UnreadableImage.
    """
    path = Path(path)
    with _explained(path):
        file = _opened(path)
        image = _shallow(file)
        if image is not None:
            return _clean(shallow.read(image, path.name))
        picture, shape = deep.read(file.data, file.kind, path.name, file.page, file.inverted)
        return _clean(_upright(picture, replace(shape, orientation=file.orientation or shape.orientation)))


def is_turned(path: Path | str) -> bool:
    """Does a picture that `load` can read lie in its file otherwise than it is seen: turned, mirrored,
    stretched, or as a part of a larger window?"""
    path = Path(path)
    with _explained(path):
        file = _opened(path)
        if _shallow(file) is not None or file.orientation:
            return file.orientation > 1
        return not deep.shape(file.data, file.kind, path.name, file.page).is_plain


def over_black(path: Path | str) -> Levels:
    """A frame as 8-bit sRGB [H, W, 3], alpha left out; of a scene-linear EXR over black, as a screen shows
    it. Raises UnreadableImage."""
    path = Path(path)
    with _explained(path):
        file = _opened(path)
        if file.kind.deep not in deep_colours.LINEAR:
            return load(path).to_depth(8).rgb
        light = deep.light(file.data, file.kind, path.name)
        return np.asarray(np.rint(profiles.encoded(light) * 255), np.uint8)


def write(
    path: Path | str,
    picture: Picture,
    form: Format = "png",
    is_colour: bool = True,
    origin: Mapping[str, str] | None = None,
) -> None:
    """Write a picture, whole or not at all: 8-bit PNG, 16-bit PNG, or half-float EXR.

    PNG holds sRGB and straight alpha. EXR holds scene-linear colour (the sRGB curve is undone, but not when
    the levels are no colour: a matte) and associated alpha, as that format prescribes. `origin` is the record
    that the file carries, see `core.wire.origin`. Raises OutputBlocked.
    """
    picture = picture.to_depth(DEPTHS[form])
    texts = marking.for_exr(origin) if origin is not None else {}
    if form != "exr":
        data = _png(picture)
        data = marking.in_png(data, origin) if origin is not None else data
        with files.written_whole(path) as temporary:
            temporary.write_bytes(data)
        return
    top = np.iinfo(picture.rgb.dtype).max
    values = linear(picture) if is_colour else picture.rgb.astype(np.float32) / np.float32(top)
    with files.written_whole(path) as temporary:
        deep.write_exr(temporary, values, texts)


def linear(picture: Picture) -> NDArray[np.float32]:
    """Scene-linear RGB [H, W, 3] in [0, 1] (IEC 61966-2-1 curve undone), or RGBA [H, W, 4] with associated
    alpha."""
    top = np.iinfo(picture.rgb.dtype).max
    levels = np.arange(top + 1, dtype=np.float64) / top
    curve = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)
    rgb = curve[picture.rgb]
    if picture.alpha is None:
        return rgb
    alpha = picture.alpha[..., None].astype(np.float32) / np.float32(top)
    return np.concatenate([rgb * alpha, alpha], axis=-1)


# --- reading --------------------------------------------------------------------------------------


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What decoders raise, in one sentence."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MOST_PIXELS is our own limit, and what is damaged is refused
            yield
    except (UnreadableImage, MemoryError, ModuleNotFoundError):
        raise
    except Image.DecompressionBombError:
        raise _too_large(path, f"has over {MOST_PIXELS // 1_000_000} million pixels") from None
    except Exception as error:  # fed with broken bytes, decoders fail in any of a dozen ways
        why = str(error)[:200] or type(error).__name__
        raise UnreadableImage(
            f"{path.name} is damaged or incomplete: {why}", hint="Export it again"
        ) from None


@dataclass
class _File:
    """A picture's bytes, its kind, which page is the picture, which way is up as far as Pillow says (0: not
    known), and whether 0 is white in it."""

    path: Path
    data: bytes
    kind: Kind
    page: int = 0
    orientation: int = 0
    inverted: bool = False


def _opened(path: Path) -> _File:
    """Raises UnreadableImage for a file of no kind that may be read, camera raw among them."""
    data = _bytes_of(path)
    head = data[:HEAD]
    kind = kind_of(head)
    if kind is None and (path.suffix.lower() == ".tga" or data.endswith(TARGA_END)):
        kind = TARGA
    pages = pages_of(data) if kind is not None and kind.name == "TIFF" else Pages([], [])
    is_raw = path.suffix.lower() in RAW_SUFFIXES or begins_raw(head) or head[8:11] == b"CR\2"
    if is_raw or pages.is_raw:
        raise UnreadableImage(
            f"{path.name} is a camera raw file: only a small preview of it can be read here",
            hint="Develop it to PNG, JPEG or TIFF first",
        )
    if kind is None:
        raise UnreadableImage(f"{path.name} {what_is_it(head)}", hint=READABLE)
    page = pages.first_whole or 0
    inverted = bool(pages.pages) and pages.pages[page].get(COLOUR) == (0,)
    return _File(path, data, kind, page, inverted=inverted)


def _bytes_of(path: Path) -> bytes:
    try:
        data = files.read(path, MOST_BYTES)
    except FileNotFoundError:
        raise UnreadableImage(f"There is no picture {path}", hint="Choose the file again") from None
    except OSError as error:
        why = files.reason(error)
        raise UnreadableImage(f"{path} cannot be opened: {why}", hint="Choose another file") from None
    if not data:
        raise UnreadableImage(f"{path.name} is empty", hint="Export it again")
    return data


def _shallow(file: _File) -> Image | None:
    """The picture of an 8-bit file, opened and not decoded; None for a deep one. Notes which way is up."""
    image = shallow.opened(file.data, file.kind, file.page) if file.kind.pillow else None
    if image is None:
        return None
    _check_size(file.path, *image.size)
    is_deep = shallow.is_deep(image)  # before the next line, for which Pillow may decode all of a PNG
    file.orientation = shallow.orientation(image)
    return None if is_deep else image


def _check_size(path: Path, width: int, height: int) -> None:
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise _too_large(path, f"is {width} x {height} pixels")
    if min(width, height) < SMALLEST_CROP:
        raise UnreadableImage(f"{path.name} is only {width} x {height} pixels", hint="Use a larger picture")


def _too_large(path: Path, what: str) -> UnreadableImage:
    limit = f"at most {LONGEST_SIDE} a side and {MOST_PIXELS // 1_000_000} million in all can be read"
    return UnreadableImage(f"{path.name} {what}; {limit}", hint="Scale the picture down first")


def _upright(picture: Picture, shape: deep.Shape) -> Picture:
    rgb, alpha = picture.rgb, picture.alpha
    if shape.aspect != 1:
        import cv2

        size = (round(rgb.shape[1] * shape.aspect), rgb.shape[0])
        if not SMALLEST_CROP <= size[0] <= LONGEST_SIDE:
            raise UnreadableImage(f"The picture is {size[0]} x {size[1]} pixels when its pixels are square")
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR))
        alpha = None if alpha is None else np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR))
    for turn in _TURNS.get(shape.orientation, ()):
        rgb, alpha = turn(rgb), None if alpha is None else turn(alpha)
    return Picture(np.ascontiguousarray(rgb), None if alpha is None else np.ascontiguousarray(alpha))


_TURNS: dict[int, tuple[Any, ...]] = {  # EXIF orientation -> what makes the picture upright
    2: (np.fliplr,),
    3: (np.fliplr, np.flipud),
    4: (np.flipud,),
    5: (np.rot90, np.flipud),
    6: (lambda array: np.rot90(array, -1),),
    7: (np.rot90, np.fliplr),
    8: (np.rot90,),
}


def _clean(picture: Picture) -> Picture:
    """Drop an alpha that says nothing; else fill transparent pixels with the colour around them."""
    if picture.alpha is None or bool((picture.alpha == np.iinfo(picture.alpha.dtype).max).all()):
        return Picture(picture.rgb)
    if not picture.alpha.any():
        raise UnreadableImage("The picture is fully transparent")
    share = picture.alpha.astype(np.float32)[..., None] / np.iinfo(picture.alpha.dtype).max
    return Picture(filled(picture.rgb, share), picture.alpha)


def _png(picture: Picture) -> bytes:
    import cv2

    rgb, alpha = picture.rgb, picture.alpha
    if rgb.strides[-1] == 0:  # the same levels three times
        array = np.ascontiguousarray(rgb[..., 0])
    else:
        array = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR)
    if alpha is not None:
        array = cv2.merge([*cv2.split(array), np.ascontiguousarray(alpha)])
    # runs of filtered bytes and Huffman codes: a third faster than searching at this level, and no larger
    ways = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    done, data = cv2.imencode(".png", array, ways)
    if not done:
        raise RuntimeError("OpenCV did not encode the picture")
    return bytes(data)
