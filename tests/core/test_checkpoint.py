# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints come back as they were, bad ones get one sentence, and none of them ever runs code."""

from __future__ import annotations

import argparse
import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.checkpoints import checkpoint, published
from core.checkpoints.checkpoint import Meta
from core.checkpoints.published_keys import EMOTIONS as PUBLISHED_EMOTIONS
from core.models import EDTalk, EDTalkConfig
from core.models.audio_to_mouth import CLEAN, build
from core.models.audio_to_pose import AudioToPose, AudioToPoseConfig
from core.models.speech_to_expression import SpeechToExpression, SpeechToExpressionConfig
from core.wire.channels import DEFAULT_CHANNELS, EMOTIONS, Channel, Handle
from core.wire.errors import BadCheckpoint, CheckpointError, MissingCheckpoint, OutputBlocked
from tests.support import parity, small

CHANNELS = (Channel("mouth_00", "Jaw open", "opens the mouth", -0.5, 2.0), *DEFAULT_CHANNELS[1:])
HANDLE = Handle("yaw", "Yaw", "turns the head", "deg", tuple(0.01 * n for n in range(36)), -25.0, 25.0)
META = Meta(
    "small",
    "CC0-1.0",
    CHANNELS,
    {"happy": tuple(0.5 * n for n in range(10))},
    "made for a test",
    (HANDLE,),
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with small.one_thread():
        yield


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "small.safetensors", small.model(), META)
    return tmp_path / "small.safetensors"


def same(one: torch.nn.Module, other: torch.nn.Module, atol: float = 0) -> None:
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    for key in left:
        torch.testing.assert_close(left[key], right[key], atol=atol, rtol=atol, msg=key)


# --- ours ------------------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, net = small.model(), build(CLEAN)
    meta = checkpoint.save(tmp_path / "a.safetensors", model, META, net, half=False)
    loaded = checkpoint.load(tmp_path / "a.safetensors")
    same(loaded.model, model)
    assert loaded.audio_to_mouth is not None and loaded.audio_to_mouth.config == CLEAN
    same(loaded.audio_to_mouth, net)
    assert loaded.model.config == model.config and not loaded.model.training
    assert loaded.meta == meta == checkpoint.read_header(tmp_path / "a.safetensors").meta
    assert (meta.channels, meta.emotions, meta.licence, meta.note) == (
        META.channels,
        META.emotions,
        META.licence,
        META.note,
    )


def test_half_precision_keeps_the_bank_exact_and_the_rest_close(saved: Path) -> None:
    model, loaded = small.model(), checkpoint.load(saved)
    assert loaded.audio_to_mouth is None
    assert torch.equal(loaded.model.bank.directions, model.bank.directions)
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    same(loaded.model, model, atol=2e-3)
    exact = saved.with_name("exact.safetensors")
    checkpoint.save(exact, model, META, half=False)
    assert saved.stat().st_size < 0.65 * exact.stat().st_size


def test_the_id_names_the_weights_not_the_file(saved: Path, tmp_path: Path) -> None:
    first = checkpoint.read_header(saved).meta.id
    assert first.startswith("small-") and len(first) == len("small-") + 12
    assert checkpoint.save(tmp_path / "again.safetensors", small.model(), META).id == first
    assert checkpoint.save(tmp_path / "other.safetensors", small.model(seed=3), META).id != first


def test_the_header_tells_what_the_network_is(saved: Path) -> None:
    header = checkpoint.read_header(saved)
    assert header.config == small.config() and header.audio is None


