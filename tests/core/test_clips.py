# SPDX-License-Identifier: GPL-3.0-or-later
"""A driving clip is read by the face reader: heads of the renderer, whose true angles, lips and lids are
known, drive the demo portrait by the model that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.checkpoints.checkpoint import default_checkpoint
from core.engine import pipeline
from core.engine.clips import asked, drawn
from core.engine.clips.face_numbers import COLUMN, LIDS, NAMES, numbers_of, shape_in
from core.engine.clips.reading import Read, read_clip
from core.engine.clips.solve import amounts
from core.engine.engine import Engine
from core.pictures import face_models, face_track, image, video
from core.pictures.head_shape import heads
from core.wire.errors import NoFace
from tests.support import small
from training.factors import Factors
from training.heads.errors import NoGraphics
from training.heads.render import HeadRenderer

PORTRAIT = Path(__file__).resolve().parents[2] / "demo" / "portrait.png"
RATE = 25
LENGTH = 36  # frames of the clip

pytestmark = [
    pytest.mark.skipif(bool(face_models.why_not()), reason=face_models.why_not() or "never"),
    pytest.mark.skipif(not default_checkpoint().is_file(), reason="the model is not here"),
]


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    return np.sin(np.arange(LENGTH) * 2 * np.pi / 18)


@pytest.fixture(scope="module")
def frames(wave: np.ndarray) -> list[np.ndarray]:
    """A head that turns, nods, speaks and blinks once, at frame 20."""
    try:
        renderer = HeadRenderer(256)
    except NoGraphics as error:
        pytest.skip(str(error))
    person = renderer.person(1_000_301)
    shut = {19: 0.5, 20: 1.0, 21: 1.0, 22: 0.5}
    return [
        renderer.frame(
            person,
            Factors.of(
                yaw=0.25 * wave[n],
                pitch=0.12 * wave[(n + 6) % LENGTH],
                roll=0.15 * wave[(n + 3) % LENGTH],
                jaw_open=0.35 + 0.35 * wave[(2 * n) % LENGTH],
                blink=shut.get(n, 0.0),
            ),
        ).image
        for n in range(LENGTH)
    ]


@pytest.fixture(scope="module")
def clip(frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    video.write_preview(path, frames, RATE)
    return path


@pytest.fixture(scope="module")
def engine() -> Engine:
    with small.one_thread():
        return Engine.from_checkpoint(device="cpu")


@pytest.fixture(scope="module")
def portrait(engine: Engine) -> pipeline.Portrait:
    return pipeline.prepare_portrait(engine, image.load(PORTRAIT))


@pytest.fixture(scope="module")
def read(clip: Path) -> Read:
    return read_clip(clip, lambda *news: None)


def quiet(*news: object) -> None:
    return None


def of(engine: Engine, name: str) -> np.ndarray:
    return np.array(next(handle.direction for handle in engine.handles if handle.name == name))


# --- reading --------------------------------------------------------------------------------------


def test_angles_are_those_of_the_head_in_degrees_without_lag(read: Read, wave: np.ndarray) -> None:
    true = np.degrees(np.stack([0.25 * wave, 0.12 * np.roll(wave, -6), 0.15 * np.roll(wave, -3)], axis=1))
    for axis, name in enumerate(("yaw", "pitch", "roll")):
        seen = read.numbers[:18, COLUMN[name]]  # before the blink
        late = [np.corrcoef(seen[2:-2], true[2 + k : 16 + k, axis])[0, 1] for k in range(-2, 3)]
        assert abs(int(np.argmax(late)) - 2) <= 1 and late[2] > 0.85, name
        assert 0.75 < seen.std() / true[:18, axis].std() < 1.35, name


def test_where_a_head_is_in_the_picture_turns_it_nowhere(frames: list[np.ndarray]) -> None:
    still = frames[0]
    wide = np.full((256, 480, 3), 90, np.uint8)
    follower = face_track.Follower()
    seen = []
    for left in range(0, 112, 8):  # a camera that pans
        picture = wide.copy()
        picture[:, left : left + 256] = still
        face = follower.look(picture)
        assert face is not None
        seen.append(face)
    assert follower.cuts == 0
    angles = heads(np.stack([face.points for face in seen])).angles
    assert np.ptp(angles[1:], axis=0).max() < 2.0 and np.ptp(angles, axis=0).max() < 4.0


def test_a_short_blink_is_whole_and_long_shut_eyes_stay_as_they_are() -> None:
    closure = np.zeros(100)
    closure[10:13] = 0.3, 0.6, 0.3
    closure[40:80] = 0.6
    closure[90] = 0.1
    out = asked.blinking(closure, RATE)
    assert out[11] == 1 and out[10] == out[12] == 0.5
    assert (out[40:80] == 0.6).all() and out[90] == 0


def test_frames_without_a_face_hold_and_are_named(frames: list[np.ndarray], tmp_path: Path) -> None:
    gap = [0 * frames[0]] * 10
    video.write_preview(tmp_path / "gap.mp4", frames[:15] + gap + frames[15:], RATE)
    read = read_clip(tmp_path / "gap.mp4", quiet)
    assert read.shown.tolist() == [True] * 15 + [False] * 10 + [True] * (LENGTH - 15)
    assert np.ptp(read.numbers[14:25], axis=0).max() == 0
    wanted, frontal = asked.asked(read, RATE)
    said = asked.sentences("gap.mp4", read, frontal, len(read.times) / RATE)
    assert "no face from 0.6 to 1.0 s" in said[0] and np.isfinite(wanted).all()


def test_black_before_a_clip_does_not_count_and_a_clip_without_a_face_says_so(
    frames: list[np.ndarray], tmp_path: Path
) -> None:
    video.write_preview(tmp_path / "late.mp4", [0 * frames[0]] * 60 + frames[:5], RATE)
    assert read_clip(tmp_path / "late.mp4", quiet).shown.sum() >= 1
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    video.write_preview(tmp_path / "none.mp4", [noise] * 70, RATE)
    with pytest.raises(NoFace, match="first 2 seconds of none"):
        read_clip(tmp_path / "none.mp4", quiet)


def test_after_a_cut_to_another_framing_the_face_is_followed_as_the_same(
    frames: list[np.ndarray], tmp_path: Path
) -> None:
    import cv2

    far = [cv2.copyMakeBorder(one[::2, ::2], 20, 108, 120, 8, cv2.BORDER_CONSTANT) for one in frames[:15]]
    video.write_preview(tmp_path / "cut.mp4", frames[:15] + far, RATE)
    read = read_clip(tmp_path / "cut.mp4", quiet)
    assert read.shown.all() and read.shots.tolist() == [0] * 15 + [1] * 15
    assert np.abs(read.numbers[:15, :3] - read.numbers[15:, :3]).mean() < 4
    _, frontal = asked.asked(read, RATE)
    assert "cut at 0.6 s" in asked.sentences("cut.mp4", read, frontal, 1.2)[0]


def test_of_two_people_the_larger_is_followed_and_it_is_said(
    frames: list[np.ndarray], tmp_path: Path
) -> None:
    def beside(large: np.ndarray, lesser: np.ndarray) -> np.ndarray:
        import cv2

        part = cv2.resize(lesser, (160, 160), interpolation=cv2.INTER_AREA)
        return np.hstack([large, cv2.copyMakeBorder(part, 48, 48, 0, 0, cv2.BORDER_CONSTANT)])

    video.write_preview(tmp_path / "two.mp4", [beside(frames[n], frames[0]) for n in range(12)], RATE)
    video.write_preview(tmp_path / "one.mp4", frames[:12], RATE)
    two, one = (read_clip(tmp_path / name, quiet) for name in ("two.mp4", "one.mp4"))
    assert two.rivals == 1 and one.rivals == 0
    assert np.corrcoef(two.numbers[:, 0], one.numbers[:, 0])[0, 1] > 0.95
    assert "2 faces" in asked.sentences("two.mp4", two, two.shown, 0.5)[0]


def test_lips_and_eyes_hold_in_profile_while_the_head_goes_on() -> None:
    numbers = np.random.default_rng(0).normal(0, 0.01, (80, len(NAMES))) + 0.3
    numbers[:, 0] = np.where((np.arange(80) >= 40) & (np.arange(80) < 60), 60 + np.arange(80) * 0.1, 0)
    read = Read(np.arange(80) / RATE, numbers, np.ones(80, bool), np.zeros(80, np.int64), 0)
    wanted, frontal = asked.asked(read, RATE)
    assert np.flatnonzero(~frontal).tolist() == list(range(40, 60))
    assert np.ptp(wanted[44:56, COLUMN["width"]]) < 1e-5 < 0.5 < np.ptp(wanted[44:56, 0])
    assert "profile from 1.6 to 2.4 s" in asked.sentences("p.mp4", read, frontal, 3.2)[0]


# --- driving --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn_here(engine: Engine, portrait: pipeline.Portrait) -> drawn.Drawn:
    found = drawn.drawn_by(engine, portrait)
    assert found is not None and drawn.drawn_by(engine, portrait) is found
    return found


def test_what_handles_draw_is_measured_on_the_portrait(drawn_here: drawn.Drawn) -> None:
    def end(handle: str, number: str) -> float:
        return float(drawn_here.effects[handle][-1, COLUMN[number]])

    assert 12 < end("yaw", "yaw") < 26 and 6 < end("pitch", "pitch") < 16 and 6 < end("roll", "roll") < 14
    assert end("jaw_open", "aperture") > 0.1 and end("wide", "width") > 0.05 > 0 > end("pucker", "width")
    assert end("smile", "corners") > 0.02 and end("brow_up", "brow_in") > 0.01
    assert all(end("blink", NAMES[lid]) < -0.5 * drawn_here.rest[lid] for lid in LIDS)


def test_amounts_are_found_again_from_what_they_draw(drawn_here: drawn.Drawn, engine: Engine) -> None:
    ranges = {one.name: (one.soft_min, one.soft_max) for one in engine.handles}
    for name, value in {"yaw": -12.0, "pitch": 6.0, "jaw_open": 0.6, "blink": 0.8, "gaze_x": 8.0}.items():
        found = amounts(drawn_here, drawn_here.of(name, np.array([value])), ranges)
        assert found[name][0] == pytest.approx(value, abs=0.15 * abs(value)), name


def test_a_handle_that_draws_half_is_asked_for_twice(drawn_here: drawn.Drawn) -> None:
    from dataclasses import replace

    weaker = {name: (0.5 if name == "yaw" else 1.0) * each for name, each in drawn_here.effects.items()}
    wanted = np.zeros((1, len(NAMES)))
    wanted[0, 0] = 6.0
    full = amounts(drawn_here, wanted, {"yaw": (-35, 35)})["yaw"][0]
    half = amounts(replace(drawn_here, effects=weaker), wanted, {"yaw": (-35, 35)})["yaw"][0]
    assert half == pytest.approx(2 * full, rel=0.15)


def test_the_portrait_turns_speaks_and_blinks_as_the_clip_does(
    engine: Engine, portrait: pipeline.Portrait, clip: Path, read: Read
) -> None:
    analysis = pipeline.analyze(engine, portrait, driving=clip)
    assert not analysis.warnings and len(analysis.motion) == LENGTH
    pictures = [picture.rgb for _, picture in pipeline.decode(engine, portrait, analysis.motion, size=256)]
    follower = face_track.Follower()
    seen = [face for face in map(follower.look, pictures) if face is not None]
    assert len(seen) == LENGTH
    numbers = numbers_of(seen, shape_in(seen))
    for name, least in {"yaw": 0.9, "pitch": 0.9, "roll": 0.9, "aperture": 0.65}.items():
        made, true = numbers[:, COLUMN[name]], read.numbers[:, COLUMN[name]]
        assert np.corrcoef(made, true)[0, 1] > least, name
        assert 0.6 < made.std() / true.std() < 1.4, name
    lids = numbers[:, LIDS].mean(axis=1) / np.percentile(numbers[:, LIDS].mean(axis=1), 75)
    assert lids[19:23].min() < 0.6 < 0.75 < np.delete(lids, range(17, 25)).min()


def test_a_clip_of_the_portrait_itself_leaves_it_as_it_is(
    engine: Engine, portrait: pipeline.Portrait, tmp_path: Path
) -> None:
    still = portrait.untouched(256).rgb
    video.write_preview(tmp_path / "itself.mp4", [still] * 12, 8)
    motion = pipeline.analyze(engine, portrait, driving=tmp_path / "itself.mp4").motion
    assert len(motion) == pytest.approx(12 / 8 * RATE, abs=1)
    pose = np.linalg.pinv(of(engine, "yaw")[None])[:, 0]
    assert np.abs((motion.weights - portrait.weights) @ pose).max() < 1.5
    assert np.abs(motion.weights - portrait.weights)[:, 20:].max() < 0.25


def test_a_checkpoint_without_handles_is_driven_by_the_encoder(portrait: pipeline.Portrait) -> None:
    plain = Engine(small.model("clean", 64), "cpu", "small-1")
    other = pipeline.prepare_portrait(plain, portrait.picture, portrait.crop)
    assert drawn.drawn_by(plain, other) is None
