# SPDX-License-Identifier: GPL-3.0-or-later
"""server/runtime.py through the real server process, with a small model that has learned nothing."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.motion.motion import Motion
from core.wire import messages
from core.wire.channels import CHANNELS
from tests.support import toy
from tests.support.makers import sound

CROP = [16, 0, 64]
FRAMES = 12


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[toy.Client]:
    """One real server for the whole module; each test leaves it as it was."""
    folder = tmp_path_factory.mktemp("server")
    with toy.Client(toy.REAL, folder / "log.txt", EDTALK_CHECKPOINTS=str(folder / "none")) as client:
        client.initialize()
        yield client


@pytest.fixture
def look(tiny_checkpoint: Path, portrait: Path) -> dict[str, Any]:
    """What analyze, decode and preview have in common."""
    return {"portrait": str(portrait), "checkpoint": str(tiny_checkpoint), "crop": CROP}


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    """Twelve scene frames from 101 on, each a little different from the one before."""
    weights = np.linspace(0, 1, FRAMES)[:, None] * np.ones(len(CHANNELS))
    path = tmp_path / "motion.npz"
    Motion(weights.astype(np.float32), 24.0, numbers=np.arange(101, 101 + FRAMES)).save(path)
    return path


@pytest.fixture
def work(look: dict[str, Any], motion: Path, tmp_path: Path) -> dict[str, Any]:
    """A decode that is right in every way."""
    return {**look, "motion": str(motion), "out": str(tmp_path / "take"), "size": 64}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.png")}


# --- initialize, describe, inspect ---


def test_initialize_tells_what_it_runs_on(client: toy.Client) -> None:
    hello = messages.Initialized.from_dict(client.initialize())
    assert hello.protocol == messages.PROTOCOL and hello.pid == client.process.pid
    assert hello.torch and hello.device.split(":")[0] in ("cpu", "mps", "cuda")


def test_checkpoints_in_the_users_folder_are_found_and_bad_ones_are_named(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "mine.safetensors").write_bytes(tiny_checkpoint.read_bytes())
    (folder / "broken.safetensors").write_bytes(b"not a checkpoint")
    with toy.Client(toy.REAL, tmp_path / "log.txt", EDTALK_CHECKPOINTS=str(folder)) as client:
        hello = client.initialize()
    mine = [found for found in hello["checkpoints"] if not found["embedded"]]
    assert [(found["path"], found["size"]) for found in mine] == [(str(folder / "mine.safetensors"), 64)]
    assert any("broken.safetensors" in warning for warning in hello["warnings"])


def test_a_folder_named_at_the_start_is_looked_at_too(tiny_checkpoint: Path, tmp_path: Path) -> None:
    command = [*toy.REAL, "--checkpoints", str(tiny_checkpoint.parent)]
    with toy.Client(command, tmp_path / "log.txt", EDTALK_CHECKPOINTS=str(tmp_path / "none")) as client:
        found = client.initialize()["checkpoints"]
    assert str(tiny_checkpoint) in [one["path"] for one in found if not one["embedded"]]


def test_describe_gives_the_36_channels(client: toy.Client, tiny_checkpoint: Path) -> None:
    described = messages.Described.from_dict(client.ask("describe", checkpoint=str(tiny_checkpoint)))
    assert tuple(channel["name"] for channel in described.channels) == CHANNELS
    assert described.size == 64 and described.id.startswith("tiny-")


def test_inspect_of_a_picture_without_a_face_has_no_crop(client: toy.Client, portrait: Path) -> None:
    seen = client.ask("inspect", portrait=str(portrait))
    (said,) = seen.pop("warnings")
    assert "No face is sure" in said and "Place Marks" in said
    nothing = {
        "width": 96,
        "height": 64,
        "faces": [],
        "crop": None,
        "crops": [],
        "turned": False,
        "marks": [],
    }
    assert seen == nothing


def test_a_device_that_is_not_here_is_one_sentence(tmp_path: Path) -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this computer has the device that is asked for")
    with toy.Client([*toy.REAL, "--device", "mps"], tmp_path / "log.txt") as client:
        error = client.error(client.send("initialize", protocol=messages.PROTOCOL))
        assert error["kind"] == "server" and "no mps device" in error["message"] and error["hint"]


def test_a_missing_library_is_one_sentence_that_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('gone', name='torch')")
    path = os.pathsep.join([str(tmp_path), str(toy.ROOT)])
    with toy.Client(toy.REAL, tmp_path / "log.txt", PYTHONPATH=path) as client:
        error = client.error(client.send("initialize", protocol=messages.PROTOCOL))
        assert error["kind"] == "server" and "lacks the package torch" in error["message"]
        assert "pip install" in error["hint"] and "requirements.txt" in error["hint"]


# --- analyze ---


def test_a_voice_becomes_motion_of_the_same_length(
    client: toy.Client, look: dict[str, Any], voice: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder" / "motion.npz"
    done = client.ask("analyze", **look, audio=str(voice), out=str(out), idle=0.5, seed=3)
    motion = Motion.load(done["motion"])
    assert len(motion) == done["steps"] == 50 and done["seconds"] == 2.0
    assert motion.model == done["model"] and done["crop"] == CROP
    assert len(done["source_weights"]) == len(CHANNELS)


def test_an_existing_motion_is_only_overwritten_when_asked(
    client: toy.Client, look: dict[str, Any], voice: Path, tmp_path: Path
) -> None:
    out = tmp_path / "motion.npz"
    out.write_bytes(b"edited by hand")
    job = {**look, "audio": str(voice), "out": str(out)}
    assert client.error(client.send("analyze", **job))["kind"] == "output_exists"
    assert out.read_bytes() == b"edited by hand"
    client.ask("analyze", **job, overwrite=True)
    assert len(Motion.load(out)) == 50


# --- decode ---


def test_frames_are_written_whole_named_by_number_and_told_in_order(
    client: toy.Client, work: dict[str, Any]
) -> None:
    number = client.send("decode", **work, hold=100)
    result = client.answer(number)["result"]
    assert result["written"] == FRAMES and result["fps"] > 0
    told = [Path(frame["path"]) for frame in client.notices("frame", number)]
    assert [path.name for path in told] == [f"take.{n:04d}.png" for n in range(100, 101 + FRAMES)]
    assert all(path.is_file() for path in told)
    assert sorted(path.name for path in Path(work["out"]).iterdir()) == sorted(
        ["edtalk-take.json", *(path.name for path in told)]
    )


def test_only_the_frames_in_the_motion_are_touched(
    client: toy.Client, work: dict[str, Any], tmp_path: Path
) -> None:
    client.ask("decode", **work)
    before = digests(Path(work["out"]))
    changed = tmp_path / "changed.npz"
    Motion(np.full((2, len(CHANNELS)), 0.7, np.float32), 24.0, numbers=np.array([104, 105])).save(changed)
    assert client.ask("decode", **{**work, "motion": str(changed)})["written"] == 2
    after = digests(Path(work["out"]))
    assert {name for name in before if before[name] != after[name]} == {"take.0104.png", "take.0105.png"}
    again = {**work, "motion": str(tmp_path / "motion.npz")}
    client.ask("decode", **again)
    assert digests(Path(work["out"])) == before  # the same weights give the same bytes


@pytest.mark.parametrize("change", [{"size": 96}, {"take": "b"}, {"detail": False}])
def test_frames_of_another_take_stay_unless_overwriting_is_allowed(
    client: toy.Client, work: dict[str, Any], change: dict[str, Any]
) -> None:
    client.ask("decode", **work)
    before = digests(Path(work["out"]))
    error = client.error(client.send("decode", **{**work, **change}))
    assert error["kind"] == "output_exists" and "take.0101.png" in error["message"] and error["hint"]
    assert digests(Path(work["out"])) == before
    client.ask("decode", **{**work, **change, "overwrite": True})


@pytest.mark.parametrize(("form", "suffix"), [("png16", "png"), ("exr", "exr")])
def test_deep_formats_are_written(client: toy.Client, work: dict[str, Any], form: str, suffix: str) -> None:
    client.ask("decode", **work, format=form, composite="paste")
    assert len(list(Path(work["out"]).glob(f"take.*.{suffix}"))) == FRAMES


def test_a_cancelled_decode_keeps_what_is_finished(
    client: toy.Client, work: dict[str, Any], tmp_path: Path
) -> None:
    long = tmp_path / "long.npz"
    Motion(np.zeros((20_000, len(CHANNELS)), np.float32)).save(long)
    number = client.send("decode", **{**work, "motion": str(long)})
    client.until(lambda message: message.get("method") == "frame" and message["params"]["request"] == number)
    assert client.ask("cancel", request=number) == {"cancelled": True}
    assert client.error(number)["kind"] == "cancelled"
    told = {Path(frame["path"]) for frame in client.notices("frame", number)}
    assert told == set(Path(work["out"]).glob("take.*.png")) and len(told) < 20_000


def test_a_preview_slips_into_a_running_decode_and_is_the_decoded_frame(
    client: toy.Client, work: dict[str, Any], look: dict[str, Any], motion: Path, tmp_path: Path
) -> None:
    long, out = tmp_path / "long.npz", tmp_path / "preview.npy"
    Motion(np.zeros((20_000, len(CHANNELS)), np.float32)).save(long)
    running = client.send("decode", **{**work, "motion": str(long), "out": str(tmp_path / "long")})
    client.until(lambda message: message.get("method") == "frame" and message["params"]["request"] == running)
    weights = Motion.load(motion).weights[5]
    done = client.ask("preview", **look, weights=weights.tolist(), size=64, detail=True, out=str(out))
    assert not any("method" not in message and message["id"] == running for message in client.heard)
    client.ask("cancel", request=running)
    client.answer(running)
    assert (done["width"], done["height"]) == (64, 64)
    pixels = np.load(out, allow_pickle=False)
    assert pixels.shape == (64, 64, 4) and pixels.dtype == np.uint8 and (pixels[..., 3] == 255).all()
    client.ask("decode", **work)
    from core.pictures import image

    decoded = image.load(Path(work["out"]) / "take.0106.png").rgb
    assert np.abs(decoded.astype(int) - pixels[..., :3]).max() <= 1


# --- bad input: one sentence each, and the server lives on ---


def errs(client: toy.Client, method: str, job: dict[str, Any]) -> dict[str, str]:
    """The error of a job; checks that it is a sentence and that nothing unexpected is behind it."""
    error = client.error(client.send(method, **job))
    assert error["kind"] != "internal" and error["message"] and "\n" not in error["message"]
    return error


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (None, "unreadable_image"),
        (b"", "unreadable_image"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 50, "unreadable_image"),
    ],
)
def test_a_portrait_that_is_none(
    client: toy.Client, work: dict[str, Any], tmp_path: Path, data: bytes | None, kind: str
) -> None:
    path = tmp_path / "bad.png"
    if data is not None:
        path.write_bytes(data)
    assert errs(client, "decode", {**work, "portrait": str(path)})["kind"] == kind
    assert errs(client, "inspect", {"portrait": str(path)})["kind"] == kind


def test_a_portrait_without_a_face_and_without_a_crop(client: toy.Client, work: dict[str, Any]) -> None:
    assert errs(client, "decode", {**work, "crop": None})["kind"] == "no_face"


def test_a_path_of_another_system(client: toy.Client, work: dict[str, Any]) -> None:
    foreign = "/portraits/anna.png" if os.name == "nt" else "C:\\Users\\anna\\face.png"
    assert errs(client, "decode", {**work, "portrait": foreign})["kind"] == "input"


def test_a_crop_beside_the_portrait(client: toy.Client, work: dict[str, Any]) -> None:
    assert errs(client, "decode", {**work, "crop": [5000, 0, 64]})["kind"] == "input"


@pytest.mark.parametrize(
    "data",
    [None, b"", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"not a sound at all" * 100],
    ids=["none", "empty", "cut", "text"],
)
def test_a_sound_that_is_none(
    client: toy.Client, look: dict[str, Any], tmp_path: Path, data: bytes | None
) -> None:
    path = tmp_path / "bad.wav"
    if data is not None:
        path.write_bytes(data)
    job = {**look, "audio": str(path), "out": str(tmp_path / "m.npz")}
    assert errs(client, "analyze", job)["kind"] == "unreadable_audio"
    assert not Path(job["out"]).exists()


def test_a_sound_shorter_than_a_step(client: toy.Client, look: dict[str, Any], tmp_path: Path) -> None:
    job = {**look, "audio": str(sound(tmp_path / "short.wav", 0.02)), "out": str(tmp_path / "m.npz")}
    assert errs(client, "analyze", job)["kind"] == "unreadable_audio"


def test_nothing_to_animate_from_and_an_unknown_emotion(
    client: toy.Client, look: dict[str, Any], voice: Path, tmp_path: Path
) -> None:
    out = {"out": str(tmp_path / "m.npz")}
    assert errs(client, "analyze", {**look, **out})["kind"] == "input"
    assert (
        errs(client, "analyze", {**look, **out, "audio": str(voice), "emotion": "bored"})["kind"] == "input"
    )


@pytest.mark.parametrize("data", [None, b"", b"x" * 1000], ids=["none", "empty", "noise"])
def test_a_motion_that_is_none(
    client: toy.Client, work: dict[str, Any], tmp_path: Path, data: bytes | None
) -> None:
    path = tmp_path / "bad.npz"
    if data is not None:
        path.write_bytes(data)
    assert errs(client, "decode", {**work, "motion": str(path)})["kind"] == "bad_motion"


class Trap:
    """Unpickling one of these makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_motion_with_a_pickle_inside_is_refused_and_nothing_in_it_runs(
    client: toy.Client, work: dict[str, Any], tmp_path: Path
) -> None:
    path, trap = tmp_path / "trap.npz", tmp_path / "sprung"
    np.savez(path, mouth=np.array([Trap(trap)], dtype=object), allow_pickle=True)
    assert errs(client, "decode", {**work, "motion": str(path)})["kind"] == "bad_motion"
    assert not trap.exists()


