# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of training, on faces and a voice small enough to be learnt by heart: each learns, goes on after
a kill as if nothing had happened, gives the same file again, and shares its work over processes without
changing it. (Audio-to-pose and speech-to-expression, whose processes share one batch, have the same tests
beside their own; what audio-to-mouth learns is tested in `test_audio_to_mouth`, what stage 1 learns in
`test_encoder_generator`.)"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # when this file is one of two processes

from core.checkpoints import checkpoint  # noqa: E402
from core.models.audio_to_pose import AudioToPose, AudioToPoseConfig  # noqa: E402
from core.models.encoder import Encoder  # noqa: E402
from core.models.speech_to_expression import SpeechToExpression, SpeechToExpressionConfig  # noqa: E402
from core.wire.errors import OutputExists  # noqa: E402
from tests.support import small, toy_faces  # noqa: E402
from tests.support.recipes import learn_until, log_of, run_together, toy_corpus  # noqa: E402
from training.heads.people import People  # noqa: E402
from training.recipes import audio_to_mouth, encoder_generator, expression, features, mouth_pose, person, ship  # noqa: E402
from training.recipes.encoder_generator import config_of_run  # noqa: E402
from training.recipes.stage import PictureSettings, model_from, with_expression  # noqa: E402
from training.shared.loop import LoopSettings, Place, learning_rate, train  # noqa: E402

STAGES: dict[str, ModuleType] = {
    "encoder-generator": encoder_generator,
    "mouth-pose": mouth_pose,
    "expression": expression,
    "audio-to-mouth": audio_to_mouth,
    "person": person,
}
FEW = LoopSettings(steps=4, learning_rate=2e-3, warmup=1, log_every=1, save_every=2, ema=0.9, bf16=False)
FEWER = {"steps": 3, "save_every": 3}
MADE = {"audio-to-mouth": "audio_to_mouth.safetensors", "person": "data.safetensors"}
"""Files that a stage itself leaves for users; the others' runs go through `ship`."""
Run = Callable[..., tuple[ModuleType, Any]]


def settings_of(stage: str, root: Path, out: Path, start: Path | None = None, **more: Any) -> Any:
    """A stage's settings on the toy data below ``root``."""
    loop = replace(FEW, **{k: more.pop(k) for k in list(more) if hasattr(FEW, k)})
    data, start = root / "data", start or root / "start"
    common = {"out": out, "threads": 1, "loop": loop, **more}
    if stage == "audio-to-mouth":
        return audio_to_mouth.Settings(root / "corpus", batch=2, synthesise=False, **common)
    common["data"] = data
    if stage == "encoder-generator":
        shape = {"size": 32, "latent": 40, "width": 0.15}
        return encoder_generator.Settings(heldout=data, batch=common.pop("batch", 2), **shape, **common)
    if stage == "person":
        return person.Settings(**{"checkpoint": str(root / "start.safetensors"), "batch": 2, **common})
    return STAGES[stage].Settings(start=start, heldout=data, **{"batch": 2, **common})


def make_data(root: Path) -> Path:
    """Two people with recombinations, a voice, a fresh network as a run, and the same as a checkpoint."""
    toy_corpus(root / "corpus", "flite-toy")
    toy_faces.write_shard(root / "data" / "shard_00000", range(2), donors=2)
    net = toy_faces.model()
    toy_faces.write_run(root / "start", net)
    checkpoint.save(root / "start.safetensors", net, checkpoint.Meta("toy", "CC0-1.0"))
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    before = torch.get_num_threads()
    yield make_data(tmp_path_factory.mktemp("stages"))
    torch.set_num_threads(before)


def last_of(out: Path) -> dict[str, float]:
    """The last line of the log that tells of training."""
    return [line for line in log_of(out) if "norm" in line][-1]


