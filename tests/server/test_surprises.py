# SPDX-License-Identifier: GPL-3.0-or-later
"""The real server, handed what is no file: each request gets its one answer, and the next one works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.motion.motion import Motion
from tests.support import toy
from tests.support.makers import sound

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no such things on Windows")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[toy.Client]:
    folder = tmp_path_factory.mktemp("server")
    with toy.Client(toy.REAL, folder / "log.txt", EDTALK_CHECKPOINTS=str(folder / "none")) as client:
        client.initialize()
        yield client


@pytest.fixture
def requests(tiny_checkpoint: Path, portrait: Path, tmp_path: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """For each field that names a file to be read: a request that is right but for that field."""
    look = {"portrait": str(portrait), "checkpoint": str(tiny_checkpoint), "crop": [16, 0, 64]}
    analyze = {**look, "out": str(tmp_path / "motion.npz")}
    return {
        "portrait": ("inspect", {}),
        "motion": ("decode", {**look, "out": str(tmp_path / "take")}),
        "driving": ("analyze", analyze),
        "audio": ("analyze", analyze),
        "text": ("analyze", {**analyze, "driving": str(portrait), "emotion": "auto"}),
        "checkpoint": ("describe", {}),
    }


@pytest.mark.parametrize("field", ["portrait", "motion", "driving", "audio", "text", "checkpoint"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "long name", "no name"])
def test_what_is_no_file_gets_one_sentence_at_once(
    client: toy.Client, requests: dict[str, tuple[str, dict[str, Any]]], tmp_path: Path, field: str, kind: str
) -> None:
    suffix = {"text": ".txt", "driving": ".mp4"}.get(field, "")
    path = tmp_path / {"long name": "a" * 300, "no name": "\udcff lone"}.get(kind, f"it{suffix}")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    method, params = requests[field]
    error = client.error(client.send(method, **{**params, field: str(path)}))
    assert error["kind"] != "internal" and error["hint"], error


@pytest.mark.parametrize("output", ["analyze", "decode", "hear", "preview", "inspect"])
def test_no_result_takes_the_place_of_what_it_is_made_from(
    client: toy.Client, requests: dict[str, tuple[str, dict[str, Any]]], tmp_path: Path, output: str
) -> None:
    look = {key: requests["audio"][1][key] for key in ("portrait", "checkpoint", "crop")}
    portrait = Path(look["portrait"])
    motion = tmp_path / "motion.npz"
    Motion(np.zeros((2, 36), np.float32), numbers=np.array([101, 102])).save(motion)
    frame = tmp_path / "take.0101.png"
    frame.write_bytes(portrait.read_bytes())
    voice = sound(tmp_path / "voice.wav", 1.0)
    method, params, victim = {
        "analyze": ("analyze", {**look, "audio": str(voice), "out": str(voice), "overwrite": True}, voice),
        "decode": (
            "decode",
            {**look, "portrait": str(frame), "motion": str(motion), "out": str(tmp_path), "overwrite": True},
            frame,
        ),
        "hear": ("hear", {"audio": str(voice), "out": str(voice)}, voice),
        "preview": ("preview", {**look, "weights": [0.0] * 36, "out": str(portrait)}, portrait),
        "inspect": ("inspect", {"portrait": str(portrait), "upright": str(portrait)}, portrait),
    }[output]
    before = victim.read_bytes()
    error = client.error(client.send(method, **params))
    assert error["kind"] == "output_exists" and "made from" in error["message"]
    assert victim.read_bytes() == before


def test_an_analysis_of_what_is_not_there_leaves_no_folder(
    client: toy.Client, requests: dict[str, tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "motion.npz"
    for field in ("audio", "driving", "portrait"):
        params = {**requests["audio"][1], field: str(tmp_path / "gone"), "out": str(out)}
        client.error(client.send("analyze", **params))
        assert not out.parent.exists()


def test_frame_numbers_beyond_all_scenes_are_refused_before_anything_is_written(
    client: toy.Client, requests: dict[str, tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    motion = tmp_path / "motion.npz"
    Motion(np.zeros((2, 36), np.float32), numbers=np.array([10**7, 10**7 + 1])).save(motion)
    error = client.error(client.send("decode", **{**requests["motion"][1], "motion": str(motion)}))
    assert error["kind"] == "bad_motion" and not (tmp_path / "take").exists()
