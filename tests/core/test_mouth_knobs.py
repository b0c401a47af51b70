# SPDX-License-Identifier: GPL-3.0-or-later
"""The knobs of the mouth from a motion file into frames, and the mouth as a pass of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.engine import pipeline
from core.engine.engine import Engine
from core.engine.finish import MOUTH, Finish
from core.engine.layers.mouth_draw import MouthLook
from core.engine.portrait import Portrait, prepare_portrait
from core.motion.motion import Motion
from core.pictures import face_models, image
from core.wire.errors import BadMotion
from core.wire.mouth_knobs import DEFAULTS, KNOBS, TEETH, tidy

ASTRONAUT = Path(__file__).parents[2] / "demo" / "astronaut.png"
OFF = (3.0, *DEFAULTS[1:])
needs_reader = pytest.mark.skipif(bool(face_models.why_not()), reason=face_models.why_not() or "never")


def looks(count: int) -> np.ndarray:
    """Rows of knobs: brightness rises, the teeth change in the middle."""
    rows = np.tile(np.array(DEFAULTS, np.float32), (count, 1))
    rows[:, 3] = np.linspace(0.5, 1.5, count)
    rows[count // 2 :, 0] = 2
    return rows


def motion(count: int = 6) -> Motion:
    return Motion(np.zeros((count, 36), np.float32), looks=looks(count))


# ------------------------------------------------------------------------------------------ rows and files


def test_a_knob_is_held_in_its_range_and_what_is_no_number_rests() -> None:
    assert tidy([9.0, -99.0, float("nan"), float("inf"), 0.25, 0.3, -1.0]) == (3, -6, 1, 1.5, 0.25, 0.3, 0)
    assert MouthLook.of(DEFAULTS) == MouthLook()
    assert [MouthLook.of((number, *DEFAULTS[1:])).teeth for number in range(len(TEETH))] == list(TEETH)


def test_a_motion_file_keeps_the_knobs_and_one_at_rest_has_none(tmp_path: Path) -> None:
    made = motion()
    made.save(tmp_path / "a.npz")
    np.testing.assert_array_equal(Motion.load(tmp_path / "a.npz").looks, made.looks)
    rested = Motion(made.weights, looks=np.tile(np.array(DEFAULTS, np.float32), (6, 1)))
    rested.save(tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as arrays:
        assert "mouth_look" not in arrays
    assert Motion.load(tmp_path / "b.npz").looks is None


def test_parts_and_other_rates_keep_them_and_teeth_change_at_once() -> None:
    made = motion()
    np.testing.assert_array_equal(made.slice(1, 3).looks, made.looks[1:3])
    np.testing.assert_array_equal(made.rows(np.array([False, True] * 3)).looks, made.looks[1::2])
    faster = made.resample(50.0)
    assert faster.looks is not None and len(faster.looks) == len(faster)
    assert set(faster.looks[:, 0]) == {0.0, 2.0}
    assert (np.diff(faster.looks[:, 3]) >= 0).all()


@pytest.mark.parametrize(
    ("rows", "said"), [(np.zeros((2, 7)), "not 3 rows"), (np.full((3, 7), np.nan), "not a number")]
)
def test_wrong_rows_are_one_sentence(rows: np.ndarray, said: str) -> None:
    with pytest.raises(BadMotion, match=said):
        Motion(np.zeros((3, 36), np.float32), looks=rows)


def test_texts_in_their_place_are_refused(tmp_path: Path) -> None:
    motion().save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        held = dict(arrays)
    np.savez(tmp_path / "b.npz", **{**held, "mouth_look": np.array([["a"] * len(KNOBS)] * 6)})
    with pytest.raises(BadMotion, match="mouth_look must be rows of 7 numbers"):
        Motion.load(tmp_path / "b.npz")


# ----------------------------------------------------------------------------------------------- pictures


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.from_checkpoint(device="cpu")


@pytest.fixture(scope="module")
def portrait(engine: Engine) -> Portrait:
    return prepare_portrait(engine, image.load(ASTRONAUT))


@pytest.fixture(scope="module")
def opened(engine: Engine, portrait: Portrait) -> np.ndarray:
    """[36] weights of an opened mouth."""
    jaw = next(handle.direction for handle in engine.handles if handle.name == "jaw_open")
    return portrait.weights + np.array(jaw, np.float32)


@needs_reader
def test_each_frame_of_a_motion_has_its_own_knobs(engine, portrait, opened) -> None:
    rows = np.array([DEFAULTS, OFF, (0.0, 0.0, 1.0, 0.3, 0.0, 1.0, 1.0)], np.float32)
    keyed = Motion(np.repeat(opened[None], 3, axis=0), looks=rows)
    plain = Motion(np.repeat(opened[None], 3, axis=0))
    made = [picture.rgb.astype(int) for _, picture in pipeline.decode(engine, portrait, keyed, size=256)]
    rest = [picture.rgb.astype(int) for _, picture in pipeline.decode(engine, portrait, plain, size=256)]
    assert (made[0] == rest[0]).all()
    assert np.abs(made[1] - rest[0]).max() > 40 and np.abs(made[2] - rest[0]).max() > 20


@needs_reader
@pytest.mark.parametrize(("composite", "depth"), [("crop", 8), ("paste", 8), ("crop", 16)])
def test_the_mouth_over_a_picture_without_teeth_is_the_picture(
    engine, portrait, opened, composite, depth
) -> None:
    finish = Finish(portrait, 256, composite, depth=depth, passes=(MOUTH,))
    (frame,) = engine.decode(portrait.source, finish.sent(opened[None]))
    made = finish(frame, opened)
    bare = finish(frame, opened, MouthLook(teeth="off"))
    mouth, most = made[MOUTH], 2**depth - 1
    assert mouth.alpha is not None and mouth.rgb.shape == made[""].rgb.shape
    share = mouth.alpha[..., None] / most
    over = bare[""].rgb * (1 - share) + mouth.rgb * share
    assert share.max() > 0.9 and (share > 0).mean() < 0.1
    assert np.abs(over - made[""].rgb).max() <= 2.5 * most / 255
    assert not bare[MOUTH].alpha.any() and not finish.at_rest()[MOUTH].alpha.any()
    again = Finish(portrait, 256, composite, depth=depth)(frame, opened)
    assert (again[""].rgb == made[""].rgb).all()  # the pass changes nothing