def fingerprint(out: Path) -> str:
    """SHA-256 over all weights of a run, averaged ones and running statistics included."""
    state = torch.load(out / "state.pt", weights_only=True)
    digest = hashlib.sha256()
    for part in ("model", "ema"):
        for key, tensor in sorted(state[part].items()):
            digest.update(key.encode() + tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def whole(root: Path) -> dict[str, Path]:
    """Every stage, run from beginning to end."""
    outs = {stage: root / f"whole-{stage}" for stage in STAGES}
    for stage, out in outs.items():
        STAGES[stage].main(settings_of(stage, root, out))
    return outs


@pytest.fixture(scope="module")
def taught(root: Path) -> Path:
    """A run of the second stage, from a fresh network, on faces whose weights are known."""
    out = root / "taught"
    more = {"learning_rate": 8e-3, "decay_from": 1.0, "save_every": 100, "log_every": 50, "batch": 4}

    def train(steps: int) -> None:
        mouth_pose.main(settings_of("mouth-pose", root, out, steps=steps, **more))

    learn_until(lambda: knows_mouth_and_pose(eval_of(out)), train, stride=100, most=800)
    return out


def knows_mouth_and_pose(marks: dict[str, float]) -> bool:
    """Ratios are 1 for a fresh network, which copies the source; r2 is 0."""
    drawn = marks["l1_ratio"] < 0.7 and marks["mouth_l1_ratio"] < 0.7
    return drawn and marks["r2_pose"] > 0.2 and marks["r2_mouth"] > 0.5


def eval_of(out: Path) -> dict[str, float]:
    """The marks of the last look at a run."""
    return log_of(out)[-1]


def test_mouth_and_pose_are_learnt_by_heart(taught: Path) -> None:
    marks = eval_of(taught)
    assert knows_mouth_and_pose(marks), marks
    assert marks["l1_ratio_true"] < marks["l1_ratio"] + 0.15  # sliders do what readings do


def test_mouth_and_pose_are_learnt_without_knowing_any_weights(root: Path, tmp_path: Path) -> None:
    data = toy_faces.write_clips(tmp_path / "clips", range(2))
    more = {"steps": 60, "learning_rate": 8e-3, "save_every": 60, "log_every": 20, "batch": 4}
    settings = settings_of("mouth-pose", root, tmp_path / "run", **more)
    mouth_pose.main(replace(settings, data=data, heldout=data))
    assert eval_of(tmp_path / "run")["l1_ratio"] < 0.85
    assert last_of(tmp_path / "run")["alike"] < 0.3  # unrelated directions: 1.26


def test_expression_learns_what_is_missing_and_leaves_mouth_and_pose_alone(
    root: Path, taught: Path, tmp_path: Path
) -> None:
    start = model_from(taught)
    for parameter in start.navigator.heads["expression"].parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    toy_faces.write_run(tmp_path / "start", start)
    more = {"steps": 60, "learning_rate": 8e-3, "save_every": 60, "log_every": 15, "batch": 4}
    settings = settings_of("expression", root, tmp_path / "run", tmp_path / "start", **more)
    expression.main(settings)
    first, last = log_of(tmp_path / "run")[0], last_of(tmp_path / "run")
    assert last["codes"] < 0.7 * first["codes"] and last["recombined"] < 0.9 * first["recombined"]
    after = model_from(tmp_path / "run")
    torch.testing.assert_close(after.bank.bases[:, :26], start.bank.bases[:, :26], rtol=0, atol=1e-6)
    assert not torch.allclose(after.bank.bases[:, 26:], start.bank.bases[:, 26:], atol=1e-3)
    picture = torch.zeros(1, 3, 32, 32)
    for net in (start, after):
        net.eval()
    read = [net.navigator(net.encoder(picture)[0])[:, :26] for net in (start, after)]
    assert torch.equal(*read)


def test_a_model_without_expressions_is_given_a_bank_that_changes_nothing_yet(tmp_path: Path) -> None:
    plain, picture = toy_faces.model(expression=0).eval(), small.picture(32, 2)
    grown = with_expression(plain).eval()
    weights = torch.randn(2, 36)
    weights[:, 26:] = 0
    torch.testing.assert_close(grown(picture, weights).image, plain(picture, weights[:, :26]).image)
    assert not grown.navigator(grown.encoder(picture)[0])[:, 26:].any()


def test_a_person_is_learnt_from_frames_nobody_labelled(taught: Path, tmp_path: Path) -> None:
    meta = checkpoint.Meta("toy", "CC0-1.0", note="From toy faces.")
    pose = AudioToPose(AudioToPoseConfig(width=16, context=8, couplings=2, hidden=8))
    feeling = SpeechToExpression(SpeechToExpressionConfig(width=8, letters=4))
    start = {"audio_to_pose": pose, "speech_to_expression": feeling}
    checkpoint.save(tmp_path / "toy.safetensors", model_from(taught), meta, **start)
    before = (tmp_path / "toy.safetensors").read_bytes()
    loop = replace(FEW, steps=300, learning_rate=1e-3, save_every=300, log_every=150)
    settings = person.Settings(
        toy_faces.write_clips(tmp_path / "anna", range(40, 41), frames=24), tmp_path / "run",
        checkpoint=str(tmp_path / "toy.safetensors"), batch=4, threads=1, loop=loop,
    )  # fmt: skip
    made = person.main(replace(settings, loop=replace(loop, minutes=1e-6)))  # time is up at once
    assert made == tmp_path / "run" / "anna.safetensors" and not made.exists()
    assert person.main(settings) == made
    old, new = (checkpoint.load(path) for path in (tmp_path / "toy.safetensors", made))
    for share in ((0.0, 0.8), (0.8, 1.0)):  # frames it learnt from, and frames kept back
        frames = People(settings.data, 32, share)
        there, here = person.measured(old.model, frames), person.measured(new.model, frames)
        assert here["l1_ratio"] < 0.95 * there["l1_ratio"]
    assert new.meta.licence.startswith("CC0-1.0; ") and "anna" in new.meta.licence
    assert new.meta.note.startswith("From toy faces. ") and new.meta.id.startswith("anna-")
    assert new.meta.channels == old.meta.channels
    for part in ("encoder", "navigator", "bank"):  # only the decoder learnt
        mine, theirs = (getattr(net.model, part).state_dict() for net in (new, old))
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    for heard in start:  # and what else the checkpoint can do, it still can
        mine, theirs = (getattr(net, heard).state_dict() for net in (new, old))
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    assert (tmp_path / "toy.safetensors").read_bytes() == before
    assert (tmp_path / "run" / "before_after.png").stat().st_size > 1000
    with pytest.raises(OutputExists, match="there already"):
        person.main(settings)


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_run_goes_on_to_the_same_loss_and_the_same_bits(
    stage: str, root: Path, whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def train_until_3(model: nn.Module, loss_of: Any, *rest: Any) -> nn.Module:
        def until_3(step: int) -> Any:
            if step == 3:  # one step after the last save
                raise Killed
            return loss_of(step)

        return train(model, until_3, *rest)

    settings = settings_of(stage, root, tmp_path)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(STAGES[stage], "train", train_until_3)
        STAGES[stage].main(settings)
    STAGES[stage].main(settings)
    timeless = {k: v for k, v in last_of(tmp_path).items() if k not in ("steps_per_s", "hours_left")}
    assert timeless.items() <= last_of(whole[stage]).items()
    assert fingerprint(tmp_path) == fingerprint(whole[stage])
    one, other = (shipped(stage, root, out).read_bytes() for out in (tmp_path, whole[stage]))
    assert one == other  # the same seed, data and machine: the same file


def shipped(stage: str, root: Path, out: Path) -> Path:
    """The checkpoint that comes of a stage's run."""
    if stage in MADE:
        return out / MADE[stage]
    made, heard = out / "toy.safetensors", root / "whole-audio-to-mouth" / MADE["audio-to-mouth"]
    ship.main(ship.Settings(run=out, audio=str(heard), heldout=root / "data", out=str(made)))
    return made


@pytest.mark.parametrize("stage", STAGES)
def test_another_seed_gives_other_weights(
    stage: str, root: Path, whole: dict[str, Path], tmp_path: Path
) -> None:
    STAGES[stage].main(settings_of(stage, root, tmp_path, seed=1, save_every=4))
    assert fingerprint(tmp_path) != fingerprint(whole[stage])


def test_two_processes_give_the_loss_and_the_weights_of_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_together(__file__, root, tmp_path)
    for stage in STAGES:
        losses, alone = in_one_process(stage, root, tmp_path / "one" / stage, monkeypatch)
        shared = torch.load(tmp_path / stage / "state.pt", weights_only=True)["model"]
        for key, tensor in alone.state_dict().items():
            torch.testing.assert_close(shared[key], tensor, rtol=2e-3, atol=2e-4)
        said = json.loads((tmp_path / f"{stage}.json").read_text())
        assert said == pytest.approx(losses, rel=1e-3)


@pytest.mark.parametrize("stage", ["mouth-pose", "expression", "person"])
def test_every_switch_may_be_on(stage: str, root: Path, tmp_path: Path) -> None:
    net = features.FeatureNet(features.FeatureConfig((8, 16), 8))
    features.save_features(tmp_path / "features.safetensors", net)
    looks = PictureSettings(features=str(tmp_path / "features.safetensors"), judge=0.1)
    more = {"media": 0.5, "picture": looks, "steps": 2, "save_every": 2, "bf16": True}
    STAGES[stage].main(settings_of(stage, root, tmp_path / "run", **more))
    said = last_of(tmp_path / "run")
    assert said["perceptual"] > 0 and said["fooling"] > 0 and said["judging"] > 0
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert any("judge." in key for key in state["model"])


@pytest.mark.parametrize("stage", ["mouth-pose", "expression", "person"])
def test_a_model_that_reads_finer_pictures_than_it_draws_is_given_them(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_faces.write_shard(tmp_path / "data" / "shard_00000", range(2), size=64, donors=2)
    net = toy_faces.model(reading=64)
    toy_faces.write_run(tmp_path / "start", net)
    checkpoint.save(tmp_path / "start.safetensors", net, checkpoint.Meta("toy", "CC0-1.0"))
    given, forward = set(), Encoder.forward

    def noting(encoder: Encoder, image: torch.Tensor) -> Any:
        given.add(image.shape[-1])
        return forward(encoder, image)

    monkeypatch.setattr(Encoder, "forward", noting)
    STAGES[stage].main(settings_of(stage, tmp_path, tmp_path / "run", steps=2, save_every=2))
    assert given == {64}
    sheet = next((tmp_path / "run").glob("*.png"))
    assert Image.open(sheet).height % 32 == 0 and last_of(tmp_path / "run")["picture"] > 0


def test_the_first_stage_has_the_same_switches(root: Path, tmp_path: Path) -> None:
    net = features.FeatureNet(features.FeatureConfig((8, 16), 8))
    features.save_features(tmp_path / "features.safetensors", net)
    more = {"features": str(tmp_path / "features.safetensors"), "judge": 0.1, "media": 0.5, "recombined": 1.0}
    out = tmp_path / "run"
    encoder_generator.main(settings_of("encoder-generator", root, out, steps=2, save_every=2, **more))
    said = last_of(out)
    assert min(said[name] for name in ("perceptual", "fooling", "judging", "recombined")) > 0
    plain = encoder_generator.EDTalk(config_of_run(out))
    assert model_from(out).state_dict().keys() == plain.state_dict().keys()


def in_one_process(
    stage: str, root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[float], nn.Module]:
    """What one process gives that draws both shares of the work: mean losses, and the model."""

    class Caught(Exception):
        pass

    shares = []
    for rank in range(2):

        def catch(model: nn.Module, loss_of: Any, loop: LoopSettings, *rest: Any) -> nn.Module:
            shares.append((model, loss_of))
            raise Caught

        with monkeypatch.context() as patch, pytest.raises(Caught):
            place = Place(rank, 1, torch.device("cpu"))
            patch.setattr(STAGES[stage], "take_place", lambda threads, place=place: place)
            patch.setattr(STAGES[stage], "train", catch)
            STAGES[stage].main(settings_of(stage, root, out / str(rank), **FEWER))
    (model, _), (twin, _) = shares
    learning = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learning, FEW.learning_rate, betas=(0.9, 0.99))
    losses = []
    loop = replace(FEW, **FEWER)
    for step in range(loop.steps):
        found = []
        twin.load_state_dict(model.state_dict())
        for net, loss_of in shares:
            net.zero_grad(set_to_none=True)
            loss, _ = loss_of(step)
            loss.backward()
            found.append(float(loss.detach()))
        for one, other in zip(model.parameters(), twin.parameters(), strict=True):
            if one.grad is not None and other.grad is not None:
                one.grad = (one.grad + other.grad) / 2
        nn.utils.clip_grad_norm_(model.parameters(), loop.clip)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, loop)
        optimiser.step()
        losses.append(sum(found) / 2)
    return losses, model


def one_of_two(root: Path, out: Path) -> None:
    """One of two processes: run every stage, and say the mean of both processes' losses."""
    import torch.distributed as dist

    for stage, module in STAGES.items():
        losses: list[float] = []

        def listening(model: nn.Module, loss_of: Any, *rest: Any, losses: list[float] = losses) -> nn.Module:
            def heard(step: int) -> Any:
                loss, numbers = loss_of(step)
                mean = loss.detach().clone()
                dist.all_reduce(mean)
                losses.append(float(mean) / 2)
                return loss, numbers

            return train(model, heard, *rest)

        module.train = listening  # type: ignore[attr-defined]
        module.main(settings_of(stage, root, out / stage, **FEWER))
        if dist.get_rank() == 0:
            (out / f"{stage}.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    one_of_two(Path(sys.argv[1]), Path(sys.argv[2]))
