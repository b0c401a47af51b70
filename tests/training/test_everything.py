# SPDX-License-Identifier: GPL-3.0-or-later
"""The one command that makes the whole model: its plan fits the recipes, and it goes on where it stopped."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from core.models.edtalk import EDTalk
from core.wire.errors import InputError
from training.commands import calibrate, evaluate
from training.evaluation.reconstruction import redraw
from training.heads import dataset
from training.heads.shards import HeadShards
from training.recipes import everything
from training.recipes.encoder_generator import config_of_run
from training.recipes.everything import Settings, Step
from training.shared.loop import from_command_line


def plan(s: Settings) -> list[Step]:
    return [*everything.pictures(s), *everything.sounds(s), *everything.finish(s)]


@pytest.mark.parametrize("voices", [True, False])
@pytest.mark.parametrize("size", everything.SIZES)
def test_every_step_is_a_command_that_its_recipe_understands(tmp_path: Path, size: int, voices: bool) -> None:
    for step in plan(Settings(tmp_path, size=size, voices=voices)):
        module, *arguments = step.command
        if module == "server.cli":
            import argparse

            command = {"calibrate": calibrate, "evaluate": evaluate}[arguments[0]]
            parser = argparse.ArgumentParser()
            command.add_arguments(parser)
            parser.parse_args(arguments[1:])
        elif module == "training.heads.dataset":
            assert dataset.settings_of([*arguments, "--minutes", "1"]).minutes == 1
        else:
            settings = from_command_line(importlib.import_module(module).Settings, arguments)
            if step.steps:
                assert settings.loop.steps == step.steps and str(settings.out) == step.folder


def test_each_run_grows_from_one_that_came_before(tmp_path: Path) -> None:
    seen: set[str] = set()
    for step in plan(Settings(tmp_path)):
        arguments = list(step.command)
        for flag in ("--grow-from", "--run", "--data", "--heldout", "--audio", "--pose", "--expression"):
            if flag in arguments:
                path = arguments[arguments.index(flag) + 1]
                assert path in seen or path.rsplit("/", 1)[0] in seen, step.name
        seen.add(step.folder)


def test_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--size is one of 64, 128, 256, not 100"):
        everything.main(Settings(tmp_path, size=100))


@pytest.mark.slow
def test_it_stops_when_time_is_up_and_goes_on_to_a_model_that_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = Settings(tmp_path, size=64, scale=0.0005, batch=2, workers=1, voices=False)
    monkeypatch.setattr(everything, "finish", lambda _: [])  # has tests of its own
    assert not everything.main(Settings(**{**vars(s), "minutes": 0.01}))
    assert not (tmp_path / "done" / "draw64").exists()
    assert everything.main(s)
    done = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "done").iterdir()}
    assert set(done) == {"train", "heldout", "draw64"} and (tmp_path / "result" / "draw64.png").exists()
    model = EDTalk(config_of_run(tmp_path / "draw64")).eval()
    assert redraw(model, HeadShards(tmp_path / "data" / "heldout", 64), 2).by_read.isfinite().all()
    assert everything.main(s)  # nothing is left to do
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "done").iterdir()} == done


@pytest.mark.slow
def test_a_step_that_fails_is_named_with_its_log(tmp_path: Path) -> None:
    s = Settings(tmp_path, size=64, scale=0.0005, batch=2, workers=1, voices=False)
    (tmp_path / "done").mkdir()
    for name in ("train", "heldout"):  # a lie: nothing was rendered
        (tmp_path / "done" / name).touch()
    with pytest.raises(InputError, match="The step draw64 failed") as error:
        everything.main(s)
    assert "holds no shards" in Path(error.value.hint.removesuffix(" says why")).read_text()
