# SPDX-License-Identifier: GPL-3.0-or-later
"""`edtalk evaluate --real`: the measures know what they should of faces and tracks that are known."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.pictures import face_models, image, video
from core.wire.errors import InputError
from server import cli
from training.evaluation.real import run, table, tracks
from training.evaluation.real.likeness import Likeness
from training.evaluation.real.points import head_of, read_film

DEMO = Path(__file__).parents[2] / "demo"

needs_reader = pytest.mark.skipif(bool(face_models.why_not()), reason="the face networks are not installed")


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """The CC0 head of the demo, at 512 pixels."""
    return np.asarray(cv2.resize(image.load(DEMO / "portrait.png").to_depth(8).rgb, (512, 512)), np.uint8)


@pytest.fixture(scope="module")
def points(face: np.ndarray) -> np.ndarray:
    return read_film([face])


def turned(points: np.ndarray, yaw: float, pitch: float, roll: float) -> np.ndarray:
    """A face's points [1, N, 3] turned about its middle, y pointing down and z away; degrees: to the right,
    up, counter-clockwise as seen."""
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), np.sin(c), 0], [-np.sin(c), np.cos(c), 0], [0, 0, 1]])
    middle = points.mean(1, keepdims=True)
    return (points - middle) @ (about_z @ about_y @ about_x).T * 1.3 + middle + (5, -9, 0)


# --- points ----------------------------------------------------------------------------


@needs_reader
@pytest.mark.parametrize("pose", [(12, 0, 0), (0, 9, 0), (0, 0, -14)])
def test_a_turned_head_is_measured_in_degrees(points: np.ndarray, pose: tuple[float, ...]) -> None:
    rest = head_of(points)
    there = head_of(turned(points, *pose), rest.shape)
    assert there.pose[0] - rest.pose[0] == pytest.approx(pose, abs=1.5)
    assert np.abs(there.fixed[0] - rest.fixed[0]).max() < 1e-6


@needs_reader
def test_a_frame_without_a_face_is_nan_and_the_next_is_found(face: np.ndarray) -> None:
    seen = read_film([face, np.zeros_like(face), face])
    assert np.isnan(seen[1]).all() and np.isfinite(seen[[0, 2]]).all()


# --- tracks ----------------------------------------------------------------------------


def test_closures_are_counted_beside_what_chance_would_meet() -> None:
    true = np.full(100, 0.25)
    true[[20, 21, 22, 50, 51, 80]] = 0.05
    made = np.full(100, 0.2)
    made[[23, 53, 90, 91, 92, 93]] = 0.01
    found = tracks.closures(made, true)
    assert (found["closures"], found["closures_met"]) == (3, 1)
    assert found["closures_chance"] == pytest.approx(0.18)
    always = tracks.closures(np.zeros(100), true)
    assert always["closures_met"] == 3 and always["closures_chance"] == 1


def test_a_late_track_has_its_lag_in_milliseconds_and_a_flat_one_none() -> None:
    true = np.cumsum(np.random.default_rng(3).normal(size=200))
    assert tracks.lag(np.roll(true, 3)[10:], true[10:]) == pytest.approx(120)
    assert np.isnan(tracks.lag(np.ones(50), np.ones(50)))
    assert tracks.gain(0.5 * true + 7, true) == pytest.approx(0.5)
    assert tracks.error(true + 7, true) == pytest.approx(0, abs=1e-9)


def test_a_blink_is_carried_over_when_the_drawn_eye_shuts_too() -> None:
    true, made = np.full(60, 0.3), np.full(60, 0.4)
    true[[20, 21, 40, 41]] = 0.05
    made[21] = 0.1
    found = tracks.blinks_followed(made, true, 0.4)
    assert (found["blinks"], found["blinks_met"]) == (2, 1)
    assert found["shut_true"] == pytest.approx(100 * 0.05 / 0.3)


# --- likeness --------------------------------------------------------------------------


@needs_reader
def test_a_portrait_is_itself_and_a_softer_one_is_less_sharp(face: np.ndarray) -> None:
    likeness = Likeness(face)
    same = likeness.of_still(face)
    assert same["difference"] == 0 and same["landmarks"] == 0
    assert same["structure"] > 0.98 and same["sharp_eyes"] == pytest.approx(1)
    soft = likeness.of_still(cv2.GaussianBlur(face, (0, 0), 4))
    assert soft["sharp_eyes"] < 0.5 and soft["difference"] > 0.5
    redder = likeness.of_still(np.clip(face.astype(int) + (25, 0, 0), 0, 255).astype(np.uint8))
    assert redder["colour"] > 5


@needs_reader
def test_only_the_ground_wobbles_in_the_wobble_of_the_ground(face: np.ndarray, points: np.ndarray) -> None:
    figure = np.zeros((64, 64))
    figure[:, 10:54] = 1
    shaken = face.copy()
    shaken[:, 120:400] = face[:, 118:398]
    likeness = Likeness(face, figure)
    seen = np.repeat(points, 2, axis=0)
    assert likeness.over_clip([face, shaken], seen)["ground"] == 0
    brighter = np.clip(face.astype(int) + 3, 0, 255).astype(np.uint8)
    assert likeness.over_clip([face, brighter], seen)["ground"] > 2


# --- all of it -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, face: np.ndarray) -> Path:
    """A folder as `--real` wants it: one portrait, one that has no face, one clip with the demo's voice."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "portraits").mkdir()
    (folder / "clips").mkdir()
    image.write(folder / "portraits" / "head.png", image.load(DEMO / "portrait.png"))
    grey = np.full((64, 64, 3), 128, np.uint8)
    cv2.imwrite(str(folder / "portraits" / "nobody.png"), grey)
    shifted = [np.roll(face, round(6 * np.sin(number / 3)), axis=1) for number in range(20)]
    video.write_preview(folder / "clips" / "talks.mp4", shifted, 25.0, DEMO / "voice.wav")
    return folder


@needs_reader
def test_the_command_measures_a_folder_and_writes_page_and_numbers(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, page = tmp_path / "numbers.json", tmp_path / "page.md"
    asked = ["evaluate", "--real", str(people), "--quiet", "--json", str(kept), "--page", str(page)]
    assert cli.main(asked) == 0
    numbers = json.loads(kept.read_text())
    assert numbers["rest.difference"] == 0 and numbers["rest.structure"] > 0.98
    assert numbers["handles.yaw+1"] > 5 > numbers["handles.yaw-1"]
    assert {"talk.r_aperture", "drive.error_yaw", "emotion.happy.corner"} <= set(numbers)
    said = page.read_text()
    assert "nobody.png" in said and "lips: r of aperture" in said and str(people) not in said
    assert cli.main([*asked[:4], "--against", str(kept), "--page", str(page)]) == 0
    assert "| before | now |" in page.read_text()
    capsys.readouterr()


def test_an_empty_folder_and_a_file_that_is_no_numbers_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no portraits"):
        run.measure(Path("none"), tmp_path)
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(InputError, match="holds no numbers"):
        run.read_numbers(tmp_path / "x.json")


def test_events_are_pooled_over_takes() -> None:
    found = table.summary(
        {"a": {"closures": 1.0, "closures_met": 1.0}, "b": {"closures": 3.0, "closures_met": 0.0}}
    )
    assert found["met"] == 0.25