def test_a_checkpoint_with_a_pickle_inside_is_refused_and_nothing_in_it_runs(
    client: toy.Client, work: dict[str, Any], tmp_path: Path
) -> None:
    import torch

    trap = tmp_path / "sprung"
    plain, zipped = tmp_path / "plain.pt", tmp_path / "zipped.pt"
    plain.write_bytes(pickle.dumps({"gen": Trap(trap)}, protocol=2))
    torch.save({"gen": Trap(trap)}, zipped)
    for path in (plain, zipped):
        error = errs(client, "decode", {**work, "checkpoint": str(path)})
        assert error["kind"] == "bad_checkpoint", error
        assert errs(client, "describe", {"checkpoint": str(path)})["kind"] == "bad_checkpoint"
    assert not trap.exists()


def test_a_checkpoint_that_is_missing_or_something_else(
    client: toy.Client, work: dict[str, Any], portrait: Path, tmp_path: Path
) -> None:
    gone = str(tmp_path / "gone.safetensors")
    assert errs(client, "decode", {**work, "checkpoint": gone})["kind"] == "missing_checkpoint"
    assert errs(client, "decode", {**work, "checkpoint": str(portrait)})["kind"] == "bad_checkpoint"


def test_motion_of_another_checkpoint_is_refused(
    client: toy.Client, work: dict[str, Any], motion: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.npz"
    Motion(Motion.load(motion).weights, model="heads-ffffffffffff").save(path)
    assert errs(client, "decode", {**work, "motion": str(path)})["kind"] == "bad_motion"


def test_an_output_folder_that_cannot_be(
    client: toy.Client, work: dict[str, Any], look: dict[str, Any], voice: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("I am in the way")
    assert errs(client, "decode", {**work, "out": str(blocked / "take")})["kind"] == "output_blocked"
    job = {**look, "audio": str(voice), "out": str(blocked / "motion.npz")}
    assert errs(client, "analyze", job)["kind"] == "output_blocked"
    job = {**look, "weights": [0.0] * 36, "out": str(blocked / "p.npy")}
    assert errs(client, "preview", job)["kind"] == "output_blocked"


@pytest.mark.skipif(os.name != "posix", reason="there is no such limit on Windows")
def test_a_file_that_finds_no_room_is_one_sentence(look: dict[str, Any], tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that is nearly full."""
    start = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))"
    command = [sys.executable, "-c", f"{start}; from server.__main__ import main; main()"]
    out = tmp_path / "out"
    out.mkdir()
    with toy.Client(command, tmp_path / "log.txt", EDTALK_CHECKPOINTS=str(tmp_path / "none")) as client:
        client.initialize()
        error = errs(client, "preview", {**look, "weights": [0.0] * 36, "out": str(out / "p.npy")})
    assert error["kind"] == "output_blocked" and "not all of it" in error["message"]
    assert not list(out.iterdir())


def test_after_all_that_the_log_holds_no_traceback_and_work_goes_on(
    client: toy.Client, work: dict[str, Any]
) -> None:
    assert client.ask("decode", **work)["written"] == FRAMES
    assert "Traceback" not in client.log.read_text()
    note = json.loads((Path(work["out"]) / "edtalk-take.json").read_text())
    assert note["takes"]["take.####.png"]["frames"] == [[101, 100 + FRAMES]]
