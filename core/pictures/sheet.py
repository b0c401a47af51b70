# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets: many frames on one picture, to see a take at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.pictures.image import Picture, write

GAP = 4
PAPER = (24, 24, 24)
INK = (235, 235, 235)
CAPTION = 18  # pixels of height


def contact_sheet(
    frames: Iterable[NDArray[np.uint8]], columns: int = 8, cell: int = 192, captions: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] sheet of uint8 frames, row by row, each scaled to fit a square cell, with a caption
    under it."""
    from PIL import Image, ImageDraw, ImageFont

    pictures = [Image.fromarray(frame) for frame in frames]
    if not pictures:
        raise ValueError("a contact sheet needs at least one frame")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    line = cell + (CAPTION if captions else 0) + GAP
    sheet = Image.new("RGB", (columns * (cell + GAP) + GAP, rows * line + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(CAPTION - 6)
    for index, picture in enumerate(pictures):
        picture.thumbnail((cell, cell), Image.Resampling.LANCZOS)
        x, y = GAP + index % columns * (cell + GAP), GAP + index // columns * line
        sheet.paste(picture, (x + (cell - picture.width) // 2, y + (cell - picture.height) // 2))
        if index < len(captions):
            draw.text((x + 2, y + cell + 2), captions[index], fill=INK, font=font)
    return np.asarray(sheet)


def write_sheet(
    path: Path | str,
    frames: Iterable[NDArray[np.uint8]],
    columns: int = 8,
    cell: int = 192,
    captions: Sequence[str] = (),
    origin: Mapping[str, str] | None = None,
) -> None:
    """The same as a PNG file, written whole, with its record of origin. Raises OutputBlocked."""
    write(path, Picture(contact_sheet(frames, columns, cell, captions)), origin=origin)


def spread(count: int, most: int = 32) -> list[int]:
    """At most `most` indices spread evenly over 0..count-1, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))})
