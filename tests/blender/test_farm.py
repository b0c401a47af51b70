# SPDX-License-Identifier: GPL-3.0-or-later
"""A farm: workers that share a take's frames make the files that one machine would have made, byte for byte,
and a later Render Changed knows them all. Each worker is a Blender and a server of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.makers import sound

pytestmark = [pytest.mark.blender, pytest.mark.slow]

WORKER = """
import os, sys, importlib
import bpy
archive, python, blend, *arguments = sys.argv[1:]
bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences.python = python
bpy.ops.wm.open_mainfile(filepath=blend)
status = importlib.import_module("bl_ext.user_default.edtalk.edtalk_blender.batch.command").main(arguments)
bpy.ops.preferences.addon_disable(module="bl_ext.user_default.edtalk")
sys.stdout.flush(); sys.stderr.flush()
os._exit(status)
"""


@pytest.fixture
def command(part, server_python: str):
    import bpy

    bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences.python = server_python
    return part("batch.command").main


@pytest.fixture
def shot(command, tmp_path: Path, portrait: Path, tiny_checkpoint: Path) -> Path:
    """A keyed take of two seconds from frame 101 on, saved, with no frame rendered."""
    voice, blend = sound(tmp_path / "line.wav", 2.0), tmp_path / "anna.blend"
    words = ["generate", "--portrait", portrait, "--audio", voice, "--checkpoint", tiny_checkpoint]
    how = ["--crop", "16", "0", "64", "--size", "64", "--start", "101", "--fps", "24", "--no-render"]
    how += ["--seed", "3", "--shown", "Anna", "--permission", "by contract"]
    assert command([*map(str, words), *how, "--save", str(blend)]) == 0
    return blend


@pytest.fixture
def worker(archive: Path, server_python: str, tmp_path: Path):
    """Starts another Blender on a file."""

    def start(blend: Path, *arguments: str) -> subprocess.Popen[bytes]:
        # As many threads as this Blender's own server has: with another number, sums round otherwise.
        environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / f"user{len(started)}")}
        command = [sys.executable, "-c", WORKER, str(archive), server_python, str(blend), *arguments]
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    started: list[subprocess.Popen[bytes]] = []
    yield start
    for process in started:
        process.kill()
        process.wait()


def opened(blend: Path) -> None:
    import bpy

    bpy.ops.wm.open_mainfile(filepath=str(blend))


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("take.*.png")}


def test_a_take_can_be_keyed_without_rendering(shot: Path, part) -> None:
    import bpy

    opened(shot)
    (face,) = part("face.rig").faces_in(bpy.context.scene)
    assert (face.edtalk.take.first, face.edtalk.take.last) == (101, 148)
    assert pictures(shot.parent / "edtalk" / "anna_001") == {}
    assert part("pictures.image_sequence").plane_of(face) is not None
    assert part("takes.status").count(face, bpy.context) == 48
    assert round(bpy.context.scene.render.fps / bpy.context.scene.render.fps_base, 3) == 24


def said_by(part, path: Path) -> dict[str, str]:
    """Seed, sound and consent of a file's record of origin."""
    with path.open("rb") as file:
        found = part("takes.origin").origin.of_stream(file)
    return {name: found.get(name) for name in ("seed", "sound", "shown", "permission")}


def test_workers_that_share_a_take_make_the_files_of_one_machine(
    shot: Path, worker, part, command, capsys
) -> None:
    folder = shot.parent / "edtalk" / "anna_001"
    halves = [worker(shot, "render", "--frames", text) for text in ("101-117,148", "118..147")]
    assert [half.wait(300) for half in halves] == [0, 0]
    together = pictures(folder)
    assert sorted(together) == [f"take.{number:04d}.png" for number in range(100, 149)]
    assert len(list(folder.glob("rendered-*.npz"))) == 2 and not list(folder.glob("decode-*"))
    sound = hashlib.blake2b((shot.parent / "line.wav").read_bytes(), digest_size=16).hexdigest()
    said = {"seed": "3", "sound": sound, "shown": "Anna", "permission": "by contract"}
    assert all(said_by(part, folder / name) == said for name in together)

    opened(shot)
    capsys.readouterr()
    assert command(["render"]) == 0
    assert "all 48 frames are up to date" in capsys.readouterr().out
    assert [path.name for path in folder.glob("rendered*")] == ["rendered.npz"]
    assert pictures(folder) == together, "nothing was made again"

    alone = shot.parent / "alone"
    shutil.copytree(folder, shot.parent / "kept")
    for path in folder.glob("take.*.png"):
        path.unlink()
    assert command(["render"]) == 0
    shutil.move(folder, alone)
    assert pictures(alone) == together


