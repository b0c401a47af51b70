# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint that means harm, or was damaged: judged by what it announces, refused in one sentence."""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.checkpoints import checkpoint
from core.checkpoints.checkpoint import Meta
from core.models.audio_to_mouth import CLEAN, build
from core.models.speech_to_expression import SpeechToExpression, SpeechToExpressionConfig
from core.wire.errors import BadCheckpoint
from server import shelf
from tests.support import small

ROOM = 600 << 20
"""Bytes that refusing may take, torch's own among them: one of these files would take ten times as many."""

LOADER = """
import resource, sys
from core.checkpoints import checkpoint
from core.wire.errors import BadCheckpoint
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    try:
        checkpoint.load(name)
    except BadCheckpoint as error:
        continue
    print("loaded", name)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    speech = SpeechToExpression(SpeechToExpressionConfig(width=8, letters=4))
    checkpoint.save(
        path, small.model(), Meta("small"), build(replace(CLEAN, width=16)), speech_to_expression=speech
    )
    return path


def retold(path: Path, change: Callable[[dict[str, Any]], object], name: str = "retold") -> Path:
    """The same tensors, described otherwise."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    about = json.loads(header["__metadata__"]["edtalk"])
    changed = change(about)
    header["__metadata__"]["edtalk"] = changed if isinstance(changed, str) else json.dumps(about)
    text = json.dumps(header).encode()
    out = path.with_name(f"{name}.safetensors")
    out.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    return out


