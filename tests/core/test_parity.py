# SPDX-License-Identifier: GPL-3.0-or-later
"""The published arithmetic reproduces the official implementation, part by part and end to end.

The networks have their published size and synthetic weights; every golden number is compared within ten
times the float32 noise measured for it.  `test_report` prints the largest difference of each part.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from core.checkpoints import published
from core.engine.engine import Engine, Frame, Source
from core.models import EDTalk
from core.models.decoder import Enhance, Level
from tests.support import parity

NETWORKS = {"edtalk": "edtalk_gen", "lip_pose": "lip_pose_gen"}
UNUSED = (".kernel", ".noise.", "to_rgb1", "block.0.conv1", ".norm1.")  # spares a second of filling

CASES = {  # case -> source, mouth, pose, expression; mouth may be a vector, expression an emotion
    ("edtalk", "video"): ("source", "mouth", "pose", "expression"),
    ("edtalk", "video_expw_happy"): ("source", "mouth", "pose", "happy"),
    ("edtalk", "audio_expimg"): ("source", "lip_vector_a", "pose", "expression"),
    ("edtalk", "audio_expw_angry"): ("source", "lip_vector_a", "pose", "angry"),
    ("edtalk", "smooth_white"): ("smooth", "white", "expression", "sad"),
    ("lip_pose", "video"): ("source", "mouth", "pose", None),
    ("lip_pose", "audio"): ("source", "lip_vector_b", "pose", None),
}
INSIDE = [("edtalk", "video"), ("edtalk", "audio_expw_angry"), ("lip_pose", "video")]
ENCODED = [
    (group, picture)
    for group in NETWORKS
    for picture in ("source", "mouth", "pose", "expression", "smooth", "white")
    if f"enc_{picture}.identity" in parity.golden(group)
]
RUNS = {"audio_expw_angry": "edtalk", "lip_pose_audio": "lip_pose"}


@pytest.fixture(scope="module", autouse=True)
def two_threads_and_networks_let_go() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(min(threads, 2))  # more would only wait for each other on a busy machine
    yield
    torch.set_num_threads(threads)
    network.cache_clear()
    encoded.cache_clear()


@cache
def network(group: str) -> EDTalk:
    state = parity.synthetic(NETWORKS[group], leave_out=UNUSED)
    config = published.generator_config(state)
    model = EDTalk(config).eval().requires_grad_(False)
    model.load_state_dict(published.translate(state, config))
    return model


@cache
def encoded(group: str, picture: str) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
    """-> latent, features, what the shared layers make of the latent, weights."""
    model = network(group)
    latent, features = model.encoder(torch.from_numpy(parity.network_picture(f"img_{picture}")))
    return latent, features, model.navigator.shared(latent), model.navigator(latent)


def weights_of(group: str, mouth: str, pose: str, expression: str | None) -> Tensor:
    parts = [
        torch.from_numpy(parity.given(mouth)) if "vector" in mouth else encoded(group, mouth)[3][:, :20],
        encoded(group, pose)[3][:, 20:26],
    ]
    if expression == "expression":
        parts.append(encoded(group, expression)[3][:, 26:])
    elif expression is not None:
        parts.append(torch.from_numpy(parity.expression_weights(expression)))
    return torch.cat(parts, 1)


def test_the_filling_rule_recreates_the_synthetic_weights() -> None:
    ours, theirs = parity.fill_checksum("audio2lip")
    assert ours == theirs


@pytest.mark.parametrize("group", NETWORKS)
def test_bases_match_with_their_signs(group: str) -> None:
    bank = network(group).bank
    parity.compare("basis", f"{group}.Q", bank.bases)
    upper = bank.bases.T @ (bank.directions + 1e-8)
    parity.compare("basis", f"{group}.Rdiag", upper.diagonal())


@pytest.mark.parametrize(("group", "picture"), ENCODED)
def test_encoder_and_navigators_match(group: str, picture: str) -> None:
    latent, features, shared, weights = encoded(group, picture)
    gold = parity.golden(group)
    parts = {"identity": latent, "shared": shared, "lip": weights[:, :20], "pose": weights[:, 20:26]}
    parts |= {"exp": weights[:, 26:]} if group == "edtalk" else {}
    parts |= {f"feat{f.shape[-1]}": f for f in features}
    compared = 0
    for name, mine in parts.items():
        key = f"enc_{picture}.{name}"
        if key in gold or f"{key}.slice" in gold:
            parity.compare(group, key, mine)
            compared += 1
    assert compared >= 3


@pytest.mark.parametrize(("group", "case"), CASES)
def test_pictures_match(group: str, case: str) -> None:
    source, *drivers = CASES[group, case]
    model = network(group)
    latent, features, _, _ = encoded(group, source)
    weights = weights_of(group, *drivers)

    parity.compare(group, f"{case}.alpha", weights)
    parity.compare(group, f"{case}.direction", model.bank(weights))
    parity.compare(group, f"{case}.latent", latent + model.bank(weights))
    if group == "edtalk":
        parity.compare(group, f"{case}.exp_latent", model.bank.expression(weights))
    for name, driver, part in zip(
        ("lip", "pose", "exp"), drivers, (slice(20), slice(20, 26), slice(26, 36)), strict=True
    ):
        if f"{case}.{name}" in parity.golden(group):
            assert driver is not None
            parity.compare(group, f"{case}.{name}", encoded(group, driver)[3][:, part])

    inside = watch(model) if (group, case) in INSIDE else {}
    with torch.inference_mode():
        decoded = model.decode(latent, features, weights)
    parity.compare(group, f"{case}.image", decoded.image)
    for name, mine in inside.items():
        parity.compare(group, f"{case}.{name}", mine)
    assert len(inside) in (0, 13 + 6 * (5 if group == "edtalk" else 4))


def watch(model: EDTalk) -> dict[str, Tensor]:
    """Fills with the decoder's inside, under published names, when the model next runs."""
    seen: dict[str, Tensor] = {}

    def once(module: torch.nn.Module, note) -> None:  # type: ignore[no-untyped-def]
        def hook(_module, given, made) -> None:  # type: ignore[no-untyped-def]
            note(given, made)
            handle.remove()

        handle = module.register_forward_hook(hook)

    def keep(name: str):  # type: ignore[no-untyped-def]
        return lambda _given, made: seen.__setitem__(name, made)

    once(model.decoder.conv, keep("conv1"))
    for n, level in enumerate(model.decoder.ordered):
        assert isinstance(level, Level)
        once(level.conv0, keep(f"convs.{2 * n}"))
        once(level.conv1, keep(f"convs.{2 * n + 1}"))
        if isinstance(level.enhance, Enhance):
            once(level.enhance, keep(f"exp_block.{n}"))

        def blended(given, made, n=n) -> None:  # type: ignore[no-untyped-def]
            seen[f"to_flows.{n}.warped"] = given[1] * given[2]
            seen[f"to_flows.{n}.blend"] = made[1]

        def levelled(_given, made, n=n) -> None:  # type: ignore[no-untyped-def]
            seen[f"to_flows.{n}.flow"], seen[f"to_rgbs.{n}"] = made[1], made[3]

        once(level.colour, blended)
        once(level, levelled)
    return seen


