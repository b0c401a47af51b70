# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd names, numbers, tables and manifests end in one sentence, never in a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from core.wire.formats import weights as formats

pytestmark = pytest.mark.blender

LONG = "/tmp/" + "n" * 300 + ".png"
NAMES = [LONG, "/tmp/half\udcff.png", "/tmp/anna.png/inside", "/dev/null", "//"]


@pytest.mark.parametrize("path", NAMES)
def test_a_path_that_no_file_has_is_a_reason_and_no_error(part, path: str) -> None:
    assert part("settings.paths").missing_file(path, "a portrait").startswith("There is no file")
    assert part("pictures.take_folder").file_digest(path) == ""
    assert part("server_process.checkpoints").look(Path(path)).trouble
    assert part("pictures.take_folder").free_name(Path("/nowhere"), path).endswith("_001")


@pytest.mark.parametrize("path", [LONG, "/tmp/n" + "\u00e9" * 200 + ".png"])
def test_a_button_with_such_a_path_is_grey(part, path: str) -> None:
    import bpy

    bpy.context.scene.edtalk.portrait = path
    assert not bpy.ops.edtalk.generate_take.poll()
    face = part("face.rig").make_rig(bpy.context.scene, "Anna")
    face.edtalk.portrait = path
    assert part("preview.live").why_not(bpy.context).startswith("There is no file")


@pytest.mark.parametrize(
    "numbers",
    [
        np.array([2**64 - 1], np.uint64),
        np.array([2**40]),
        np.array([0.5]),
        np.array([True]),
        np.array(["1"]),
    ],
    ids=lambda numbers: str(numbers.dtype),
)
def test_frame_numbers_that_are_none_are_refused(part, tmp_path, numbers) -> None:
    takes = part("pictures.take_folder")
    takes.save_motion(tmp_path / "motion.npz", np.zeros((1, 36), np.float32), 25.0, [1], "heads")
    arrays = takes.load_arrays(tmp_path / "motion.npz")
    np.savez(tmp_path / "motion.npz", **(arrays | {"numbers": numbers}))
    with pytest.raises(Exception, match=r"whole numbers|the frame number"):
        part("takes.exchange.weight_files").load(tmp_path / "motion.npz")


def row(cell: str) -> str:
    return ",".join(["1", "0.0", *["0.0"] * 35, cell])


@pytest.mark.parametrize("cell", ['"' + "9" * 200_000 + '"', "9" * 400, "nan", "0x10", ""])
def test_cells_that_are_no_weights_are_refused(part, tmp_path, cell: str) -> None:
    files = part("takes.exchange.weight_files")
    (tmp_path / "a.csv").write_text(",".join(formats.HEADER) + "\n" + row(cell) + "\n")
    with pytest.raises(Exception, match=r"a\.csv"):
        files.load(tmp_path / "a.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes that have names")
@pytest.mark.parametrize("suffix", [".npz", ".csv", ".json"])
def test_a_pipe_or_a_device_is_no_table(part, tmp_path, suffix: str) -> None:
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(Exception, match="no file of weights"):
            part("takes.exchange.weight_files").load(tmp_path / f"{name}{suffix}")


def manifest(folder: Path, **fields) -> Path:
    path = folder / "shots.json"
    shot = {"name": "a", "portrait": "p.png", "save": "a.blend", **fields}
    path.write_text(json.dumps({"schema": 1, "shots": [shot]}))
    return path


@pytest.mark.parametrize("field", ["save", "portrait", "name"])
def test_half_a_character_in_a_manifest_is_said(part, tmp_path, field: str) -> None:
    path = manifest(tmp_path, **{field: "half\udcff.blend"})
    with pytest.raises(Exception, match=r"shots\.json is no manifest"):
        part("batch.manifest").load(path, "render", {})


def test_a_manifest_of_a_thousand_wrong_fields_is_said_in_thirty_lines(part, tmp_path) -> None:
    path = manifest(tmp_path, **{f"field_{number}": 1 for number in range(1000)})
    with pytest.raises(Exception, match=r"and 97[0-9] more") as caught:
        part("batch.manifest").load(path, "render", {})
    assert len(str(caught.value).splitlines()) == 31


# ---------------------------------------------------------------------------------------- planted files


def link(target: Path, path: Path) -> None:
    path.symlink_to(target)


def hard_link(target: Path, path: Path) -> None:
    path.hardlink_to(target)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs links")
@pytest.mark.parametrize("plant", [link, hard_link])
def test_what_is_planted_under_a_name_that_could_be_guessed_stays(part, tmp_path, plant) -> None:
    victim, table = tmp_path / "victim", np.zeros((1, 36), np.float32)
    victim.write_text("mine")
    names = ("rendered.npz", "weights.csv", "edtalk-blend.json")
    for name in names:
        for guess in (f"{name}.{os.getpid()}.part", f".{name}.{os.getpid()}.part", f".{name}.part"):
            plant(victim, tmp_path / guess)
        plant(victim, tmp_path / name)
    files = part("takes.exchange.weight_files")
    part("pictures.take_folder").save_arrays(tmp_path / "rendered.npz", {"numbers": np.arange(3)})
    files.save(tmp_path / "weights.csv", files.Table(table, np.array([1]), 25.0))
    part("takes.owners").note(tmp_path)
    assert victim.read_text() == "mine"
    assert all(
        not (tmp_path / name).is_symlink() and "mine" not in (tmp_path / name).read_text("latin-1")
        for name in names
    )


def test_names_of_parts_are_never_the_same(part, tmp_path, monkeypatch) -> None:
    """Two hosts of a farm may have one process id."""
    files, seen = part("settings.files"), []
    replace = files.replace
    monkeypatch.setattr(files, "replace", lambda whole, path: (seen.append(whole.name), replace(whole, path)))
    for _ in range(50):
        files.write_whole(tmp_path / "rendered.npz", b"x")
    assert len(set(seen)) == 50 and [path.name for path in tmp_path.iterdir()] == ["rendered.npz"]


def test_strips_find_no_room_when_every_channel_is_taken(part) -> None:
    import bpy

    scene, sequencer = bpy.context.scene, part("pictures.sequencer")
    strips = sequencer.strips_of(scene)
    for channel in range(1, 128):
        strips.new_effect(f"c{channel}", "COLOR", channel, frame_start=101, frame_end=151)
    assert (
        sequencer.free_channel(scene, 101, 151, 2) == 0 and sequencer.free_channel(scene, 101, 151, 1) == 128
    )
    assert sequencer.free_channel(scene, 200, 210, 2) == 1
    assert sequencer.add_strips(scene, "a", Path("/tmp"), range(101, 103), 101, "png", "") == []