def config(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda about: about["config"].update(values)


def audio(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda about: about["audio"].update(values)


POSE = {"past": 10, "piece": 4, "ahead": 10, "width": 128, "context": 64, "couplings": 6, "hidden": 96}
GREEDY: dict[str, Callable[[dict[str, Any]], object]] = {
    "latent 4000": config(latent=4000),
    "latent 16000": config(latent=16000),
    "channels": config(channels={str(4 << n): 16384 for n in range(5)}),
    "channels within the range": config(channels={str(4 << n): 4096 for n in range(5)}),
    "size": config(size=1 << 20, channels={str(4 << n): 1 for n in range(20)}),
    "reading": config(reading=1 << 40),
    "a size that is no number": config(size="32"),
    "a size that is true": config(mouth=True),
    "audio width": audio(width=10**6),
    "audio width within the range": audio(width=2048),
    "audio blocks": audio(blocks=10**6),
    "audio units": audio(units=10**9),
    "audio dropout": audio(dropout=float("nan")),
    "pose": lambda about: about.update(pose=dict.fromkeys(POSE, 4096)),
    "pose couplings": lambda about: about.update(pose={**POSE, "couplings": 10**9}),
    "feeling": lambda about: about["feeling"].update(width=8192, letters=8192),
    "feeling reader": lambda about: about["feeling"].update(reader="x" * 10**6, reader_size=8191),
}


@pytest.mark.parametrize("case", sorted(GREEDY))
def test_what_would_not_fit_is_refused(saved: Path, case: str) -> None:
    with pytest.raises(BadCheckpoint) as caught:
        checkpoint.load(retold(saved, GREEDY[case]))
    assert len(caught.value.message) < 500


def test_no_description_makes_room_for_what_it_only_announces(saved: Path, tmp_path: Path) -> None:
    greedy = [retold(saved, change, f"greedy{n}") for n, change in enumerate(GREEDY.values())]
    greedy += [make(tmp_path / f"greedy{n}.pt") for n, make in enumerate(PICKLES.values())]
    done = subprocess.run(
        [sys.executable, "-c", LOADER, *map(str, greedy)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < ROOM, done.stdout


# --- what it says about itself --------------------------------------------------------------------

WORDY: dict[str, Callable[[dict[str, Any]], object]] = {
    "labels": lambda about: [channel.update(label="x" * 200_000) for channel in about["channels"]] and None,
    "a description": lambda about: about["channels"][3].update(description="x" * 501),
    "the id": lambda about: about.update(id="x" * 5000 + about["id"]),
    "the licence": lambda about: about.update(licence="x" * 5000),
    "a licence that is no text": lambda about: about.update(licence=["CC0"]),
    "a range": lambda about: about["channels"][0].update(soft_max=10**400),
    "an emotion": lambda about: about.update(emotions={"happy": [1e30] * 10}),
    "an emotion nobody knows": lambda about: about.update(emotions={"x" * 5000: [0.0] * 10}),
    "depth": lambda about: "[" * 100_000 + "]" * 100_000,
    "a number without end": lambda about: '{"format": ' + "9" * 10_000 + "}",
    "nothing": lambda about: "null",
    "a list": lambda about: "[1]",
}


@pytest.mark.parametrize("case", sorted(WORDY))
def test_an_odd_description_is_one_short_sentence(saved: Path, case: str) -> None:
    path = retold(saved, WORDY[case])
    for read in (checkpoint.read_header, checkpoint.load):
        with pytest.raises(BadCheckpoint) as caught:
            read(path)
        assert len(caught.value.message) < 500


def test_bad_files_in_the_folder_are_warnings_and_the_good_one_is_listed(
    saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDTALK_CHECKPOINTS", str(tmp_path / "none"))
    for number, change in enumerate(WORDY.values()):
        retold(saved, change, f"bad{number}")
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "long.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{")
    records, warnings = shelf.found(str(tmp_path))
    assert [Path(record["path"]).name for record in records if not record["embedded"]] == [saved.name]
    assert len(warnings) == len(WORDY) + 2 and max(map(len, warnings)) < 1000


def test_a_folder_of_very_many_is_listed_in_part(
    saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDTALK_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(shelf, "MOST", 2)
    for name in "abc":
        (tmp_path / f"{name}.safetensors").write_bytes(saved.read_bytes())
    records, warnings = shelf.found()
    assert len(records) == 3 and "first 2" in warnings[0]


# --- tensors --------------------------------------------------------------------------------------


def altered(path: Path, change: Callable[[dict[str, torch.Tensor]], None], honest: bool = True) -> Path:
    """Other tensors under the same description; with the right digest and id, if `honest`."""
    header = checkpoint.read_header(path)
    tensors = load_file(path)
    change(tensors)
    if honest:
        face = {k.removeprefix("edtalk."): v for k, v in tensors.items() if k.startswith("edtalk.")}
        meta = replace(header.meta, id=f"small-{checkpoint._digest(face)}")
        header = replace(header, meta=meta)
    header = replace(header, digest=checkpoint._digest(tensors))
    out = path.with_name("altered.safetensors")
    save_file(tensors, out, {"edtalk": json.dumps(checkpoint._to_json(header))})
    return out


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("part", ["edtalk.decoder", "edtalk.bank", "audio_to_mouth", "speech_to_expression"])
def test_what_is_no_number_is_refused_wherever_it_is(saved: Path, part: str, value: float) -> None:
    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        key = next(k for k, v in sorted(tensors.items()) if k.startswith(part) and v.is_floating_point())
        tensors[key].view(-1)[0] = value

    with pytest.raises(BadCheckpoint, match="not a number"):
        checkpoint.load(altered(saved, spoil))


def test_an_id_that_belongs_to_other_weights_is_noticed(saved: Path) -> None:
    def halve(tensors: dict[str, torch.Tensor]) -> None:
        tensors["edtalk.bank.directions"] *= 0.5

    with pytest.raises(BadCheckpoint, match="damaged"):
        checkpoint.load(altered(saved, halve, honest=False))
    checkpoint.load(altered(saved, halve, honest=True))
    with pytest.raises(BadCheckpoint, match="damaged"):
        checkpoint.load(retold(saved, lambda about: about.update(id="small")))


# --- pickles --------------------------------------------------------------------------------------


def squeezed(path: Path) -> Path:
    """A member that unpacks to 320 megabytes."""
    torch.save({"gen": {"a": torch.zeros(16)}}, path)
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: archive.read(member) for member in archive.infolist()}
    name = next(name for name in members if name.endswith("/data.pkl"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, data in members.items():
            if other != name:
                archive.writestr(other, data)
        with archive.open(name, "w", force_zip64=True) as stream:
            for _ in range(20):
                stream.write(bytes(1 << 24))
    return path


class Storage:
    """Pickles as an old-style storage of many numbers would be announced."""


class Announcing(pickle._Pickler):
    def persistent_id(self, obj: object) -> object:
        return ("storage", torch.FloatStorage, "0", "cpu", 1 << 31) if isinstance(obj, Storage) else None


def announced(path: Path) -> Path:
    """An old-style file that announces eight gigabytes and has none."""
    with path.open("wb") as file:
        for part in (torch.serialization.MAGIC_NUMBER, 1001, {"little_endian": True}):
            pickle.dump(part, file, protocol=2)
        Announcing(file, 2).dump({"gen": {"a": Storage()}})
        pickle.dump(["0"], file, protocol=2)
    return path


def byte_array(path: Path) -> Path:
    """`bytearray(2 ** 32)`, which the restricted reader would call."""
    path.write_bytes(b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\0\0\0\0\1\x85R.")
    return path


def stretched(path: Path) -> Path:
    """One number that stands for a thousand billion."""
    torch.save({"gen": {"fc.0.weight": torch.zeros(1).expand(1 << 20, 1 << 20)}}, path)
    return path


PICKLES: dict[str, Callable[[Path], Path]] = {
    "squeezed": squeezed,
    "announced": announced,
    "byte array": byte_array,
    "stretched": stretched,
}


@pytest.mark.parametrize("kind", ["announced", "byte array", "squeezed", "stretched"])
def test_a_pickle_that_asks_for_more_than_it_has_is_refused_unopened(tmp_path: Path, kind: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadCheckpoint, match="announces"):
        checkpoint.load(PICKLES[kind](tmp_path / "greedy.pt"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < ROOM / 1024


@pytest.mark.parametrize("zipped", [True, False])
def test_an_honest_pickle_with_shared_numbers_is_not_refused(tmp_path: Path, zipped: bool) -> None:
    tensor = torch.zeros(1000)
    state = {f"part{n}": tensor[n:] for n in range(100)} | {"other": torch.zeros(5), "again": tensor}
    content = {"gen": state, "args": argparse.Namespace(seed=2**60, size=256)}
    torch.save(content, tmp_path / "honest.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadCheckpoint, match="lacks the key"):
        checkpoint.load(tmp_path / "honest.pt")
