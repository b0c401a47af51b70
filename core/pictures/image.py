# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture files: read the usual ones, write PNG and EXR.

A file's content chooses among `DECODERS`, and among no others: Pillow knows formats that are programs
(PostScript), which it hands to another program to run. Whatever comes in is turned into a `Picture`:
upright, sRGB, 8 or 16 bits, straight alpha kept aside. What cannot be read is refused in one sentence. The
names of `core.pictures.picture` are here as well, for those who do both.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core import files
from core.pictures import exr, marking
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
    "published_frame",
    "published_picture",
    "to_model",
    "write",
]

Format = Literal["png", "png16", "exr"]

LONGEST_SIDE = 16384
MOST_PIXELS = 178_000_000  # just under Pillow's own guard against decompression bombs
MOST_BYTES = 1 << 30
READABLE = "Save it as PNG, JPEG, TIFF or WebP"
DECODERS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
"""The formats that are read, in Pillow's words; none of them starts a program or opens another file."""
DEPTHS: dict[str, int] = {"png": 8, "png16": 16, "exr": 16}
"""Bits per channel that a picture should have before it is written in a format."""
SUFFIXES: dict[str, str] = {"png": ".png", "png16": ".png", "exr": ".exr"}


def load(path: Path | str) -> Picture:
    """Read a picture file: upright (EXIF), 8 or 16 bits, alpha kept aside, embedded profiles of 8-bit
    pictures turned into sRGB (16-bit ones are taken to be sRGB).

    Grey, palette, CMYK and transparent pictures are all turned into RGB; of an animation, the first
    picture is taken. Colour under transparent pixels is replaced by its surroundings, so that no stray
    colour creeps in at the edges. Raises UnreadableImage.
    """
    path = Path(path)
    data = _bytes_of(path)
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MOST_PIXELS is our own limit
            image: Image.Image = Image.open(io.BytesIO(data), formats=DECODERS)
            _check_size(path, *image.size)
            if _is_preview_only(image, data):
                raise UnreadableImage(
                    f"{path.name} is a camera raw file: only a small preview of it can be read here",
                    hint="Develop it to PNG, JPEG or TIFF first",
                )
            deep = _is_16_bit(image)
            orientation = image.getexif().get(0x0112, 1)
            image.load()
            if not deep:
                image = ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise UnreadableImage(f"{path.name} {_what_is_it(data)}", hint=READABLE) from None
    except Image.DecompressionBombError:
        raise _too_large(path, f"has over {MOST_PIXELS // 1_000_000} million pixels") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow's decoders raise all of these
        raise UnreadableImage(
            f"{path.name} is damaged or incomplete: {error}", hint="Export it again"
        ) from None
    if deep:
        return _clean(_load_16_bit(path, data, orientation))
    if image.mode in ("F", "I"):
        kind = "floating-point" if image.mode == "F" else "32-bit"
        raise UnreadableImage(f"{path.name} holds {kind} values", hint=READABLE)
    try:
        return _clean(_from_pillow(image))
    except ValueError:  # a colour mode that Pillow opens but cannot convert
        raise UnreadableImage(
            f"{path.name} has {image.mode} colours, which cannot be read", hint=READABLE
        ) from None


def is_turned(path: Path | str) -> bool:
    """Does a picture that `load` can read say that it must be turned or mirrored to be upright?"""
    from PIL import Image

    with files.opened(path, MOST_BYTES) as file, Image.open(file, formats=DECODERS) as opened:
        return bool(opened.getexif().get(0x0112, 1) != 1)


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
    elif is_colour:
        data = exr.encode(linear(picture), texts)
    else:
        data = exr.encode(picture.rgb.astype(np.float32) / np.iinfo(picture.rgb.dtype).max, texts)
    with files.written_whole(path) as temporary:
        temporary.write_bytes(data)


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


def _what_is_it(data: bytes) -> str:
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"):
        return "is an HEIC picture, which cannot be read here"
    if data[:4] == b"\x76\x2f\x31\x01":
        return "is an EXR picture; the portrait must be display-referred (sRGB)"
    for start, kind in _OTHERS.items():
        if data.startswith(start):
            return f"is {kind}, which is not read here"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "is a kind of TIFF that cannot be read here, or a camera raw file"
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "is an AVIF picture, which is not read here"
    if data[4:8] == b"ftyp" or data[:4] == b"\x1a\x45\xdf\xa3":
        return "is a video, not a picture"
    return "is not a picture, or is damaged"


_OTHERS = {
    b"%!PS": "a PostScript program",
    b"\xc5\xd0\xd3\xc6": "a PostScript program",
    b"%PDF": "a PDF document",
    b"8BPS": "a Photoshop document",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"#?RADIANCE": "a Radiance HDR picture",
    b"SDPX": "a DPX picture",
    b"XPDS": "a DPX picture",
    b"DDS ": "a DirectDraw surface",
}
"""Beginnings of files that people do hand in, and what they are called."""


def _check_size(path: Path, width: int, height: int) -> None:
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise _too_large(path, f"is {width} x {height} pixels")
    if min(width, height) < SMALLEST_CROP:
        raise UnreadableImage(f"{path.name} is only {width} x {height} pixels", hint="Use a larger picture")


