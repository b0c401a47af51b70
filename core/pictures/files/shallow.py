# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of 8 bits through Pillow, under a named decoder: PNG, JPEG, TIFF, WebP, BMP, GIF."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from core.pictures.files.kinds import Kind
from core.pictures.picture import Picture
from core.wire.errors import UnreadableImage

if TYPE_CHECKING:
    from PIL.Image import Image

READABLE = "Save it as PNG, JPEG, TIFF or WebP"


def opened(data: bytes, kind: Kind, page: int = 0) -> Image | None:
    """The picture as the one decoder for its kind opens it, not decoded yet; None for a TIFF that this
    decoder does not know (planes, odd widths). Raises what Pillow raises."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data), formats=(kind.pillow,))
    except UnidentifiedImageError:
        if kind.name != "TIFF":
            raise
        return None
    if page:
        image.seek(page)
    return image


def orientation(image: Image) -> int:
    """EXIF's number, 1 to 8."""
    return int(image.getexif().get(0x0112, 1))


def is_deep(image: Image) -> bool:
    """Has it more than 8 bits, which Pillow drops? Only the file's own description tells."""
    if image.mode.startswith("I;16") or image.mode == "F":
        return True
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]  # BitsPerSample
        return bool(max(bits) == 16) and image.mode in ("RGB", "RGBA", "RGBX", "RGBa")
    return image.format == "PNG" and any("16" in str(tile[3]) for tile in image.tile)  # type: ignore[attr-defined]


def read(image: Image, name: str) -> Picture:
    """An opened picture as it stands upright, in sRGB; alpha kept aside. Raises UnreadableImage for colours
    that cannot be read, and what Pillow raises."""
    from PIL import ImageOps

    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBa", "La"):  # alpha that colour was multiplied by
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    if image.mode == "I":
        raise UnreadableImage(f"{name} holds 32-bit values", hint=READABLE)
    transparent = "A" in image.getbands() or "transparency" in image.info
    try:
        alpha = np.asarray(image.convert("RGBA").getchannel("A")) if transparent else None
        return Picture(np.asarray(_to_srgb(image)).copy(), alpha)
    except ValueError:  # a colour mode that Pillow opens but cannot convert
        raise UnreadableImage(
            f"{name} has {image.mode} colours, which cannot be read", hint=READABLE
        ) from None


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
