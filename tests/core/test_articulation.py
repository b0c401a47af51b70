# SPDX-License-Identifier: GPL-3.0-or-later
"""What is heard becomes lips like a talker's: closures kept, pauses parted, as far as is asked for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.checkpoints import checkpoint
from core.engine import articulation, pipeline
from core.engine.articulation import Readout, articulated, drawing_of, own_drawing, readout_of
from core.engine.engine import Engine
from core.models.audio_to_mouth import FULL, PUBLISHED, AudioToMouthConfig, build
from core.motion.lips import OPENERS, UNITS, common
from core.motion.talkers import figures, presence
from core.pictures import image
from tests.support import small

ROOT = Path(__file__).parents[2]
NET = build(AudioToMouthConfig(width=16, blocks=2))
JAW, PRESS, TEETH = (UNITS.index(name) for name in ("jaw_open", "press", "lip_teeth"))
LOUD, QUIET = 75, 50  # steps


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


@pytest.fixture(scope="module")
def shipped() -> Engine:
    return Engine.from_checkpoint(None, "cpu")


def readout() -> Readout:
    (name,) = (name for name in figures()["readouts"] if name != "about")
    found = readout_of(name)
    assert found is not None
    return found


def sound() -> np.ndarray:
    """Two seconds of faint noise, three of syllables, two of noise."""
    rng = np.random.default_rng(0)
    time = np.arange(LOUD * 640) / 16000
    voice = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 20)) * np.abs(np.sin(9 * time))
    still = np.zeros(QUIET * 640)
    return (np.concatenate([still, 0.1 * voice, still]) + rng.normal(0, 1e-4, 640 * 175)).astype(np.float32)


def heard(**units: float) -> np.ndarray:
    """Weights [175, 20] of a network that hears these units all the time."""
    weights = np.zeros((2 * QUIET + LOUD, 20), np.float32)
    for name, value in units.items():
        weights[:, UNITS.index(name)] = FULL * value
    return weights


def units(weights: np.ndarray) -> np.ndarray:
    return weights[:, : len(UNITS)] / FULL


def test_lips_part_before_speech_and_are_shut_in_long_silence() -> None:
    drawn = units(articulated(NET, heard(jaw_open=0.3), sound(), readout()))
    jaw = drawn[:, JAW]
    assert jaw[:30].max() == 0 == jaw[-20:].max()
    assert jaw[QUIET - 5] > 0.7 * jaw[QUIET + 30]  # 200 ms ahead of the first sound
    assert 0.2 * jaw[100] < jaw[QUIET + LOUD + 10] < 0.7 * jaw[100]  # 400 ms after the last


@pytest.mark.parametrize("amount", [0.4, 1.0, 1.6, 2.0])
def test_closures_and_bites_are_met_however_much_is_articulated(amount: float) -> None:
    weights = heard(jaw_open=0.5, wide=0.3)
    weights[80:83, PRESS] = 0.8 * FULL
    weights[100:103, TEETH] = 0.9 * FULL
    drawn = units(articulated(NET, weights, sound(), readout(), amount=amount))
    assert drawn[81, JAW] == 0 and drawn[81, PRESS] >= 0.8
    assert drawn[101, TEETH] == pytest.approx(0.9)
    assert drawn[101, JAW] < 0.8 * drawn[90, JAW]
    assert drawn[90, PRESS] == 0 < drawn[90, JAW]


def test_more_articulation_opens_and_widens_more_and_none_keeps_the_lips_shut() -> None:
    weights = heard(jaw_open=0.4, wide=0.5)
    jaws, widths = [], []
    for amount in (0.0, 0.5, 1.0, 1.5):
        drawn = units(articulated(NET, weights, sound(), readout(), amount=amount))
        jaws.append(drawn[90, JAW])
        widths.append(drawn[90, UNITS.index("wide")])
        assert drawn.min() >= 0 and drawn.max() <= 1
    assert jaws[0] == 0 and (np.diff(jaws) > 0.02).all() and (np.diff(widths) > 0).all()


def test_a_network_without_a_readout_goes_on_as_it_is_and_only_the_amount_changes_it() -> None:
    assert readout_of("another") is None is readout_of("") and readout_of("about") is None
    weights = heard(jaw_open=0.5, press=0.6, wide=0.9)
    np.testing.assert_array_equal(articulated(NET, weights, sound(), None), weights)
    little, much = (units(articulated(NET, weights, sound(), None, amount=a))[90] for a in (0.5, 1.5))
    assert (little[JAW], little[PRESS]) == (pytest.approx(0.25), pytest.approx(0.6))
    assert (much[JAW], much[UNITS.index("wide")]) == (pytest.approx(0.75), 1)


def test_a_published_networks_weights_have_no_names_and_grow_about_their_mean() -> None:
    weights = np.random.default_rng(0).normal(2, 1, (175, 20)).astype(np.float32)
    drawn = articulated(build(PUBLISHED), weights, sound(), None, amount=0.5)
    np.testing.assert_allclose(drawn.mean(axis=0), weights.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(drawn.std(axis=0), weights.std(axis=0) / 2, rtol=1e-4)


def test_the_shipped_network_has_a_readout_and_one_changed_number_has_none(
    shipped: Engine, tmp_path: Path
) -> None:
    assert readout_of(shipped.audio_id) is not None
    loaded = checkpoint.load(checkpoint.default_checkpoint())
    assert loaded.audio_to_mouth is not None
    loaded.audio_to_mouth.state_dict()["units.bias"][0] += 1
    checkpoint.save(tmp_path / "other.safetensors", loaded.model, loaded.meta, loaded.audio_to_mouth)
    other = checkpoint.load(tmp_path / "other.safetensors")
    assert other.meta.id == loaded.meta.id and readout_of(other.audio_id) is None


def test_presence_is_one_in_speech_and_ahead_of_it_and_fades_behind() -> None:
    speaking = np.zeros(100, bool)
    speaking[40:60] = True
    there = presence(speaking, 25)
    assert (there[34:60] == 1).all() and there[20] == 0 == there[90]
    assert 0.4 < there[66] < 0.6 and (np.diff(there[60:]) <= 0).all()
    assert not presence(np.zeros(10, bool), 25).any()
    assert not len(presence(np.zeros(0, bool), 25))


# --- drawing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("aperture", [0.0, 0.03, 0.1, 0.2, 0.25])
@pytest.mark.parametrize("width", [-0.06, -0.01, 0.03])
def test_units_draw_the_curves_they_were_made_of(aperture: float, width: float) -> None:
    drawing = common()
    (row,) = drawing.units(np.array([aperture]), np.array([width]), np.zeros((1, len(UNITS))))
    of = dict(zip(UNITS, row))
    back = np.interp(of["jaw_open"], drawing.openers[:, 0], drawing.aperture)
    along = np.interp(back, drawing.aperture, drawing.width)
    assert back == pytest.approx(aperture, abs=1e-6)
    assert drawing.wide * of["wide"] - drawing.pucker * of["pucker"] + along == pytest.approx(width, abs=1e-6)
    assert of["wide"] * of["pucker"] == 0


def test_a_portrait_that_hardly_opens_gets_more_jaw_for_the_same_aperture() -> None:
    rows = common()
    stiff = np.maximum(0, rows.aperture - 0.06)  # a beard: nothing opens at first
    own = rows.measured(0.02 + stiff, rows.width)
    asked, none = np.array([0.08]), np.zeros((1, len(UNITS)))
    usual, more = (drawing.units(asked, np.zeros(1), none)[0, JAW] for drawing in (rows, own))
    assert more > usual + 0.05
    assert own.units(np.zeros(1), np.zeros(1), none)[0, JAW] == 0
    noisy = rows.measured(rows.aperture + [0.002 * math.sin(9 * k) for k in range(13)], rows.width)
    assert (np.diff(noisy.aperture) > 0).all()


def test_a_reader_that_sees_nothing_or_far_too_much_is_believed_in_part() -> None:
    rows, asked = common(), np.array([0.05])
    usual, blind, wild = (
        drawing.units(asked, np.zeros(1), np.zeros((1, len(UNITS))))[0, JAW]
        for drawing in (rows, *(rows.measured(share * rows.aperture, rows.width) for share in (0, 9)))
    )
    assert usual < blind < 0.2 and 0.02 < wild < usual


def test_a_portraits_own_drawing_is_measured_on_its_own_pictures(shipped: Engine) -> None:
    from core.pictures.picture import to_model
    from training.evaluation.reader import load_reader

    def read(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import torch

        planes = torch.from_numpy(np.stack([to_model(picture) for picture in pictures]))
        points = load_reader().read(planes).landmarks.numpy()
        eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=1).mean()
        gaps = [
            np.linalg.norm(points[:, a] - points[:, b], axis=1) for a, b in ((61, 67), (62, 66), (63, 65))
        ]
        return np.mean(gaps, axis=0) / eyes, np.linalg.norm(points[:, 48] - points[:, 54], axis=1) / eyes

    portrait = pipeline.prepare_portrait(shipped, image.load(ROOT / "demo" / "portrait.png"))
    own = drawing_of(shipped, portrait, read)
    assert own is not None
    assert own.aperture[0] == 0 == own.width[0] and (np.diff(own.aperture) > 0).all()
    assert 0.1 < own.aperture[-1] < 0.6
    np.testing.assert_array_equal(own.openers, common().every_second().openers)
    assert drawing_of(shipped, portrait, lambda pictures: None) is None


def test_a_portrait_is_measured_once(shipped: Engine) -> None:
    asked: list[int] = []

    def read(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(pictures))
        return np.linspace(0.01, 0.3, len(pictures)), np.ones(len(pictures))

    portrait = pipeline.prepare_portrait(shipped, image.load(ROOT / "demo" / "portrait.png"))
    first, again = (own_drawing(shipped, portrait, read) for _ in range(2))
    assert first is again is not None and asked == [7]


def test_the_mesh_reads_lips_that_open_on_a_picture_of_a_face(shipped: Engine) -> None:
    pytest.importorskip("core.pictures.face_reader")
    from core.engine import lip_reader

    portrait = pipeline.prepare_portrait(shipped, image.load(ROOT / "demo" / "portrait.png"))
    own = drawing_of(shipped, portrait, lip_reader.read)
    assert own is not None and 0.1 < own.aperture[-1] < 0.6
    assert lip_reader.read(np.full((3, 128, 128, 3), 90, np.uint8)) is None


# --- the whole way --------------------------------------------------------------------------------


def test_a_take_of_the_shipped_model_mumbles_or_speaks_clearly(shipped: Engine) -> None:
    portrait = pipeline.prepare_portrait(shipped, image.load(ROOT / "demo" / "portrait.png"))
    voice = ROOT / "demo" / "voice.wav"

    def jaw(amount: float) -> np.ndarray:
        return pipeline.analyze(shipped, portrait, audio=voice, amount=amount).motion.mouth[:, JAW]

    mumbled, clear, much = (jaw(amount) for amount in (0.5, 1.0, 1.5))
    assert mumbled.std() < 0.7 * clear.std() < 0.7 * much.std()
    assert np.corrcoef(mumbled, much)[0, 1] > 0.85
    np.testing.assert_array_equal(
        clear, pipeline.analyze(shipped, portrait, audio=voice).motion.mouth[:, JAW]
    )


def test_openers_are_units_and_the_tables_rows_rise() -> None:
    assert set(OPENERS) < set(UNITS)
    table = common()
    assert (np.diff(table.aperture) > 0).all() and (np.diff(table.openers, axis=0) >= 0).all()
    assert {field.name for field in dataclasses.fields(table)} <= {*figures()["drawn"], "openers"}
    assert articulation.NORMAL == 1
