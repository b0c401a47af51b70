# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command edtalk`: exit status, one sentence on stderr, and a scene that can be saved and rendered
on. The bpy module has no command line, so the function Blender would call is called.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.makers import sound

pytestmark = [pytest.mark.blender, pytest.mark.slow]


@pytest.fixture
def command(part, server_python: str):
    import bpy

    bpy.context.preferences.addons["bl_ext.user_default.edtalk"].preferences.python = server_python
    return part("batch.command").main


@pytest.fixture
def arguments(tmp_path: Path, portrait: Path, tiny_checkpoint: Path) -> list[str]:
    """A take of half a second, with the crop that the scene's settings name."""
    import bpy

    bpy.context.scene.edtalk.use_crop, bpy.context.scene.edtalk.crop = True, (16, 0, 64)
    voice = sound(tmp_path / "line.wav", 0.5)
    return [
        *(
            "generate",
            "--portrait",
            str(portrait),
            "--audio",
            str(voice),
            "--checkpoint",
            str(tiny_checkpoint),
        ),
        *("--size", "64", "--start", "101", "--idle", "0.3"),
    ]


def test_check_says_what_the_server_runs_on(command, capsys) -> None:
    assert command(["check"]) == 0
    assert "torch" in capsys.readouterr().out


def test_generate_saves_a_scene_that_render_goes_on_with(command, arguments, tmp_path: Path, capsys) -> None:
    import bpy

    blend = tmp_path / "anna.blend"
    assert command([*arguments, "--save", str(blend)]) == 0
    frames = sorted(path.name for path in (tmp_path / "edtalk" / "anna_001").glob("take.*.png"))
    assert frames == [f"take.{number:04d}.png" for number in range(100, 100 + len(frames))]
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    (tmp_path / "edtalk" / "anna_001" / "take.0105.png").unlink()
    assert command(["render"]) == 0
    assert f"1 of {len(frames) - 1} frames" in capsys.readouterr().out
    assert command(["render", "--rig", "nobody"]) == 1


def test_what_does_not_work_is_one_sentence_and_status_1(command, arguments, portrait: Path, capsys) -> None:
    portrait.write_bytes(b"not a picture")
    assert command(arguments) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("edtalk: ") and "anna.png" in said and "\n" not in said


def test_a_missing_file_is_named(command, arguments, portrait: Path, capsys) -> None:
    portrait.unlink()
    assert command(arguments) == 1
    assert "anna.png" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [[], ["sing"], ["generate"], ["generate", "--size", "big"]], ids=str)
def test_wrong_arguments_are_status_2(command, wrong: list[str], capsys) -> None:
    assert command(wrong) == 2
    assert "usage" in capsys.readouterr().err


def test_help_is_no_error(command, capsys) -> None:
    assert command(["generate", "--help"]) == 0
    assert "--portrait" in capsys.readouterr().out
