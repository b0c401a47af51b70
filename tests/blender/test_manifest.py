# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: what is wrong with one is said of a shot and a field, before anything is begun."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender

SHOT = {"name": "sc010", "portrait": "anna.png", "audio": "sc010.wav", "save": "blends/sc010.blend"}


@pytest.fixture
def load(part, tmp_path: Path):
    """Writes a manifest and reads it as a command does."""

    def read(data: object, command: str = "generate"):
        path = tmp_path / "shots.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        return part("batch.manifest").load(path, command, part("batch.options").table())

    return read


def manifest(*shots: object, **top: object) -> dict[str, object]:
    return {"schema": 1, "shots": list(shots), **top}


def test_a_shot_has_the_defaults_and_its_own_fields(load, tmp_path: Path) -> None:
    defaults = {"size": 256, "fps": 23.976, "format": "exr", "crop": [16, 0, 64], "out": "//takes/"}
    one, two = load(manifest(SHOT, {**SHOT, "name": "b", "save": "b.blend", "size": 64}, defaults=defaults))
    assert one.settings["size"] == 256 and two.settings["size"] == 64 and one.fps == 23.976
    assert one.settings["crop"] == (16.0, 0.0, 64.0) and one.settings["out"] == "//takes/"
    assert one.save == str(tmp_path / "blends" / "sc010.blend"), "paths begin at the manifest"
    assert one.settings["portrait"] == str(tmp_path / "anna.png")


def test_every_setting_of_the_panel_is_a_field(part, load) -> None:
    """Whatever the panel learns, a manifest can say; a crop by hand needs no switch of its own, and nobody
    is asked anything.
    """
    settings = part("settings.properties").EDTALK_Settings.__annotations__
    named = {option.setting for option in part("batch.options").table().values()}
    assert set(settings) - named <= {"use_crop", "take", "asked"}
    assert {
        "portrait",
        "audio",
        "driving",
        "checkpoint",
        "folder",
        "start",
        "emotion",
        "idle",
        "seed",
    } <= named


def test_a_transcript_is_what_is_said_or_a_file_beside_the_manifest(load, tmp_path: Path) -> None:
    said = {"name": "b", "save": "b.blend", "transcript": "Well, I never."}
    one, two = load(manifest({**SHOT, "transcript": "sc010.srt"}, {**SHOT, **said}))
    assert one.settings["transcript"] == str(tmp_path / "sc010.srt")
    assert two.settings["transcript"] == "Well, I never."


@pytest.mark.parametrize(
    ("shot", "said"),
    [
        ({"siez": 256}, "siez: there is no such field; is size meant?"),
        ({"size": 5}, "size: wants a whole number from 64 to 4096, not 5"),
        ({"size": 256.5}, "size: wants a whole number"),
        ({"idle": 2}, "idle: wants a number from 0 to 1, not 2"),
        ({"detail": "yes"}, "detail: wants true or false, not 'yes'"),
        ({"format": "jpg"}, "format: wants one of 'png', 'png16', 'exr', not 'jpg'"),
        ({"crop": [1, 2]}, "crop: wants a list of 3"),
        ({"crop": [1, 2, 0]}, "crop: wants a square"),
        ({"portrait": 7}, "portrait: wants text"),
        ({"frames": "10-1"}, "frames: wants the lower frame first"),
        ({"frames": [1, 2]}, "frames: wants frames such as"),
        ({"fps": 0}, "fps: wants a number from 1 to 1000"),
        ({"save": "anna.txt"}, "save: wants a file that ends in .blend"),
        ({"save": ""}, "save is missing"),
        ({"name": "a/b"}, "name: wants the beginning of a file name"),
        ({"name": ""}, "name is missing"),
        ({"use_crop": True}, "use_crop: there is no such field"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_of_shot_and_field(part, load, shot: dict, said: str) -> None:
    with pytest.raises(part("batch.run").InputError) as caught:
        load(manifest({**SHOT, "name": "fine", "save": "fine.blend"}, {**SHOT, **shot}))
    (line,) = caught.value.message.splitlines()
    assert line.startswith("shots.json: shot 2") and said in line
    if shot.get("name", "sc010") == "sc010":
        assert "shot 2 (sc010): " in line


def test_all_complaints_come_at_once(part, load) -> None:
    shots = [{**SHOT, "size": 1}, {"name": "b", "save": "b.blend", "idle": 9, "seeed": 1}, 7]
    with pytest.raises(part("batch.run").InputError) as caught:
        load(manifest(*shots, defaults={"seed": -1}))
    lines = caught.value.message.splitlines()
    assert len(lines) == 5 and lines[0].startswith("shots.json: defaults: seed: ")
    assert [line.split(":")[1] for line in lines[1:]] == [
        *(" shot 1 (sc010)", " shot 2 (b)", " shot 2 (b)", " shot 3 wants an object with named fields")
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"schema": 1,\n "shots": [}', "line 2, column 12"),
        ("[]", "wants an object with schema and shots"),
        ({"shots": [SHOT]}, "schema is missing, this version reads 1"),
        ({"schema": 2, "shots": [SHOT]}, "schema is 2, this version reads 1"),
        ({"schema": 1, "shots": []}, "shots wants a list of 1 to"),
        ({"schema": 1, "shot": [SHOT]}, "shot is no field of a manifest; is shots meant?"),
        ({"schema": 1, "shots": [SHOT], "defaults": []}, "defaults wants an object"),
        ({"schema": 1, "shots": [SHOT], "defaults": {"name": "x"}}, "defaults: name: each shot has its own"),
        ({"schema": 1, "shots": [SHOT, {**SHOT, "save": "b.blend"}]}, "name: shot 1 is called so, too"),
        ({"schema": 1, "shots": [SHOT, {**SHOT, "name": "b"}]}, "shot b: save: shot sc010 writes"),
        ('{"schema": 1, "schema": 1, "shots": []}', "'schema' stands twice in one object"),
    ],
    ids=str,
)
def test_a_file_that_is_no_manifest_is_refused(part, load, data: object, said: str) -> None:
    with pytest.raises(part("batch.run").InputError) as caught:
        load(data)
    assert said in caught.value.message and "shots.json" in caught.value.message


@pytest.mark.parametrize("command", ["render", "export", "preview"])
def test_what_opens_a_file_needs_one(part, load, command: str) -> None:
    with pytest.raises(part("batch.run").InputError, match="save is missing"):
        load(manifest({"name": "a", "export": "a.csv", "preview": "a.mp4"}), command)
    (shot,) = load(manifest({**SHOT, "export": "a.csv", "preview": "a.mp4", "frames": "1-2,9"}), command)
    assert shot.frames == (1, 2, 9)


def test_an_export_must_say_where_to(part, load) -> None:
    with pytest.raises(part("batch.run").InputError, match=r"shot 1 \(sc010\): export is missing"):
        load(manifest(SHOT), "export")


def test_a_manifest_that_is_not_there_is_one_sentence(part, tmp_path: Path) -> None:
    with pytest.raises(part("batch.run").InputError, match=r"none\.json cannot be read"):
        part("batch.manifest").load(tmp_path / "none.json", "generate", part("batch.options").table())
