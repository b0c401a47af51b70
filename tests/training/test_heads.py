# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic heads: pictures follow the factors, labels follow the pictures, seeds decide everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from training.factors import EMOTION_NAMES, FACTORS, Factors, channels, emotions, from_weights, to_weights
from training.heads import dataset
from training.heads.errors import NoGraphics
from training.heads.motion import random_factors, resting_factors
from training.heads.render import HeadRenderer

SEED = 1_000_142
CHIN, NOSE, LEFT_EYE_TOP, LEFT_EYE_BOTTOM = 8, 30, [37, 38], [41, 40]


# --- factors ------------------------------------------------------------------------------------------


def test_weights_and_factors_are_inverse() -> None:
    rng = np.random.default_rng(0)
    motion = [random_factors(rng) for _ in range(20)]
    banks = [np.stack([getattr(m, bank) for m in motion]) for bank in ("pose", "mouth", "expression")]
    for there_and_back, bank in zip(from_weights(to_weights(*banks)), banks):
        np.testing.assert_allclose(there_and_back, bank, atol=1e-6)


def test_spare_channels_are_zero_and_marked_unused() -> None:
    weights = to_weights(np.ones((1, 6)), np.ones((1, 12)), np.ones((1, 10)))[0]
    described = channels()
    assert [c.name for c in described][:2] == ["mouth_00", "mouth_01"]
    assert len(described) == 36
    assert [c.used for c in described] == list(weights != 0.0)


def test_soft_ranges_are_given_in_weights() -> None:
    jaw = channels()[0]
    assert (jaw.soft_min, jaw.soft_max) == (0.0, 1.5)


def test_emotions_are_the_named_eight_and_neutral_is_zero() -> None:
    table = emotions()
    assert sorted(table) == sorted([*EMOTION_NAMES, "neutral"])
    assert table["neutral"] == [0.0] * 10
    assert all(sum(w != 0.0 for w in row) == 1 for name, row in table.items() if name != "neutral")


def test_random_motion_stays_in_the_soft_ranges_about() -> None:
    rng = np.random.default_rng(1)
    motion = [random_factors(rng) for _ in range(500)]
    rows = np.concatenate([to_weights(m.pose, m.mouth, m.expression) for m in motion])
    for factor in FACTORS:
        values = rows[:, factor.column] * factor.scale
        assert values.min() >= factor.soft_min * 1.25 - 1e-6
        assert values.max() <= factor.soft_max * 1.25 + 1e-6
        assert values.std() > 0.02


def test_banks_of_random_motion_are_uncorrelated() -> None:
    rng = np.random.default_rng(2)
    motion = [random_factors(rng) for _ in range(3000)]
    rows = np.stack([np.concatenate([m.pose, m.mouth, m.expression]) for m in motion])
    joined = np.corrcoef(rows.T)
    assert np.abs(joined[:6, 6:]).max() < 0.1
    assert np.abs(joined[6:18, 18:]).max() < 0.1


# --- pictures ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def renderer():
    try:
        return HeadRenderer(64)
    except NoGraphics as error:
        pytest.skip(f"{error} ({error.hint})")


@pytest.fixture(scope="module")
def person(renderer) -> Iterator:
    person = renderer.person(SEED)
    yield person
    person.release()


def moved(renderer, person, **factors: float) -> np.ndarray:
    """Displacement of the 68 landmarks from neutral."""
    return renderer.landmarks(person, Factors.of(**factors)) - renderer.landmarks(person, Factors.neutral())


def test_a_seed_is_a_picture(renderer, person) -> None:
    again = renderer.person(SEED)
    other = renderer.person(SEED + 1)
    motion = Factors.of(yaw=0.2, jaw_open=0.5)
    first, second, third = (renderer.draw(p, motion) for p in (person, again, other))
    again.release()
    other.release()
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    assert np.abs(first.astype(int) - third).mean() > 10


def test_two_renderers_do_not_disturb_each_other(renderer, person) -> None:
    before = renderer.draw(person, Factors.neutral())
    larger = HeadRenderer(96)
    guest = larger.person(SEED + 1)
    renderer.draw(person, Factors.of(yaw=0.3))
    assert larger.draw(guest, Factors.neutral()).shape == (96, 96, 3)
    guest.release()
    np.testing.assert_array_equal(renderer.draw(person, Factors.neutral()), before)


def test_the_face_is_about_half_as_wide_as_the_picture(renderer, person) -> None:
    landmarks = renderer.landmarks(person, Factors.neutral())
    assert 0.42 < (landmarks[16, 0] - landmarks[0, 0]) / 2 < 0.58
    eyes = landmarks[36:48].mean(axis=0)
    assert abs(eyes[0]) < 0.03 and -0.3 < eyes[1] < 0.0