def test_an_older_file_stays_when_writing_fails(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(OutputBlocked):
        checkpoint.save(saved.parent / "no folder" / "x.safetensors", small.model(), META)
    assert saved.read_bytes() == before and [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_a_file_from_before_there_were_handles_has_none(saved: Path) -> None:
    assert checkpoint.load(rewritten(saved, lambda t, a: a.pop("handles"))).meta.handles == ()


def test_what_a_checkpoint_says_can_change_while_its_tensors_stay(saved: Path, tmp_path: Path) -> None:
    before, meta = checkpoint.load(saved), checkpoint.read_header(saved).meta
    other = tmp_path / "b.safetensors"
    checkpoint.rewrite(saved, replace(meta, handles=(), note="other", id="forged"), other)
    after = checkpoint.load(other)
    same(after.model, before.model)
    assert after.meta == replace(meta, handles=(), note="other")
    checkpoint.rewrite(saved, replace(meta, handles=()))
    assert checkpoint.load(saved).meta.handles == ()


def test_a_damaged_file_is_not_made_to_look_whole(saved: Path) -> None:
    meta = checkpoint.read_header(saved).meta
    saved.write_bytes(one_bit_flipped(saved.read_bytes()))
    with pytest.raises(BadCheckpoint, match="damaged"):
        checkpoint.rewrite(saved, meta)


def test_whatever_length_a_header_has_the_file_is_known_for_what_it_is(tmp_path: Path) -> None:
    """A safetensors file begins with that length, and a pickle with the byte 0x80."""
    path, model = tmp_path / "a.safetensors", small.model()
    for padding in range(0, 256, 8):
        checkpoint.save(path, model, Meta("small", note="x" * padding))
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    assert len(checkpoint.load(path).meta.note) == padding


def test_the_default_checkpoint_lies_in_core() -> None:
    path = checkpoint.default_checkpoint()
    assert path.parts[-3:] == ("core", "checkpoints", "edtalk-heads.safetensors")


def test_the_shipped_model_is_small_free_and_whole() -> None:
    path = checkpoint.default_checkpoint()
    assert path.stat().st_size < 20_000_000
    shipped = checkpoint.load(path)
    assert shipped.audio_to_mouth is not None and shipped.meta.licence == "CC0-1.0"
    assert shipped.model.config.arithmetic == "clean" and set(shipped.meta.emotions) == set(EMOTIONS)
    labels = [channel.label for channel in shipped.meta.channels if channel.used]
    assert len(labels) == len(set(labels)) == 28


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def one_bit_flipped(data: bytes) -> bytes:
    return data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (truncated, "truncated"),
        (one_bit_flipped, "damaged"),
        (lambda data: b"", "truncated"),
        (lambda data: b"<!doctype html><title>404</title>", "web page"),
        (lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"),
        (lambda data: b"\x89PNG\r\n" + data[:1000], "not a checkpoint"),
    ],
)
def test_a_damaged_file_gets_one_sentence(
    saved: Path, damage: Callable[[bytes], bytes], sentence: str
) -> None:
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(BadCheckpoint, match=sentence) as error:
        checkpoint.load(saved)
    assert saved.name in error.value.message and "\n" not in error.value.message and error.value.hint


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(MissingCheckpoint):
            checkpoint.load(path)


def rewritten(path: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], object]) -> Path:
    """The same file with tensors or description changed, and an honest digest."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["edtalk"])
    tensors = load_file(path)
    change(tensors, about)
    about["digest"] = checkpoint._digest(tensors)
    save_file(tensors, path, {"edtalk": json.dumps(about)})
    return path


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t, a: t.pop("edtalk.decoder.start"), "lacks the key edtalk.decoder.start"),
        (lambda t, a: t.update({"edtalk.extra": torch.zeros(1)}), "unexpected key edtalk.extra"),
        (lambda t, a: t.update({"stray": torch.zeros(1)}), "unexpected key stray"),
        (lambda t, a: t.update({"edtalk.decoder.start": torch.zeros(1, 2, 4, 4)}), r"\(1, 2, 4, 4\), not"),
        (lambda t, a: a.update(format=99), "format is 99"),
        (lambda t, a: a["config"].update(size=33), "power of two"),
        (lambda t, a: a["config"].update(surprise=1), "surprise"),
        (lambda t, a: a["channels"].pop(), "36"),
        (lambda t, a: a["channels"][0].pop("label"), "fields"),
        (lambda t, a: a["emotions"].update(happy=[1.0]), "ten"),
        (lambda t, a: a["handles"][0].update(name="Big Ears"), "Big Ears"),
        (lambda t, a: a["handles"][0]["direction"].pop(), "36"),
        (lambda t, a: a["handles"].append(a["handles"][0]), "twice"),
        (lambda t, a: a.pop("licence"), "licence"),
        (lambda t, a: a.update(emotions=None), "not understood"),
    ],
)
def test_a_file_that_does_not_fit_says_where(
    saved: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(BadCheckpoint, match=sentence):
        checkpoint.load(rewritten(saved, change))


def test_somebody_elses_safetensors_is_recognised(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(3)}, tmp_path / "lora.safetensors")
    with pytest.raises(BadCheckpoint, match="not a checkpoint of EDTalk"):
        checkpoint.load(tmp_path / "lora.safetensors")


# --- published -------------------------------------------------------------------------------------


def published_state(expression: int = 10, seed: int = 4) -> dict[str, Tensor]:
    """A small generator under published keys, by the table turned around, unused entries included."""
    config = small.config("published", expression=expression)
    own = small.model("published", expression=expression, seed=seed).state_dict()
    state: dict[str, Tensor] = {}
    for key, name, form in published._expanded(config):
        tensor = own[name]
        if form == "map":
            tensor = tensor[None, :, None, None]
        elif form == "styled":
            tensor = tensor[None]
        elif form == "plain":
            tensor = tensor / tensor[0].numel() ** 0.5
        state[key] = tensor
    state["direction_lipnonlip.weight"] = own["bank.directions"][:, :26]
    if expression:
        state["direction_exp.weight"] = own["bank.directions"][:, 26:]
        state["dec.fineadainresblock.0.conv1.weight"] = torch.zeros(12, 12, 3, 3)
    state["dec.conv1.noise.weight"] = torch.ones(1)
    state["dec.to_rgb1.bias"] = torch.zeros(1, 3, 1, 1)
    state["enc.net_app.convs.1.conv2.0.kernel"] = torch.ones(4, 4)
    return {key: tensor.clone() for key, tensor in state.items()}


def full_size_state(network: str) -> dict[str, Tensor]:
    """Every published key with its shape; all values one number, so that the file is small."""
    return {k: torch.full((1,), 0.5).expand(shape) for k, shape, _ in parity.manifest(network)}


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    torch.save({"gen": published_state(), "args": argparse.Namespace(lr=0.002)}, tmp_path / "EDTalk.pt")
    return tmp_path / "EDTalk.pt"


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    torch.save({"audio2lip": parity.synthetic("audio2lip")}, tmp_path / "Audio2Lip.pt")
    return tmp_path / "Audio2Lip.pt"


@pytest.mark.parametrize(("network", "full"), [("edtalk_gen", True), ("lip_pose_gen", False)])
def test_each_key_of_the_published_generators_is_known(tmp_path: Path, network: str, full: bool) -> None:
    state = full_size_state(network)
    torch.save({"gen": state, "dis": {}, "args": argparse.Namespace(size=256)}, tmp_path / "g.pt")
    config = published.generator_config(state)
    assert config == EDTalkConfig.published(full)
    ours = published.translate(published.read(tmp_path / "g.pt", "gen"), config)
    with torch.device("meta"):
        expected = EDTalk(config).state_dict()
    assert {k: t.shape for k, t in ours.items()} == {k: t.shape for k, t in expected.items()}


@pytest.mark.parametrize("expression", [0, 10])
def test_a_published_generator_loads_exactly(tmp_path: Path, expression: int) -> None:
    torch.save({"gen": published_state(expression)}, tmp_path / "g.pt")
    loaded = checkpoint.load(tmp_path / "g.pt")
    same(loaded.model, small.model("published", expression=expression, seed=4), atol=1e-6)
    assert loaded.meta.emotions == (PUBLISHED_EMOTIONS if expression else {})
    assert [c.used for c in loaded.meta.channels] == [True] * 26 + [bool(expression)] * 10


def test_the_audio_network_beside_a_generator_is_taken_along(generator: Path, audio: Path) -> None:
    net = checkpoint.load(generator).audio_to_mouth
    assert net is not None
    given = parity.synthetic("audio2lip")
    assert all(torch.equal(tensor, given[key]) for key, tensor in net.state_dict().items())
    assert checkpoint.load_published(generator).audio_to_mouth is None


def test_converting_changes_no_picture(generator: Path, audio: Path, tmp_path: Path) -> None:
    meta = checkpoint.convert(generator, tmp_path / "ours.safetensors", audio)
    before, after = checkpoint.load(generator), checkpoint.load(tmp_path / "ours.safetensors")
    same(after.model, before.model)
    assert after.audio_to_mouth is not None and before.audio_to_mouth is not None
    same(after.audio_to_mouth, before.audio_to_mouth)
    assert after.meta == meta == before.meta  # the id too: motion made with one may be decoded with the other
    source, weights = small.picture(), torch.from_numpy(small.weights(1))
    assert torch.equal(after.model(source, weights).image, before.model(source, weights).image)


def test_the_eight_predefined_expressions_are_the_published_ones() -> None:
    for name, weights in PUBLISHED_EMOTIONS.items():
        np.testing.assert_array_equal(np.float32(weights), parity.expression_weights(name)[0])
    assert len(PUBLISHED_EMOTIONS) == 8


WRONG: list[tuple[Callable[[dict[str, Tensor]], object], str]] = [
    (lambda s: {k: v for k, v in s.items() if k != "fc.3.bias"}, "lacks the key fc.3.bias"),
    (lambda s: {f"module.{k}": v for k, v in s.items()}, "lacks the key .* start with `module.`"),
    (lambda s: s | {"dec.convs.0.surprise": torch.zeros(1)}, "unexpected key dec.convs.0.surprise"),
    (lambda s: s | {"fc.3.bias": torch.zeros(3)}, r"fc.3.bias in EDTalk.pt has the shape \(3,\), not"),
    (lambda s: s | {"dec.conv1.activate.bias": torch.zeros(12)}, "dec.conv1.activate.bias .* has the shape"),
    (lambda s: s | {"fc.3.bias": torch.full((48,), torch.nan)}, "fc.3.bias .* finite"),
    (lambda s: s | {"fc.3.bias": torch.zeros(48, dtype=torch.int64)}, "fc.3.bias .* finite numbers"),
    (lambda s: s | {"fc.3.bias": [1, 2]}, "other than tensors: 'fc.3.bias'"),
    (lambda s: s | {"dec.direction.weight": torch.zeros(48, 20)}, "LIA"),
    (lambda s: {}, "lacks the key"),
]


@pytest.mark.parametrize(("change", "sentence"), WRONG)
def test_a_published_file_that_does_not_fit_names_the_key_and_the_cause(
    generator: Path, change: Callable[[dict[str, Tensor]], object], sentence: str
) -> None:
    torch.save({"gen": change(published_state())}, generator)
    with pytest.raises(BadCheckpoint, match=sentence) as error:
        checkpoint.load(generator)
    assert "\n" not in error.value.message and "Audio2Lip.pt" in error.value.hint


def test_the_other_generator_is_recognised() -> None:
    with pytest.raises(BadCheckpoint, match="this is the mouth and pose generator, not the full one"):
        published.translate(published_state(0), small.config("published"))
    with pytest.raises(BadCheckpoint, match="this is the full generator, not the mouth and pose one"):
        published.translate(published_state(), small.config("published", expression=0))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"audio2lip": {}}, "holds `audio2lip`, so it is the audio network"),
        ({"state_dict": {}}, "not a checkpoint of EDTalk"),
        ({"enc.net_app.convs.0.0.weight": torch.zeros(1)}, "bare at the top"),
        ([1, 2], "not a checkpoint of EDTalk"),
        ({"gen": 3}, "generator"),
    ],
)
def test_another_container_is_recognised(generator: Path, content: object, sentence: str) -> None:
    torch.save(content, generator)
    with pytest.raises(BadCheckpoint, match=sentence):
        checkpoint.load(generator)


def test_a_generator_is_not_taken_for_the_audio_network(generator: Path) -> None:
    with pytest.raises(BadCheckpoint, match="holds `gen`, so it is a generator"):
        checkpoint.load_published(generator, generator)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"<!doctype html><title>404</title>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"),
        (b"A letter, not a network.", "not a checkpoint"),
        (b"", "not a checkpoint"),
        (b"\x80\x02}", "not a checkpoint"),
        (b"\x80\x02.", "not a checkpoint"),
        (b"\x80\x02}J\x00", "not a checkpoint"),
        (b"\x80\x04\x8e" + b"\xff" * 8, "not a checkpoint"),
    ],
)
def test_what_is_no_published_file_is_not_accused_of_running_code(
    tmp_path: Path, data: bytes, sentence: str
) -> None:
    path = tmp_path / "EDTalk.pt"
    path.write_bytes(data)
    with pytest.raises(BadCheckpoint, match=rf"EDTalk\.pt cannot be read: .*{sentence}"):
        published.read(path, "gen")


def test_a_checkpoint_of_ours_needs_no_conversion(saved: Path) -> None:
    with pytest.raises(BadCheckpoint, match="is a safetensors file"):
        published.read(saved, "gen")


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_truncated_published_file_is_recognised(generator: Path, keep: float) -> None:
    data = generator.read_bytes()
    generator.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(BadCheckpoint, match="truncated"):
        checkpoint.load(generator)


# --- files that want to run code -------------------------------------------------------------------


class Payload:
    """Creates a file when it is unpickled by a reader that runs what it reads."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.target), "w")