def test_an_edit_between_two_farm_jobs_is_rendered_and_nothing_else(
    shot: Path, command, part, capsys
) -> None:
    import bpy

    opened(shot)
    for number in (1, 2, 3):
        assert command(["render", "--part", f"{number}/3"]) == 0
    (face,) = part("face.rig").faces_in(bpy.context.scene)
    curve = part("face.fcurves").curves_of(face).fcurves.find(part("face.rig").path_of("mouth_03"))
    key = min(curve.keyframe_points, key=lambda key: abs(key.co.x - 120))
    key.co.y += 3.0
    curve.update()
    capsys.readouterr()
    assert command(["render", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "frames to render: 1" in said
    stale = part("takes.status").count(face, bpy.context)
    assert 1 <= stale <= 3
    for number in (1, 2, 3):
        assert command(["render", "--part", f"{number}/3"]) == 0
    assert f"{stale} of 16 frames rendered again" in capsys.readouterr().out
    assert part("takes.status").count(face, bpy.context) == 0


def test_who_gathers_makes_what_is_left_and_takes_the_records_together(shot: Path, command, capsys) -> None:
    opened(shot)
    folder = shot.parent / "edtalk" / "anna_001"
    assert command(["render", "--frames", "101-110"]) == 0
    assert command(["render", "--frames", "115-120"]) == 0
    capsys.readouterr()
    assert command(["render", "--frames", "101-120", "--gather"]) == 0
    assert "4 of 20 frames rendered again" in capsys.readouterr().out
    assert [path.name for path in folder.glob("rendered*")] == ["rendered.npz"]
    assert len(pictures(folder)) == 21


def test_a_worker_needs_no_window(shot: Path, part) -> None:
    """In `blender -b file.blend --command ...` the context has none, and Blender forgives little without."""
    import bpy

    opened(shot)
    (face,) = part("face.rig").faces_in(bpy.context.scene)
    with bpy.context.temp_override(window=None):
        part("takes.apply").sample(face, bpy.context.scene, 24.0)
        part("face.rig").make_rig(bpy.context.scene, "Bert")
    assert len(bpy.data.scenes) == 1


def test_frames_outside_the_take_are_no_error(shot: Path, command, capsys) -> None:
    opened(shot)
    assert command(["render", "--frames", "500-600"]) == 0
    assert "none of these frames; it has 101 to 148" in capsys.readouterr().out
    assert pictures(shot.parent / "edtalk" / "anna_001") == {}


def test_all_frames_can_be_made_again(shot: Path, command, capsys) -> None:
    opened(shot)
    assert command(["render", "--frames", "101-104"]) == 0
    capsys.readouterr()
    assert command(["render", "--frames", "101-104", "--all"]) == 0
    assert "4 of 4 frames rendered again" in capsys.readouterr().out


def test_a_film_is_made_of_what_the_workers_made(shot: Path, part, command, capsys) -> None:
    import bpy

    opened(shot)
    assert command(["preview"]) == 1
    assert "lacks frames" in capsys.readouterr().err
    assert command(["render"]) == 0
    film = shot.parent / "edtalk" / "anna_001" / "preview.mp4"
    assert command(["preview"]) == 0 and film.stat().st_size > 1000
    assert said_by(part, film) == said_by(part, film.parent / "take.0101.png")
    assert command(["preview"]) == 1 and "exists already" in capsys.readouterr().err
    assert (
        command(["preview", "--overwrite", "--frames", "110-120", "--out", str(shot.parent / "p.mp4")]) == 0
    )
    assert "Write Origin is off" not in capsys.readouterr().out
    (face,) = part("face.rig").faces_in(bpy.context.scene)
    face.edtalk.write_origin = False
    assert command(["preview", "--overwrite"]) == 0
    assert b"xpacket" not in film.read_bytes() and "Write Origin is off" in capsys.readouterr().out


# -------------------------------------------------------------------------------------------- manifests


@pytest.fixture
def manifest(tmp_path: Path, portrait: Path, tiny_checkpoint: Path, command) -> Path:
    """Three shots, the second of which has no sound."""
    for name in ("one", "three"):
        sound(tmp_path / f"{name}.wav", 0.4)
    data = {
        "schema": 1,
        "defaults": {
            "portrait": portrait.name,
            "checkpoint": str(tiny_checkpoint),
            "crop": [16, 0, 64],
            "size": 64,
            "fps": 25,
            "plane": False,
        },
        "shots": [
            {"name": "one", "audio": "one.wav", "save": "one.blend", "export": "one.csv", "start": 101},
            {"name": "two", "audio": "two.wav", "save": "two.blend", "export": "two.csv"},
            {"name": "three", "audio": "three.wav", "save": "sub/three.blend", "export": "three.csv"},
        ],
    }
    path = tmp_path / "shots.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_a_shot_that_fails_does_not_stop_the_others(manifest: Path, command, tmp_path: Path, capsys) -> None:
    report = tmp_path / "report.json"
    assert command(["generate", "--manifest", str(manifest), "--report", str(report)]) == 1
    said = capsys.readouterr()
    assert "edtalk: 3 shots: 2 done, 1 failed (two)" in said.out
    (line,) = said.err.strip().splitlines()
    assert line.startswith(f"edtalk: two: There is no file {tmp_path / 'two.wav'}")
    assert (tmp_path / "one.blend").exists() and (tmp_path / "sub" / "three.blend").exists()
    assert not (tmp_path / "two.blend").exists()
    assert len(pictures(tmp_path / "edtalk" / "anna_001")) == 11
    assert len(pictures(tmp_path / "sub" / "edtalk" / "anna_001")) == 11
    data = json.loads(report.read_text("utf-8"))
    assert (data["schema"], data["command"]) == (1, "generate")
    assert [shot["status"] for shot in data["shots"]] == ["done", "failed", "done"]
    assert data["shots"][0]["takes"] == [
        {
            "face": "anna",
            "take": "anna_001",
            "folder": str(tmp_path / "edtalk" / "anna_001"),
            "first": 101,
            "last": 110,
        }
    ]

    assert command(["render", "--manifest", str(manifest), "--only", "one,three", "--part", "1/2"]) == 0
    assert "2 shots: 2 done" in capsys.readouterr().out
    assert command(["export", "--manifest", str(manifest), "--only", "three", "--frames", "1,4-5"]) == 0
    assert len((tmp_path / "three.csv").read_text("utf-8").splitlines()) == 4
    assert command(["export", "--manifest", str(manifest)]) == 1
    said = capsys.readouterr().err
    assert "two: There is no file" in said and "three: " in said and "exists already" in said


def test_a_dry_run_does_nothing_and_says_what_would_be_done(
    manifest: Path, command, tmp_path, capsys
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    assert command(["generate", "--manifest", str(manifest), "--dry-run"]) == 1
    said = capsys.readouterr()
    assert "one: anna.png with one.wav at 25 fps -> a new face, anna_001" in said.out
    assert "3 shots: 2 planned, 1 failed (two)" in said.out and "two: There is no file" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_command_line_goes_for_every_shot(manifest: Path, command, tmp_path: Path, capsys) -> None:
    asked = ["generate", "--manifest", str(manifest), "--only", "three", "--fps", "12", "--no-render"]
    assert command([*asked, "--dry-run"]) == 0
    assert "at 12 fps" in capsys.readouterr().out
    assert command(asked) == 0
    assert "5 frames to render" in capsys.readouterr().out


def test_a_wrong_manifest_begins_nothing_and_is_status_2(manifest: Path, command, tmp_path, capsys) -> None:
    manifest.write_text(manifest.read_text("utf-8").replace('"size": 64', '"size": 5'), encoding="utf-8")
    assert command(["generate", "--manifest", str(manifest)]) == 2
    said = capsys.readouterr().err.strip()
    assert said == "edtalk: shots.json: defaults: size: wants a whole number from 64 to 4096, not 5"
    assert not list(tmp_path.glob("*.blend"))


def test_a_shot_that_is_not_in_the_manifest_is_named(manifest: Path, command, capsys) -> None:
    assert command(["render", "--manifest", str(manifest), "--only", "one,four"]) == 2
    assert "has no shot four" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["render", "--only", "one"],
        ["render", "--frames", "9-3"],
        ["render", "--part", "3"],
        ["export"],
        ["generate", "--portrait", "a.png", "--idle", "4"],
        ["generate", "--portrait", "a.png", "--format", "gif"],
        ["generate", "--portrait", "a.png", "--shown", "x" * 501],
        ["generate", "--portrait", "a.png", "--permission", "two\nlines"],
        ["generate", "--portrait", "a.png", "--fps", "0"],
        ["generate", "--manifest", "shots.json", "--save", "a.blend"],
        ["export", "--manifest", "shots.json", "--out", "a.csv"],
    ],
    ids=lambda words: " ".join(words)[:60],
)
def test_wrong_arguments_are_status_2(command, wrong: list[str], capsys) -> None:
    assert command(wrong) == 2
    assert "usage" in capsys.readouterr().err


def test_a_timed_emotion_goes_to_the_server_and_a_plain_one_to_the_panel(part, edtalk) -> None:
    """The panel knows one emotion a take; the command line knows what the server knows."""
    import bpy

    shots, shot, settings = part("batch.run"), part("batch.manifest").Shot, bpy.context.scene.edtalk
    for emotion, panel in (("happy", "happy"), ("0:neutral,2:happy:0.7", "NONE"), ("NONE", "NONE")):
        asked = shot(settings={"emotion": emotion})
        part("batch.options").apply(settings, asked.settings)
        assert settings.emotion == panel
        assert shots._order(asked, None).motion["emotion"] == ("" if emotion == "NONE" else emotion)
