# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of a clip that do not show the face are told from a face that moves, turns or fades a little."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.engine import presence
from core.pictures import face, image
from core.pictures.picture import Crop

ASTRONAUT = Path(__file__).resolve().parents[2] / "demo" / "astronaut.png"


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return image.load(ASTRONAUT).rgb[:320, 60:380]


@pytest.fixture(scope="module")
def where(photo: np.ndarray) -> Crop:
    return face.crop_from_face(face.find_face(photo), photo.shape)


def shown(where: Crop, frames: list[np.ndarray]) -> list[bool]:
    looking = presence.Presence(where)
    for number, frame in enumerate(frames):
        looking.look(frame, number / 25)
    return looking.shown.tolist()


def moved(photo: np.ndarray, right: float, turn: float = 0.0, scale: float = 1.0) -> np.ndarray:
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, scale)
    matrix[0, 2] += right
    return np.asarray(cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def scene(photo: np.ndarray, seed: int = 0) -> np.ndarray:
    """A picture without a face, as busy as the other."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), np.uint8)
    return np.asarray(cv2.resize(noise, photo.shape[1::-1], interpolation=cv2.INTER_CUBIC))


def test_a_face_that_moves_turns_and_dims_a_little_is_shown_throughout(
    photo: np.ndarray, where: Crop
) -> None:
    frames = [moved(photo, 0.5 * k, 0.6 * k, 1 + 0.002 * k) for k in range(30)]
    frames += [(frames[-1] * (1 - 0.015 * k)).astype(np.uint8) for k in range(30)]
    assert all(shown(where, frames))


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("black", "first"),
        ("white", "last"),
        ("title", "first"),
        ("another scene", "middle"),
        ("another scene", "first"),
        ("noise", "last"),
    ],
)
def test_frames_without_it_are_found_wherever_they_are(
    photo: np.ndarray, where: Crop, kind: str, place: str
) -> None:
    other = {
        "black": photo * 0,
        "white": photo * 0 + 255,
        "title": cv2.putText(photo * 0 + 40, "The End", (60, 180), 0, 2, (255, 255, 255), 4),
        "another scene": scene(photo),
        "noise": np.random.default_rng(0).integers(0, 255, photo.shape, np.uint8),
    }[kind]
    start = {"first": 0, "middle": 20, "last": 40}[place]
    frames = [moved(photo, 0.2 * k) for k in range(40)]
    frames[start:start] = [other] * 15
    assert shown(where, frames) == [not start <= k < start + 15 for k in range(55)]


def test_a_fade_from_black_is_not_read_until_it_is_bright(photo: np.ndarray, where: Crop) -> None:
    frames = [(photo * min(1, k / 20)).astype(np.uint8) for k in range(40)]
    found = shown(where, frames)
    assert not any(found[:6]) and all(found[12:])


def test_a_cut_to_another_framing_is_found(photo: np.ndarray, where: Crop) -> None:
    wide = np.full_like(photo, 90)
    wide[:107, :107] = cv2.resize(photo, (107, 107), interpolation=cv2.INTER_AREA)
    found = shown(where, [photo] * 20 + [wide] * 20 + [photo] * 20)
    assert found == [True] * 20 + [False] * 20 + [True] * 20


def test_what_is_not_shown_holds_and_before_the_first_the_first_holds() -> None:
    rows = np.arange(6, dtype=np.float32)[:, None]
    visible = np.array([False, True, False, False, True, False])
    assert presence.held(rows, visible)[:, 0].tolist() == [1, 1, 1, 1, 4, 4]
    spans = presence.spans(np.arange(6) / 10, visible, 0.6)
    np.testing.assert_allclose(spans, [(0, 0.1), (0.2, 0.4), (0.5, 0.6)])
    assert "0.2 to 0.4 s" in presence.sentence("a.mp4", spans)
    assert len(presence.sentence("a.mp4", spans * 1000)) < 300