def hide_in_a_tensor_dict(payload: Payload, path: Path) -> None:
    torch.save({"gen": published_state(), "args": payload}, path)


def hide_in_an_old_style_file(payload: Payload, path: Path) -> None:
    torch.save({"gen": payload}, path, _use_new_zipfile_serialization=False)


def hide_in_a_bare_pickle(payload: Payload, path: Path) -> None:
    path.write_bytes(pickle.dumps({"gen": payload}, protocol=2))


def hide_in_a_newer_pickle(payload: Payload, path: Path) -> None:
    path.write_bytes(pickle.dumps({"gen": payload}))


@pytest.mark.parametrize(
    "hide",
    [hide_in_a_tensor_dict, hide_in_an_old_style_file, hide_in_a_bare_pickle, hide_in_a_newer_pickle],
)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["EDTalk.pt", "edtalk.safetensors"])
def test_a_hidden_payload_never_runs(
    tmp_path: Path, hide: Callable[[Payload, Path], None], name: str
) -> None:
    created, path = tmp_path / "created", tmp_path / name
    hide(Payload(created), path)
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(path)
    assert not created.exists()
    assert "\n" not in error.value.message
    assert "wants to run code" in error.value.message
    # the payload is a real one: a reader that trusts the file does run it
    if hide is hide_in_a_bare_pickle:
        pickle.loads(path.read_bytes())["gen"].close()  # noqa: S301
        assert created.exists()


