# SPDX-License-Identifier: GPL-3.0-or-later
"""A contact sheet shows every frame once, in reading order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.pictures import image, sheet


def test_a_contact_sheet_holds_every_frame_in_reading_order() -> None:
    frames = [np.full((64, 64, 3), 40 * k, np.uint8) for k in range(5)]
    page = sheet.contact_sheet(frames, columns=2, cell=64, captions=[str(k) for k in range(5)])
    line = 64 + sheet.CAPTION + sheet.GAP
    assert page.shape == (3 * line + sheet.GAP, 2 * (64 + sheet.GAP) + sheet.GAP, 3)
    for index, frame in enumerate(frames):
        y, x = sheet.GAP + index // 2 * line, sheet.GAP + index % 2 * (64 + sheet.GAP)
        np.testing.assert_array_equal(page[y : y + 64, x : x + 64], frame)


def test_frames_are_spread_from_the_first_to_the_last() -> None:
    assert sheet.spread(100, 5) == [0, 25, 50, 74, 99] and sheet.spread(3) == [0, 1, 2]


def test_a_written_sheet_is_a_picture_and_no_frames_are_none(tmp_path: Path) -> None:
    wide = np.full((20, 80, 3), 200, np.uint8)  # a frame that is not square keeps its shape
    sheet.write_sheet(tmp_path / "sheet.png", [wide], cell=40)
    page = image.load(tmp_path / "sheet.png").rgb
    assert (page[..., 0] == 200).sum() == 10 * 40
    with pytest.raises(ValueError, match="at least one frame"):
        sheet.contact_sheet([])
