# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour profiles of deep pictures: from a file's own colours to linear light with the primaries of Rec. 709.

Pillow converts profiles in 8 bits only. The profiles that cameras and painting programs embed in 16-bit files
(Display P3, Adobe RGB, ProPhoto, Rec. 2020) are of the simplest kind, three curves and a matrix, and are
applied here in floating point (ICC.1:2022, 9.2, 10.6 and 10.18; F.3). A profile of another kind, made of
tables, is for the caller to leave to Pillow.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FROM_D50 = np.array(  # XYZ under D50, as profiles have it, to linear Rec. 709 (Bradford, IEC 61966-2-1)
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
"""Chromaticities x, y of red, green, blue and white."""
MOST_TAGS = 200
_CURVE_TERMS = (1, 3, 4, 5, 7)


def to_linear(values: NDArray[np.float32], profile: bytes) -> NDArray[np.float32] | None:
    """Values [..., 3] (or [..., 1], grey) in 0..1 -> linear Rec. 709 of the same shape; None for a profile
    that is not made of curves and a matrix."""
    try:
        tags = _tags(profile)
        if values.shape[-1] == 1:
            return _curved(values, tags[b"kTRC"]).astype(np.float32)
        curves = [_curved(values[..., n], tags[name]) for n, name in enumerate((b"rTRC", b"gTRC", b"bTRC"))]
        matrix = np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
    except (KeyError, struct.error, ValueError, IndexError):
        return None
    linear = np.stack(curves, axis=-1) @ (FROM_D50 @ matrix).T
    return np.asarray(linear, np.float32)


def is_srgb(profile: bytes) -> bool:
    """Does this profile change nothing that can be seen? Most are sRGB's own, and conversion takes long."""
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    linear = to_linear(colours, profile)
    return linear is not None and bool(np.abs(encoded(linear) - colours).max() < 1.5 / 255)


def between(chromaticities: Sequence[float]) -> NDArray[np.float64] | None:
    """The matrix from linear light of these primaries to that of Rec. 709; None when they are those, or none
    at all. White is mapped to white by scaling cones (Bradford)."""
    if len(chromaticities) != 8 or np.allclose(chromaticities, REC709, atol=2e-3):
        return None
    try:
        mine, ours = _to_xyz(chromaticities), _to_xyz(REC709)
        cones = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
        scale = np.diag((cones @ ours.sum(axis=1)) / (cones @ mine.sum(axis=1)))
        matrix = np.linalg.inv(ours) @ np.linalg.inv(cones) @ scale @ cones @ mine
    except np.linalg.LinAlgError:
        return None
    return matrix if bool(np.isfinite(matrix).all()) else None


def encoded(linear: NDArray[Any]) -> NDArray[np.float32]:
    """Linear light -> sRGB values in 0..1 (IEC 61966-2-1), what is outside cut off."""
    light = np.clip(np.nan_to_num(linear, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def _to_xyz(chromaticities: Sequence[float]) -> NDArray[np.float64]:
    points = np.asarray(chromaticities, np.float64).reshape(4, 2)
    columns = np.stack([points[:, 0], points[:, 1], 1 - points.sum(axis=1)]) / points[:, 1]
    return np.asarray(columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3]))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    if profile[36:40] != b"acsp":
        raise ValueError
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * n) for n in range(min(count, MOST_TAGS))]
    return {name: profile[at : at + size] for name, at, size in entries}


def _xyz(tag: bytes) -> NDArray[np.float64]:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curved(values: NDArray[np.float32], tag: bytes) -> NDArray[np.float64]:
    """A tone curve applied: a power, a table, or one of the five parametric forms."""
    x = np.asarray(values, np.float64)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return x
        if count == 1:
            return np.asarray(x ** (struct.unpack_from(">H", tag, 12)[0] / 256))
        table = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535
        return np.asarray(np.interp(x, np.linspace(0, 1, count), table))
    if tag[:4] != b"para":
        raise ValueError
    (kind,) = struct.unpack_from(">H", tag, 8)
    terms = [value / 65536 for value in struct.unpack_from(f">{_CURVE_TERMS[kind]}i", tag, 12)]
    g, a, b, c, d, e, f = _filled(kind, terms)
    return np.asarray(np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f))


def _filled(kind: int, terms: list[float]) -> tuple[float, ...]:
    """g, a, b, c, d, e, f of the fullest form, y = (a x + b)^g + e from d on and c x + f below."""
    if kind == 0:
        return (terms[0], 1, 0, 0, -1, 0, 0)
    g, a, b, *rest = terms
    if kind in (1, 2):
        constant = rest[0] if rest else 0
        return (g, a, b, 0, -b / a if a else 0, constant, constant)
    return (g, a, b, *rest, *(0.0,) * (4 - len(rest)))