def test_a_payload_in_the_audio_file_never_runs(generator: Path, tmp_path: Path) -> None:
    torch.save({"audio2lip": Payload(tmp_path / "created")}, tmp_path / "Audio2Lip.pt")
    with pytest.raises(BadCheckpoint, match=r"Audio2Lip\.pt wants to run code .* nothing in it ran"):
        checkpoint.load(generator)
    assert not (tmp_path / "created").exists()


def test_a_checkpoint_may_lie_under_any_name(generator: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Größe 100 %"
    folder.mkdir()
    shutil.copy(generator, folder / "mein modell.pt")
    assert checkpoint.load(folder / "mein modell.pt").model.config.size == 32


# --- what else may travel in a checkpoint ----------------------------------------------------------


def companions() -> tuple[AudioToPose, SpeechToExpression]:
    torch.manual_seed(5)
    pose = AudioToPose(AudioToPoseConfig(width=16, context=8, couplings=2, hidden=8))
    return pose, SpeechToExpression(SpeechToExpressionConfig(width=8, letters=4))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    pose, feeling = companions()
    path = tmp_path / "whole.safetensors"
    checkpoint.save(path, small.model(), META, audio_to_pose=pose, speech_to_expression=feeling)
    return path


def test_head_motion_and_feelings_travel_along_and_come_back(whole: Path, saved: Path) -> None:
    pose, feeling = companions()
    loaded, header = checkpoint.load(whole), checkpoint.read_header(whole)
    assert header.pose == pose.config and header.feeling == feeling.config
    assert loaded.audio_to_pose is not None and loaded.speech_to_expression is not None
    assert not loaded.audio_to_pose.training and not loaded.speech_to_expression.training
    same(loaded.audio_to_pose, pose, atol=2e-3)
    same(loaded.speech_to_expression, feeling, atol=2e-3)
    assert loaded.warnings == ()
    assert loaded.meta.id == checkpoint.read_header(saved).meta.id  # the id names the face alone


def test_a_checkpoint_without_them_or_from_before_them_has_none(saved: Path) -> None:
    def older(tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        about.pop("pose"), about.pop("feeling")

    for path in (saved, rewritten(saved, older)):
        loaded = checkpoint.load(path)
        assert loaded.audio_to_pose is None and loaded.speech_to_expression is None


@pytest.mark.parametrize("prefix", ["audio_to_pose.", "speech_to_expression."])
def test_a_part_that_is_missing_or_not_announced_is_refused(whole: Path, prefix: str) -> None:
    def lose_one(tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        tensors.pop(next(key for key in tensors if key.startswith(prefix)))
        about["digest"] = checkpoint._digest(tensors)

    def keep_quiet(tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        about["pose" if prefix == "audio_to_pose." else "feeling"] = None

    with pytest.raises(BadCheckpoint, match=f"lacks the key {prefix}"):
        checkpoint.load(rewritten(whole, lose_one))
    with pytest.raises(BadCheckpoint, match=f"unexpected key {prefix}"):
        checkpoint.load(rewritten(whole, keep_quiet))


def test_what_a_checkpoint_says_can_change_while_all_its_parts_stay(whole: Path) -> None:
    before = checkpoint.read_header(whole)
    checkpoint.rewrite(whole, replace(before.meta, note="other"))
    after = checkpoint.load(whole)
    assert after.meta.note == "other" and after.audio_to_pose is not None
    assert checkpoint.read_header(whole).feeling == before.feeling