@pytest.mark.parametrize(
    ("factor", "value", "axis"), [("yaw", 0.3, 0), ("tx", 0.1, 0), ("pitch", -0.3, 1), ("ty", -0.1, 1)]
)
def test_turning_and_shifting_move_the_nose_right_and_down(renderer, person, factor, value, axis) -> None:
    there, back = moved(renderer, person, **{factor: value}), moved(renderer, person, **{factor: -value})
    assert there[NOSE, axis] > 0.08
    assert back[NOSE, axis] < -0.08


def test_positive_roll_leans_the_crown_to_picture_left(renderer, person) -> None:
    shift = moved(renderer, person, roll=0.3)
    assert shift[[19, 24], 0].mean() < shift[CHIN, 0]
    assert shift[45, 1] < 0.0 < shift[36, 1]  # the picture-right eye rises


def test_log_scale_is_the_logarithm_of_the_head_size(renderer, person) -> None:
    small, large = (renderer.landmarks(person, Factors.of(log_scale=s))[:, 0] for s in (0.0, 0.2))
    assert np.isclose(np.ptp(large) / np.ptp(small), np.exp(0.2), atol=0.01)


def test_the_body_and_the_background_stand_still(renderer, person) -> None:
    still, shifted = (renderer.draw(person, Factors.of(tx=x, log_scale=x)).astype(int) for x in (0.0, 0.15))
    corners = np.r_[np.abs(still - shifted)[-3:, :6].ravel(), np.abs(still - shifted)[:3, :6].ravel()]
    assert corners.max() <= 12  # the head's shadow may touch a shoulder


def test_jaw_open_lowers_the_chin_and_parts_the_lips(renderer, person) -> None:
    shift = moved(renderer, person, jaw_open=1.0)
    assert shift[CHIN, 1] > 0.08
    assert shift[66, 1] - shift[62, 1] > 0.08


def test_press_keeps_the_lips_closed_even_when_the_jaw_drops(renderer, person) -> None:
    both, jaw = (renderer.landmarks(person, Factors.of(jaw_open=0.5, press=p)) for p in (1.0, 0.0))
    assert both[66, 1] - both[62, 1] < 0.5 * (jaw[66, 1] - jaw[62, 1])


def test_wide_and_pucker_change_the_mouth_width(renderer, person) -> None:
    assert np.diff(moved(renderer, person, wide=1.0)[[48, 54], 0])[0] > 0.03
    assert np.diff(moved(renderer, person, pucker=1.0)[[48, 54], 0])[0] < -0.03


def test_positive_jaw_side_is_picture_right(renderer, person) -> None:
    assert moved(renderer, person, jaw_side=1.0)[CHIN, 0] > 0.01
    assert moved(renderer, person, jaw_side=-1.0)[CHIN, 0] < -0.01


def test_blink_closes_the_lids(renderer, person) -> None:
    opened, closed = (renderer.landmarks(person, Factors.of(blink=b)) for b in (0.0, 1.0))
    gap = [(x[LEFT_EYE_BOTTOM, 1] - x[LEFT_EYE_TOP, 1]).mean() for x in (opened, closed)]
    assert gap[1] < 0.3 * gap[0]


def test_closed_lids_stay_closed_whatever_the_eyes_do(renderer, person) -> None:
    shut = [renderer.landmarks(person, Factors.of(blink=1.0, gaze_y=y)) for y in (-0.3, 0.0, 0.3)]
    np.testing.assert_allclose(shut[0], shut[1], atol=1e-5)
    np.testing.assert_allclose(shut[2], shut[1], atol=1e-5)


def test_a_smile_raises_and_sadness_lowers_the_mouth_corners(renderer, person) -> None:
    assert moved(renderer, person, happy=1.0)[[48, 54], 1].mean() < -0.01
    assert moved(renderer, person, sad=1.0)[[48, 54], 1].mean() > 0.005


@pytest.mark.parametrize("name", [f.name for f in FACTORS])
def test_every_factor_changes_the_picture(renderer, person, name) -> None:
    factor = next(f for f in FACTORS if f.name == name)
    opened = {"jaw_open": 0.4} if name.startswith("tongue") else {}
    still = renderer.draw(person, Factors.of(**opened)).astype(int)
    changed = renderer.draw(person, Factors.of(**opened, **{name: factor.soft_max}))
    assert np.abs(still - changed).max() > 20


