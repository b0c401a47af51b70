# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawn face whose mouth no network opens: a green figure with ears, round eyes and closed lips."""

from __future__ import annotations

from pathlib import Path

DRAW = """
import sys
import cv2
import numpy as np
side = 512
picture = np.full((side, side, 3), (200, 170, 120), np.uint8)
def oval(x, y, wide, high, colour, line=-1):
    where = ((x * 16, y * 16), (wide * 16, high * 16))
    cv2.ellipse(picture, where[0], where[1], 0, 0, 360, colour, line, cv2.LINE_AA, 4)
oval(256, 264, 160, 216, (96, 190, 96))
oval(256, 264, 160, 216, (30, 80, 30), 4)
for x in (156, 356):
    oval(x, 72, 36, 40, (96, 190, 96))
    oval(x, 72, 36, 40, (30, 80, 30), 4)
cv2.line(picture, (136, 144), (216, 132), (30, 60, 30), 8, cv2.LINE_AA)
cv2.line(picture, (296, 132), (376, 144), (30, 60, 30), 8, cv2.LINE_AA)
for x in (184, 328):
    oval(x, 200, 44, 32, (240, 250, 250))
    oval(x, 200, 44, 32, (20, 40, 20), 4)
    oval(x, 200, 18, 18, (20, 60, 90))
    oval(x, 200, 7, 7, (5, 5, 5))
oval(256, 280, 16, 16, (80, 160, 80))
oval(256, 376, 80, 24, (80, 70, 190))
cv2.line(picture, (178, 376), (334, 376), (20, 10, 90), 4, cv2.LINE_AA)
cv2.imwrite(sys.argv[1], picture)
"""
"""What a Python with OpenCV runs to draw it."""

EYES = ((184, 200), (328, 200))
MOUTH = (256, 376)


def drawn_face(path: Path, python: str) -> Path:
    """The picture as a file."""
    import subprocess

    subprocess.run([python, "-c", DRAW, str(path)], check=True)
    return path
