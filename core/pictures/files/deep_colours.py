# SPDX-License-Identifier: GPL-3.0-or-later
"""The colours of deep pictures: samples as a file holds them to sRGB levels and straight alpha.

What a file says of itself decides: associated alpha is divided out, profiles and primaries are converted,
light gets the sRGB curve, densities of film are turned into light first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.pictures.files import profiles
from core.pictures.files.kinds import Kind
from core.pictures.picture import Picture

BAND = 1 << 20
"""Pixels that are converted at a time, in floating point."""
LINEAR, LOG = ("openexr", "hdr"), ("kodaklog", "cineon", "log")


def picture_of(values: NDArray[Any], colours: int, about: Any, kind: Kind) -> Picture:
    """sRGB levels, straight alpha, a band of lines after the other."""
    height, width = values.shape[:2]
    profile = about.getattribute("ICCProfile")
    if profile is not None and profiles.is_srgb(bytes(np.asarray(profile, np.uint8))):
        profile = None
    is_srgb = profile is None and not _is_log(about) and not _is_light(about, kind)
    if values.dtype == np.uint16 and is_srgb and values.shape[-1] == colours:
        return _levels(values, None)
    rgb = np.empty((height, width, colours), np.uint16)
    alpha = np.empty((height, width), np.uint16) if values.shape[-1] > colours else None
    convert = _converter(about, kind, profile)
    lines = max(1, BAND // width)
    for top in range(0, height, lines):
        band = values[top : top + lines]
        band = band.astype(np.float32) / 65535 if values.dtype == np.uint16 else np.asarray(band, np.float32)
        colour = band[..., :colours]
        if alpha is not None:
            share = np.clip(np.nan_to_num(band[..., colours]), 0, 1)
            alpha[top : top + lines] = np.rint(share * 65535)
            if not _is_straight(about, kind):
                share = share[..., None]
                colour = np.where(share > 0, colour / np.maximum(share, 1e-6), 0)
        rgb[top : top + lines] = np.rint(np.clip(np.nan_to_num(convert(colour)), 0, 1) * 65535)
    return _levels(rgb, alpha)


def _converter(about: Any, kind: Kind, profile: Any) -> Any:
    """A function from the file's colours [..., 3] or [..., 1] to sRGB in 0..1."""
    matrix = profiles.between(tuple(about.getattribute("chromaticities") or ()))

    def convert(colour: NDArray[np.float32]) -> NDArray[Any]:
        if _is_log(about):
            return profiles.encoded(_from_log(colour))
        if profile is not None:
            linear = profiles.to_linear(colour, bytes(np.asarray(profile, np.uint8)))
            if linear is not None:
                return profiles.encoded(linear)
        if not _is_light(about, kind):
            return colour
        return profiles.encoded(colour if matrix is None or colour.shape[-1] != 3 else colour @ matrix.T)

    return convert


def _is_straight(about: Any, kind: Kind) -> bool:
    return bool(about.get_int_attribute("oiio:UnassociatedAlpha", 0)) or kind.deep in ("png", "psd")


def _is_light(about: Any, kind: Kind) -> bool:
    is_whole = str(about.format) in ("uint8", "uint16")
    space = str(about.get_string_attribute("oiio:ColorSpace", "")).lower()
    return kind.deep in LINEAR or space.startswith("lin") or (kind.deep == "tiff" and not is_whole)


def _is_log(about: Any) -> bool:
    space = str(about.get_string_attribute("oiio:ColorSpace", "")).lower()
    transfer = str(about.get_string_attribute("dpx:Transfer", "")).lower()
    return space in LOG or space.startswith("kodaklog") or "log" in transfer or "density" in transfer


def _from_log(colour: NDArray[Any]) -> NDArray[Any]:
    """Printing density of negative film, 10 bits: 95 is black, 685 is white, 0.002 density a step and a gamma
    of 0.6 (Kodak Cineon, "Conversion of 10-bit log film data", 1995)."""
    black = 10 ** ((95 - 685) * 0.002 / 0.6)
    return (10 ** ((1023 * colour - 685) * 0.002 / 0.6) - black) / (1 - black)


def _levels(colour: NDArray[Any], alpha: NDArray[Any] | None) -> Picture:
    rgb = colour if colour.shape[-1] == 3 else np.repeat(colour, 3, axis=-1)
    return Picture(np.ascontiguousarray(rgb), alpha)


def windowed(picture: Picture, about: Any) -> Picture:
    """The rectangle that is meant to be seen (EXR's display window): cut, and clear where nothing is
    stored."""
    left, top, width, height = about.full_x, about.full_y, about.full_width, about.full_height
    x, y = about.x - left, about.y - top
    alpha = picture.alpha
    alpha = np.full(picture.rgb.shape[:2], 65535, np.uint16) if alpha is None else alpha
    stored = np.dstack([picture.rgb, alpha])
    seen = np.zeros((height, width, 4), np.uint16)
    part = stored[max(0, -y) : max(0, height - y), max(0, -x) : max(0, width - x)]
    if part.shape[0] and part.shape[1]:
        seen[max(0, y) : max(0, y) + part.shape[0], max(0, x) : max(0, x) + part.shape[1]] = part
    return Picture(np.ascontiguousarray(seen[..., :3]), np.ascontiguousarray(seen[..., 3]))