# --- labels -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shard(renderer, tmp_path_factory) -> dict[str, np.ndarray]:
    settings = dataset.DatasetSettings(
        tmp_path_factory.mktemp("heads"),
        identities=2,
        first_seed=SEED,
        frames=4,
        size=64,
        pairs=2,
        shard_identities=2,
        workers=1,
    )
    return dataset.load_shard(next(dataset.render_dataset(settings)))


def test_a_shard_has_the_promised_arrays(shard) -> None:
    assert {name: (a.shape, a.dtype.str[1:]) for name, a in shard.items()} == {
        "image": ((8, 64, 64, 3), "u1"),
        "identity": ((8,), "i4"),
        "pose": ((8, 6), "f4"),
        "mouth": ((8, 12), "f4"),
        "expression": ((8, 10), "f4"),
        "pair": ((8, 2), "i4"),
        "flow": ((8, 2, 64, 64, 2), "f2"),
        "visible": ((8, 2, 64, 64), "u1"),
        "boxes": ((8, 3, 4), "f4"),
        "landmarks": ((8, 68, 2), "f2"),
    }


def test_a_recombined_frame_wears_mouth_pose_and_expression_of_three_others(renderer, tmp_path: Path) -> None:
    settings = dataset.DatasetSettings(
        tmp_path,
        identities=4,
        first_seed=SEED,
        frames=3,
        size=64,
        pairs=1,
        recombined=1,
        shard_identities=4,
        workers=1,
    )
    shard = dataset.load_shard(next(dataset.render_dataset(settings)))
    recombined = np.flatnonzero(shard["donors"][:, 0] >= 0)
    assert recombined.tolist() == [3, 7, 11, 15]  # each person's own three frames come first
    for row in recombined:
        who = shard["identity"][shard["donors"][row]]
        assert len({*who.tolist(), int(shard["identity"][row])}) == 4
        for bank, donor in zip(("mouth", "pose", "expression"), shard["donors"][row]):
            np.testing.assert_array_equal(shard[bank][row], shard[bank][donor])
        assert shard["identity"][shard["pair"][row, 0]] == shard["identity"][row]
    own = dataset.render_identity(renderer, SEED, 3, 1)
    np.testing.assert_array_equal(shard["image"][:3], own["image"])  # ordinary frames are as without


def test_pairs_join_different_frames_of_one_person(shard) -> None:
    pair = np.asarray(shard["pair"])
    assert (shard["identity"][pair] == shard["identity"][:, None]).all()
    assert (pair != np.arange(8)[:, None]).all()
    assert (pair[1:4, 0] == 0).all() and (pair[5:8, 0] == 4).all()


def test_the_first_frame_of_a_person_is_at_rest(shard) -> None:
    for first in (0, 4):
        assert not shard["mouth"][first].any()
        assert np.abs(shard["pose"][first, :3]).max() < 0.2


def test_flow_brings_the_source_onto_the_driving_frame(shard) -> None:
    warped_error, still_error = [], []
    for frame in range(8):
        for k, source in enumerate(shard["pair"][frame]):
            seen = shard["visible"][frame, k] == 1
            place = (shard["flow"][frame, k].astype(np.float64) + 1) * 32 - 0.5
            warped = sampled(shard["image"][source].astype(np.float64), place)
            driving = shard["image"][frame].astype(np.float64)
            warped_error.append(np.abs(warped - driving)[seen].mean())
            still_error.append(np.abs(shard["image"][source] - driving)[seen].mean())
    assert np.mean(warped_error) < 16  # of 255: the light stays where it is while the head turns
    assert np.mean(warped_error) < 0.55 * np.mean(still_error)


def test_background_flows_nowhere(shard) -> None:
    line = (2 * np.arange(64) + 1) / 64 - 1
    still = np.stack(np.meshgrid(line, line), axis=-1)
    background = np.asarray(shard["visible"]) == 0
    assert background.any()
    assert np.abs(shard["flow"] - still)[background].max() < 1e-3


def test_flow_at_the_landmarks_agrees_with_the_landmarks(shard) -> None:
    checked = 0
    for frame in range(8):
        for k, source in enumerate(shard["pair"][frame]):
            for point in range(27, 36):  # the nose: always on the surface
                at, expected = (shard["landmarks"][f, point].astype(float) for f in (frame, source))
                x, y = np.clip((at * 32 + 32).astype(int), 0, 63)
                if shard["visible"][frame, k, y, x] == 1:
                    assert np.abs(shard["flow"][frame, k, y, x] - expected).max() < 0.12
                    checked += 1
    assert checked > 50


