# SPDX-License-Identifier: GPL-3.0-or-later
"""A flag allows what the message it becomes allows, and says so before any work is done."""

from __future__ import annotations

import argparse

import pytest

from core.wire.messages import FORMATS
from server.commands.terminal import add_output


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_output(parser, FORMATS)
    return parser.parse_args(["--out", "take", *arguments])


def test_values_within_range_arrive_as_numbers() -> None:
    options = parsed("--size", "64", "--fps", "29.97", "--start", "-5", "--name", "anna.")
    assert (options.size, options.fps, options.start, options.name) == (64, 29.97, -5, "anna.")
    assert (parsed().size, parsed().fps, parsed().start, parsed().name) == (512, None, None, "take.")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--size", "5"], "argument --size: wants a whole number from 32 to 4096, not 5"),
        (["--size", "large"], "argument --size: 'large' is not a number"),
        (["--fps", "0"], "argument --fps: wants a number from 1 to 1000"),
        (["--fps", "nan"], "argument --fps: wants a number from 1 to 1000"),
        (["--start", "99999999999"], "argument --start: wants a whole number"),
        (["--name", "../anna."], "argument --name: wants the beginning of a file name"),
    ],
)
def test_values_out_of_range_are_wrong_arguments(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        parsed(*arguments)
    assert leaving.value.code == 2 and sentence in capsys.readouterr().err
