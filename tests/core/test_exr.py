# SPDX-License-Identifier: GPL-3.0-or-later
"""Our EXR files are read back by an independent reader (OpenCV's), bit for bit."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.pictures import exr


@pytest.mark.parametrize("shape", [(1, 1, 3), (16, 5, 4), (17, 33, 3), (64, 64, 4)])
def test_exr_of_any_shape_reads_back_exactly_in_half_floats(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
    values = np.random.default_rng(1).normal(0, 10, shape).astype(np.float16)
    (tmp_path / "noise.exr").write_bytes(exr.encode(values))
    stored = cv2.imread(str(tmp_path / "noise.exr"), cv2.IMREAD_UNCHANGED)
    order = [2, 1, 0, 3][: shape[-1]]
    np.testing.assert_array_equal(stored[..., order], values.astype(np.float32))


def test_a_picture_without_structure_is_not_made_larger_by_packing() -> None:
    noise = np.random.default_rng(0).integers(0, 1 << 15, (64, 64, 3)).astype(np.uint16).view(np.float16)
    flat = np.full((64, 64, 3), 0.5, np.float16)
    raw = 64 * 64 * 3 * 2
    assert len(exr.encode(np.nan_to_num(noise))) < raw + 1000
    assert len(exr.encode(flat)) < raw / 20


def test_values_beyond_half_floats_are_clamped_and_other_shapes_refused(tmp_path: Path) -> None:
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
    (tmp_path / "hot.exr").write_bytes(exr.encode(np.full((4, 4, 3), 1e9, np.float32)))
    assert cv2.imread(str(tmp_path / "hot.exr"), cv2.IMREAD_UNCHANGED).max() == exr.BIGGEST_HALF
    with pytest.raises(ValueError, match="3 or 4 channels"):
        exr.encode(np.zeros((4, 4, 2)))