def test_every_golden_array_of_the_generators_is_compared(request: pytest.FixtureRequest) -> None:
    """Runs after the others of this file; skips when they were not selected."""
    if request.session.testscollected < len(CASES) + len(ENCODED):
        pytest.skip("only a part of this file runs")
    for group in ("basis", "edtalk", "lip_pose"):
        missed = set(parity.golden(group)) - parity.compared(group)
        assert not missed, sorted(missed)[:5]


# --- end to end ------------------------------------------------------------------------------------


def pose_pictures(count: int) -> np.ndarray:
    """The driving clip: one face, rolled."""
    rolls = [(0, 0), (0, 6), (4, 12), (6, 18), (2, 24)][:count]
    return np.stack([np.roll(parity.given("img_pose"), roll, (0, 1)) for roll in rolls])


def motion(run: str, engine: Engine) -> np.ndarray:
    """[11,36] weights by the published schedule for a driving clip that is shorter than the sound."""
    weights = np.zeros((11, 36), np.float32)
    weights[:, :20] = parity.golden("endtoend")[f"{run}.lips"]
    if run == "lip_pose_audio":  # there and back, both ends doubled
        back_and_forth = [0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2]
        weights[:, 20:26] = engine.weights_of(pose_pictures(4))[back_and_forth, 20:26]
    else:  # the last is held
        weights[:, 20:26] = engine.weights_of(pose_pictures(5))[np.minimum(np.arange(11), 4), 20:26]
        weights[:, 26:] = parity.expression_weights("angry")
    return weights


def published_levels(frames: list[Frame]) -> np.ndarray:
    """uint8 [T,h,w,3] as the official programs save: stretched to the whole clip's range, truncated."""
    clip = torch.stack([frame.image for frame in frames]).clamp(-1, 1).permute(0, 2, 3, 1).numpy()
    return ((clip - clip.min()) / (clip.max() - clip.min()) * 255).astype(np.uint8)


@pytest.mark.parametrize("run", RUNS)
def test_the_engine_gives_the_frames_of_the_official_programs(run: str) -> None:
    """Folded navigator, frozen bank, baked weights and cached source included."""
    group = RUNS[run]
    engine = Engine(network(group), device="cpu", precision="exact")
    source = engine.prepare(parity.given("img_source"))
    np.testing.assert_allclose(source.weights[:26], encoded(group, "source")[3][0, :26], atol=5e-5)
    np.testing.assert_array_equal(source.weights[26:], 0 if group == "lip_pose" else source.weights[26:])
    frames = published_levels(list(engine.decode(source, motion(run, engine))))

    gold = parity.golden("endtoend")
    assert len(frames) == gold[f"{run}.frames_count"]
    assert (frames.min(), frames.max()) == tuple(gold[f"{run}.frames_minmax"])
    for name, mine in (("frames_s4", frames[:, ::4, ::4]), ("frames_full7", frames[7])):
        key = f"{run}.{name}"
        parity.compare("endtoend", key, mine, tol_max=1, tol_mean=1e-3)  # one level, on 0.1 % of values
    assert_source_is_cached(source)


def assert_source_is_cached(source: Source) -> None:
    assert all(level.feature.shape[0] == 1 for level in source.levels)


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("\n" + parity.report())
    assert "picture" in parity.report()
