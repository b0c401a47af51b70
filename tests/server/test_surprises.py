# SPDX-License-Identifier: GPL-3.0-or-later
"""The real server, handed what is no file: each request gets its one answer, and the next one works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import toy

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