def _too_large(path: Path, what: str) -> UnreadableImage:
    limit = f"at most {LONGEST_SIDE} a side and {MOST_PIXELS // 1_000_000} million in all can be read"
    return UnreadableImage(f"{path.name} {what}; {limit}", hint="Scale the picture down first")


def _is_preview_only(image: Image, data: bytes) -> bool:
    """Whether the first picture of a TIFF is a preview of another in it, which Pillow does not read: it has
    a DNG version, Canon's mark, or says itself that it is reduced (NewSubfileType)."""
    if image.format != "TIFF":
        return False
    tags = image.tag_v2  # type: ignore[attr-defined]
    return 50706 in tags or data[8:10] == b"CR" or bool(int(tags.get(254, 0)) & 1)


def _is_16_bit(image: Image) -> bool:
    """Pillow reads 16-bit colour as 8-bit; only the file's own description tells."""
    if image.mode.startswith("I;16"):
        return True
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]  # BitsPerSample
        return bool(max(bits) == 16) and image.mode in ("RGB", "RGBA", "RGBX")
    return image.format == "PNG" and any("16" in str(tile[3]) for tile in image.tile)  # type: ignore[attr-defined]


def _load_16_bit(path: Path, data: bytes, orientation: int) -> Picture:
    import cv2

    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16:
        raise UnreadableImage(f"{path.name} is a kind of 16-bit picture that cannot be read", hint=READABLE)
    array = array if array.ndim == 3 else array[..., None]
    for turn in _TURNS.get(orientation, ()):
        array = turn(array)
    rgb, alpha = (array[..., :-1], array[..., -1]) if array.shape[-1] in (2, 4) else (array, None)
    rgb = rgb[..., ::-1] if rgb.shape[-1] == 3 else np.repeat(rgb, 3, axis=-1)
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


def _from_pillow(image: Image) -> Picture:
    transparent = "A" in image.getbands() or "transparency" in image.info
    alpha = np.asarray(image.convert("RGBA").getchannel("A")) if transparent else None
    return Picture(np.asarray(_to_srgb(image)).copy(), alpha)


def _to_srgb(image: Image) -> Image:
    """RGB in sRGB. A camera's or printer's embedded profile is honoured; one that is broken is passed
    over, as viewers do."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        plain = image.convert("RGB") if image.mode == "RGBA" else image
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            return plain.convert("RGB") if converted is None else converted
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGBA").convert("RGB") if image.mode in ("P", "PA", "LA") else image.convert("RGB")


def _clean(picture: Picture) -> Picture:
    """Drop an alpha that says nothing; else fill transparent pixels with the colour around them."""
    if picture.alpha is None or bool((picture.alpha == np.iinfo(picture.alpha.dtype).max).all()):
        return Picture(picture.rgb)
    if not picture.alpha.any():
        raise UnreadableImage("The picture is fully transparent")
    share = picture.alpha.astype(np.float32)[..., None] / np.iinfo(picture.alpha.dtype).max
    return Picture(filled(picture.rgb, share), picture.alpha)


def filled(rgb: Levels, share: NDArray[np.float32]) -> Levels:
    """Colour [H, W, 3] that counts only as far as `share` [H, W, 1] in [0, 1] says, the rest filled with
    what is around it. Somewhere the share must be above 0.
    """
    import cv2

    height, width = rgb.shape[:2]
    whole: Any = np.where(share[..., 0] > 0.999, np.float32(1), share[..., 0])
    colour: Any = cv2.multiply(rgb.astype(np.float32), cv2.merge([whole] * 3))
    small = (-(-width // 4), -(-height // 4))  # what fills is smooth: a quarter of the size shows no less
    parts = (cv2.resize(array, small, interpolation=cv2.INTER_AREA) for array in (colour, whole))
    around: Any = _pushed(*parts)
    around = cv2.resize(np.rint(around).astype(rgb.dtype), (width, height), interpolation=cv2.INTER_LINEAR)
    if rgb.dtype == np.uint8:  # one pass over the picture, which OpenCV has for no other levels
        return np.asarray(cv2.blendLinear(rgb, around, whole, 1 - whole))
    return np.asarray(np.rint(colour + around * (1 - whole[..., None])).astype(rgb.dtype))


def _pushed(colour: Any, cover: Any) -> NDArray[np.float32]:
    """Premultiplied colour [h, w, 3] over a cover [h, w], its gaps closed by ever coarser versions of itself
    (pull-push)."""
    import cv2

    height, width = cover.shape
    if max(height, width) == 1:
        return np.asarray(colour.reshape(1, 1, 3) / max(float(cover.item()), 1e-6))
    half = (max(1, width // 2), max(1, height // 2))
    low, lower = (cv2.resize(array, half, interpolation=cv2.INTER_AREA) for array in (colour, cover))
    below: Any = _pushed(low.reshape(half[1], half[0], 3), lower.reshape(half[1], half[0]))
    below = cv2.resize(below, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(colour + below.reshape(height, width, 3) * (1 - cover[..., None]))


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