def test_boxes_hold_the_mouth_and_the_eyes(shard) -> None:
    for frame in range(8):
        landmarks = np.clip(shard["landmarks"][frame].astype(float), -1, 1)
        for box, points in zip(shard["boxes"][frame], (slice(48, 68), slice(36, 42), slice(42, 48))):
            assert (landmarks[points] >= box[:2] - 2e-3).all() and (landmarks[points] <= box[2:] + 2e-3).all()


def test_rendering_goes_on_where_it_stopped(renderer, tmp_path: Path) -> None:
    settings = dataset.DatasetSettings(
        tmp_path, identities=2, first_seed=SEED, frames=2, size=64, pairs=1, shard_identities=1, workers=1
    )
    steps = dataset.render_dataset(settings)
    first = next(steps)
    steps.close()
    before = (first / "image.npy").stat().st_mtime_ns
    assert [p.name for p in dataset.render_dataset(settings)] == ["shard_00001"]
    assert (first / "image.npy").stat().st_mtime_ns == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shard_00000", "shard_00001"]
    assert list(dataset.render_dataset(settings)) == []


def test_workers_render_what_one_process_renders(renderer, shard, tmp_path: Path) -> None:
    settings = dataset.DatasetSettings(
        tmp_path, identities=2, first_seed=SEED, frames=4, size=64, pairs=2, shard_identities=1, workers=2
    )
    folders = sorted(dataset.render_dataset(settings))
    halves = [dataset.load_shard(folder) for folder in folders]
    for name in ("image", "flow", "visible", "mouth"):
        np.testing.assert_array_equal(np.concatenate([half[name] for half in halves]), shard[name])


def test_resting_people_hardly_move() -> None:
    rng = np.random.default_rng(3)
    poses = np.stack([resting_factors(rng).pose for _ in range(200)])
    assert np.abs(poses[:, :3]).max() < 0.25


def sampled(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Bilinear samples of `image` at pixel coordinates [.., 2] (x, y), clamped at the border."""
    place = np.clip(place, 0, np.array(image.shape[1::-1]) - 1.001)
    x, y = place[..., 0].astype(int), place[..., 1].astype(int)
    u, v = place[..., :1] - x[..., None], place[..., 1:] - y[..., None]
    upper = image[y, x] * (1 - u) + image[y, x + 1] * u
    lower = image[y + 1, x] * (1 - u) + image[y + 1, x + 1] * u
    return upper * (1 - v) + lower * v


def test_a_motion_drives_a_person_into_a_clip(renderer, tmp_path: Path) -> None:
    from core.motion.motion import Motion
    from core.pictures import video
    from training.commands.heads_demo import driving_clip

    weights = np.zeros((6, 36), np.float32)
    weights[:, 20] = np.linspace(-2, 2, 6)
    assert driving_clip(tmp_path / "driving.mp4", Motion(weights, rate=25.0), SEED, size=64) == 6
    pictures = [frame.rgb for frame in video.read(tmp_path / "driving.mp4")]
    assert len(pictures) == 6 and pictures[0].shape == (64, 64, 3)
    assert np.abs(pictures[0].astype(int) - pictures[-1]).mean() > 3


def test_a_person_talks_with_lips_that_close_where_the_sound_says_so(renderer, tmp_path: Path) -> None:
    from core.pictures import video
    from core.sound import audio
    from training.commands import heads_talk
    from training.speech.synth import Voice, available
    from training.speech.visemes import UNITS, VISEMES

    if not available("flite"):
        pytest.skip("flite is not installed")
    rng = np.random.default_rng(2)
    said = heads_talk.speech(Voice("flite", "slt"), 1.2, rng)
    weights = heads_talk.acted(said, "0:neutral,0.6:happy", 0.3, rng)
    assert weights.shape == (30, 36) and len(said.samples) == 19200
    jaw, happy = weights[:, UNITS.index("jaw_open")], weights[:, channels_of("happy")]
    assert jaw.max() > 0.4 and happy[0] == 0 and happy[-1] == pytest.approx(1.5)
    pressed = [int((a + b) / 2 * 25) for number, a, b in said.visemes if VISEMES[int(number)] == "p"]
    assert pressed and (weights[[step for step in pressed if step < 30], UNITS.index("press")] > 1.4).all()
    assert heads_talk.talking_clip(tmp_path / "talk.mp4", SEED, said, weights, 64) == 30
    assert video.info(tmp_path / "talk.mp4").seconds == pytest.approx(1.2, abs=0.05)
    assert np.abs(audio.load_audio(tmp_path / "talk.mp4")).max() > 0.05


def channels_of(factor: str) -> int:
    """The column of a factor's weight."""
    return next(f.column for f in FACTORS if f.name == factor)
